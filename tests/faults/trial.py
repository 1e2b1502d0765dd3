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
LONGEST = 40.0  # seconds in which the machine must let a run pass undisturbed
STALE = 0.01  # seconds after the write within which a stale connection shows, at least
_LOST = (Cause.CLOSED_EARLY, Cause.RESET)


class Trial:
    """What one runner saw."""

    def __init__(self, frame: Frame, ticks: int) -> None:
        self.frame = frame
        self.ticks = ticks
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
        assert self.causes == {cause: self.ticks}, self.told()

    def one_is(self, cause: Cause, component: Component) -> Outcome:
        """One attempt failed, and its neighbours did not."""
        assert self.blames == {(cause, component)}, self.told()
        assert self.causes == {cause: 1}, self.told()
        assert self.good == self.ticks - 1, self.told()
        return self.example(cause)

    def all_good(self) -> None:
        assert (self.good, self.causes) == (self.ticks, {}), self.told()

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
    """Run `ticks` ticks of it. What broke while we ourselves stood still is tainted, and proves nothing of the row: a
    run with such an end is made again, with `before` before each."""
    until = time.monotonic() + LONGEST
    while True:
        before()
        trial = _attempt(spec, ticks)
        if Cause.TAINTED not in trial.causes or time.monotonic() > until:
            return trial
        assert trial.frame.pauses, trial.told()


def shown_stale(run: Callable[[], Trial]) -> Trial:
    """A trial in which each connection that was lost showed so soon after the write. On a busy machine some server's
    thread is late; whoever lost its connection to that has another cause, told after that time, and the run is made
    again."""
    until = time.monotonic() + LONGEST
    while True:
        trial = run()
        late = [example for example in trial.examples if example.cause in _LOST and not example.retried]
        if not late or time.monotonic() > until:
            return trial
        for example in late:
            assert example.sent is not None
            assert example.finished - example.sent > STALE, trial.told()


def _attempt(spec: Spec, ticks: int) -> Trial:
    async def run() -> Trial:
        clock = time.monotonic
        recorder = Recorder()
        driver = make_driver(spec, start=clock() + 0.05, user_agent="trial/1", clock=clock, recorder=recorder)
        driver.stop((ticks - 0.5) / spec.rate, spec.drain)
        async with asyncio.timeout(30):
            await driver.run()
        waiting, flying = driver.open_ordinals()
        assert (driver.in_flight, driver.waiting) == (0, 0)
        reached = driver.metronome.reached
        assert reached == ticks
        return Trial(recorder.frame(at=0.0, reached=reached, waiting=waiting, in_flight=flying), ticks)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())
