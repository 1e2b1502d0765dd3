"""A probe whose attempts are coroutines of the test's, driven on a virtual loop."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from harness.engine.blame import Blame
from harness.engine.timer import LoopTimer
from harness.frames import Frame
from harness.outcome import Cause, Component
from harness.probes.drive import Driver
from harness.probes.flight import Flight
from harness.recorder import Recorder
from harness.spec import Pool, Spec, Timeouts

Attempt = Callable[[Flight], Awaitable[Blame | None]]
START = 1.0  # seconds from the driver's making to tick 0


class Scripted:
    """Does what the test says, and watches how it is driven."""

    connections = 0

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self.flights: list[Flight] = []
        self.in_flight = 0
        self.most = 0
        self.ready = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.ready = True
        try:
            yield
        finally:
            self.ready = False

    async def attempt(self, flight: Flight) -> Blame | None:
        assert self.ready
        self.flights.append(flight)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            return await self._attempt(flight)
        finally:
            self.in_flight -= 1


def spec_of(**more: Any) -> Spec:
    """Ten a second, a second each, and slots enough."""
    spec = Spec(
        runner="scripted",
        rate=10.0,
        url="http://nobody.invalid/",
        timeouts=Timeouts(connect=1.0, tls=1.0, first_byte=1.0, total=1.0),
        pool=Pool(warm=0, cap=10, handshakes=1),
        drain=30.0,
    )
    return msgspec.structs.replace(spec, **more)


class Drive:
    """A driver and its probe on the running loop; `frame` is what came of it."""

    def __init__(self, attempt: Attempt, **more: Any) -> None:
        loop = asyncio.get_running_loop()
        self.spec = spec_of(**more)
        self.probe = Scripted(attempt)
        self.recorder = Recorder()
        self.began = loop.time() + START
        self.driver = Driver(
            self.spec,
            start=self.began,
            clock=lambda: loop.time() + 2e-9,  # the loop runs a timer early by up to its resolution, 1e-9
            make_timer=lambda callback: LoopTimer(loop, callback),
            recorder=self.recorder,
            probe=self.probe,
        )

    async def run(self, *, until: float, drain: float | None = None) -> Frame:
        self.driver.stop(until, self.spec.drain if drain is None else drain)
        await self.driver.run()
        assert (self.driver.in_flight, self.driver.waiting, self.probe.in_flight) == (0, 0, 0)
        assert not self.probe.ready
        return self.gathered()

    def gathered(self) -> Frame:
        waiting, flying = self.driver.open_ordinals()
        reached = self.driver.metronome.reached
        return self.recorder.frame(at=self.now, reached=reached, waiting=waiting, in_flight=flying)

    def at(self, when: float, call: Callable[..., object], *arguments: object) -> None:
        """`when`: seconds after the start."""
        asyncio.get_running_loop().call_at(self.began + when, call, *arguments)

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() - self.began


def causes(frame: Frame) -> Counter[str]:
    total: Counter[str] = Counter()
    for second in frame.seconds.values():
        total.update(second.causes)
    return total


def good(frame: Frame) -> int:
    return sum(second.good for second in frame.seconds.values())


def blames(frame: Frame) -> set[tuple[Cause, Component]]:
    return {(run.cause, run.component) for run in (*frame.bad, *frame.unknown)}


def taking(*seconds: float) -> Attempt:
    """Attempts that are good after this long, the last figure for all that follow."""
    begun = iter(range(10**9))

    async def attempt(flight: Flight) -> Blame | None:
        index = min(next(begun), len(seconds) - 1)
        flight.is_sent()
        await asyncio.sleep(seconds[index])
        flight.has_begun()
        flight.status = 200
        return None

    return attempt


async def for_ever(_: Flight) -> Blame | None:
    await asyncio.Event().wait()
    return None
