"""One worker's life: hello, a frame each quarter second, bye. All I/O comes in, so that it also runs on a virtual
clock."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from harness.engine.canary import Canary
from harness.engine.metronome import Metronome
from harness.engine.vitals import Vitals
from harness.frames import Bye, Hello, encode_message
from harness.recorder import Recorder
from harness.spec import Spec


class Driver(Protocol):
    """What a probe's engine offers the worker."""

    @property
    def metronome(self) -> Metronome:
        """Its beat."""

    @property
    def in_flight(self) -> int:
        """Attempts begun and not settled."""

    @property
    def connections(self) -> int:
        """Connections held."""

    @property
    def waiting(self) -> int:
        """Ticks in line."""

    def open_ordinals(self) -> tuple[list[range], list[int]]:
        """Reached and not settled."""

    def stop(self, at: float, drain: float) -> None:
        """End the schedule."""

    async def run(self) -> None:
        """Keep it."""


class Sink(Protocol):
    """Where lines go."""

    @property
    def clear(self) -> bool:
        """Nothing is stuck."""

    def write(self, line: bytes) -> None:
        """Write one line."""

    async def emptied(self) -> None:
        """Wait until nothing is stuck."""


class Work:
    """Ties a driver, its recorder and a sink together. `label` tells its frames from those of others in one sink."""

    def __init__(
        self,
        spec: Spec,
        *,
        start: float,
        clock: Callable[[], float],
        driver: Driver,
        recorder: Recorder,
        sink: Sink,
        label: str = "",
        vitals: Vitals | None,
        canary: Canary | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._spec = spec
        self._label = label
        self._start = start
        self._clock = clock
        self._driver = driver
        self._recorder = recorder
        self._sink = sink
        self._vitals = vitals
        self._canary = canary
        self._sleep = sleep
        self._health_second = -1
        self._seq = 0
        self._reason = "told to stop"
        self._broken = asyncio.Event()
        self._fault: BaseException | None = None

    def callback_broke(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """For the loop's `set_exception_handler`: a callback of ours raised. From here on nothing that is counted can
        be trusted: an attempt may be lost, or its connection closed under it, which would look like the target's
        fault. So end."""
        fault = context.get("exception")
        if fault is not None and not isinstance(fault, OSError) and self._fault is None:
            self._fault = fault
            self._broken.set()

    def stop(self, at: float, drain: float, reason: str) -> None:
        """No tick at or after `at` seconds after the start."""
        self._reason = reason
        self._driver.stop(at, drain)

    async def run(self) -> None:
        """From hello to bye. What breaks inside is told in the bye, and raised."""
        spec = self._spec
        self._sink.write(
            encode_message(
                Hello(
                    runner=spec.runner,
                    shard=spec.shard,
                    shards=spec.shards,
                    incarnation=spec.incarnation,
                    first=spec.first,
                    rate=spec.rate,
                    start=self._start,
                    pid=os.getpid(),
                    timer=self._driver.metronome.timer,
                )
            )
        )
        if spec.until is not None:
            self.stop(spec.until, spec.drain, "its time was over")
        problem = ""
        try:
            async with asyncio.TaskGroup() as group:
                frames = group.create_task(self._send_frames())
                faults = group.create_task(self._end_if_broken())
                singing = group.create_task(self._canary.run()) if self._canary is not None else None
                try:
                    await self._driver.run()
                finally:
                    frames.cancel()
                    faults.cancel()
                    if singing is not None:
                        singing.cancel()
        except Exception as error:  # the worker's outermost: whatever it is, the conductor must hear of it
            problem = f"{type(error).__name__}: {error}"
            if isinstance(error, ExceptionGroup):
                problem = "; ".join(f"{type(e).__name__}: {e}" for e in error.exceptions)
            raise
        finally:
            await self._sink.emptied()
            self._frame()
            await self._sink.emptied()
            self._sink.write(
                encode_message(
                    Bye(
                        seq=self._seq + 1,
                        at=self._clock() - self._start,
                        planned=self._driver.metronome.reached,
                        reason="it broke" if problem else self._reason,
                        runner=self._label,
                        problem=problem[:1000],
                    )
                )
            )
            await self._sink.emptied()

    async def _end_if_broken(self) -> None:
        await self._broken.wait()
        assert self._fault is not None
        raise self._fault

    async def _send_frames(self) -> None:
        while True:
            await self._sleep(self._spec.frame_every)
            self._take_health()
            await self._sleep(0)  # two short stops of the loop rather than a longer one
            if self._sink.clear:
                self._frame()

    def _frame(self) -> None:
        self._driver.metronome.notice_pause(self._clock() - self._start)
        waiting, flying = self._driver.open_ordinals()
        frame = self._recorder.frame(
            at=self._clock() - self._start,
            reached=self._driver.metronome.reached,
            waiting=waiting,
            in_flight=flying,
        )
        self._seq = frame.seq
        frame.runner = self._label
        self._sink.write(encode_message(frame))

    def _take_health(self) -> None:
        second = int(self._clock() - self._start)
        if self._vitals is None or second == self._health_second:
            return
        self._health_second = second
        driver = self._driver
        self._recorder.health(
            self._vitals.take(
                second,
                wake_gap=driver.metronome.take_worst_gap(),
                in_flight=driver.in_flight,
                connections=driver.connections,
                waiting=driver.waiting,
                canary=self._canary.take_worst() if self._canary is not None else None,
            )
        )
