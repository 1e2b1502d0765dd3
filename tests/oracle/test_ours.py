"""What is ours must not become the target's, nor hide what is: freezes, deaths of workers, and the stop."""

import pytest

from harness.verdict import Decision, Verdict
from tests.oracle.deployment import play
from tests.oracle.script import Fault, Pause, Script

WHO = ("workers", "conductor", "everything")


def verdict_of(script: Script) -> Verdict:
    """As it was judged."""
    return play(script).verdict


@pytest.mark.parametrize("reads_first", [False, True])
@pytest.mark.parametrize("who", WHO)
def test_a_freeze_makes_no_outage(who: str, reads_first: bool) -> None:
    """Five seconds; the conductor's alone does not even disturb the schedule."""
    verdict = verdict_of(Script(rate=50.0, pauses=(Pause(who, 10.0004, 5.0),), reads_first=reads_first))
    assert verdict.verdict is (Decision.PASS if who == "conductor" else Decision.INCONCLUSIVE)
    assert verdict.runners[0].failed == 0


@pytest.mark.parametrize("kind", ["down", "reset", "mute", "503", "hole"])
@pytest.mark.parametrize("who", WHO)
def test_a_freeze_hides_no_outage(who: str, kind: str) -> None:
    """Five seconds of each at once, between two ticks. Where the schedule went on, the outage is proven."""
    script = Script(rate=50.0, pauses=(Pause(who, 10.0154, 5.0),), faults=(Fault(kind, 10.0154, 5.0),))
    verdict = verdict_of(script)
    assert verdict.verdict is (Decision.FAIL if who == "conductor" else Decision.INCONCLUSIVE)


@pytest.mark.parametrize("who", WHO)
def test_an_outage_around_a_freeze_is_proven(who: str) -> None:
    """What was seen before and after it is enough."""
    script = Script(rate=50.0, pauses=(Pause(who, 11.0004, 5.0),), faults=(Fault("down", 9.0004, 9.0),))
    assert verdict_of(script).verdict is Decision.FAIL


@pytest.mark.parametrize("reads_first", [False, True])
def test_short_freezes_cost_nothing(reads_first: bool) -> None:
    """A target that answers in 20 ms, a time-out of 1 s, and three freezes of 1.2 s: no false failure at all."""
    pauses = tuple(Pause("workers", at, 1.2) for at in (8.0004, 11.0054, 14.0104))
    script = Script(rate=100.0, timeout=1.0, service=0.02, pauses=pauses, reads_first=reads_first)
    verdict = verdict_of(script)
    assert verdict.verdict is Decision.INCONCLUSIVE
    assert verdict.runners[0].failed == 0


@pytest.mark.parametrize(("kills", "decision"), [((10.0,), Decision.PASS), ((10.0, 15.0), Decision.INCONCLUSIVE)])
def test_a_worker_that_dies_is_no_outage(kills: tuple[float, ...], decision: Decision) -> None:
    """Its ticks are lost, nobody's failure. Once is a fifth of a second of blind time; a second time it stays dead."""
    verdict = verdict_of(Script(rate=50.0, kills=kills))
    assert verdict.verdict is decision
    assert verdict.runners[0].failed == 0
    assert verdict.runners[0].unknown["lost"] > 0


def test_a_proven_outage_stays_one_though_a_worker_dies() -> None:
    """Before its death, or after."""
    for kill in (9.0, 14.0):
        script = Script(rate=50.0, kills=(kill,), faults=(Fault("down", 10.0004, 3.0),))
        assert verdict_of(script).verdict is Decision.FAIL


@pytest.mark.parametrize("kind", ["down", "reset", "503", "mute"])
def test_a_stop_during_a_proven_outage(kind: str) -> None:
    """It need not end to be one."""
    verdict = verdict_of(Script(rate=50.0, faults=(Fault(kind, 20.0004, 30.0),), stop_at=24.0))
    assert verdict.verdict is Decision.FAIL
    assert verdict.runners[0].outages[-1].end is None


@pytest.mark.parametrize("before", [0.011, 0.05, 0.3, 0.9, 1.9])
@pytest.mark.parametrize("kind", ["mute", "stall", "freeze", "hole"])
@pytest.mark.parametrize("fresh", [False, True])
def test_a_target_that_falls_silent_just_before_the_stop(kind: str, before: float, fresh: bool) -> None:
    """Its attempts are cut, which is no failure, and never a PASS."""
    fault = Fault(kind, 20.0 - before, 60.0)
    script = Script(rate=100.0, fresh=fresh, timeout=10.0, stop_at=20.0, faults=(fault,))
    verdict = verdict_of(script)
    assert verdict.verdict is not Decision.PASS
    assert verdict.runners[0].unknown["cut"] > 0
    assert verdict.runners[0].failed == 0


@pytest.mark.parametrize(
    ("objective", "decision"),
    [
        ("max < 900ms", Decision.FAIL),  # the drain alone is a second
        ("max < 2900ms", Decision.FAIL),  # the oldest was cut at 3 s
        ("max < 3100ms", Decision.INCONCLUSIVE),
        ("p80 < 900ms", Decision.FAIL),
        ("p80 < 1500ms", Decision.INCONCLUSIVE),
        ("p70 < 500ms", Decision.PASS),
    ],
)
def test_cut_attempts_are_over_the_limits_that_their_age_exceeds(objective: str, decision: Decision) -> None:
    """Two of ten judged seconds are silent: their ticks are between one and three seconds old in the end. Over 80 % of
    all is good, then come the cut ones from the youngest on; of these the 80th percentile needs none beyond 1.5 s."""
    fault = Fault("mute", 10.0004, 60.0)
    script = Script(rate=100.0, timeout=10.0, drain=1.0, stop_at=12.0, faults=(fault,), objectives=(objective,))
    assert verdict_of(script).verdict is decision
