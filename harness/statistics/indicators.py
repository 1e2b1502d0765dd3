"""Every indicator of an objective, by two readings: unknown ticks as good, and as bad. Pure.

Where an objective has a window, the worst of all windows of that many consecutive seconds is measured; a run shorter
than the window is the window. Outages and silence are measured whole wherever they touch a window, so for the longest
ones a window changes nothing.
"""

import math
import operator as operators
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import assert_never

from harness.histogram import Histogram, highest_of, lowest_of, merge_into, merged, percentile_bounds
from harness.objectives import Indicator, Objective
from harness.outcome import Cause
from harness.statistics.kinds import DEGRADED, UNKNOWN, cause_of
from harness.statistics.outages import (
    Gap,
    gaps_joined,
    gaps_parted,
    gaps_with_unknown_bad,
    gaps_with_unknown_good,
    ticks_in,
)
from harness.statistics.sweep import Stretch
from harness.statistics.view import View

MIN_ATTEMPTS = 10
_INDEXES = 1 << 16  # of histograms: more than 10^20 µs take
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


@dataclass(frozen=True)
class Measured:
    """`value` as it was counted; infinite where bad ticks reach so far. In the threshold's unit."""

    value: float | None
    unknown_good: float | None
    unknown_bad: float | None
    attempts: int  # that came to an end, good or bad
    forgiven: int = 0


def holds(operator: str, value: float, threshold: float) -> bool:
    """`value operator threshold`."""
    if operator not in _OPERATORS:
        raise ValueError(f"unknown operator {operator!r}: one of {' '.join(_OPERATORS)}")
    return _OPERATORS[operator](value, threshold)


def attempts_needed(objective: Objective) -> int:
    """Fewer attempts say nothing about it."""
    if objective.quantile is None:
        return MIN_ATTEMPTS
    return max(MIN_ATTEMPTS, math.ceil(round(1 / (1 - objective.quantile), 6)))


def measure(view: View, objective: Objective) -> Measured:
    """The objective's indicator."""
    stretches, forgiven = view.forgiving(objective.tolerate)
    attempts = view.succeeded + ticks_in(stretch for stretch in stretches if stretch.kind not in UNKNOWN)
    value, good, bad = _readings(view, objective, stretches)
    return Measured(value, good, bad, attempts, forgiven)


Readings = tuple[float | None, float | None, float | None]


def _readings(view: View, objective: Objective, stretches: list[Stretch]) -> Readings:
    match objective.indicator:
        case Indicator.SUCCESS:
            return _success(view, objective, stretches)
        case Indicator.LATENCY | Indicator.MAX:
            return _latency(view, objective, stretches)
        case Indicator.FAILURES:
            return _failures(view, objective, stretches)
        case Indicator.LONGEST_OUTAGE | Indicator.TOTAL_OUTAGE:
            good = gaps_with_unknown_good(view.axis, stretches)
            bad = gaps_with_unknown_bad(view.axis, stretches)
            ends = sorted((_outage(view, objective, good), _outage(view, objective, bad)))
            return ends[0], ends[0], ends[1]
        case Indicator.OUTAGES:  # unknown ticks read as good part them, read as bad join them
            fewest = _outage(view, objective, gaps_joined(view.axis, stretches))
            return fewest, fewest, _outage(view, objective, gaps_parted(view.axis, stretches))
        case Indicator.SILENCE:
            return _silence(view)
    assert_never(objective.indicator)


def _windows(view: View, objective: Objective) -> Iterator[tuple[int, int]]:
    """Seconds [begin, end) of each window."""
    length = view.seconds if objective.window is None else max(1, math.ceil(objective.window))
    if length >= view.seconds:
        yield 0, view.seconds
        return
    for begin in range(view.seconds - length + 1):
        yield begin, begin + length


def _sums(counts: Sequence[int]) -> list[int]:
    return [0, *accumulate(counts)]


def _worst(objective: Objective) -> Callable[[float, float], float]:
    return max if objective.operator in ("<", "<=") else min


def _success(view: View, objective: Objective, stretches: list[Stretch]) -> Readings:
    counts = view.counts(stretches)
    good, bad, unknown = _sums(counts.good), _sums(counts.bad), _sums(counts.unknown)
    blind = _sums(view.spread(view.blind))  # set aside, but what they leave is no proof of a violation
    worst = _worst(objective)
    value: float | None = None
    as_good: float | None = None
    as_bad: float | None = None
    for begin, end in _windows(view, objective):
        ok, failed, open_ = good[end] - good[begin], bad[end] - bad[begin], unknown[end] - unknown[begin]
        total = ok + failed + open_
        if total == 0:
            continue
        aside = blind[end] - blind[begin]
        kindest = (ok + open_ + aside) / (total + aside)
        as_good = kindest if as_good is None else worst(as_good, kindest)
        as_bad = ok / total if as_bad is None else worst(as_bad, ok / total)
        if ok + failed:
            value = ok / (ok + failed) if value is None else worst(value, ok / (ok + failed))
    return value, as_good, as_bad


def _failures(view: View, objective: Objective, stretches: list[Stretch]) -> Readings:
    counts = view.counts(stretches)
    bad, unknown = _sums(counts.bad), _sums(counts.unknown)
    worst = _worst(objective)
    as_good: float | None = None
    as_bad: float | None = None
    for begin, end in _windows(view, objective):
        failed, open_ = bad[end] - bad[begin], unknown[end] - unknown[begin]
        as_good = failed if as_good is None else worst(as_good, failed)
        as_bad = failed + open_ if as_bad is None else worst(as_bad, failed + open_)
    return as_good, as_good, as_bad


def _outage(view: View, objective: Objective, gaps: list[Gap]) -> float:
    if objective.indicator is Indicator.LONGEST_OUTAGE:
        return max((gap.seconds for gap in gaps), default=0.0)
    counting = objective.indicator is Indicator.OUTAGES
    if objective.window is None or math.ceil(objective.window) >= view.seconds:
        return float(len(gaps)) if counting else round(sum(gap.seconds for gap in gaps), 9)
    per_second = [0.0] * view.seconds
    for gap in gaps:
        if counting:
            per_second[max(0, min(view.seconds - 1, math.floor(gap.start - view.axis.begin)))] += 1
            continue
        start, end = gap.start - view.axis.begin, gap.end - view.axis.begin
        for second in range(max(0, math.floor(start)), math.ceil(min(view.seconds, end))):
            per_second[second] += max(0.0, min(end, second + 1) - max(start, second))
    sums = [0.0, *accumulate(per_second)]
    totals = [sums[end] - sums[begin] for begin, end in _windows(view, objective)]
    return max(totals) if objective.operator in ("<", "<=") else min(totals)


def _silence(view: View) -> Readings:
    known, possible = view.silences
    low = known.seconds_low if known is not None else 0.0
    high = max(low, view.silence_doubt)
    if possible is not None:
        # Our own pauses are blind time: set aside while they are short and few.
        paused = view.book.vital.paused
        few = paused <= view.max_blind_share * (view.axis.end - view.axis.begin)
        aside = few and possible.paused <= view.max_blind_stretch
        high = max(high, possible.seconds_low if aside else possible.seconds)
        high += (len(view.book.shards) - 1) / view.axis.rate  # one shard may have waited before the others had a tick
    return low, low, high


@dataclass(frozen=True)
class _Side:
    """One reading of the latencies: by second a histogram, ticks faster than everything, and slower than everything.
    Histograms are made when they are asked for; `total` is all of them together, where that is known."""

    histogram: Callable[[int], Histogram]
    fast: list[int]
    slow: list[int]
    upper: bool  # a bucket stands for its highest value, not its lowest
    total: Histogram | None

    def value_of(self, index: int) -> float:
        """Seconds. Recorded values are cut to whole µs, so the true one lies below the next."""
        return math.nextafter((highest_of(index) + 1) / 1e6, 0.0) if self.upper else lowest_of(index) / 1e6

    def quantile(self, q: float, begin: int, end: int) -> float | None:
        """By nearest rank, over the seconds [begin, end)."""
        total = self.total if end - begin == len(self.fast) else None
        if total is None:
            total = {}
            for second in range(begin, end):
                merge_into(total, self.histogram(second))
        fast, slow = sum(self.fast[begin:end]), sum(self.slow[begin:end])
        count = fast + slow + sum(total.values())
        if count == 0:
            return None
        seen, rank = fast, rank_of(q, count)
        if seen >= rank:
            return 0.0
        for index in sorted(total):
            seen += total[index]
            if seen >= rank:
                return self.value_of(index)
        return math.inf

    def worst_window(self, objective: Objective, q: float, windows: list[tuple[int, int]]) -> float | None:
        """The quantile of the window in which the largest share of ticks is beyond the threshold."""
        first_beyond = bisect_left(
            range(_INDEXES),
            True,
            key=lambda index: not holds(objective.operator, self.value_of(index), objective.threshold),
        )
        beyond, counts = [], []
        for second, (fast, slow) in enumerate(zip(self.fast, self.slow, strict=True)):
            histogram = self.histogram(second)
            beyond.append(slow + sum(n for index, n in histogram.items() if index >= first_beyond))
            counts.append(fast + slow + sum(histogram.values()))
        beyond_sums, all_sums = _sums(beyond), _sums(counts)
        worst: tuple[float, int, int] | None = None
        for begin, end in windows:
            count = all_sums[end] - all_sums[begin]
            if count:
                margin = beyond_sums[end] - beyond_sums[begin] - (count - rank_of(q, count)) - 0.5
                if worst is None or margin / count > worst[0]:
                    worst = margin / count, begin, end
        return self.quantile(q, worst[1], worst[2]) if worst is not None else None


def rank_of(q: float, count: int) -> int:
    """Nearest rank: how many of `count` observations the percentile is not below."""
    return max(1, math.ceil(round(q * count, 6)))


def _latency(view: View, objective: Objective, stretches: list[Stretch]) -> Readings:
    q = objective.quantile if objective.quantile is not None else 1.0
    low, high = _sides(view, stretches)
    windows = list(_windows(view, objective))
    if len(windows) == 1:
        as_good, as_bad = low.quantile(q, *windows[0]), high.quantile(q, *windows[0])
    elif objective.operator in ("<", "<="):
        as_good, as_bad = low.worst_window(objective, q, windows), high.worst_window(objective, q, windows)
    else:  # a floor under a latency: nobody asks for it, but it must not be wrong
        as_good = min((v for w in windows if (v := low.quantile(q, *w)) is not None), default=None)
        as_bad = min((v for w in windows if (v := high.quantile(q, *w)) is not None), default=None)
    if as_good is not None:
        as_good = max(0.0, as_good - _own_lateness(view, q))
    return as_bad, as_good, as_bad


def _own_lateness(view: View, q: float) -> float:
    """Seconds. A loop that comes to its ticks late reads answers late, too, and as often: on a busy machine what lies
    between is nobody's proof. Pauses are left out of the lower latencies already."""
    bounds = percentile_bounds(view.book.seconds.totals().lag, q)
    return bounds[1] / 1e6 if bounds is not None else 0.0


def _sides(view: View, stretches: list[Stretch]) -> tuple[_Side, _Side]:
    counts = view.counts(stretches)
    blind = view.spread(view.blind)
    cut = view.spread(s for s in stretches if s.kind in UNKNOWN and cause_of(s.kind) is Cause.CUT)
    degraded = [0] * view.seconds
    if not view.brief.degraded_is_good:
        degraded = view.spread(stretch for stretch in view.stretches if stretch.kind in DEGRADED)
    fast = [
        unknown + aside - (cut[second] if second in view.cut_ages else 0)
        for second, (unknown, aside) in enumerate(zip(counts.unknown, blind, strict=True))
    ]
    slow = [bad + unknown for bad, unknown in zip(counts.bad, counts.unknown, strict=True)]

    def lower(second: int) -> Histogram:
        low = next((told.whole_latency_low() for told in view.told(second, second + 1)), {})
        if degraded[second]:  # their latencies are among the good ones': which, nobody knows
            low = _less(low, degraded[second], from_top=True)
        ages = view.cut_ages.get(second)
        return merged((low, ages)) if ages else low

    def upper(second: int) -> Histogram:
        high = next((told.whole_latency() for told in view.told(second, second + 1)), {})
        return _less(high, degraded[second], from_top=False) if degraded[second] else high

    whole = not any(degraded)
    low_total = merged((view.latency_low, *view.cut_ages.values())) if whole else None
    return (
        _Side(lower, fast, counts.bad, upper=False, total=low_total),
        _Side(upper, [0] * view.seconds, slow, upper=True, total=view.latency if whole else None),
    )


def _less(histogram: Histogram, count: int, *, from_top: bool) -> Histogram:
    """Without its `count` highest or lowest values."""
    rest = dict(histogram)
    for index in sorted(rest, reverse=from_top):
        taken = min(count, rest[index])
        rest[index] -= taken
        count -= taken
        if not count:
            break
    return {index: n for index, n in rest.items() if n}
