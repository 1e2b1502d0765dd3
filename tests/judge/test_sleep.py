"""A machine that slept saw nothing: what failed around its sleep is no failure of the target's."""

from harness.brief import Brief, RunnerBrief
from harness.events import Anchored, Closed, Ready, StopRequested, Suspended
from harness.frames import Frame, Hello, Run, Second
from harness.judge import judge
from harness.objectives import Indicator, Objective
from harness.outcome import Cause, Component
from harness.statistics.ledger import Ledger
from harness.verdict import Decision, Verdict

SECONDS, RATE = 120, 10
OBJECTIVE = Objective(
    text="longest_outage < 1s", runner="app", indicator=Indicator.LONGEST_OUTAGE, operator="<", threshold=1.0
)


def verdict_of(bad_from: int, bad_to: int, slept: list[Suspended], cause: Cause = Cause.RESET) -> Verdict:
    """Two minutes at ten a second, failing from one second to another."""
    runner = RunnerBrief(name="app", probe="app", target="http://127.0.0.1/", rate=RATE, shards=1)
    brief = Brief(run="r", attempt=1, version="0", python="3", runners=(runner,), objectives=(OBJECTIVE,))
    ledger = Ledger(brief)
    ledger.note(Anchored(at=0.0, monotonic=1000.0, boottime=1000.0, utc=1e9))
    ledger.hear(
        "app", 0, 0, Hello(runner="app", shard=0, shards=1, incarnation=0, first=0, rate=RATE, start=1000.0, pid=1)
    )
    ledger.note(Ready(at=1.0))
    seconds = {}
    for second in range(SECONDS):
        failing = bad_from <= second < bad_to
        seconds[second] = Second(sent=RATE, good=0 if failing else RATE, causes={cause: RATE} if failing else {})
    ticks = SECONDS * RATE
    bad = [Run(bad_from * RATE, bad_to * RATE - 1, cause, Component.NETWORK)]
    ledger.hear("app", 0, 0, Frame(seq=1, at=SECONDS, reached=ticks, watermark=ticks, bad=bad, seconds=seconds))
    for one in slept:
        ledger.note(one)
    ledger.note(StopRequested(at=SECONDS, until=SECONDS, by="the test"))
    ledger.note(Closed(at=SECONDS, cpu_seconds=1.0, peak_rss_bytes=1))
    return judge(brief, ledger)


def test_an_outage_while_awake_fails() -> None:
    assert verdict_of(50, 53, []).verdict is Decision.FAIL


def test_failures_around_a_sleep_are_unknown() -> None:
    verdict = verdict_of(50, 53, [Suspended(at=50.5, seconds=3600.0)])
    assert verdict.verdict is Decision.INCONCLUSIVE
    assert verdict.runners[0].failed == 0
    assert verdict.runners[0].unknown == {"tainted": 30}
    assert any("slept for 1 h" in reason for reason in verdict.reasons)


def test_a_sleep_hides_no_outage_elsewhere() -> None:
    assert verdict_of(90, 93, [Suspended(at=50.5, seconds=3600.0)]).verdict is Decision.FAIL


def test_what_reaches_out_of_the_doubtful_time_is_bad_there() -> None:
    verdict = verdict_of(55, 70, [Suspended(at=50.5, seconds=2.0)])
    assert verdict.verdict is Decision.FAIL
    assert verdict.runners[0].unknown == {"tainted": 55}
    assert verdict.runners[0].failed == 95


def test_what_the_peer_said_outright_stands() -> None:
    assert verdict_of(45, 48, [Suspended(at=50.5, seconds=2.0)], Cause.STATUS_5XX).verdict is Decision.FAIL


def test_no_mercy_around_a_sleep() -> None:
    """Half a second of failures between good ticks: so little would be set aside elsewhere."""
    assert verdict_of(50, 51, [Suspended(at=50.5, seconds=1.1)]).verdict is Decision.INCONCLUSIVE
