"""Whatever the clocks say, an update lies within what is told of it, where the pipeline's marks are around it."""

import math

from hypothesis import given
from hypothesis import strategies as st

from harness.bosh.events import Update
from harness.bosh.offset import STAMP, Bracket, estimate, placed

BEGAN = 1795780983.25

Spans = list[tuple[float, float]]
spans = st.lists(st.tuples(st.floats(0, 600), st.floats(0, 300)), min_size=1, max_size=30)
skews = st.floats(-90, 90)


def stamped(truth: Spans, skew: float) -> list[Update]:
    """As BOSH would tell them: by its clock, whole seconds."""
    return [
        Update(str(number), f"cell/{number}", math.floor(BEGAN + b + skew), math.floor(BEGAN + b + length + skew))
        for number, (b, length) in enumerate(truth)
    ]


def deployment(truth: Spans, before: float, after: float) -> Bracket:
    first, last = min(b for b, _ in truth), max(b + length for b, length in truth)
    return Bracket("deploy", BEGAN + first - before, BEGAN + last + after)


@given(spans, skews, st.floats(0, 30), st.floats(0, 30), st.floats(0, 20))
def test_an_update_lies_within_what_is_told_of_it(
    truth: Spans, skew: float, before: float, after: float, later: float
) -> None:
    around = deployment(truth, before, after)
    offset = estimate(stamped(truth, skew), [around], around.end + later)
    slack = before + after + 2 * STAMP
    for (begin, length), (_, at, end, within) in zip(truth, placed(stamped(truth, skew), offset), strict=True):
        # a skew that the marks' slack hides may be taken for none: then it is as large as that slack at most
        allowed = within if offset.seconds else max(within, slack)
        assert abs(at - (BEGAN + begin)) <= allowed + 1e-6
        assert end is not None
        assert abs(end - (BEGAN + begin + length)) <= allowed + 1e-6


@given(spans, skews)
def test_tight_marks_leave_little_doubt(truth: Spans, skew: float) -> None:
    around = deployment(truth, 0.0, 0.0)
    offset = estimate(stamped(truth, skew), [around], around.end)
    assert abs(offset.seconds - skew) <= 2 * STAMP


@given(spans, st.floats(10, 90))
def test_without_marks_the_future_alone_speaks(truth: Spans, skew: float) -> None:
    around = deployment(truth, 0.0, 0.0)
    ahead = estimate(stamped(truth, skew), [], around.end)
    assert skew - 1 - 1e-6 <= ahead.seconds <= skew + 1e-6
    behind = estimate(stamped(truth, -skew), [], around.end)
    assert behind.seconds == 0.0  # an old event may be old: it is taken as it is


@given(spans)
def test_clocks_that_agree_are_left_alone(truth: Spans) -> None:
    around = deployment(truth, 2.0, 2.0)
    offset = estimate(stamped(truth, 0.0), [Bracket("other", 0.0, 10.0), around], around.end + 1)
    assert (offset.seconds, offset.within) == (0.0, 0.0)


def test_marks_around_something_else_are_not_believed() -> None:
    updates = stamped([(0.0, 300.0)], 0.0)
    offset = estimate(updates, [Bracket("early", BEGAN - 50_000, BEGAN - 40_000)], BEGAN + 400)
    assert (offset.seconds, offset.why) == (0.0, "nothing speaks against it")
