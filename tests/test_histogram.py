"""Histograms, held against the `hdrhistogram` package."""

import math

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from harness.histogram import (
    Histogram,
    count_of,
    highest_of,
    index_of,
    lowest_of,
    merge_into,
    merged,
    percentile_bounds,
    record,
)

LONGEST = 3_600_000_000  # µs
ORACLE = HdrHistogram(1, LONGEST, 3)
VALUES = st.integers(0, 5000) | st.integers(0, LONGEST) | st.integers(11, 31).map(lambda bits: (1 << bits) - 1)
MANY = st.lists(VALUES, min_size=1, max_size=200)


def histogram_of(values: list[int]) -> Histogram:
    histogram: Histogram = {}
    for value in values:
        record(histogram, value)
    return histogram


@given(VALUES)
def test_the_layout_is_hdrhistograms(value: int) -> None:
    index = index_of(value)
    assert index == ORACLE._counts_index_for(value)
    assert lowest_of(index) == ORACLE.get_lowest_equivalent_value(value)
    assert highest_of(index) == ORACLE.get_highest_equivalent_value(value)


@given(VALUES)
def test_a_bucket_is_narrow(value: int) -> None:
    index = index_of(value)
    low, high = lowest_of(index), highest_of(index)
    assert low <= value <= high
    assert high - low <= value / 1024
    assert index_of(high + 1) == index + 1


@given(MANY, st.sampled_from([0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0]))
def test_percentiles(values: list[int], q: float) -> None:
    """The bounds hold the exact nearest-rank value, and are the package's bucket."""
    bounds = percentile_bounds(histogram_of(values), q)
    assert bounds is not None
    exact = sorted(values)[max(1, math.ceil(round(q * len(values), 6))) - 1]
    assert bounds[0] <= exact <= bounds[1]
    assert bounds == (lowest_of(index_of(exact)), highest_of(index_of(exact)))


@given(MANY)
def test_percentiles_agree_with_the_package(values: list[int]) -> None:
    """At ranks that do not hang on how a share is rounded."""
    oracle = HdrHistogram(1, LONGEST, 3)
    for value in values:
        oracle.record_value(value)
    for rank in (1, (len(values) + 1) // 2, len(values)):
        bounds = percentile_bounds(histogram_of(values), (rank - 0.5) / len(values))
        assert bounds is not None
        assert bounds[1] == oracle.get_value_at_percentile(100 * (rank - 0.5) / len(values))


def test_shares_that_floats_spoil() -> None:
    """0.999 of 2,000 is 1,998, and 1998.0000000000002 in floats."""
    histogram = {1: 1998, 2: 2}
    assert percentile_bounds(histogram, 0.999) == (1, 1)
    assert percentile_bounds({}, 0.5) is None


@given(st.lists(MANY, max_size=5))
def test_merging_is_addition(parts: list[list[int]]) -> None:
    histograms = [histogram_of(part) for part in parts]
    before = [dict(histogram) for histogram in histograms]
    total = merged(histograms)
    assert total == histogram_of([value for part in parts for value in part])
    assert histograms == before
    assert count_of(total) == sum(map(len, parts))
    for histogram in histograms:
        merge_into(histogram, {5: 2})
        assert count_of(histogram) > 2


@pytest.mark.parametrize("value", [-1, -(10**9)])
def test_negatives_count_as_nothing(value: int) -> None:
    histogram: Histogram = {}
    record(histogram, value, 3)
    assert histogram == {0: 3}
