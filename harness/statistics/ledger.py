"""The fold over all that a run's workers and its conductor said: live in the conductor, and again from the journal.

It gathers and answers questions about what it gathered; `harness.judge` judges.
"""

from collections import deque
from typing import NamedTuple, assert_never

from harness.brief import Brief
from harness.events import (
    Anchored,
    Closed,
    CommandEnded,
    Event,
    Marked,
    NeverReady,
    Problem,
    Ready,
    StopRequested,
    Suspended,
    WorkerDied,
    WorkerStarted,
)
from harness.frames import VERSION, Bye, Frame, Hello, Message, Second
from harness.outcome import Cause
from harness.statistics.kinds import DEGRADED
from harness.statistics.outages import Axis, Spell, doubted, outages
from harness.statistics.phases import Phase, phases_of
from harness.statistics.placement import Placement
from harness.statistics.runner import RunnerBook
from harness.statistics.sweep import Stretch, ordinals_of, sweep

_EARLY = 3.0  # seconds of frames that are kept before the run is ready: readiness is told a little after it began
_BEFORE_SLEEP = 11.0  # seconds: the longest usual time-out, and the second within which a sleep is noticed
_AFTER_SLEEP = 10.0  # seconds
_RECENT = 120.0  # seconds that live outages are looked for in


class Tally(NamedTuple):
    """Counts of ticks. `causes` are all that were not simply good, our own included."""

    sent: int
    good: int
    bad: int
    unknown: int
    causes: dict[str, int]


class Ledger:
    """One attempt at one run. Times are seconds after the run's start unless they say otherwise."""

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.runners = {runner.name: RunnerBook(runner) for runner in brief.runners}
        self.anchors: list[Anchored] = []
        self.ready: Ready | None = None
        self.never_ready: NeverReady | None = None
        self.stops: list[StopRequested] = []
        self.marks: list[Marked] = []
        self.command: CommandEnded | None = None
        self.suspensions: list[Suspended] = []
        self.problems: list[Problem] = []
        self.started: list[WorkerStarted] = []
        self.deaths: list[WorkerDied] = []
        self.closed: Closed | None = None
        self.heard_at = 0.0  # the newest evidence
        self._early: deque[tuple[str, int, Frame]] = deque()
        self._known_problems: set[str] = set()

    # What is said

    def hear(self, runner: str, shard: int, incarnation: int, message: Message) -> None:
        """A worker said something. What was heard before is ignored."""
        book = self.runners.get(runner)
        if book is None or not 0 <= shard < len(book.shards):
            self._complain(f"a worker spoke for {runner}/{shard}, which the plan does not know", spoils=True)
            return
        match message:
            case Hello():
                anchor = self.anchors[0].monotonic if self.anchors else None
                if message.version != VERSION:
                    words = f"worker {runner}/{shard} speaks frames of version {message.version}, not {VERSION}"
                    self._complain(words, spoils=True)
                if message.rate != book.brief.rate or message.shards != book.brief.shards:
                    self._complain(f"worker {runner}/{shard} keeps another schedule than the plan's", spoils=True)
                book.greet(shard, message, anchor)
            case Frame():
                self._frame(book, shard, incarnation, message)
            case Bye():
                wrong = book.shards[shard].bye(incarnation, message.seq)
                if wrong:
                    self._complain(f"worker {runner}/{shard}: {wrong}", spoils=True)
                if message.problem and wrong is not None:
                    self._complain(f"worker {runner}/{shard}: {message.problem}", spoils=False)
            case _:
                assert_never(message)

    def _frame(self, book: RunnerBook, shard: int, incarnation: int, frame: Frame) -> None:
        name = book.brief.name
        wrong = book.take(shard, incarnation, frame)
        if wrong is None:
            return
        if wrong:
            self._complain(f"worker {name}/{shard}: {wrong}", spoils=True)
        for text in frame.problems:
            self._complain(f"worker {name}/{shard}: {text}", spoils=False)
        at = frame.at + book.offset
        self.heard_at = max(self.heard_at, at)
        if self.ready is None:
            self._early.append((name, shard, frame))
            while self._early and self._early[0][2].at < frame.at - _EARLY:
                self._early.popleft()
        else:
            book.total(frame)
            book.keep_examples(shard, frame.examples, self.ready.at - book.offset)

    def note(self, event: Event) -> None:
        """The conductor noted something."""
        if not isinstance(event, Closed | Anchored):
            self.heard_at = max(self.heard_at, event.at)
        match event:
            case Anchored():
                self.anchors.append(event)
            case WorkerStarted():
                self.started.append(event)
            case WorkerDied():
                self._worker_died(event)
            case Ready():
                self._become_ready(event)
            case NeverReady():
                self.never_ready = event
            case StopRequested():
                self.stops.append(event)
            case Marked():
                self.marks.append(event)
            case CommandEnded():
                self.command = event
            case Suspended():
                self.suspensions.append(event)
            case Problem():
                self.problems.append(event)
            case Closed():
                self.closed = event
            case _:
                assert_never(event)

    def _worker_died(self, event: WorkerDied) -> None:
        self.deaths.append(event)
        book = self.runners.get(event.runner)
        if book is None or not 0 <= event.shard < len(book.shards):
            return
        shard = book.shards[event.shard]
        for first, last, _ in shard.died(event.lost_until):
            while first <= last:  # so that the live tallies know of them
                second = int(shard.schedule.intended(first))
                until = max(first + 1, min(last + 1, shard.schedule.first_from(second + 1)))
                book.seconds.add(second, Second(causes={Cause.LOST: until - first}))
                first = until

    def _become_ready(self, event: Ready) -> None:
        self.ready = event
        for book in self.runners.values():
            book.begin_at(event.at)
        for name, shard, frame in self._early:
            book = self.runners[name]
            if frame.at + book.offset > event.at:
                book.total(frame)
            book.keep_examples(shard, frame.examples, event.at - book.offset)
        self._early.clear()

    def _complain(self, text: str, *, spoils: bool) -> None:
        if text not in self._known_problems and len(self._known_problems) < 1000:
            self._known_problems.add(text)
            self.problems.append(Problem(at=self.heard_at, text=text, spoils=spoils))

    # What it comes to

    @property
    def judged(self) -> tuple[float, float] | None:
        """From when to when ticks are judged; None: the run is not ready, or never was. Without an end in order, what
        was heard last is the end."""
        if self.ready is None:
            return None
        end = self.stops[-1].until if self.stops else self.heard_at
        if self.closed is None:
            end = min(end, self.heard_at)
        return self.ready.at, max(self.ready.at, end)

    def axis(self, runner: str, begin: float, end: float) -> Axis:
        """The ticks of a runner that are intended in [begin, end)."""
        book = self.runners[runner]
        whole = book.shards[0].schedule._replace(shard=0, shards=1)
        first, stop = whole.first_from(begin - book.offset), whole.first_from(end - book.offset)
        return Axis(book.brief.rate, first, max(first, stop), begin, end, book.offset)

    def stretches(self, runner: str, axis: Axis) -> list[Stretch]:
        """The ticks on an axis that are not simply good, degraded ones included."""
        shards = self.runners[runner].shards
        runs = [book.runs(*ordinals_of(axis.first, axis.stop, shard, len(shards))) for shard, book in enumerate(shards)]
        return doubted(axis, sweep(runs, axis.first, axis.stop), self.unwatched())

    def unwatched(self) -> list[tuple[float, float]]:
        """From when to when what failed may have failed because the machine slept: its connections died meanwhile,
        its network took time to come back."""
        return [(one.at - _BEFORE_SLEEP, one.at + _AFTER_SLEEP) for one in self.suspensions]

    def phases(self) -> list[Phase]:
        """What the pipeline's begin and end marks enclose."""
        return phases_of(self.marks)

    def placement(self) -> Placement:
        """Where its times lie in UTC."""
        return Placement(self.anchors)

    # Live readings

    def tally(self, runner: str, begin: float, end: float) -> Tally:
        """What came of the ticks intended in the whole seconds from that of `begin` to before that of `end`."""
        book = self.runners[runner]
        sent = good = bad = unknown = 0
        causes: dict[str, int] = {}
        for _, second in book.seconds.within(int(begin - book.offset), int(end - book.offset)):
            sent += second.sent
            good += second.good
            for cause, count in second.causes.items():
                causes[cause] = causes.get(cause, 0) + count
                match book.brief.counts_as(cause):
                    case "unknown":
                        unknown += count
                    case "bad":
                        bad += count
                        if cause == Cause.DEGRADED:  # it was told among the good ones
                            good -= count
                    case "good":
                        pass
        return Tally(sent, good, bad, unknown, causes)

    def outages(self, runner: str, since: float | None = None) -> list[Spell]:
        """The outages that have come to light among the ticks intended since then (without it: of the last two
        minutes), the first one from its very beginning. One whose `end` is None goes on now."""
        book = self.runners[runner]
        shards = book.shards
        newest = max(book.schedule.tick(book.newest_settled()) if book.newest_settled() >= 0 else -1 for book in shards)
        floor = self.ready.at if self.ready is not None else 0.0
        span = _RECENT if since is None else max(0.0, self.heard_at - since)
        end = (newest + 1) / book.brief.rate + book.offset
        asked = self.axis(runner, max(floor, self.heard_at - span), end).first
        while True:
            begin = max(floor, self.heard_at - span)
            axis = self.axis(runner, begin, max(begin, end))
            axis = Axis(axis.rate, axis.first, max(axis.first, newest + 1), begin, axis.end, axis.offset)
            found = outages(
                axis, [stretch for stretch in self.stretches(runner, axis) if not self.is_good(stretch, book)]
            )
            if begin <= floor or not found or found[0].parts[0].first > axis.first:
                return [spell for spell in found if spell.last_bad >= asked]
            span *= 8

    @staticmethod
    def is_good(stretch: Stretch, book: RunnerBook) -> bool:
        """Degraded ticks are good unless the plan says otherwise."""
        return book.brief.degraded_is_good and stretch.kind in DEGRADED
