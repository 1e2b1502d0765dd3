"""Lines of progress for a pipe: what is waited for, readiness, every 10 s, each outage's beginning and end, the stop.

Every line begins with the UTC time of what it tells. `Progress` is an observer of the conductor.
"""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from harness.cli.news import Began, Ended, OutageNews
from harness.cli.voice import Voice
from harness.conductor.observe import Tick
from harness.events import CommandEnded, Event, Marked, NeverReady, Problem, Ready, StopRequested, Suspended, WorkerDied
from harness.figures import count, rate, seconds, share, tally
from harness.frames import Bye, Frame, Hello, Message
from harness.glance import Counts, Glance, Onlooker, RunnerGlance, causes_of
from harness.plan import Plan
from harness.report.layout import ELLIPSIS, left, plain
from harness.statistics.ledger import Ledger
from harness.statistics.placement import Placement
from harness.units import show_duration

EVERY = 10.0  # seconds between two lines about each runner
FIRST = 4.0  # seconds until the first ones, if it is not ready by then
_EACH = 8  # runners that have a line of their own; of more only those that failed
_LONGEST = 400  # characters of a line


class Progress:
    """Says lines on stderr while a run goes on."""

    def __init__(self, plan: Plan, command: Sequence[str] | None = None, *, awaited: str = "") -> None:
        """`command`: what is run beside it. `awaited`: by what its pipeline is to stop it."""
        self._plan = plan
        self._command = command
        self._awaited = awaited
        self._names = [runner.name for runner in plan.file.runners]
        self._width = max(len(name) for name in self._names)
        self._onlooker = Onlooker(self._names)
        self._news = {name: OutageNews() for name in self._names}
        self._told: dict[str, Counts] = {}
        self._next: float | None = None  # when the next lines about all runners are due
        self._voice = Voice()

    def __enter__(self) -> Self:
        self._voice.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._voice.__exit__(kind, error, at)

    def __call__(self, ledger: Ledger, said: Message | Event | Tick) -> None:
        """The observer."""
        match said:
            case Frame() | Hello() | Bye():
                self._onlooker.hear(said)
                if self._onlooker.due():
                    self._look(ledger, ledger.heard_at)
            case Tick():
                self._tick(ledger, said.at)
            case _:
                if isinstance(said, StopRequested | NeverReady):  # what came before it is told before it
                    self._look(ledger, ledger.heard_at)
                for at, line in self._event(said):
                    self._say(ledger.placement(), at, line)

    # What is told, and when

    def _event(self, event: Event) -> Iterator[tuple[float, str]]:
        match event:
            case Ready():
                self._told.clear()
                self._next = event.at + EVERY
                yield event.at, f"ready, judging from now on; {self._until()}"
                if self._command:
                    yield event.at, f"starting {plain(' '.join(self._command))}"
            case NeverReady():
                yield event.at, f"never became ready: {event.reason}"
            case StopRequested():
                rest = event.until - event.at
                when = f"in {seconds(rest)}, " if rest > 0.5 else ""
                drain = show_duration(self._plan.stop.drain)
                yield event.at, f"stop: {event.by}; {when}nothing more is sent, attempts in flight get {drain}"
            case CommandEnded():
                yield event.at, f"the command ended with {event.code}"
            case Marked():
                edge = {"begin": " began", "end": " ended"}.get(event.edge, "")
                yield event.at, f"mark: {event.name}{edge}"
            case Suspended():
                yield event.at, f"the machine was suspended for {seconds(event.seconds)}: unobserved"
            case WorkerDied():
                yield event.at, f"a worker of {event.runner} died: {event.how}; its open attempts are unknown"
            case Problem():
                yield event.at, f"problem: {event.text}" + ("; this run can't pass" if event.spoils else "")
            case _:
                return

    def _until(self) -> str:
        ways = [f"{self._awaited}, Ctrl-C or TERM" if self._awaited else "Ctrl-C or TERM"]
        if self._command:
            ways.append("the command's end")
        if self._plan.stop.duration is not None:
            ways.append(f"{show_duration(self._plan.stop.duration)} from now")
        return f"the stop is {' or '.join(ways)}"

    def _tick(self, ledger: Ledger, now: float) -> None:
        if self._next is None:
            self._next = now + FIRST
            each = f"{len(self._names)} runners" if len(self._names) > 1 else f"{self._names[0]}"
            self._say(
                ledger.placement(),
                now,
                f"waiting for a clean baseline of {show_duration(self._plan.baseline)} from {each}, "
                f"at most {show_duration(self._plan.ready_timeout)}",
            )
        elif now >= self._next - 1e-3 and not ledger.stops and ledger.never_ready is None:
            self._next = now + EVERY
            self._summary(self._look(ledger, now))

    def _look(self, ledger: Ledger, now: float) -> Glance:
        glance = self._onlooker.look(ledger, now)
        for runner in glance.runners:
            for piece in self._news[runner.name].look(runner.outages):
                at, line = _outage(piece)
                self._say(glance.placement, at, f"{self._label(runner)}  {line}", 3)
        return glance

    def _summary(self, glance: Glance) -> None:
        rest = []
        for runner in glance.runners:
            new = runner.counts.minus(self._told.get(runner.name, Counts()))
            self._told[runner.name] = runner.counts
            untold = self._news[runner.name].next_span()
            if len(glance.runners) > _EACH and not new.bad and not new.unknown:
                rest.append(new)
                continue
            line = f"{self._label(runner)}  {_figures(runner, new, glance.ready is not None)}"
            if untold:
                line += f"; {untold} more outages"
            self._say(glance.placement, glance.at, line)
        if rest:
            good = sum(counts.good for counts in rest)
            self._say(glance.placement, glance.at, f"{len(rest)} runners  {count(good)} attempts, all good")

    def _label(self, runner: RunnerGlance) -> str:
        return left(runner.name, self._width)

    def _say(self, placement: Placement, at: float, line: str, decimals: int = 0) -> None:
        clock = placement.clock(at)[: 9 + decimals if decimals else 8]
        said = plain(f"{clock}Z {line}")
        self._voice.say(said if len(said) <= _LONGEST else said[: _LONGEST - 1] + ELLIPSIS)


def _figures(runner: RunnerGlance, new: Counts, ready: bool) -> str:
    """The last ten seconds of a runner in one line."""
    known = new.good + new.bad
    parts = [
        f"{count(new.sent)} sent ({rate(runner.achieved)})"
        if runner.achieved is not None
        else f"{count(new.sent)} sent",
        f"{share(new.good / known)} good" if known else "no answer yet",
    ]
    if runner.p99 is not None:
        parts.append(f"p99 {seconds(runner.p99)}")
    if new.bad:
        parts.append(tally(new.causes))
    if new.unknown:
        parts.append(f"{count(new.unknown)} unknown")
    line = ", ".join(parts)
    return line if ready else f"not ready: {line}"


def _outage(piece: Began | Ended) -> tuple[float, str]:
    spell = piece.spell
    causes, components = causes_of(spell)
    where = f"{tally(causes)} ({tally(components)})"
    if isinstance(piece, Began):
        return spell.start, f"OUTAGE began: {where}"
    assert spell.end is not None
    verb = "outage ended after" if piece.known else "outage of"
    return spell.end if piece.known else spell.start, f"{verb} {seconds(spell.seconds)}: {where}"
