"""How long the API stays once the run is over."""

from hypothesis import given
from hypothesis import strategies as st

from harness.control.attention import LONGEST, QUIET, SIGNALLED, WAITED, Attention

_times = st.floats(0, 100)


def test_nobody_there() -> None:
    assert not Attention().is_due(50.0, 50.0, signalled=False)
    assert not Attention(asked=50.0 - WAITED).is_due(50.0, 50.0, signalled=False)


def test_whoever_waits_is_told_and_then_left() -> None:
    attention = Attention(asked=49.0)
    assert attention.is_due(50.0, 50.0 + LONGEST - 0.1, signalled=False)
    attention.asked, attention.told = 52.0, True
    assert attention.is_due(50.0, 52.0 + QUIET - 0.1, signalled=False)
    assert not attention.is_due(50.0, 52.0 + QUIET, signalled=False)


def test_whoever_stopped_it_may_come_back_late() -> None:
    assert Attention(asked=10.0, stopped=True).is_due(50.0, 50.0 + LONGEST - 0.1, signalled=False)


@given(st.none() | _times, st.booleans(), st.booleans(), _times, _times, st.booleans())
def test_it_never_stays_longer(
    asked: float | None, stopped: bool, told: bool, ended: float, after: float, signalled: bool
) -> None:
    limit = SIGNALLED if signalled else LONGEST
    due = Attention(asked, stopped, told).is_due(ended, ended + after, signalled=signalled)
    assert not (due and (ended + after) - ended >= limit)
