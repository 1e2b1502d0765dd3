"""How sure a success rate is: an interval by circular block bootstrap, and the rule of three after zero failures.

Failures come in bursts, so attempts are no independent trials: blocks of consecutive seconds are drawn instead of
attempts (Künsch 1989, "The jackknife and the bootstrap for general stationary observations"; circular blocks after
Politis & Romano 1992, "A circular block-resampling procedure for stationary data").
"""

import math
import random
from collections.abc import Sequence
from itertools import accumulate

RESAMPLES = 1000
UNITS = 2000  # at most: longer runs are looked at in coarser units of time
_SHARE = 0.95


def block_length(bad: Sequence[int]) -> int:
    """In units: n^(1/3) (the order that Künsch's paper finds best for a mean), but at least the longest burst of
    failures, since a block that cuts bursts in two takes them for independent; at most a quarter of all."""
    n = len(bad)
    burst = longest = 0
    for count in bad:
        burst = burst + 1 if count else 0
        longest = max(longest, burst)
    return max(1, min(max(math.ceil(math.pow(n, 1 / 3)), longest), n // 4))


def success_interval(good: Sequence[int], bad: Sequence[int], seed: str) -> tuple[float, float] | None:
    """95 % of the resampled success rates lie within; by second: good and bad ticks. None if there is nothing to
    resample: no failure, or nothing but failures."""
    failures, total = sum(bad), sum(good) + sum(bad)
    if failures == 0 or failures == total:
        return None
    width = math.ceil(len(good) / UNITS)
    goods = [sum(good[i : i + width]) for i in range(0, len(good), width)]
    bads = [sum(bad[i : i + width]) for i in range(0, len(bad), width)]
    n = len(goods)
    length = block_length(bads)
    good_in, bad_in = _blocks(goods, length), _blocks(bads, length)
    draws = max(1, round(n / length))
    chance = random.Random(seed)
    rates = []
    for _ in range(RESAMPLES):
        starts = chance.choices(range(n), k=draws)
        ok = sum(map(good_in.__getitem__, starts))
        failed = sum(map(bad_in.__getitem__, starts))
        if ok + failed:
            rates.append(ok / (ok + failed))
    rates.sort()
    edge = (1 - _SHARE) / 2
    return rates[math.floor(edge * len(rates))], rates[math.ceil((1 - edge) * len(rates)) - 1]


def may_have_missed_per_hour(seconds: float) -> float | None:
    """After zero failures in so many seconds: up to this many events an hour may still happen (95 %; the rule of three,
    Hanley & Lippman-Hand 1983)."""
    return 3 / (seconds / 3600) if seconds > 0 else None


def _blocks(units: Sequence[int], length: int) -> list[int]:
    """The sum of the circular block that begins at each unit."""
    sums = [0, *accumulate([*units, *units[: length - 1]])]
    return [sums[i + length] - sums[i] for i in range(len(units))]
