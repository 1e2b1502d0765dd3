"""A short run of a probe in this process, on uvloop and in real time; and what came of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop

from harness.frames import Frame
from harness.outcome import Cause, Component, Outcome
from harness.probes import make_driver
from harness.recorder import Recorder
from harness.spec import Pool, Spec, Timeouts

PROBES = ("app", "http")
LIMITS = Timeouts(connect=5.0, tls=5.0, first_byte=5.0, total=5.0)
TICKS = 8
RATE = 50.0
BUSY = 0.005  # seconds: a machine on which wakes are so late can't tell what came within a few round trips


class Trial:
    """What one runner saw."""

    def __init__(self, frame: Frame, gap: float) -> None:
        self.frame = frame
        self.gap = gap  # seconds that a wake of ours was late, at worst
        self.good = sum(second.good for second in frame.seconds.values())
        self.causes: Counter[str] = Counter()
        for second in frame.seconds.values():
            self.causes.update(second.causes)
        self.blames = {(run.cause, run.component) for run in (*frame.bad, *frame.unknown)}

    @property
    def examples(self) -> list[Outcome]:
        return self.frame.examples

    @property
    def counters(self) -> dict[str, int]:
        return self.frame.counters

    def example(self, cause: Cause) -> Outcome:
        return next(example for example in self.examples if example.cause is cause)

    def all_are(self, cause: Cause, component: Component) -> None:
        """Every attempt failed alike."""
        assert self.blames == {(cause, component)}, self.told()
        assert self.good == 0, self.told()
        assert self.causes == {cause: TICKS}, self.told()

    def one_is(self, cause: Cause, component: Component) -> Outcome:
        """One attempt failed, and its neighbours did not."""
        assert self.blames == {(cause, component)}, self.told()
        assert self.causes == {cause: 1}, self.told()
        assert self.good == TICKS - 1, self.told()
        return self.example(cause)

    def all_good(self) -> None:
        assert (self.good, self.causes) == (TICKS, {}), self.told()

    def told(self) -> str:
        """For a failed assertion."""
        details = {(e.cause, e.component, e.detail, e.status) for e in self.examples}
        return f"good {self.good}, causes {dict(self.causes)}, {details}, {self.counters}, {self.frame.problems}"


def spec_of(probe: str, url: str, **more: Any) -> Spec:
    """A spec for `probe` ("http2": `http` that offers HTTP/2) with roomy limits."""
    spec = Spec(
        runner="trial",
        probe="http" if probe == "http2" else probe,
        http2=probe == "http2",
        rate=RATE,
        url=url,
        timeouts=LIMITS,
        pool=Pool(warm=1, cap=16, handshakes=16),
        max_lag=30.0,  # a busy machine is late, and these rows are not about that
        drain=10.0,
    )
    return msgspec.structs.replace(spec, **more)


def attempt(spec: Spec, ticks: int = TICKS, *, before: Callable[[], None] = lambda: None) -> Trial:
    """Run `ticks` ticks of it. A run on a machine too busy to tell proves nothing and is made again, with
    `before` before each."""
    before()
    trial = _attempt(spec, ticks)
    for _ in range(6):
        if trial.frame.pauses or trial.gap > BUSY:
            before()
            trial = _attempt(spec, ticks)
    return trial


def _attempt(spec: Spec, ticks: int) -> Trial:
    async def run() -> Trial:
        clock = time.monotonic
        recorder = Recorder()
        driver = make_driver(spec, start=clock() + 0.05, user_agent="trial/1", clock=clock, recorder=recorder)
        driver.stop((ticks - 0.5) / spec.rate, spec.drain)
        async with asyncio.timeout(30):
            await driver.run()
        gap = driver.metronome.take_worst_gap()
        driver.tell_counters()
        waiting, flying = driver.open_ordinals()
        assert (driver.in_flight, driver.waiting) == (0, 0)
        reached = driver.metronome.reached
        assert reached == ticks
        return Trial(recorder.frame(at=0.0, reached=reached, waiting=waiting, in_flight=flying), gap)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())
