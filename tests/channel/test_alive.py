"""Whether a run lives, on a virtual clock: clocks that differ, processes that are gone, pulses that stand still."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.channel.alive import PULSE_EVERY, STALE, Attempt, Watch
from harness.channel.process import Process, this_process
from harness.channel.records import Owner, Pulse
from tests.channel.carrying import owner

ELSEWHERE = {"host": "another", "boot": "another 1", "namespace": "pid:[7]"}
skews = st.floats(-600.0, 600.0)


def seen(pulse: Pulse | None, who: Owner | None = None) -> Attempt:
    who = who if who is not None else owner(**ELSEWHERE, at=-1e6)
    return Attempt("42", 1, owner=who, pulse=pulse, stop=None, ended=None)


def pulse(beat: int, at: float) -> Pulse:
    return Pulse(beat=beat, at=at, state="watching")


def watched(skew: float, dies: float, seconds: float, every: float = 1.0) -> list[bool | None]:
    """What a reader is told from second 0 on of a run on another machine whose clock differs; it dies then."""
    watch = Watch()
    told = []
    for step in range(int(seconds / every)):
        now = step * every
        beat = int(min(now, dies) // PULSE_EVERY) + 100
        told.append(watch.is_dead(seen(pulse(beat, 1e6 + (beat - 100) * PULSE_EVERY + skew)), 50 + now, 1e6 + now))
    return told


@given(skews)
def test_one_that_lives_is_never_dead_whatever_its_clock(skew: float) -> None:
    told = watched(skew, dies=1e9, seconds=300)
    assert True not in told
    assert set(told[int(PULSE_EVERY) :]) == {False}, "its pulse went on"


@given(skews, st.floats(-1e5, 0.0))
def test_one_that_died_before_is_known_to_be_within_the_time_that_a_pulse_may_take(skew: float, died: float) -> None:
    watch = Watch()
    stands = seen(pulse(7, 1e6 + died + skew))
    told = [watch.is_dead(stands, 50.0 + now, 1e6 + now) for now in range(int(STALE) + 2)]
    assert told[-1] is True
    assert told == sorted(told, key=lambda dead: dead is True), "once dead it stays so"


@given(skews, st.floats(1.0, 100.0))
def test_one_that_dies_meanwhile_is_known_to_be_after_thirty_seconds(skew: float, dies: float) -> None:
    told = watched(skew, dies, seconds=dies + PULSE_EVERY + STALE + 3)
    assert told[-1] is True
    assert True not in told[: int(dies)]


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_pulse_from_another_time_says_nothing_at_first(skew: float) -> None:
    assert Watch().is_dead(seen(pulse(1, 1e6 + skew)), 0.0, 1e6) is None


@given(skews, st.floats(0.0, STALE))
def test_a_pulse_that_moved_may_stand_still_for_thirty_seconds(skew: float, silent: float) -> None:
    watch = Watch()
    watch.is_dead(seen(pulse(1, 1e6 + skew)), 0.0, 1e6)
    watch.is_dead(seen(pulse(2, 1e6 + 5 + skew)), 5.0, 1e6 + 5)
    assert watch.is_dead(seen(pulse(2, 1e6 + 5 + skew)), 5.0 + silent, 1e6 + 5 + silent) is False


def test_an_old_pulse_that_moves_is_a_living_one() -> None:
    watch = Watch()
    assert watch.is_dead(seen(pulse(1, 0.0)), 0.0, 1e6) is None
    assert not watch.moved
    assert watch.is_dead(seen(pulse(2, 5.0)), 5.0, 1e6) is False
    assert watch.moved


def test_one_that_claimed_and_never_showed_itself() -> None:
    watch = Watch()
    begun = seen(None, owner(**ELSEWHERE, at=1e6))
    assert watch.is_dead(begun, 0.0, 1e6 + 1) is False
    assert watch.is_dead(begun, 31.0, 1e6 + 32) is True


def test_a_process_of_this_machine_is_looked_up() -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        born = _process_of(child.pid)
        who = owner(pid=child.pid, boot=born.boot)
        fresh = seen(pulse(1, 1e6), who)
        assert Watch().is_dead(fresh, 0.0, 1e6) is False
    assert Watch().is_dead(fresh, 0.0, 1e6) is True


def _process_of(pid: int) -> Process:
    from harness.channel import process

    return this_process()._replace(pid=pid, boot=process._boot_and_birth(pid))
