"""From the runs of several shards to stretches of ticks in the order of the whole schedule.

Shard s of K owns tick s + j K. Wherever all shards are in the same state their ticks make one stretch without being
looked at one by one; only where they differ are ticks taken singly.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from harness.statistics.kinds import GOOD, Kind
from harness.statistics.runlog import Runs


class Stretch(NamedTuple):
    """Consecutive ticks, both included, that ended alike and not simply good."""

    first: int
    last: int
    kind: Kind


def sweep(shards: Sequence[Runs], first: int, stop: int) -> list[Stretch]:
    """The ticks of [first, stop) that are not simply good. `shards`: the runs of each, by ordinals, in order."""
    found = [Stretch(*run) for run in shards[0]] if len(shards) == 1 else _interleaved(shards)
    return _within(found, first, stop)


def ordinals_of(first: int, stop: int, shard: int, shards: int) -> tuple[int, int]:
    """The ordinals [begin, end) of a shard that stand for ticks of [first, stop)."""
    return max(0, -(-(first - shard) // shards)), max(0, -(-(stop - shard) // shards))


def _interleaved(shards: Sequence[Runs]) -> list[Stretch]:
    count = len(shards)
    edges = sorted({edge for runs in shards for first, last, _ in runs for edge in (first, last + 1)})
    at = [0] * count
    found: list[Stretch] = []
    for begin, end in pairwise(edges):
        kinds = []
        for shard, runs in enumerate(shards):
            while at[shard] < len(runs) and runs[at[shard]][1] < begin:
                at[shard] += 1
            here = runs[at[shard]] if at[shard] < len(runs) else None
            kinds.append(here[2] if here is not None and here[0] <= begin else GOOD)
        if all(kind == kinds[0] for kind in kinds):
            if kinds[0] != GOOD:
                _append(found, begin * count, end * count - 1, kinds[0])
            continue
        for block in range(begin, end):
            for shard, kind in enumerate(kinds):
                if kind != GOOD:
                    _append(found, block * count + shard, block * count + shard, kind)
    return found


def _append(found: list[Stretch], first: int, last: int, kind: Kind) -> None:
    if found and found[-1].last + 1 == first and found[-1].kind == kind:
        found[-1] = Stretch(found[-1].first, last, kind)
    else:
        found.append(Stretch(first, last, kind))


def _within(stretches: list[Stretch], first: int, stop: int) -> list[Stretch]:
    return [
        Stretch(max(stretch.first, first), min(stretch.last, stop - 1), stretch.kind)
        for stretch in stretches
        if stretch.first < stop and stretch.last >= first
    ]
