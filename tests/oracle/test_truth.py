"""The oracle's own word: against sums done by hand, and able to say that a verdict is wrong."""

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.objectives import Indicator
from harness.verdict import Decision, State
from tests.oracle.deployment import Played, play
from tests.oracle.platform import Platform
from tests.oracle.script import Fault, Script
from tests.oracle.truth import Truth
from tests.oracle.users import Users


def reading(played: Played, indicator: Indicator) -> tuple[float, float]:
    """Kindly and harshly."""
    (objective,) = [one for one in played.ledger.brief.objectives if one.indicator is indicator and not one.window]
    found = Truth(played).read(objective)
    return found.kind, found.harsh


@given(st.integers(5000, 12000), st.integers(100, 4000), st.sampled_from([10.0, 33.0, 100.0]))
@settings(max_examples=15, deadline=None)
def test_an_outage_is_longer_than_what_the_platform_did_by_two_spacings_at_most(
    at: int, length: int, rate: float
) -> None:
    """Whatever the phase between the fault and the schedule."""
    played = play(Script(rate=rate, stop_at=17.0, faults=(Fault("503", at / 1000, length / 1000),)))
    kind, harsh = reading(played, Indicator.LONGEST_OUTAGE)
    assert length / 1000 - 2 * 0.0006 < harsh
    assert kind <= harsh <= length / 1000 + 2 / rate + 1e-9


def test_a_reading_by_hand() -> None:
    """Ticks 160 … 179 of those from 40 to 400 fail."""
    played = play(Script(rate=20.0, stop_at=20.01, faults=(Fault("503", 7.99, 1.0),)))
    assert reading(played, Indicator.SUCCESS) == (1 - 20 / 361, 1 - 20 / 361)
    assert reading(played, Indicator.LONGEST_OUTAGE) == pytest.approx((1.05, 1.05))
    kind, harsh = reading(played, Indicator.SILENCE)
    assert kind == pytest.approx(1.012, abs=0.004)
    assert harsh == pytest.approx(1.05, abs=0.006)


@pytest.mark.parametrize(
    ("fault", "fresh", "good"),
    [
        (Fault("refuse", 5.0, 1.0), True, False),
        (Fault("down", 5.0, 1.0), False, False),
        (Fault("drain", 5.4995), False, True),  # stale, and retried
        (Fault("drain", 5.4995), True, True),
        (Fault("stall", 5.0, 1.0), False, True),
        (Fault("stall", 5.0, 1.6), False, False),
        (Fault("hole", 5.4, 0.3), False, True),  # sent again 0.2 s later
        (Fault("hole", 5.4, 0.3), True, False),  # a SYN is sent again a second later
        (Fault("slow", 5.4, 0.3, extra=0.9), False, True),
        (Fault("slow", 5.4, 0.3, extra=1.0), False, False),
        (Fault("503", 5.501, 0.3), False, True),  # either, within a millisecond of the edge
    ],
)
def test_what_a_user_meets(fault: Fault, fresh: bool, good: bool) -> None:
    """At 5.5 s, with a time-out of a second."""
    script = Script(fresh=fresh, faults=(fault,))
    fate = Users(script, Platform(script)).fate(0, 5.5)
    assert bool(fate.good) == good


def test_a_wrong_verdict_is_found() -> None:
    """Turned round, both are."""
    for faults, turned in (((Fault("down", 9.0004, 2.5),), Decision.PASS), ((), Decision.FAIL)):
        played = play(Script(faults=faults))
        assert Truth(played).wrong() == []
        lie = msgspec.structs.replace(played.verdict, verdict=turned)
        assert len(Truth(dataclasses.replace(played, verdict=lie)).wrong()) == 1
        state = State.MET if turned is Decision.PASS else State.VIOLATED
        objectives = [msgspec.structs.replace(one, state=state) for one in played.verdict.objectives]
        lie = msgspec.structs.replace(played.verdict, objectives=objectives)
        assert len(Truth(dataclasses.replace(played, verdict=lie)).wrong()) == 4
