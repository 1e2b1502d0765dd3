"""A pool that is too small to tell a stall from its own size blames nobody for the time that its line took."""

import pytest

from harness.engine.blame import Blame, pool_limit, shared_with_line
from harness.outcome import Cause, Component
from tests.engine.stage import Network, in_no_time, run_engine, spec_of

LATE = Blame(Cause.TOTAL_TIMEOUT, Component.TARGET, "not answered within 1 s")


@pytest.mark.parametrize(
    ("blame", "waited", "expected"),
    [
        (LATE, 0.0, LATE),
        (LATE, 0.5, pool_limit(2)),
        (LATE._replace(cause=Cause.RESET), 0.5, LATE._replace(cause=Cause.RESET)),
    ],
)
def test_whose_time_it_was(blame: Blame, waited: float, expected: Blame) -> None:
    assert shared_with_line(blame, waited, 2) == expected


@in_no_time
async def test_a_target_that_is_quick_enough_is_never_blamed() -> None:
    """Answers take 0.7 s of the 1 s that they may; two connections for ten a second are a line of our own making."""
    seen = await run_engine(spec_of(rate=10.0, cap=2, warm=2), Network(lambda now, address: 0.7), ticks=60)
    assert seen.good > 1
    assert seen.causes[Cause.POOL_LIMIT] > 20
    assert set(seen.causes) <= {Cause.POOL_LIMIT, Cause.CUT}


@in_no_time
async def test_a_silent_target_is_blamed_for_those_that_did_not_wait() -> None:
    def answer(now: float, address: object) -> float | None:
        return 0.01 if now < 2.0 else None

    seen = await run_engine(spec_of(rate=10.0, cap=2, warm=2), Network(answer), ticks=60)
    assert seen.causes[Cause.TOTAL_TIMEOUT] >= 2
