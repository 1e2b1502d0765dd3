"""Sparse histograms in the layout of HdrHistogram (Gil Tene), 3 significant digits, from 1 µs up.

A histogram is a plain dict, index -> count, so that recording costs one dictionary update on the engine's hot path,
merging is addition, and a second with ten answers costs ten entries. The layout is HdrHistogram's own (2048 sub-
buckets, unit magnitude 0), so indexes and counts convert to and from its encoded form without loss.
"""

import math
from collections.abc import Iterable, Mapping

Histogram = dict[int, int]
"""Index in HdrHistogram's counts array -> count of values there. Values are whole microseconds."""

_HALF_BITS = 10  # log2 of half the 2,048 sub-buckets that 3 digits need
_WHOLE_BITS = _HALF_BITS + 1


def index_of(value: int) -> int:
    """The index of a value (µs, >= 0). Relative error of a bucket's width is below 1/1024."""
    shift = value.bit_length() - _WHOLE_BITS
    if shift <= 0:
        return value
    return (shift << _HALF_BITS) + (value >> shift)


def lowest_of(index: int) -> int:
    """The lowest value (µs) that falls on this index."""
    if index < 1 << _WHOLE_BITS:
        return index
    shift = (index >> _HALF_BITS) - 1
    return (index - (shift << _HALF_BITS)) << shift


def highest_of(index: int) -> int:
    """The highest value (µs) that falls on this index."""
    return lowest_of(index + 1) - 1


def record(histogram: Histogram, value: int, count: int = 1) -> None:
    """Add `count` observations of `value` (µs; negatives count as 0)."""
    index = index_of(max(0, value))
    histogram[index] = histogram.get(index, 0) + count


def merge_into(target: Histogram, other: Mapping[int, int]) -> None:
    """Add another histogram's counts to `target`, in place."""
    if not target:
        target.update(other)
        return
    for index, count in other.items():
        target[index] = target.get(index, 0) + count


def merged(histograms: Iterable[Mapping[int, int]]) -> Histogram:
    """The sum of several histograms. Percentiles are computed from this, never averaged."""
    total: Histogram = {}
    for histogram in histograms:
        if total:
            merge_into(total, histogram)
        else:
            total = dict(histogram)
    return total


def count_of(histogram: Mapping[int, int]) -> int:
    """How many observations a histogram holds."""
    return sum(histogram.values())


def percentile_bounds(histogram: Mapping[int, int], q: float) -> tuple[int, int] | None:
    """The nearest-rank percentile (0 < q <= 1) as (lowest, highest) possible value in µs; None when empty.

    Nearest rank: the smallest value that at least a share q of the observations do not exceed.
    """
    total = count_of(histogram)
    if total == 0:
        return None
    rank = max(1, math.ceil(round(q * total, 6)))  # 0.999 * 2000 is 1998.0000000000002 in floats
    seen = 0
    for index in sorted(histogram):
        seen += histogram[index]
        if seen >= rank:
            return lowest_of(index), highest_of(index)
    raise AssertionError("rank lies within the total")
