"""When a silent Concourse is asked again, and when that is told."""

from hypothesis import given
from hypothesis import strategies as st

from harness.channel.concourse.pace import Pace
from harness.channel.concourse.patience import Patience

_PACE = Pace()


def test_it_is_asked_less_and_less_often() -> None:
    patience, delays = Patience("ci", Pace(remark=1000.0)), []
    for now in range(6):
        patience.silent("away", float(now))
        delays.append(patience.delay)
    assert delays == [2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    patience.answered(6.0)
    assert patience.delay == 0.0


@given(st.floats(0.0, 10.0), st.integers(1, 20))
def test_silence_is_told_of_once_when_it_has_lasted(takes: float, times: int) -> None:
    """`takes`: seconds until a question has failed."""
    patience, now, remarks = Patience("ci", _PACE), 0.0, []
    for _ in range(times):
        remark = patience.silent("away", now)
        remarks += [(now, remark)] if remark else []
        now += patience.delay + takes
    assert len(remarks) <= 1
    for at, text in remarks:
        assert _PACE.remark <= at <= _PACE.remark + takes + 1e-6
        assert "away" in text
    again = patience.answered(now)
    assert (again is not None) == bool(remarks)


def test_what_does_not_fit_is_told_at_once_and_once() -> None:
    patience = Patience("ci", _PACE)
    assert patience.unfit("there is no job", 0.0) == "there is no job; it is asked again"
    assert patience.unfit("there is no job", 2.0) is None
    assert patience.unfit("it is archived", 4.0) == "it is archived; it is asked again"
    assert patience.answered(9.0) == "ci answers again, after 9 s"
    assert patience.answered(11.0) is None
