"""Timers, the metronome that they drive, the canary and the vital signs, in real time and in virtual."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable

import pytest
import uvloop

from harness.engine.canary import Canary
from harness.engine.metronome import HEARTBEAT, PAUSE, Metronome, per_second
from harness.engine.timer import LoopTimer, Timer, TimerfdTimer, best_timer
from harness.engine.vitals import Vitals
from harness.frames import Health
from harness.recorder import Recorder
from harness.schedule import Schedule
from tests.engine.stage import StageLoop, in_no_time

KINDS = [LoopTimer, *([TimerfdTimer] if sys.platform == "linux" else [])]
LOOPS = [asyncio.SelectorEventLoop, uvloop.new_event_loop]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", KINDS)
def test_timers(kind: Callable[..., Timer], loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Never early by more than a loop's own step; armed anew, the former moment is forgotten; closed, it is silent."""

    async def run() -> None:
        fired: list[tuple[float, float]] = []
        when = 0.0
        done = asyncio.Event()

        def callback() -> None:
            nonlocal when
            fired.append((when, time.monotonic()))
            if len(fired) == 10:
                timer.close()
                done.set()
                return
            when = time.monotonic() + (0.0 if len(fired) == 5 else 0.0033)
            timer.arm(when)

        timer = kind(asyncio.get_running_loop(), callback)
        timer.arm(time.monotonic() + 600.0)
        when = time.monotonic() + 0.002
        timer.arm(when)
        await done.wait()
        await asyncio.sleep(0.02)
        assert len(fired) == 10
        step = 0.0 if kind is TimerfdTimer else 0.001
        assert all(at >= due - step - 1e-8 for due, at in fired)
        assert timer.description

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


@pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")
def test_a_timerfd_is_given_back() -> None:
    async def run() -> None:
        before = len(os.listdir("/proc/self/fd"))
        timer = best_timer(asyncio.get_running_loop())(lambda: None)
        assert isinstance(timer, TimerfdTimer)
        assert len(os.listdir("/proc/self/fd")) == before + 1
        timer.close()
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(run())


class Driven:
    """Notes what a metronome tells."""

    def __init__(self) -> None:
        self.ticks: list[tuple[int, float]] = []
        self.woken_at: list[float] = []
        self.done = asyncio.Event()

    def tick(self, ordinal: int, now: float) -> None:
        self.ticks.append((ordinal, now))

    def woken(self, now: float) -> float:
        self.woken_at.append(now)
        return now + 1000.0

    def is_short(self) -> bool:
        return False

    def finished(self) -> None:
        assert not self.done.is_set(), "told once"
        self.done.set()


def metronome_of(rate: float, driven: Driven, recorder: Recorder, *, first: int = 0, max_lag: float = 0.1) -> Metronome:
    loop = asyncio.get_running_loop()
    return Metronome(
        Schedule(rate),
        first=first,
        max_lag=max_lag,
        start=loop.time() + 0.05,
        clock=loop.time,
        make_timer=best_timer(loop) if not isinstance(loop, StageLoop) else lambda called: LoopTimer(loop, called),
        recorder=recorder,
        driven=driven,
    )


@pytest.mark.parametrize("rate", [50.0, 5000.0])
def test_ticks_in_real_time_are_never_early(rate: float) -> None:
    async def run() -> None:
        driven = Driven()
        metronome = metronome_of(rate, driven, Recorder(), max_lag=60.0)
        metronome.begin()
        metronome.stop_at(0.2)
        await driven.done.wait()
        metronome.close()
        assert [ordinal for ordinal, _ in driven.ticks] == list(range(int(0.2 * rate)))
        assert all(now >= ordinal / rate for ordinal, now in driven.ticks)
        assert metronome.reached == len(driven.ticks)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


@in_no_time
async def test_pauses_are_noticed_between_rare_ticks() -> None:
    """The heart beats though nothing is due, or a pause would pass unseen at a tick an hour."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StageLoop)
    driven, recorder = Driven(), Recorder()
    metronome = metronome_of(1 / 3600, driven, recorder)
    metronome.begin()
    loop.call_later(1.0, loop.pause, 0.5)
    loop.call_later(2.0, loop.pause, 0.5 * PAUSE)
    await asyncio.sleep(3.0)
    metronome.close()
    (pause,) = recorder.frame(at=3.0, reached=1, waiting=(), in_flight=()).pauses
    assert 0.5 - HEARTBEAT <= pause.end - pause.begin <= 0.5 + 0.001
    assert recorder.paused == pause.end - pause.begin
    assert metronome.take_worst_gap() == pytest.approx(0.5, abs=HEARTBEAT)
    assert metronome.take_worst_gap() == 0.0
    gaps = [later - sooner for sooner, later in zip(driven.woken_at, driven.woken_at[1:], strict=False)]
    assert sorted(gaps)[-3] <= HEARTBEAT + 0.001


@in_no_time
async def test_a_pause_is_told_once_whoever_notices_it_first() -> None:
    """A socket's callback may run before the timer's."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StageLoop)
    driven, recorder = Driven(), Recorder()
    metronome = metronome_of(10.0, driven, recorder)
    start = loop.time() + 0.05
    metronome.begin()
    await asyncio.sleep(0.501)
    loop.pause(1.0)
    metronome.notice_pause(loop.time() - start)
    metronome.notice_pause(loop.time() - start)
    await asyncio.sleep(0.3)
    metronome.close()
    frame = recorder.frame(at=2.0, reached=metronome.reached, waiting=(), in_flight=())
    assert len(frame.pauses) == 1
    assert [run.cause for run in frame.unknown] == ["missed"]


@in_no_time
async def test_a_stop_before_the_beginning() -> None:
    """It is kept in mind, and nothing wakes before `begin`."""
    driven = Driven()
    metronome = metronome_of(10.0, driven, Recorder())
    metronome.stop_at(0.35)
    await asyncio.sleep(0.2)
    assert driven.woken_at == []
    metronome.begin()
    await driven.done.wait()
    metronome.close()
    assert [ordinal for ordinal, _ in driven.ticks] == [1, 2, 3], "tick 0 was too late by then"
    assert metronome.reached == 4


def test_ticks_by_second() -> None:
    for rate in (0.3, 1.0, 3.0, 7.0, 1000.0 / 3):
        schedule = Schedule(rate)
        for begin, end in ((0, 0), (0, 1), (3, 50), (17, 18), (0, 1000)):
            expected: dict[int, int] = {}
            for ordinal in range(begin, end):
                second = int(schedule.intended(ordinal))
                expected[second] = expected.get(second, 0) + 1
            assert dict(per_second(schedule, begin, end)) == expected


def test_the_canary_sings() -> None:
    async def run() -> None:
        recorder = Recorder()
        canary = Canary(time.monotonic, recorder)
        assert canary.take_worst() is None
        task = asyncio.create_task(canary.run())
        try:
            async with asyncio.timeout(20):
                while not canary.take_worst():
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        frame = recorder.frame(at=1.0, reached=0, waiting=(), in_flight=())
        assert sum(frame.canary.values()) >= 1
        assert frame.problems == []

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def take(vitals: Vitals, second: int) -> Health:
    return vitals.take(second, wake_gap=0.25, in_flight=1, connections=2, waiting=3, canary=None)


def test_vital_signs() -> None:
    """Differences since the reading before; what is told is passed on."""
    vitals = Vitals(time.monotonic)
    vitals.watch_collections()
    try:
        began = time.process_time()
        while time.process_time() - began < 0.05:
            pass
        gc.collect()
        busy = take(vitals, 7)
        calm = take(vitals, 8)
    finally:
        gc.callbacks.pop()
    assert (busy.second, busy.wake_gap, busy.in_flight, busy.connections, busy.waiting) == (7, 0.25, 1, 2, 3)
    assert busy.cpu >= 0.05 > calm.cpu
    assert busy.gc > 0
    assert calm.gc == 0 or calm.gc < busy.gc
    assert 0 <= busy.steal <= 1
    assert 0 <= busy.pressure <= 1
    if sys.platform == "linux":
        assert busy.rss > 1_000_000
        assert busy.files >= 3
