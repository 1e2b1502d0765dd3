"""The control plane's loop: starts the workers, takes down what they say, waits for readiness and the stop, ends them.

It decides when; what it all came to is `harness.judge`'s part. Clock, processes, journal and statistics come in from
outside (`harness.run` brings the real ones), so the same code runs on a virtual clock with workers in its own loop.
"""

import asyncio
import math
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from harness.command import Command
from harness.conductor.attend import Attendant, Surroundings, members_of
from harness.conductor.clock import Clock, ClockWatch, read
from harness.conductor.launch import Launch
from harness.conductor.observe import Observer, Observers, Tick
from harness.conductor.readiness import Baseline
from harness.conductor.usage import Usage
from harness.events import Anchored, Closed, Event, Marked, NeverReady, Problem, Ready, StopRequested
from harness.frames import Frame, Hello, Message
from harness.schedule import Schedule
from harness.spec import Spec
from harness.stop import SOURCES, Mark, Request, RunHandle, Situation, StopRules

if TYPE_CHECKING:
    from harness.statistics.ledger import Ledger

START_AFTER = 1.0  # seconds from our start to tick 0: workers start and open their connections meanwhile
HELLO_SEQ = -1  # frames count from 1
BYE_GRACE = 1.0  # seconds beyond the drain until a worker that said no goodbye is killed
CUT_GRACE = 0.5  # likewise, once the drain was cut short
SAME_WISH = 0.3  # seconds within which a second outside request is an echo of the first
_LOOK_EVERY = 0.05  # seconds between looks at what has changed
_OWN_LATENESS = 0.5  # seconds; a wake later than that says nothing about others


class Record(Protocol):
    """Where everything is written down: `harness.journal.Journal`."""

    @property
    def trouble(self) -> str:
        """What went wrong with writing; empty while all is well."""

    def frame(self, runner: str, shard: int, incarnation: int, seq: int, line: bytes) -> None:
        """Keep a worker's line."""

    def event(self, line: bytes) -> None:
        """Keep an event."""


@dataclass(frozen=True)
class Rules:
    """The plan's part in when a run begins and ends. Seconds."""

    baseline: float
    ready_timeout: float
    stop: StopRules


class Conductor:
    """Conducts one attempt at one run."""

    def __init__(
        self,
        specs: Iterable[Spec],
        rules: Rules,
        *,
        clock: Clock,
        launch: Launch,
        record: Record,
        ledger: "Ledger",
        handle: RunHandle,
        command: Command | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        self._specs = tuple(specs)  # of workers
        members = [member for spec in self._specs for member in members_of(spec)]
        self._rules = rules
        self._clock = clock
        self._launch = launch
        self._record = record
        self._ledger = ledger
        self._handle = handle
        self._command = command
        self._observers = Observers(observers, ledger)
        self._usage = Usage(command)
        self._requests: list[Request] = []
        self._attendants: tuple[Attendant, ...] = ()
        self._baseline = Baseline(
            ((spec.runner, Schedule(spec.rate, spec.shard, spec.shards)) for spec in members), rules.baseline
        )
        self._start = math.nan
        self._told_of_trouble = False
        self._was_ready = False
        self._insisted_at = -math.inf
        self._news = asyncio.Event()  # a stop was requested, or a worker died

    def now(self) -> float:
        """Seconds after the run's start."""
        return self._clock.monotonic() - self._start

    async def conduct(self) -> None:
        """From the anchor to the last event. When it returns, every process that it started has ended."""
        anchor = read(self._clock).after(START_AFTER)
        self._start = anchor.monotonic
        self._note(Anchored(at=0.0, monotonic=anchor.monotonic, boottime=anchor.boottime, utc=anchor.utc))
        around = Surroundings(
            anchor=self._start,
            now=self.now,
            launch=self._launch,
            note=self._note,
            heard=self._heard,
            lost=self._lost,
        )
        self._attendants = tuple(Attendant(spec, around) for spec in self._specs)
        situation = Situation(
            rules=self._rules.stop,
            handle=self._handle,
            command=self._command,
            runners=tuple(dict.fromkeys(member.runner for spec in self._specs for member in members_of(spec))),
            now=self.now,
            good_and_bad=self._good_and_bad,
            request=self._request,
            mark=self._mark,
            note=self._note,
        )
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch(ClockWatch(anchor)))
            sources = {name: group.create_task(source(situation)) for name, source in SOURCES.items()}
            crew = [group.create_task(attendant.serve()) for attendant in self._attendants]
            if await self._become_ready(situation):
                await self._until_requested()
            await self._stop(crew)
            await self._end_command(sources["command"])
            for task in (watch, *sources.values()):
                task.cancel()
        self._look_at_record()
        self._note(
            Closed(at=self.now(), cpu_seconds=self._usage.cpu_seconds(), peak_rss_bytes=self._usage.peak_rss_bytes())
        )

    # What comes in

    def _note(self, event: Event) -> None:
        self._record.event(msgspec.json.encode(event))
        self._ledger.note(event)
        self._tell(event)

    def _heard(self, spec: Spec, line: bytes, message: Message) -> None:
        seq = HELLO_SEQ if isinstance(message, Hello) else message.seq
        self._record.frame(spec.runner, spec.shard, spec.incarnation, seq, line)
        self._ledger.hear(spec.runner, spec.shard, spec.incarnation, message)
        if isinstance(message, Frame):
            self._usage.hear(spec.runner, spec.shard, message)
            if not self._was_ready:  # afterwards it would only grow
                self._baseline.hear(self._ledger.runners[spec.runner].brief, spec.shard, message)
        self._tell(message)

    def _tell(self, said: Message | Event | Tick) -> None:
        for fault in self._observers.tell(said):
            self._note(Problem(at=self.now(), text=fault, spoils=False))

    def _request(self, request: Request) -> None:
        # A terminal's Ctrl-C and its forwarding by make or tox are one wish, not two.
        if request.insists and self.now() - self._insisted_at < SAME_WISH:
            return
        if request.insists:
            self._insisted_at = self.now()
        self._requests.append(request)
        self._news.set()

    def _mark(self, mark: Mark) -> None:
        at = mark.monotonic - self._start
        self._note(Marked(at=at, name=mark.name, edge=mark.edge, within=mark.within, source=mark.source))

    def _lost(self, spec: Spec, until: int) -> None:
        self._baseline.settle(spec.runner, spec.shard, until, self.now())
        self._news.set()

    def _good_and_bad(self, runner: str, begin: float, end: float) -> tuple[int, int]:
        tally = self._ledger.tally(runner, begin, end)
        return tally.good, tally.bad

    # Becoming ready

    async def _become_ready(self, situation: Situation) -> bool:
        """Wait for every runner's clean baseline. If it does not come, note why."""
        while (reason := self._hopeless()) is None:
            at = self._baseline.ready_at(self.now())
            if at is not None:
                await situation.until(at)
                # Looked at again: neither a stop nor a failure may have come in between.
                if not self._requests and self._baseline.ready_at(self.now()) is not None:
                    self._was_ready = True
                    self._note(Ready(at=at))
                    situation.ready.set_result(at)
                    return True
            await asyncio.sleep(_LOOK_EVERY)
        self._note(NeverReady(at=self.now(), reason=f"{reason} ({self._baseline.impression()})"))
        return False

    def _hopeless(self) -> str | None:
        baseline = f"a clean baseline of {self._rules.baseline:g} s"
        if self._requests:
            return f"stopped by {self._requests[0].by} before every runner had {baseline}"
        for attendant in self._attendants:
            if attendant.gone:
                names = ", ".join(member.runner for member in members_of(attendant.spec))
                return f"the worker of {names} died twice before the run was ready"
        if self.now() > self._rules.ready_timeout:
            return f"not every runner had {baseline} within {self._rules.ready_timeout:g} s"
        return None

    # Stopping

    async def _until_requested(self) -> None:
        while not self._requests:
            if all(attendant.gone for attendant in self._attendants):
                self._requests.append(Request("every worker died"))
                return
            self._news.clear()
            await self._news.wait()

    async def _stop(self, crew: list[asyncio.Task[None]]) -> None:
        """Tell the workers, wait for their goodbyes, kill those that say none. A signal ends the settle time, since a
        kill may follow it in ten seconds; a second one cuts the drain short."""
        rules = self._rules.stop
        now = self.now()
        if self._requests:
            request = self._requests[0]
            if request.spoils:
                self._note(Problem(at=now, text=request.spoils, spoils=True))
            until = request.until if request.until is not None else now + (0.0 if request.insists else rules.settle)
            deadline = self._tell_stop(request.by, until, rules.drain) + BYE_GRACE
        else:  # it never became ready: nothing in flight is worth waiting for
            until = now
            deadline = self._tell_workers(until, 0.0) + BYE_GRACE
        cut = spared = False
        pending = set(crew)
        while pending:
            before = self.now()
            _, pending = await asyncio.wait(pending, timeout=_LOOK_EVERY)
            now = self.now()
            if now - before > _OWN_LATENESS and now + CUT_GRACE > deadline and not spared:
                spared = True  # we were paused, their goodbyes may lie unread; once: a busy machine is always late
                deadline = now + CUT_GRACE
            insisting = [request for request in self._requests if request.insists]
            if insisting and now < until:
                until = now
                deadline = self._tell_stop(insisting[-1].by, until, rules.drain) + BYE_GRACE
            if len(insisting) > 1 and not cut:
                cut = True
                deadline = self._tell_workers(until, max(0.0, now - until)) + CUT_GRACE
            if pending and now > deadline:
                for attendant in self._attendants:
                    attendant.kill("it did not end when it was told to stop")
                deadline = math.inf

    def _tell_stop(self, by: str, until: float, drain: float) -> float:
        """Note the stop, tell workers and command. Returns when the drain is over."""
        self._note(StopRequested(at=self.now(), until=until, by=by))
        if self._command is not None:
            self._command.send(signal.SIGTERM)
        return self._tell_workers(until, drain)

    def _tell_workers(self, until: float, drain: float) -> float:
        for attendant in self._attendants:
            attendant.stop(until, drain)
        return max(until, self.now()) + drain

    async def _end_command(self, running: asyncio.Task[None]) -> None:
        """The command does not outlive the run: it was asked to end when the workers were, and has had their drain."""
        if self._command is None or not self._was_ready:
            return
        await asyncio.wait([running], timeout=BYE_GRACE)
        if self._command.running:
            self._command.send(signal.SIGKILL)
            self._note(Problem(at=self.now(), text="the command did not end on SIGTERM and was killed", spoils=False))
        await running

    # Each second

    async def _watch(self, clocks: ClockWatch) -> None:
        """Clocks, the journal, silent workers, onlookers."""
        due = -math.inf
        while True:
            due = max(due, math.floor(self.now())) + 1.0
            await asyncio.sleep(due - self.now())
            now = self.now()
            for event in clocks.look(read(self._clock)):
                self._note(event)
            self._look_at_record()
            if now - due < _OWN_LATENESS:  # else we were paused ourselves, and what they said lies unread
                for attendant in self._attendants:
                    attendant.check_silence()
            self._tell(Tick(now))

    def _look_at_record(self) -> None:
        if self._record.trouble and not self._told_of_trouble:
            self._told_of_trouble = True
            self._note(Problem(at=self.now(), text=self._record.trouble, spoils=True))
