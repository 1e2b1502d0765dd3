"""A small world: every tick of one runner with what really came of it, told as workers would tell it.

The real recorder gathers the outcomes in the order of their ends, and frames are taken at the world's moments.
`tests.statistics.naive` reads the same world without frames.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from harness.brief import Brief, RunnerBrief
from harness.events import Anchored, Closed, Event, Marked, Ready, StopRequested, WorkerDied, WorkerStarted
from harness.frames import Bye, Frame, Hello, Message
from harness.objectives import Objective
from harness.outcome import Cause, Component, Outcome
from harness.recorder import Recorder
from harness.schedule import Schedule
from harness.statistics.ledger import Ledger

ANCHOR, UTC = 5000.0, 1_750_000_000.0
CODES = {Cause.STATUS_5XX: 503, Cause.ROUTER: 502, Cause.DEGRADED: 200}


class Ending(NamedTuple):
    """How a tick ends: by an answer (no cause, or degraded), by an outcome, in line, or unsent."""

    form: str  # answer | outcome | unsent | missed
    cause: Cause | None = None
    component: Component | None = None


@dataclass(frozen=True)
class Try:
    """One tick of the whole schedule. Times in the worker's time."""

    tick: int
    intended: float
    reached: float
    sent: float
    finished: float
    ending: Ending
    paused: float = 0.0


class Death(NamedTuple):
    """A worker was killed; its successor, if it got one, takes the ordinals from `resumed` on."""

    shard: int
    at: float
    noted: float
    resumed: int
    successor: bool


class Said(NamedTuple):
    """One entry of a journal."""

    at: float
    shard: int
    incarnation: int
    entry: Message | Event


@dataclass(frozen=True)
class World:
    """One runner's run. `frames`: when each shard takes frames; `until`: no tick at or after it; all in the worker's
    time. `ready` is on the run's axis, which began `offset` seconds before the schedule."""

    rate: float
    shards: int
    until: float
    tries: tuple[Try, ...]
    frames: tuple[tuple[float, ...], ...]
    offset: float = 0.0
    ready: float = 0.0
    ready_noted: float = 0.0
    cut_at: float = 0.0
    pauses: tuple[tuple[float, float], ...] = ()
    deaths: tuple[Death, ...] = ()
    marks: tuple[Marked, ...] = ()
    closed: bool = True
    degraded_is_good: bool = True
    heard: int | None = None  # so many entries are heard, the others are lost with the conductor
    bounds: tuple[float, float] = (0.01, 5.0)
    objectives: tuple[Objective, ...] = field(default=())

    @property
    def brief(self) -> Brief:
        """As the plan would have it."""
        runner = RunnerBrief(
            name="app",
            probe="app",
            target="https://app.example.org/",
            rate=self.rate,
            shards=self.shards,
            degraded_is_good=self.degraded_is_good,
        )
        return Brief(
            run="r",
            attempt=1,
            version="0",
            python="3",
            runners=(runner,),
            objectives=self.objectives,
            max_blind_share=self.bounds[0],
            max_blind_stretch=self.bounds[1],
        )

    def entries(self) -> list[Said]:
        """All that is heard, in order."""
        said = [Said(-1.0, 0, 0, Anchored(at=0.0, monotonic=ANCHOR, boottime=ANCHOR, utc=UTC))]
        for shard in range(self.shards):
            said += _worker(self, shard)
        said.append(Said(self.ready_noted, 0, 0, Ready(at=self.ready)))
        said += [Said(mark.at, 0, 0, mark) for mark in self.marks]
        stop = StopRequested(at=self.until + self.offset, until=self.until + self.offset, by="a test")
        said.append(Said(self.until + self.offset, 0, 0, stop))
        said.sort(key=lambda one: one.at)  # stable: each shard's are in order
        if self.closed:
            said.append(Said(said[-1].at, 0, 0, Closed(at=said[-1].at, cpu_seconds=1.0, peak_rss_bytes=1)))
        return said if self.heard is None else said[: self.heard]

    def ledger(self) -> Ledger:
        """The real one, having heard all."""
        ledger = Ledger(self.brief)
        tell(ledger, self.entries())
        return ledger


def tell(ledger: Ledger, entries: Sequence[Said]) -> None:
    """Let a ledger hear what was said."""
    for _, shard, incarnation, entry in entries:
        if isinstance(entry, Hello | Frame | Bye):
            ledger.hear("app", shard, incarnation, entry)
        else:
            ledger.note(entry)


class Step(NamedTuple):
    """Something happens in a worker."""

    at: float
    order: int  # of things at one moment
    tick: int
    what: str  # pause | finish | reach


def steps(world: World, tries: Sequence[Try]) -> list[Step]:
    """What happens, in order: a pause is noticed first, then answers are read, then ticks are reached."""
    found = [Step(end, 0, index, "pause") for index, (_, end) in enumerate(world.pauses)]
    for one in tries:
        if one.ending.form != "missed":
            found.append(Step(one.finished, 1, one.tick, "finish"))
        found.append(Step(one.reached, 2, one.tick, "reach"))
    return sorted(found)


def _worker(world: World, shard: int) -> Iterator[Said]:
    """What a shard's workers say, and what is noted of their ends."""
    death = next((one for one in world.deaths if one.shard == shard), None)
    schedule = Schedule(world.rate, shard, world.shards)
    mine = [one for one in world.tries if one.tick % world.shards == shard]
    if death is None:
        yield from _incarnation(world, schedule, 0, 0, mine, world.frames[shard])
        return
    before = [at for at in world.frames[shard] if at <= death.at]
    yield from _incarnation(world, schedule, 0, 0, mine, before, dies=death.at)
    at = death.noted + world.offset
    died = WorkerDied(at=at, runner="app", shard=shard, incarnation=0, lost_until=death.resumed, how="killed")
    yield Said(at, shard, 0, died)
    if death.successor:
        mine = [one for one in mine if one.tick // world.shards >= death.resumed]
        after = [at for at in world.frames[shard] if at > death.noted]
        yield from _incarnation(world, schedule, 1, death.resumed, mine, after, begins=death.noted)


def _incarnation(
    world: World,
    schedule: Schedule,
    incarnation: int,
    first: int,
    tries: Sequence[Try],
    frames: Sequence[float],
    *,
    begins: float = 0.0,
    dies: float | None = None,
) -> Iterator[Said]:
    """One worker process from its hello to its goodbye, if it comes to that."""

    def said(at: float, entry: Message | Event) -> Said:
        return Said(at + world.offset, schedule.shard, incarnation, entry)

    began = WorkerStarted(
        at=begins + world.offset,
        runner="app",
        shard=schedule.shard,
        incarnation=incarnation,
        first=first,
        pid=1,
    )
    yield said(begins, began)
    yield said(
        begins,
        Hello(
            runner="app",
            shard=schedule.shard,
            shards=world.shards,
            incarnation=incarnation,
            first=first,
            rate=world.rate,
            start=ANCHOR + world.offset,
            pid=1,
        ),
    )
    recorder = Recorder()
    by_tick = {one.tick: one for one in tries}
    left = [step for step in reversed(steps(world, tries)) if step.what != "pause" or step.at >= begins]
    flying: set[int] = set()
    reached = first
    seq = 0
    end = max([one.finished for one in tries] + [world.until]) + 0.001
    for at in (*(moment for moment in frames if moment < end), *([end] if dies is None else [])):
        while left and left[-1].at <= at:
            step = left.pop()
            if step.what == "pause":
                recorder.pause(*world.pauses[step.tick])
                continue
            one = by_tick[step.tick]
            ordinal = one.tick // world.shards
            if step.what == "finish":
                flying.discard(ordinal)
                _finish(recorder, one, ordinal, outstanding=bool(flying))
                continue
            reached = ordinal + 1
            if one.ending.form == "missed":
                recorder.missed(ordinal, ordinal, [(int(one.intended), 1)])
            else:
                recorder.reached(one.intended, one.reached)
                flying.add(ordinal)
        waiting = [range(n, n + 1) for n in flying if by_tick[schedule.tick(n)].ending.form == "unsent"]
        in_flight = [n for n in flying if by_tick[schedule.tick(n)].ending.form != "unsent"]
        frame = recorder.frame(at=at, reached=reached, waiting=waiting, in_flight=in_flight)
        seq = frame.seq
        yield said(at, frame)
    if dies is None:
        yield said(end, Bye(seq=seq + 1, at=end, planned=reached, reason="told to stop"))


def _finish(recorder: Recorder, one: Try, ordinal: int, *, outstanding: bool) -> None:
    form, cause, component = one.ending
    if cause is None:
        recorder.good(
            one.intended,
            one.reached,
            one.sent,
            one.finished,
            one.finished,
            one.paused,
            200,
            "192.0.2.1:443",
            outstanding,
        )
    elif form == "unsent":
        recorder.unsent(ordinal, ordinal, cause, component or Component.TARGET, [(int(one.intended), 1)])
    else:
        outcome = Outcome(
            tick=ordinal,
            intended=one.intended,
            reached=one.reached,
            sent=one.sent,
            finished=one.finished,
            cause=cause,
            component=component,
            status=CODES.get(cause),
            address="192.0.2.1:443",
            detail="as the test has it",
            paused=one.paused,
        )
        recorder.outcome(outcome, outstanding=outstanding)


def shuffled_moments(chance: Random, until: float, spacing: float) -> tuple[float, ...]:
    """When frames are taken: now and then, as a worker whose pipe is full at times does."""
    moments = []
    at = 0.0
    while at < until:
        at += spacing * chance.choice((0.5, 1.0, 1.0, 1.0, 3.0))
        moments.append(round(at, 4))
    return tuple(moments)
