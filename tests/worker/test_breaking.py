"""A fault of our own in a callback ends the worker, which says so: it must not pass for a fault of the target."""

import asyncio

import pytest

from harness.engine.metronome import Metronome
from harness.engine.timer import LoopTimer
from harness.frames import Bye, decode_message
from harness.recorder import Recorder
from harness.schedule import Schedule
from harness.worker.work import Work
from tests.conductor.conducting import in_loop
from tests.worker.process import spec_of


class Faulty:
    """A driver whose first callback raises."""

    in_flight = connections = waiting = 0

    def __init__(self, fault: Exception, recorder: Recorder) -> None:
        self._fault = fault
        self._done = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.metronome = Metronome(
            Schedule(1.0),
            first=0,
            max_lag=0.1,
            start=loop.time(),
            clock=loop.time,
            make_timer=lambda callback: LoopTimer(loop, callback),
            recorder=recorder,
            driven=self,
        )

    def tick(self, ordinal: int, now: float) -> None:
        raise self._fault

    def woken(self, now: float) -> float:
        return now + 1.0

    def is_short(self) -> bool:
        return False

    def finished(self) -> None:
        self._done.set()

    def open_ordinals(self) -> tuple[list[range], list[int]]:
        return [], []

    def stop(self, at: float, drain: float) -> None:
        self._done.set()

    async def run(self) -> None:
        self.metronome.begin()
        try:
            await self._done.wait()
        finally:
            self.metronome.close()


class Lines:
    """What it said."""

    clear = True

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.said.append(line)

    async def emptied(self) -> None:
        pass


async def work_with(fault: Exception) -> Bye:
    loop = asyncio.get_running_loop()
    recorder, sink = Recorder(), Lines()
    work = Work(
        spec_of(1),
        start=loop.time(),
        clock=loop.time,
        driver=Faulty(fault, recorder),
        recorder=recorder,
        sink=sink,
        vitals=None,
        canary=None,
    )
    loop.set_exception_handler(work.callback_broke)
    loop.call_later(0.5, work.stop, 0.0, 0.0, "it went on")
    try:
        await work.run()
    finally:
        bye = decode_message(sink.said[-1])
        assert isinstance(bye, Bye)
        loop.set_exception_handler(None)
    return bye


@in_loop
async def test_a_fault_in_a_callback_ends_the_worker() -> None:
    with pytest.raises(ExceptionGroup) as told:
        await work_with(ZeroDivisionError("a mistake of ours"))
    assert told.group_contains(ZeroDivisionError, match="a mistake of ours")


@in_loop
async def test_what_the_system_refuses_does_not() -> None:
    assert (await work_with(ConnectionResetError("the peer's"))).reason == "it went on"
