"""What is made of look after look: whom to follow, when to stop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.channel.concourse.builds import OVER, Build
from harness.channel.concourse.pace import Pace
from harness.channel.concourse.watch import Follow, Remark, Stop, Watch

_PACE = Pace()


def _build(status: str, id: int = 112) -> Build:
    return Build(id=id, name=str(id - 100), status=status, job_name="deploy")


def _watch() -> Watch:
    return Watch("deploy with ref:abc", _PACE)


@pytest.mark.parametrize("status", sorted(OVER))
def test_every_end_is_one(status: str) -> None:
    watch = _watch()
    assert watch.saw(_build("pending"), now=0.0, over_before=False) == [Follow(_build("pending"))]
    assert watch.saw(_build("started"), now=2.0, over_before=False) == [Follow(_build("started"))]
    assert watch.saw(_build(status), now=4.0, over_before=False) == [
        Follow(_build(status)),
        Stop(f"the build deploy #12 {status}"),
    ]


@given(st.text(max_size=12).filter(lambda status: status not in OVER))
def test_a_state_that_nobody_knows_is_no_end(status: str) -> None:
    assert Stop not in map(type, _watch().saw(_build(status), now=0.0, over_before=False))


def test_one_that_was_over_before_gets_a_minute_for_a_newer_one() -> None:
    watch = _watch()
    (remark,) = watch.saw(_build("failed"), now=0.0, over_before=True)
    assert isinstance(remark, Remark)
    assert "deploy #12 failed before this run began" in remark.text
    assert watch.saw(_build("failed"), now=_PACE.newer - 0.1, over_before=True) == []
    assert watch.saw(_build("failed"), now=_PACE.newer, over_before=True) == [
        Stop("the build deploy #12 failed before this run began")
    ]


def test_a_newer_one_takes_its_place() -> None:
    watch = _watch()
    watch.saw(_build("failed"), now=0.0, over_before=True)
    remark, follow = watch.saw(_build("started", 113), now=30.0, over_before=False)
    assert remark == Remark("the build deploy #13 is of the same version, and watched instead of deploy #12")
    assert follow == Follow(_build("started", 113))
    assert watch.saw(_build("started", 113), now=500.0, over_before=False) == [Follow(_build("started", 113))]


@given(st.lists(st.floats(0.1, 400.0), min_size=1, max_size=30))
def test_that_there_is_none_is_told_once_and_late(steps: list[float]) -> None:
    watch, now, told = _watch(), 0.0, []
    assert watch.saw(None, now=now, over_before=False) == []
    for step in steps:
        now += step
        told += watch.saw(None, now=now, over_before=False)
    assert len(told) == (1 if now >= _PACE.none else 0)


def test_one_that_vanished_is_not_over() -> None:
    watch = _watch()
    watch.saw(_build("started"), now=0.0, over_before=False)
    assert watch.saw(None, now=10_000.0, over_before=False) == []
