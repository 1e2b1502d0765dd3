"""Where an outage begins and ends, and how long a silence lasts: exactly as the schedule's arithmetic has it.

At 100 a second, on the virtual clock, for faults longer and shorter than the time-out. The fault begins 5.4 ms after
tick 800, so that this one is answered before it (it takes 3 ms, or 4 on a fresh connection), and tick 801 is the first
within.
"""

import math

import pytest

from harness.verdict import RunnerReport
from tests.oracle.deployment import play
from tests.oracle.script import Fault, Script

BEGIN = 8.0054
ANSWER = 0.003  # seconds of an answer: half a millisecond there, two at work, half a millisecond back
OPENING = 0.001  # seconds of a new connection
NONE = ("success >= 0%",)


def watched(kind: str, seconds: float, timeout: float, *, fresh: bool = False) -> RunnerReport:
    """What a run saw of a fault."""
    script = Script(
        rate=100.0,
        fresh=fresh,
        timeout=timeout,
        one_way=0.0005,
        service=0.002,
        stop_at=18.0,
        faults=(Fault(kind, BEGIN, seconds),),
        objectives=NONE,
    )
    played = play(script)
    assert played.ledger.judged is not None
    assert played.ledger.judged[0] == 2.0
    return played.verdict.runners[0]


def check_outage(runner: RunnerReport, first: int, last: int, cause: str) -> None:
    """One outage of the ticks `first` … `last`."""
    (outage,) = runner.outages
    bad = last - first + 1
    assert (runner.failed, outage.failures, outage.causes) == (bad, bad, {cause: bad})
    assert outage.offset + 2.0 == pytest.approx(first / 100, abs=1e-9)
    assert outage.seconds == pytest.approx((last + 1 - first) / 100, abs=1e-9)
    assert outage.seconds_low == pytest.approx((bad - 1) / 100, abs=1e-9)
    assert outage.seconds_high == pytest.approx((bad + 1) / 100, abs=1e-9)
    assert sum(runner.unknown.values()) == 0


def check_silence(runner: RunnerReport, until: float) -> None:
    """From tick 801, the first that waited, since before it nobody did, to the first answer after the fault."""
    assert runner.silence is not None
    assert runner.silence.seconds == pytest.approx(until - 8.01, abs=1e-4)


@pytest.mark.parametrize("timeout", [0.1, 5.0])
@pytest.mark.parametrize("seconds", [0.3, 3.0])
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(
    ("kind", "cause"), [("down", "connect_refused"), ("reset", "reset"), ("503", "status_5xx"), ("router", "router")]
)
def test_an_outright_no(kind: str, cause: str, seconds: float, timeout: float, fresh: bool) -> None:
    """Every tick that comes to the target meanwhile is bad, whatever the time-out: 30 or 300 of them."""
    runner = watched(kind, seconds, timeout, fresh=fresh)
    first, last = 801, math.floor((BEGIN + seconds) * 100)
    assert last - first + 1 == round(seconds * 100)
    check_outage(runner, first, last, cause)
    opening = OPENING if fresh or kind in ("down", "reset") else 0.0
    check_silence(runner, (last + 1) / 100 + opening + ANSWER)


@pytest.mark.parametrize("seconds", [0.3, 3.0])
@pytest.mark.parametrize("kind", ["stall", "freeze"])
def test_a_stall_shorter_than_the_timeout(kind: str, seconds: float) -> None:
    """No tick is bad, and nobody was answered: silence alone sees it."""
    runner = watched(kind, seconds, timeout=5.0)
    assert runner.outages == []
    assert runner.failed == 0
    check_silence(runner, BEGIN + seconds + 0.0025)
    assert runner.latency.max == pytest.approx(BEGIN + seconds + 0.0025 - 8.01, rel=0.002)


@pytest.mark.parametrize("kind", ["stall", "freeze"])
@pytest.mark.parametrize(("seconds", "timeout"), [(0.3, 0.2), (3.0, 1.0), (3.0, 2.9)])
def test_a_stall_longer_than_the_timeout(kind: str, seconds: float, timeout: float) -> None:
    """Those ticks are bad whose whole time passed before it ended; the silence is as long as it was."""
    runner = watched(kind, seconds, timeout)
    answered = BEGIN + seconds + 0.0025
    check_outage(runner, 801, math.ceil((answered - timeout) * 100) - 1, "total_timeout")
    check_silence(runner, answered)


@pytest.mark.parametrize("timeout", [0.2, 1.0])
def test_answers_that_never_come(timeout: float) -> None:
    """As long as the fault itself, whatever the time-out."""
    runner = watched("mute", 3.0, timeout)
    check_outage(runner, 801, 1100, "total_timeout")
    check_silence(runner, 11.01 + OPENING + ANSWER)


def test_one_address_of_two() -> None:
    """Every second tick fails: each is an outage of its own, between 0 and 20 ms."""
    script = Script(
        rate=100.0, addresses=2, stop_at=14.0, one_way=0.0005, service=0.002, objectives=NONE,
        faults=(Fault("down", BEGIN, 1.0, address=1),),
    )  # fmt: skip
    runner = play(script).verdict.runners[0]
    assert runner.failed == 50
    assert runner.outages_total == 50
    assert {round(outage.seconds_high, 9) for outage in runner.outages} == {0.02}
    assert runner.addresses["10.0.0.2:80"].causes == {"connect_refused": 50}
    assert not runner.addresses["10.0.0.1:80"].causes
