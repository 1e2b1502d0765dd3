"""Outages and blind time: what stretches of ticks mean in seconds. Pure.

An outage is a maximal stretch of bad ticks; unknown ones inside don't end it. Its shortest length reads unknown ticks
as good, its longest reads them as bad.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from harness.statistics.kinds import OUTRIGHT, TAINTED, UNKNOWN, WAITED, cause_of, component_of
from harness.statistics.sweep import Stretch


@dataclass(frozen=True)
class Axis:
    """Where the judged ticks [first, stop) lie in time: seconds after the run's start."""

    rate: float
    first: int
    stop: int
    begin: float  # judged from here …
    end: float  # … to here
    offset: float = 0.0  # of the schedule's start

    def time(self, tick: int) -> float:
        """A tick's intended time; beyond the judged ones, the edge of the judged time."""
        if tick < self.first:
            return self.begin
        if tick >= self.stop:
            return self.end
        return tick / self.rate + self.offset

    def tick_from(self, when: float) -> int:
        """The first judged tick intended at or after `when`."""
        guess = max(self.first, min(self.stop, int((when - self.offset) * self.rate) + 1))
        while guess > self.first and (guess - 1) / self.rate + self.offset >= when:
            guess -= 1
        while guess < self.stop and guess / self.rate + self.offset < when:
            guess += 1
        return guess

    @property
    def spacing(self) -> float:
        """Seconds between two ticks."""
        return 1 / self.rate


class Spell(NamedTuple):
    """One outage."""

    start: float  # the first bad tick's intended time
    end: float | None  # the next good one's; None: it lasted to the end of the judged time
    seconds: float
    low: float
    high: float
    failures: int
    parts: tuple[Stretch, ...]  # all its ticks, unknown ones included

    @property
    def last_bad(self) -> int:
        """Its last bad tick."""
        return max(part.last for part in self.parts if part.kind not in UNKNOWN)


class Gap(NamedTuple):
    """The time between two good ticks around ticks that are read as bad; the longer bound of an outage."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length, to the nanosecond: ten ticks at 10/s are 1 s, wherever they lie, and not a hair less."""
        return round(self.end - self.start, 9)


def clusters(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """Stretches that follow one another without a good tick between them."""
    cluster: list[Stretch] = []
    for stretch in stretches:
        if cluster and cluster[-1].last + 1 != stretch.first:
            yield cluster
            cluster = []
        cluster.append(stretch)
    if cluster:
        yield cluster


def outages(axis: Axis, stretches: Iterable[Stretch]) -> list[Spell]:
    """All outages, in order of time."""
    found = []
    for cluster in clusters(stretches):
        bad = [stretch for stretch in cluster if stretch.kind not in UNKNOWN]
        if not bad:
            continue
        start = axis.time(bad[0].first)
        beyond = axis.time(cluster[-1].last + 1)
        low = max(axis.time(last) - axis.time(first) for first, last in _bad_runs(cluster))
        found.append(
            Spell(
                start=start,
                end=None if cluster[-1].last + 1 >= axis.stop else beyond,
                seconds=beyond - start,
                low=low,
                high=beyond - axis.time(cluster[0].first - 1),
                failures=ticks_in(bad),
                parts=tuple(cluster),
            )
        )
    return found


def gaps_with_unknown_good(axis: Axis, stretches: Iterable[Stretch]) -> list[Gap]:
    """The longer bounds of all outages if every unknown tick had been good."""
    return [
        Gap(axis.time(first - 1), axis.time(last + 1))
        for cluster in clusters(stretches)
        for first, last in _bad_runs(cluster)
    ]


def gaps_with_unknown_bad(axis: Axis, stretches: Iterable[Stretch]) -> list[Gap]:
    """The longer bounds of all outages if every unknown tick had been bad. One that goes on at the end has none."""
    return [Gap(axis.time(cluster[0].first - 1), _latest_end(axis, cluster)) for cluster in clusters(stretches)]


def _latest_end(axis: Axis, cluster: Sequence[Stretch]) -> float:
    """Nobody saw how an outage ended that lasts to the last tick, or that ticks in flight there may be a part of. What
    we did not look at ends with the run."""
    tail = cluster[-1]
    if tail.last + 1 >= axis.stop and (tail.kind not in UNKNOWN or tail.kind in WAITED):
        return math.inf
    return axis.time(tail.last + 1)


def gaps_joined(axis: Axis, stretches: Iterable[Stretch]) -> list[Gap]:
    """The fewest outages there can have been: what only unknown ticks part may have been one."""
    return [
        Gap(axis.time(cluster[0].first - 1), axis.time(cluster[-1].last + 1))
        for cluster in clusters(stretches)
        if any(stretch.kind not in UNKNOWN for stretch in cluster)
    ]


def gaps_parted(axis: Axis, stretches: Iterable[Stretch]) -> list[Gap]:
    """The most outages there can have been: where one address of two is down, every second unknown tick may have been
    one. Beyond a thousand in a row nobody counts."""
    gaps: list[Gap] = []
    for cluster in clusters(stretches):
        bad = list(_bad_runs(cluster))
        gaps += [Gap(axis.time(first - 1), axis.time(last + 1)) for first, last in bad]
        edges = [cluster[0].first - 2, *(edge for run in bad for edge in run), cluster[-1].last + 2]
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            for tick in islice(range(left + 2, right - 1, 2), 1000):
                gaps.append(Gap(axis.time(tick - 1), axis.time(tick + 1)))
    return gaps


def blind_stretches(axis: Axis, stretches: Sequence[Stretch], max_share: float, max_stretch: float) -> list[Stretch]:
    """Ticks between good ones that we did not look at, short enough to be set aside; none of them if they are too many
    in all. Those that waited for the target are not among them."""
    blind: list[Stretch] = []
    for cluster in clusters(stretches):
        if any(stretch.kind not in UNKNOWN or stretch.kind in WAITED for stretch in cluster):
            continue
        first, last = cluster[0].first, cluster[-1].last
        inside = first > axis.first and last + 1 < axis.stop
        if inside and (last - first + 1) * axis.spacing <= max_stretch + 1e-9:
            blind += cluster
    seconds = ticks_in(blind) * axis.spacing
    return blind if seconds <= max_share * (axis.end - axis.begin) + 1e-9 else []


def doubted(axis: Axis, stretches: list[Stretch], spans: Iterable[tuple[float, float]]) -> list[Stretch]:
    """Bad ticks intended within [begin, end) of a span are unknown: tainted, except what the peer said outright."""
    for begin, end in spans:
        low, high = axis.tick_from(begin), axis.tick_from(end)
        split: list[Stretch] = []
        for stretch in stretches:
            first, last, kind, _ = stretch
            if kind in UNKNOWN or kind in OUTRIGHT or last < low or first >= high:
                split.append(stretch)
                continue
            if first < low:
                split.append(Stretch(first, low - 1, kind))
            split.append(Stretch(max(first, low), min(last, high - 1), TAINTED))
            if last >= high:
                split.append(Stretch(high, last, kind))
        stretches = split
    return stretches


def without(stretches: Iterable[Stretch], others: Iterable[Stretch]) -> list[Stretch]:
    """Those that are not among the others."""
    gone = set(others)
    return [stretch for stretch in stretches if stretch not in gone]


def cut_to(stretches: Iterable[Stretch], begin: int, end: int) -> Iterator[Stretch]:
    """What of them lies in the ticks [begin, end)."""
    for stretch in stretches:
        if stretch.first < end and stretch.last >= begin:
            first, last = max(stretch.first, begin), min(stretch.last, end - 1)
            yield Stretch(first, last, stretch.kind, last - first + 1 - stretch.within(first, last))


def ticks_in(stretches: Iterable[Stretch]) -> int:
    """How many of their ticks are not simply good."""
    return sum(stretch.ticks for stretch in stretches)


def by_cause(stretches: Iterable[Stretch]) -> dict[str, int]:
    """How many of them for each cause."""
    counts: dict[str, int] = {}
    for stretch in stretches:
        cause = str(cause_of(stretch.kind))
        counts[cause] = counts.get(cause, 0) + stretch.ticks
    return counts


def by_component(stretches: Iterable[Stretch]) -> dict[str, int]:
    """How many of them for each component."""
    counts: dict[str, int] = {}
    for stretch in stretches:
        component = str(component_of(stretch.kind))
        counts[component] = counts.get(component, 0) + stretch.ticks
    return counts


def _bad_runs(cluster: Iterable[Stretch]) -> Iterator[tuple[int, int]]:
    """Consecutive bad ticks, whatever their causes."""
    open_run: tuple[int, int] | None = None
    for stretch in cluster:
        if stretch.kind in UNKNOWN:
            if open_run:
                yield open_run
            open_run = None
        else:
            open_run = (open_run[0] if open_run else stretch.first, stretch.last)
    if open_run:
        yield open_run
