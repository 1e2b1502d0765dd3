"""A runner's judged ticks, laid out for the judge: what was bad, unknown, set aside, in all and second by second."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.brief import RunnerBrief
from harness.frames import Second
from harness.histogram import Histogram, index_of, merge_into
from harness.objectives import Tolerance
from harness.outcome import Cause
from harness.schedule import Schedule
from harness.statistics.kinds import DEGRADED, UNKNOWN, WAITED, cause_of, component_of
from harness.statistics.ledger import Ledger
from harness.statistics.outages import Axis, blind_stretches, by_cause, clusters, cut_to, ticks_in, without
from harness.statistics.phases import Phase
from harness.statistics.runner import RunnerBook
from harness.statistics.silences import TOUCH, Quiet, Spell, clipped, common, joined, longest, parted
from harness.statistics.sweep import Stretch


@dataclass(frozen=True)
class Counts:
    """Ticks by second of the judged time, in order; `unknown` without those set aside."""

    good: list[int]
    bad: list[int]
    unknown: list[int]


@dataclass(frozen=True)
class View:
    """Made by `view_of`. `stretches`: all ticks that count as bad or are unknown; `blind`: those of them set aside."""

    book: RunnerBook
    axis: Axis
    phases: tuple[Phase, ...]
    all_stretches: tuple[Stretch, ...]  # degraded ones too, whatever they count as
    stretches: tuple[Stretch, ...]
    blind: tuple[Stretch, ...]
    max_blind_share: float
    max_blind_stretch: float
    unwatched: tuple[tuple[float, float], ...] = ()  # seconds after the run's start

    @property
    def brief(self) -> RunnerBrief:
        """Of the runner."""
        return self.book.brief

    # Counts

    @property
    def planned(self) -> int:
        """Judged ticks."""
        return self.axis.stop - self.axis.first

    @cached_property
    def failed(self) -> int:
        """Bad ticks."""
        return ticks_in(stretch for stretch in self.stretches if stretch.kind not in UNKNOWN)

    @cached_property
    def unknown(self) -> dict[str, int]:
        """Unknown ticks by cause, those set aside included."""
        return by_cause(stretch for stretch in self.stretches if stretch.kind in UNKNOWN)

    @property
    def succeeded(self) -> int:
        """All the others."""
        return self.planned - self.failed - sum(self.unknown.values())

    @cached_property
    def degraded(self) -> int:
        """Answered, but not with all that was asked for."""
        return ticks_in(stretch for stretch in self.all_stretches if stretch.kind in DEGRADED)

    @cached_property
    def weighed(self) -> list[Stretch]:
        """What remains when blind time is set aside."""
        return without(self.stretches, self.blind)

    def forgiving(self, tolerance: Tolerance) -> tuple[list[Stretch], int]:
        """What remains when an objective's tolerance is applied too, and how many ticks that forgave."""
        if not (tolerance.causes or tolerance.components or tolerance.phases):
            return self.weighed, 0
        named = [phase for phase in self.phases if phase.name in tolerance.phases]
        spans = [
            (self.axis.tick_from(p.begin), self.axis.stop if p.end is None else self.axis.tick_from(p.end))
            for p in named
        ]
        if not tolerance.phases:
            spans = [(self.axis.first, self.axis.stop)]
        kept: list[Stretch] = []
        edges = sorted({edge for span in spans for edge in span})
        for stretch in self.weighed:
            if stretch.kind in UNKNOWN or not _matches(stretch, tolerance):
                kept.append(stretch)
                continue
            cuts = [edge for edge in edges if stretch.first < edge <= stretch.last]
            for first, end in zip([stretch.first, *cuts], [*cuts, stretch.last + 1], strict=True):
                if not any(begin <= first and end <= until for begin, until in spans):
                    kept.append(Stretch(first, end - 1, stretch.kind))
        return kept, ticks_in(self.weighed) - ticks_in(kept)

    # By second

    @property
    def base(self) -> int:
        """The first judged second, in the worker's time."""
        return math.floor(self.axis.begin - self.axis.offset)

    @property
    def seconds(self) -> int:
        """How many there are, the last one perhaps not whole."""
        return max(1, math.ceil(self.axis.end - self.axis.offset - 1e-9) - self.base)

    @cached_property
    def edges(self) -> list[int]:
        """The first tick of each second, and the end."""
        schedule = Schedule(self.axis.rate)
        inner = (schedule.first_from(self.base + second) for second in range(1, self.seconds))
        return [self.axis.first, *(max(self.axis.first, min(self.axis.stop, tick)) for tick in inner), self.axis.stop]

    def spread(self, stretches: Iterable[Stretch]) -> list[int]:
        """How many of their ticks are intended in each second."""
        edges = self.edges
        counts = [0] * self.seconds
        for stretch in stretches:
            first = stretch.first
            second = bisect_right(edges, first, 0, self.seconds) - 1
            while first <= stretch.last:
                until = min(stretch.last + 1, edges[second + 1])
                counts[second] += stretch.within(first, until - 1)
                first = until
                second += 1
        return counts

    def counts(self, stretches: Sequence[Stretch]) -> Counts:
        """Good, bad and unknown ticks by second; `stretches` say which bad and unknown ones are not set aside."""
        bad = self.spread(stretch for stretch in stretches if stretch.kind not in UNKNOWN)
        unknown = self.spread(stretch for stretch in stretches if stretch.kind in UNKNOWN)
        not_good = self.spread(self.stretches)
        edges = self.edges
        good = [edges[s + 1] - edges[s] - not_good[s] for s in range(self.seconds)]
        return Counts(good, bad, unknown)

    def told(self, begin: int, end: int) -> Iterator[Second]:
        """What the frames told of the seconds [begin, end). Read one after another: all of a day's would not fit."""
        for _, second in self.book.seconds.within(self.base + begin, self.base + end):
            yield second

    @cached_property
    def whole(self) -> Second:
        """All judged seconds together: attempts sent, and latencies."""
        whole = Second()
        for second in self.told(0, self.seconds):
            whole.sent += second.sent
            merge_into(whole.latency, second.whole_latency())
            merge_into(whole.latency_low, second.whole_latency_low())
        return whole

    @property
    def latency(self) -> Histogram:
        """Good answers, from the intended start."""
        return self.whole.latency

    @property
    def latency_low(self) -> Histogram:
        """Good answers, from when the loop reached the tick, without our own pauses."""
        return self.whole.latency_low

    @cached_property
    def cut_ages(self) -> dict[int, Histogram]:
        """By second: how long attempts had been waiting when they were cut at the stop. At least so slow they are."""
        at = self.book.cut_at
        ages: dict[int, Histogram] = {}
        if at is None:
            return ages
        for stretch in self.weighed:
            if stretch.kind in UNKNOWN and cause_of(stretch.kind) is Cause.CUT:
                for tick in range(stretch.last + 1 - stretch.ticks, stretch.last + 1):
                    intended = tick / self.axis.rate
                    of_second = ages.setdefault(bisect_right(self.edges, tick, 0, self.seconds) - 1, {})
                    index = index_of(max(0, int((at - intended) * 1e6)))
                    of_second[index] = of_second.get(index, 0) + 1
        return ages

    # Silence

    @cached_property
    def silences(self) -> tuple[Quiet | None, Quiet | None]:
        """The longest silence, read twice: only what was watched, less our own pauses, unknown ticks as good answers;
        and all that may have been one, unknown ticks as none. The first is what is known, and ends with the last tick:
        afterwards nothing was sent that could have been answered."""
        shards = self.book.shards
        begin, end = self.axis.begin - self.axis.offset, self.axis.end - self.axis.offset
        told = [clipped(joined(shard.spells()), begin, end) for shard in shards]
        seen = [self._watched(spell) for spell in parted(common(told), self._unanswerable(self.stretches, 0))]
        low = max((Quiet(*spell) for spell in seen), key=lambda quiet: quiet.seconds_low, default=None)
        beyond = max(end, *(shard.heard_at for shard in shards))
        heard = common([clipped(joined([*shard.spells(), *shard.unseen]), begin, beyond) for shard in shards])
        # One that began before the last tick was due was that tick's too: the target answered nobody.
        last = self.axis.time(self.axis.stop - 1) - self.axis.offset
        heard = [spell if spell[0] < last else (spell[0], min(spell[1], end), spell[2]) for spell in heard]
        heard = [spell for spell in heard if spell[0] < spell[1]]
        unheard = [(since, until + TOUCH, 0.0) for since, until in self._unanswerable(self.weighed, 1)]
        high = longest(joined([*heard, *clipped(unheard, begin, end)]))
        return self._placed(low), self._placed(high)

    def _unanswerable(self, stretches: Iterable[Stretch], more: int) -> list[tuple[float, float]]:
        """From the first to the last of unknown ticks in a row, or so many ticks `more`; the worker's time. Not those
        that waited for the target all the same: in flight at the end, or in line behind others that were in flight."""
        axis = self.axis
        unsaid = (one for one in stretches if one.kind in UNKNOWN and one.kind not in WAITED)
        return [
            (axis.time(row[0].first) - axis.offset, axis.time(row[-1].last + more) - axis.offset)
            for row in clusters(unsaid)
        ]

    def _watched(self, spell: Spell) -> Spell:
        """What lies in unwatched time counts as a pause of ours."""
        begin, end, paused = spell
        for since, until in self.unwatched:
            paused += max(0.0, min(end, until - self.axis.offset) - max(begin, since - self.axis.offset))
        return begin, end, min(paused, end - begin)

    @property
    def silence_doubt(self) -> float:
        """Silences shorter than this may have gone unnoticed among several shards."""
        return max(shard.silences.dropped for shard in self.book.shards) if len(self.book.shards) > 1 else 0.0

    def _placed(self, quiet: Quiet | None) -> Quiet | None:
        if quiet is None:
            return None
        return Quiet(quiet.begin + self.axis.offset, quiet.end + self.axis.offset, quiet.paused)


def view_of(ledger: Ledger, runner: str, begin: float, end: float) -> View:
    """The ticks of a runner that are intended in [begin, end)."""
    book = ledger.runners[runner]
    axis = ledger.axis(runner, begin, end)
    everything = ledger.stretches(runner, axis)
    stretches = [stretch for stretch in everything if not ledger.is_good(stretch, book)]
    brief = ledger.brief
    unwatched = tuple(ledger.unwatched())
    blind = blind_stretches(axis, stretches, brief.max_blind_share, brief.max_blind_stretch)
    blind = [one for one in blind if not any(_within(axis, one, span) for span in unwatched)]
    return View(
        book=book,
        axis=axis,
        phases=tuple(ledger.phases()),
        all_stretches=tuple(everything),
        stretches=tuple(stretches),
        blind=tuple(blind),
        max_blind_share=brief.max_blind_share,
        max_blind_stretch=brief.max_blind_stretch,
        unwatched=unwatched,
    )


def _within(axis: Axis, stretch: Stretch, span: tuple[float, float]) -> bool:
    """Some of its ticks are intended in the span."""
    return axis.time(stretch.last) >= span[0] and axis.time(stretch.first) < span[1]


def within(view: View, begin: float, end: float | None) -> tuple[int, list[Stretch]]:
    """How many ticks are intended in [begin, end), and those of them that are not good."""
    first = view.axis.tick_from(begin)
    stop = view.axis.stop if end is None else view.axis.tick_from(end)
    return max(0, stop - first), list(cut_to(view.stretches, first, stop))


def _matches(stretch: Stretch, tolerance: Tolerance) -> bool:
    cause, component = cause_of(stretch.kind), component_of(stretch.kind)
    return (not tolerance.causes or cause in tolerance.causes) and (
        not tolerance.components or component in tolerance.components
    )
