"""Where a whole second of another clock lies on ours."""

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from harness.channel.concourse.offset import LEAST, Offset

_NOW = 1_790_000_000.0


@given(
    st.floats(-90.0, 90.0),
    st.lists(st.tuples(st.floats(0.0, 600.0), st.floats(0.0, 5.0), st.floats(0.0, 5.0)), max_size=8),
    st.floats(-600.0, 600.0),
)
def test_the_moment_lies_within(skew: float, answers: list[tuple[float, float, float]], when: float) -> None:
    """`skew`: what the other clock is ahead; each answer has a time, a way there and a way back."""
    offset = Offset()
    for at, there, back in answers:
        date = formatdate(int(_NOW + at + there + skew), usegmt=True)
        offset.saw(date, _NOW + at, _NOW + at + there + back)
    truth = _NOW + when
    at, within = offset.place(int(truth + skew))
    assert within >= LEAST
    if answers:
        assert abs(at - truth) <= within + 1e-3


@given(st.none() | st.text(max_size=40))
def test_a_date_that_is_none_changes_nothing(date: str | None) -> None:
    offset = Offset()
    offset.saw(date, _NOW, _NOW)
    assert offset.place(100)[1] == LEAST


def test_a_clock_that_is_set_is_followed() -> None:
    offset = Offset()
    offset.saw(formatdate(_NOW, usegmt=True), _NOW, _NOW)
    offset.saw(formatdate(_NOW + 3600, usegmt=True), _NOW, _NOW)
    at, within = offset.place(int(_NOW + 3600))
    assert abs(at - _NOW) <= within
