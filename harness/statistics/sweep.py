"""From the runs of several shards to stretches of ticks in the order of the whole schedule.

Shard s of K owns tick s + j K. Wherever all shards are in the same state their ticks make one stretch without being
looked at one by one; only where they differ are ticks taken singly. A million a second asked of two workers would make
half a million such stretches a second, by our own fault alone: beyond some ten thousands, unknown ticks are told
together with the good ones among them. Read as bad that makes outages longer, never shorter; read as good it changes
nothing, and the counts stay right.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from harness.statistics.kinds import GOOD, UNKNOWN, WAITED, Kind
from harness.statistics.runlog import Runs

_MOST = 50_000


class Stretch(NamedTuple):
    """Consecutive ticks, both included, that ended alike and not simply good, but for `good` ones among them."""

    first: int
    last: int
    kind: Kind
    good: int = 0

    @property
    def ticks(self) -> int:
        """How many are not simply good."""
        return self.last - self.first + 1 - self.good

    def within(self, first: int, last: int) -> int:
        """How many of those lie in first … last, which is a part of it: as if the good ones were evenly spread."""
        length = self.last - self.first + 1
        return self.ticks * (last + 1 - self.first) // length - self.ticks * (first - self.first) // length


def sweep(shards: Sequence[Runs], first: int, stop: int, most: int = _MOST) -> list[Stretch]:
    """The ticks of [first, stop) that are not simply good. `shards`: the runs of each, in order, within the ordinals
    that `ordinals_of` says. Beyond `most` stretches, unknown ticks and the good ones between them are told together, up
    to a thousandth of what is asked for at a time."""
    count = len(shards)
    whole = -(-first // count), stop // count  # ordinals of which every shard's tick is asked for
    found: list[Stretch] = []
    crowd = _Crowd()
    for begin, end, kinds in _blocks(shards, sorted(whole)):
        not_good = {*kinds} - {GOOD}
        if not not_good:
            continue
        if len(found) >= most and not_good <= UNKNOWN and whole[0] <= begin and end <= whole[1]:
            if begin * count - crowd.stop > (end - begin) * count or crowd.stop - crowd.first > (stop - first) // 1000:
                found += crowd.leave()
            crowd.join(begin * count, end * count, {kind: kinds.count(kind) * (end - begin) for kind in not_good})
            continue
        found += crowd.leave()
        if kinds.count(kinds[0]) == count:
            _append(found, begin * count, end * count - 1, kinds[0])
            continue
        for block in range(begin, end):
            for shard, kind in enumerate(kinds):
                if kind != GOOD:
                    _append(found, block * count + shard, block * count + shard, kind)
    return found + crowd.leave()


def ordinals_of(first: int, stop: int, shard: int, shards: int) -> tuple[int, int]:
    """The ordinals [begin, end) of a shard that stand for ticks of [first, stop)."""
    return max(0, -(-(first - shard) // shards)), max(0, -(-(stop - shard) // shards))


def _blocks(shards: Sequence[Runs], edges: Sequence[int]) -> Iterator[tuple[int, int, list[Kind]]]:
    """Ordinals [begin, end) throughout which no shard changes its state, and these states; also parted at `edges`."""
    count = len(shards)
    at = [0] * count
    of_runs = ((edge for first, last, _ in runs for edge in (first, last + 1)) for runs in shards)
    for begin, end in pairwise(heapq.merge(edges, *of_runs)):
        if begin == end:
            continue
        kinds = []
        for shard, runs in enumerate(shards):
            while at[shard] < len(runs) and runs[at[shard]][1] < begin:
                at[shard] += 1
            here = runs[at[shard]] if at[shard] < len(runs) else None
            kinds.append(here[2] if here is not None and here[0] <= begin else GOOD)
        yield begin, end, kinds


class _Crowd:
    """Unknown ticks that follow one another closely, and how many of each kind they are."""

    def __init__(self) -> None:
        self.first = self.stop = 0
        self._counts: dict[Kind, int] = {}

    def join(self, first: int, stop: int, counts: dict[Kind, int]) -> None:
        if not self._counts:
            self.first = first
        self.stop = stop
        for kind, count in counts.items():
            self._counts[kind] = self._counts.get(kind, 0) + count

    def leave(self) -> list[Stretch]:
        """One kind after the other: the good ones with the first; those that waited last, since at the end of a run
        they may be a part of what came after it."""
        stretches = []
        first, good = self.first, self.stop - self.first - sum(self._counts.values())
        for kind in sorted(self._counts, key=lambda kind: (kind in WAITED, kind)):
            stretches.append(Stretch(first, first + self._counts[kind] + good - 1, kind, good))
            first, good = stretches[-1].last + 1, 0
        self.first = self.stop
        self._counts.clear()
        return stretches


def _append(found: list[Stretch], first: int, last: int, kind: Kind) -> None:
    if found and found[-1].last + 1 == first and found[-1].kind == kind:
        before = found[-1]
        found[-1] = Stretch(before.first, last, kind, before.good)
    else:
        found.append(Stretch(first, last, kind))
