"""Drives a probe that is an async function, open-loop: a task for each tick, at most the pool's cap of them at once.

It keeps the engine's rules where attempts are too few to need the engine's speed: time runs from the schedule, a
deadline only nominates, our own pauses are never the target's fault, waiting for a slot is told from not being sent.
It knows no protocol; `http` and the API operations are its probes. Times are seconds after the start.
"""

import asyncio
import functools
import heapq
import itertools
import math
from collections.abc import Callable

from harness.engine.blame import Blame, Stage
from harness.engine.line import Line
from harness.engine.metronome import Metronome
from harness.engine.settling import tainted_or
from harness.engine.timer import MakeTimer
from harness.engine.waiting import Waiting
from harness.outcome import Cause, Component, Outcome
from harness.probes.flight import Flight, Probe
from harness.recorder import Recorder
from harness.schedule import Schedule
from harness.spec import Spec

_LOOK_AGAIN = 0.002  # seconds: time for the loop to read what lies in the kernel before an attempt is called late
_IN_THE_NETWORK = frozenset({Stage.CONNECT, Stage.TLS})


class Driver:
    """Keeps one shard's schedule for one probe. `run` returns when it was told to stop and every attempt is
    settled."""

    def __init__(
        self,
        spec: Spec,
        *,
        start: float,
        clock: Callable[[], float],
        make_timer: MakeTimer,
        recorder: Recorder,
        probe: Probe,
    ) -> None:
        """`start` is on the monotonic clock."""
        self._start = start
        self._clock = clock
        self._recorder = recorder
        self._probe = probe
        self._total = spec.timeouts.total
        self._cap = spec.pool.cap
        self._schedule = Schedule(spec.rate, spec.shard, spec.shards)
        self._waiting = Waiting(spec, schedule=self._schedule, recorder=recorder)
        self._group: asyncio.TaskGroup | None = None
        self._flights: dict[Flight, None] = {}
        self._line = Line()
        # (when to look, order, flight, its stage's epoch or -1 for the total, looks so far, blame, due)
        self._limits: list[tuple[float, int, Flight, int, int, Blame | None, float]] = []
        self._entries = itertools.count()
        self._done = asyncio.Event()
        self._drain_seconds = spec.drain
        self._drain_until = math.inf
        self._stop_at = -math.inf
        self._metronome = Metronome(
            self._schedule,
            first=spec.first,
            max_lag=spec.max_lag,
            start=start,
            clock=clock,
            make_timer=make_timer,
            recorder=recorder,
            driven=self,
        )

    # what the worker asks

    @property
    def metronome(self) -> Metronome:
        """The beat."""
        return self._metronome

    @property
    def in_flight(self) -> int:
        """Attempts begun and not settled."""
        return len(self._flights)

    @property
    def connections(self) -> int:
        """Connections held by the probe."""
        return self._probe.connections

    @property
    def waiting(self) -> int:
        """Ticks in line for a slot."""
        return len(self._line)

    def open_ordinals(self) -> tuple[list[range], list[int]]:
        """Reached and not settled: in line, and in flight."""
        return list(self._line.ordinals()), [flight.ordinal for flight in self._flights]

    def stop(self, at: float, drain: float) -> None:
        """No tick intended at or after `at`; attempts in flight get `drain` seconds from then on. Said again, it cuts
        short."""
        self._drain_seconds = drain
        self._stop_at = at
        if self._drain_until < math.inf:
            self._drain_until = min(self._drain_until, at + drain)
        self._metronome.stop_at(at)

    async def run(self) -> None:
        """Make ready, keep the schedule, drain."""
        async with self._probe.running(), asyncio.TaskGroup() as group:
            self._group = group
            try:
                self._metronome.begin()
                await self._done.wait()
            finally:
                self._metronome.close()

    # attempts

    def tick(self, ordinal: int, now: float) -> None:
        """The metronome's: start an attempt, or put it in line for a slot."""
        intended = self._schedule.intended(ordinal)
        self._recorder.reached(intended, now)
        if len(self._flights) < self._cap and not len(self._line):
            self._launch(ordinal, intended, now, self._recorder.paused)
        else:
            self._line.join(ordinal, now - intended, self._recorder.paused)

    def _launch(self, ordinal: int, intended: float, reached: float, paused_before: float) -> None:
        assert self._group is not None
        flight = Flight(
            ordinal,
            intended=intended,
            reached=reached,
            paused_before=paused_before,
            now=self._now,
            on_limit=self._limit,
        )
        self._flights[flight] = None
        due = reached + self._total
        heapq.heappush(self._limits, (due, next(self._entries), flight, -1, 0, None, due))
        flight.task = self._group.create_task(self._probe.attempt(flight))
        flight.task.add_done_callback(functools.partial(self._landed, flight))

    def _limit(self, flight: Flight, due: float, blame: Blame) -> None:
        heapq.heappush(self._limits, (due, next(self._entries), flight, flight.epoch, 0, blame, due))

    def _landed(self, flight: Flight, task: "asyncio.Task[Blame | None]") -> None:
        """An attempt's task has ended."""
        if not task.cancelled() and task.exception() is not None:
            return  # the probe is broken: the task group raises it, and the worker tells it
        if task.cancelled() and flight.expired is None:
            return  # we are being torn down
        now = self._now()
        del self._flights[flight]
        blame = flight.expired or (None if task.cancelled() else task.result())
        late = now - flight.intended > self._total
        self._metronome.notice_pause(now)
        paused = self._recorder.paused - flight.paused_before
        if blame is not None:
            blame = tainted_or(self._waiting.late(blame, flight.queued), paused)
        elif late and (paused > 0 or now - flight.reached <= self._total):
            ours = flight.reached - flight.intended + paused
            blame = Blame(Cause.TAINTED, Component.HARNESS, f"answered past its deadline; {ours:.3f} s of it are ours")
        self._record(flight, now, blame, paused)
        while len(self._line) and len(self._flights) < self._cap and self._drain_until > now:
            ticket = self._waiting.take(self._line, now)
            self._launch(ticket.ordinal, ticket.intended, ticket.reached, ticket.paused_before)

    def _record(self, flight: Flight, now: float, blame: Blame | None, paused: float) -> None:
        outstanding = bool(self._flights) or len(self._line) > 0
        if flight.status is not None or blame is None:
            self._recorder.count("fresh" if flight.fresh else "kept")
        if blame is None:
            sent = flight.sent if flight.sent is not None else flight.reached
            first = flight.first_at if flight.first_at is not None else now
            self._recorder.good(
                flight.intended,
                flight.reached,
                sent,
                first,
                now,
                paused,
                flight.status or 0,
                flight.address,
                outstanding,
            )
            return
        self._recorder.outcome(
            Outcome(
                tick=flight.ordinal,
                intended=flight.intended,
                reached=flight.reached,
                finished=now,
                sent=flight.sent,
                cause=blame.cause,
                component=blame.component,
                status=flight.status,
                address=flight.address,
                fresh=flight.fresh,
                retried=flight.retried,
                request_id=flight.request_id[:200],
                detail=blame.detail,
                evidence=blame.evidence,
                timings=flight.timings(now),
                paused=paused,
            ),
            outstanding=outstanding,
        )

    # deadlines

    def is_short(self) -> bool:
        """The metronome's: attempts here are tasks, which hold no answers back."""
        return False

    def woken(self, now: float) -> float:
        """The metronome's: expire what is due, drain; returns the next moment to look."""
        self._expire_flights(now)
        if len(self._line) and self._waiting.due(self._line) <= now:
            self._waiting.expire(self._line, now, address="")
        soonest = self._limits[0][0] if self._limits else math.inf
        if len(self._line):
            soonest = min(soonest, self._waiting.due(self._line))
        if self._drain_until < math.inf:
            if not self._flights and not len(self._line):
                self._done.set()
            elif now >= self._drain_until:
                self._cut()
            else:
                soonest = min(soonest, self._drain_until)
        return soonest

    def _expire_flights(self, now: float) -> None:
        """A deadline only nominates: our own pauses are added to it, and the loop gets a moment to read."""
        limits = self._limits
        while limits and limits[0][0] <= now:
            _, _, flight, epoch, looks, blame, due = heapq.heappop(limits)
            if flight not in self._flights or flight.expired is not None or epoch not in (-1, flight.epoch):
                continue
            extended = due + self._recorder.paused - flight.paused_before
            if now < extended - 1e-9:
                heapq.heappush(limits, (extended, next(self._entries), flight, epoch, 0, blame, due))
            elif looks < 1:
                heapq.heappush(limits, (now + _LOOK_AGAIN, next(self._entries), flight, epoch, looks + 1, blame, due))
            else:
                self._end(flight, blame or self._out_of_time(flight))

    def _out_of_time(self, flight: Flight) -> Blame:
        component = Component.NETWORK if flight.stage in _IN_THE_NETWORK else Component.TARGET
        return Blame(Cause.TOTAL_TIMEOUT, component, f"not answered within {self._total:g} s, {flight.stage}")

    @staticmethod
    def _end(flight: Flight, blame: Blame) -> None:
        flight.expired = blame
        if flight.task is not None:
            flight.task.cancel()

    # ending

    def finished(self) -> None:
        """The metronome's: the last tick was handed out."""
        self._drain_until = max(self._now(), self._stop_at) + self._drain_seconds

    def _cut(self) -> None:
        """The drain is over: what has no answer yet has none."""
        self._waiting.cut(self._line)
        for flight in self._flights:
            if flight.expired is None:
                words = f"in flight when the drain ended, {flight.stage}"
                self._end(flight, Blame(Cause.CUT, Component.HARNESS, words))

    def _now(self) -> float:
        return self._clock() - self._start
