"""The interval beside a success rate: what it covers, measured on failures that come in bursts as real ones do."""

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.interval import UNITS, block_length, may_have_missed_per_hour, success_interval

RATE, SECONDS, TRIALS = 10, 900, 150


def bursty(chance: Random, per_second: float, length: float) -> list[int]:
    """Bad ticks by second: outages of some seconds begin now and then."""
    bad = [0] * SECONDS
    second = 0
    while second < SECONDS:
        if chance.random() < per_second:
            for _ in range(max(1, round(chance.expovariate(1 / length)))):
                if second < SECONDS:
                    bad[second] = RATE
                second += 1
        else:
            second += 1
    return bad


def truth(per_second: float, length: float) -> float:
    """The success rate that such a target has in the long run."""
    chance = Random(7)
    return 1 - sum(sum(bursty(chance, per_second, length)) for _ in range(1000)) / (1000 * SECONDS * RATE)


def wilson(good: int, bad: int) -> tuple[float, float]:
    """The interval for attempts that fail independently (Wilson 1927): what must not be used here."""
    n, z = good + bad, 1.96
    share = good / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return middle - half, middle + half


@pytest.mark.parametrize(("per_second", "length"), [(0.01, 5.0), (0.02, 3.0)])
def test_it_covers_bursts_far_better_than_independent_attempts_would(per_second: float, length: float) -> None:
    """95 % are asked for; few bursts in a short run are fewer than a bootstrap likes, so it gets a little less."""
    real = truth(per_second, length)
    chance = Random(11)
    ours = theirs = 0
    for trial in range(TRIALS):
        bad = bursty(chance, per_second, length)
        good = [RATE - count for count in bad]
        interval = success_interval(good, bad, str(trial))
        if interval is None:
            continue
        ours += interval[0] <= real <= interval[1]
        low, high = wilson(sum(good), sum(bad))
        theirs += low <= real <= high
    assert ours / TRIALS > 0.8
    assert theirs / TRIALS < 0.6
    assert ours > theirs


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=60), st.text(max_size=5))
@settings(max_examples=30, deadline=None)
def test_it_is_an_interval_and_the_same_every_time(seconds: list[tuple[int, int]], seed: str) -> None:
    """Between 0 and 1, in order, and a report made again has the same one. Without a failure, or without a success,
    there is nothing to draw from."""
    good, bad = [one for one, _ in seconds], [one for _, one in seconds]
    found = success_interval(good, bad, seed)
    assert found == success_interval(good, bad, seed)
    if sum(bad) == 0 or sum(good) == 0:
        assert found is None
        return
    assert found is not None
    low, high = found
    assert 0.0 <= low <= high <= 1.0


def test_long_runs_are_looked_at_in_coarser_units() -> None:
    """Twelve hours with one bad minute: around what was counted, and not far from it."""
    bad = [0] * 43_200
    bad[20_000:20_060] = [10] * 60
    good = [10 - count for count in bad]
    found = success_interval(good, bad, "seed")
    assert found is not None
    low, high = found
    counted = sum(good) / (sum(good) + sum(bad))
    assert low <= counted <= high
    assert high - low < 0.01
    assert len(bad) > UNITS


@given(st.lists(st.integers(0, 3), min_size=1, max_size=300))
def test_blocks_hold_the_longest_burst_unless_it_is_most_of_the_run(bad: list[int]) -> None:
    """A block that cuts bursts in two takes them for independent."""
    longest = max(len(burst) for burst in "".join("x" if count else " " for count in bad).split(" "))
    length = block_length(bad)
    assert 1 <= length <= max(1, len(bad) // 4)
    assert length >= min(longest, len(bad) // 4)


def test_zero_failures_leave_the_rule_of_three() -> None:
    """A process that still has no event with 5 % chance: e^(-3) is 0.0498."""
    assert may_have_missed_per_hour(3600.0) == pytest.approx(3.0)
    assert may_have_missed_per_hour(60.0) == pytest.approx(180.0)
    assert may_have_missed_per_hour(0.0) is None
    rate = may_have_missed_per_hour(1800.0)
    assert rate is not None
    assert math.exp(-rate * 0.5) == pytest.approx(0.05, abs=0.001)
