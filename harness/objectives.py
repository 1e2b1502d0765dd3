"""Objectives as values: a condition on an indicator of one runner. The plan reads them, `harness.judge` judges them."""

from enum import StrEnum

import msgspec


class Indicator(StrEnum):
    """What an objective measures. Each is computed twice: unknown ticks as good, and as bad."""

    SUCCESS = "success"  # share of good ticks, 0 to 1
    LATENCY = "latency"  # the objective's quantile of the latency, seconds; bad ticks are over every limit
    MAX = "max"  # the longest latency, seconds
    FAILURES = "failures"  # count of bad ticks
    LONGEST_OUTAGE = "longest_outage"  # seconds
    TOTAL_OUTAGE = "total_outage"  # seconds, all outages together
    OUTAGES = "outages"  # count
    SILENCE = "silence"  # seconds


class Gate(StrEnum):
    """Whether a violation fails the run or only warns."""

    ENFORCE = "enforce"
    WARN = "warn"


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """Bad ticks that an objective forgives; what was forgiven is always shown."""

    causes: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on one runner, such as `p99 < 500ms` in the worst of all 60 s windows."""

    text: str
    runner: str
    indicator: Indicator
    operator: str  # < <= > >=
    threshold: float
    quantile: float | None = None  # of LATENCY, 0 < q < 1
    window: float | None = None  # seconds; the worst window must hold
    gate: Gate = Gate.ENFORCE
    tolerate: Tolerance = Tolerance()
    default: bool = False  # the probe's own, not the plan's
    phase: str = ""  # over the steps of that name alone
