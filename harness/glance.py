"""What can be said of a run while it goes on: values read from the ledger, cheaply, several times a second.

The newest seconds are read anew each time, those that are sealed (`harness.statistics.seconds`) stay as they were. The
journal's verdict is exact; this is what it looks like meanwhile.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from harness.events import StopRequested
from harness.frames import Frame, Health, Message
from harness.histogram import Histogram, merge_into, percentile_bounds
from harness.outcome import Cause
from harness.statistics.kinds import UNKNOWN
from harness.statistics.ledger import Ledger
from harness.statistics.outages import Spell, by_cause, by_component
from harness.statistics.phases import Phase
from harness.statistics.placement import Placement
from harness.statistics.runner import Kept
from harness.statistics.seconds import OPEN_FOR
from harness.verdict import SecondCell

STRIP = 60  # seconds that are drawn
RECENT = 10  # seconds that rates and percentiles are taken over
_OUTAGES = 10.0  # seconds back in which new outages are looked for
_EVERY = 0.24  # seconds between two looks, at least
_SHARE = 0.05  # of the loop's time that looking may take, at most


@dataclass(frozen=True)
class Counts:
    """Ticks by what came of them; `causes` of the bad ones alone."""

    sent: int = 0
    good: int = 0
    bad: int = 0
    unknown: int = 0
    causes: dict[str, int] = field(default_factory=dict)

    def plus(self, other: "Counts") -> "Counts":
        """The sum."""
        return self._combined(other, 1)

    def minus(self, other: "Counts") -> "Counts":
        """What came since then."""
        return self._combined(other, -1)

    def _combined(self, other: "Counts", sign: int) -> "Counts":
        causes = dict(self.causes)
        for cause, count in other.causes.items():
            causes[cause] = causes.get(cause, 0) + sign * count
        return Counts(
            self.sent + sign * other.sent,
            self.good + sign * other.good,
            self.bad + sign * other.bad,
            self.unknown + sign * other.unknown,
            {cause: count for cause, count in causes.items() if count},
        )


@dataclass(frozen=True)
class RunnerGlance:
    """One runner. Counts are since readiness, before it since the start."""

    name: str
    target: str
    rate: float  # per second, as planned
    achieved: float | None  # per second, of the last seconds
    counts: Counts
    p50: float | None  # seconds, good answers of the last seconds
    p99: float | None
    lag: float | None  # seconds, p99 of the last seconds
    cells: tuple[SecondCell, ...]  # the last STRIP seconds, offsets from 0
    outages: tuple[Spell, ...]  # that came to light lately; the last one may go on
    quiet: float  # seconds since the last good answer while attempts are outstanding
    newest: Kept | None  # failure kept as an example

    @property
    def outage(self) -> Spell | None:
        """The one that goes on now."""
        return self.outages[-1] if self.outages and self.outages[-1].end is None else None


@dataclass(frozen=True)
class OwnGlance:
    """The harness itself, over the last seconds."""

    cpu: float | None  # share of one core, of all workers
    canary: float | None  # seconds, the worst
    wake_gap: float  # seconds, the worst
    steal: float  # share


@dataclass(frozen=True)
class Glance:
    """Everything at one moment. Times are seconds after the run's start."""

    at: float
    placement: Placement
    ready: float | None
    never_ready: str
    stop: StopRequested | None
    phases: tuple[Phase, ...]  # that are open
    runners: tuple[RunnerGlance, ...]
    own: OwnGlance
    problems: tuple[str, ...]


class _Gaze:
    """What is remembered of one runner between two looks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells: dict[int, tuple[Counts, SecondCell]] = {}
        self.before = Counts()  # seconds that have left the strip
        self.began = False

    def look(self, ledger: Ledger, now: float) -> RunnerGlance:
        book = ledger.runners[self.name]
        if ledger.ready is not None and not self.began:  # what was before is not counted
            self.began = True
            self.cells.clear()
            self.before = Counts()
        floor = ledger.ready.at if ledger.ready is not None else 0.0
        current = math.floor(max(now, 0.0) - book.offset)
        first = round(floor - book.offset)
        recent: Histogram = {}
        lag: Histogram = {}
        for key, second in book.seconds.within(max(first, current - OPEN_FOR), current + 1):
            tally = ledger.tally(self.name, key + book.offset, key + 1 + book.offset)
            known = self.cells.get(key)
            counts = Counts(
                tally.sent,
                tally.good,
                tally.bad,
                tally.unknown,
                {c: n for c, n in tally.causes.items() if book.brief.counts_as(c) == "bad" or c == Cause.DEGRADED},
            )
            if key > current - RECENT:
                merge_into(recent, second.whole_latency())
                merge_into(lag, second.lag)
            if known is None or known[0] != counts:
                cell = SecondCell(
                    offset=0,
                    seconds=1,
                    good=counts.good,
                    bad=counts.bad,
                    unknown=counts.unknown,
                    p50=None,
                    p99=_quantile(second.whole_latency(), 0.99),
                )
                self.cells[key] = counts, cell
        for key in sorted(key for key in self.cells if key <= current - STRIP):
            self.before = self.before.plus(self.cells.pop(key)[0])
        return RunnerGlance(
            name=self.name,
            target=book.brief.target,
            rate=book.brief.rate,
            achieved=self._achieved(first, current),
            counts=_sum([self.before, *(counts for counts, _ in self.cells.values())]),
            p50=_quantile(recent, 0.5),
            p99=_quantile(recent, 0.99),
            lag=_quantile(lag, 0.99),
            cells=tuple(self._strip(max(first, current - STRIP + 1))),
            outages=tuple(self._outages(ledger, now)),
            quiet=_quiet(ledger, self.name),
            newest=book.examples[-1] if book.examples else None,
        )

    def _achieved(self, first: int, current: int) -> float | None:
        """Attempts per second, in whole seconds of which the frames have told."""
        begin, end = max(first, current - RECENT - 1), current - 1
        if end <= begin:
            return None
        return sum(self.cells[key][0].sent for key in range(begin, end) if key in self.cells) / (end - begin)

    def _strip(self, begin: int) -> Iterator[SecondCell]:
        for key, (_, cell) in sorted(self.cells.items()):
            if key >= begin:
                yield SecondCell(
                    offset=key - begin,
                    seconds=1,
                    good=cell.good,
                    bad=cell.bad,
                    unknown=cell.unknown,
                    p50=None,
                    p99=cell.p99,
                )

    def _outages(self, ledger: Ledger, now: float) -> list[Spell]:
        if ledger.ready is None:
            return []
        return ledger.outages(self.name, since=max(ledger.ready.at, now - _OUTAGES))


class Onlooker:
    """Looks at a ledger while it grows. Belongs to the conductor's loop."""

    def __init__(self, runners: Sequence[str]) -> None:
        """`runners`: their names, in the plan's order."""
        self._gazes = [_Gaze(name) for name in runners]
        self._vitals: deque[tuple[float, Health]] = deque(maxlen=64 * RECENT)
        self._due = -math.inf
        self.cost = 0.0  # seconds that the last look took

    def hear(self, message: Message) -> None:
        """A worker said something: what it says of itself is in no ledger by second."""
        if isinstance(message, Frame):
            self._vitals.extend((message.at, health) for health in message.health)

    def due(self) -> bool:
        """Whether it is time for another look: a few a second, fewer where a look is dear."""
        return perf_counter() >= self._due

    def look(self, ledger: Ledger, now: float) -> Glance:
        """All that can be said at `now`, seconds after the start."""
        begun = perf_counter()
        glance = Glance(
            at=now,
            placement=ledger.placement(),
            ready=ledger.ready.at if ledger.ready is not None else None,
            never_ready=ledger.never_ready.reason if ledger.never_ready is not None else "",
            stop=ledger.stops[-1] if ledger.stops else None,
            phases=tuple(phase for phase in ledger.phases() if phase.end is None),
            runners=tuple(gaze.look(ledger, now) for gaze in self._gazes),
            own=self._own(now),
            problems=tuple(problem.text for problem in ledger.problems[-3:]),
        )
        ended = perf_counter()
        self.cost = ended - begun
        self._due = begun + max(_EVERY, self.cost / _SHARE)
        return glance

    def _own(self, now: float) -> OwnGlance:
        recent = [health for at, health in self._vitals if at > now - RECENT]
        seconds = len({health.second for health in recent})
        canaries = [health.canary for health in recent if health.canary is not None]
        return OwnGlance(
            cpu=sum(health.cpu for health in recent) / seconds if seconds else None,
            canary=max(canaries, default=None),
            wake_gap=max((health.wake_gap for health in recent), default=0.0),
            steal=max((health.steal for health in recent), default=0.0),
        )


def causes_of(spell: Spell) -> tuple[dict[str, int], dict[str, int]]:
    """An outage's bad ticks by cause, and by component."""
    bad = [part for part in spell.parts if part.kind not in UNKNOWN]
    return by_cause(bad), by_component(bad)


def _quiet(ledger: Ledger, runner: str) -> float:
    """As long as every shard has been without a good answer."""
    book = ledger.runners[runner]
    since = [(shard.quiet_since, shard.heard_at) for shard in book.shards]
    return min((heard - quiet if quiet is not None else 0.0 for quiet, heard in since), default=0.0)


def _quantile(histogram: Histogram, q: float) -> float | None:
    bounds = percentile_bounds(histogram, q)
    return None if bounds is None else bounds[1] / 1e6


def _sum(many: Sequence[Counts]) -> Counts:
    total = Counts()
    for counts in many:
        total = total.plus(counts)
    return total
