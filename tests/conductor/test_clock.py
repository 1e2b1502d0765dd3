"""What the clocks' drifting apart means."""

import pytest

from harness.conductor.clock import ClockWatch, Reading, SystemClock, read
from harness.events import Anchored, Suspended

ANCHOR = Reading(monotonic=100.0, boottime=130.0, utc=1_000_000.0)


def test_nothing_happens_while_they_agree() -> None:
    watch = ClockWatch(ANCHOR)
    assert watch.look(ANCHOR.after(1.0)) == []
    assert watch.look(Reading(200.0, 230.0, 1_000_100.04)) == []


def test_a_stepped_wall_clock_is_placed_anew_once() -> None:
    watch = ClockWatch(ANCHOR)
    stepped = Reading(110.0, 140.0, 999_999.0)
    assert watch.look(stepped) == [Anchored(at=10.0, monotonic=110.0, boottime=140.0, utc=999_999.0)]
    assert watch.look(stepped.after(1.0)) == []


def test_a_sleeping_machine_is_noticed_once() -> None:
    watch = ClockWatch(ANCHOR)
    woken = Reading(110.0, 140.0 + 3600.0, 1_000_010.0 + 3600.0)
    suspended, anchored = watch.look(woken)
    assert suspended == Suspended(at=10.0, seconds=3600.0)
    assert isinstance(anchored, Anchored)
    assert watch.look(woken.after(1.0)) == []


class Interrupted:
    """A clock whose process is paused for a second between two readings, the first time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses = [1.0]

    def monotonic(self) -> float:
        return self.now

    def boottime(self) -> float:
        self.now += self.pauses.pop() if self.pauses else 0.0
        return self.now

    def utc(self) -> float:
        return self.now


def test_a_pause_between_the_readings_is_not_taken_for_a_step() -> None:
    assert read(Interrupted()) == Reading(1.0, 1.0, 1.0)


def test_the_machines_clocks_agree_with_themselves() -> None:
    watch = ClockWatch(read(SystemClock()))
    assert watch.look(read(SystemClock())) == []
    assert read(SystemClock()).after(2.0).monotonic == pytest.approx(SystemClock().monotonic() + 2.0, abs=0.5)
