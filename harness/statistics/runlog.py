"""The ticks of one shard that are not simply good, as coalesced runs in arrays: 18 bytes a run, whatever its length."""

from array import array
from bisect import bisect_left

from harness.statistics.kinds import Kind

Runs = list[tuple[int, int, Kind]]
"""Ordinals first … last (both included) that ended alike; in order, not overlapping."""

_TIDY_AFTER = 1024


class RunLog:
    """Runs come roughly in order; a sorted bulk and a short tail keep looking at the newest ones cheap."""

    def __init__(self) -> None:
        self._first = array("q")
        self._last = array("q")
        self._kind = array("H")
        self._tidy = 0  # so many leading ones are in order, coalesced, and don't overlap

    def __len__(self) -> int:
        return len(self._first)

    def add(self, first: int, last: int, kind: Kind) -> None:
        """Append a run; one that goes on where the newest ended makes that one longer."""
        if self._first and self._last[-1] + 1 == first and self._kind[-1] == kind:
            self._last[-1] = last
            return
        self._first.append(first)
        self._last.append(last)
        self._kind.append(kind)
        if len(self._first) - self._tidy > max(_TIDY_AFTER, self._tidy):
            runs = self.between(0, 1 << 62)
            self._first = array("q", (run[0] for run in runs))
            self._last = array("q", (run[1] for run in runs))
            self._kind = array("H", (run[2] for run in runs))
            self._tidy = len(runs) - 1 if runs else 0  # the newest one may still grow

    def between(self, begin: int, end: int) -> Runs:
        """The runs within the ordinals [begin, end), cut at its edges, in order and coalesced."""
        if begin >= end:
            return []
        found: Runs = []
        lowest = bisect_left(self._last, begin, 0, self._tidy)
        highest = bisect_left(self._first, end, 0, self._tidy)
        for index in (*range(lowest, highest), *range(self._tidy, len(self._first))):
            first, last = self._first[index], self._last[index]
            if first < end and last >= begin:
                found.append((max(first, begin), min(last, end - 1), self._kind[index]))
        found.sort()
        return _coalesced(found)


def _coalesced(runs: Runs) -> Runs:
    """Neighbours that ended alike become one. An ordinal told twice counts once, as it was told by the earlier run."""
    result: Runs = []
    for first, last, kind in runs:
        if result:
            before = result[-1]
            first = max(first, before[1] + 1)
            if first > last:
                continue
            if before[1] + 1 == first and before[2] == kind:
                result[-1] = (before[0], last, kind)
                continue
        result.append((first, last, kind))
    return result
