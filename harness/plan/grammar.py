"""Reads the text of an objective, such as `p99 < 500ms over 60s`. Pure."""

import re
from decimal import Decimal
from typing import NamedTuple

from harness.objectives import Indicator
from harness.plan.nearest import nearest
from harness.units import duration, share

_FORM = re.compile(r"\s*([A-Za-z][\w.]*)\s*(<=|>=|<|>|==|=)\s*(.+?)(?:\s+over\s+(?:every\s+)?(\S+))?\s*")
_ABORT = re.compile(r"\s*success\s*<\s*([^<>=\s].*?)\s+over\s+(?:every\s+)?(\S+)\s*")
_QUANTILE = re.compile(r"p([0-9]+(?:\.[0-9]+)?)")
NAMES = (
    "success",
    "p50",
    "p90",
    "p95",
    "p99",
    "p99.9",
    "max",
    "failures",
    "longest_outage",
    "total_outage",
    "outages",
    "silence",
)
_COUNTS = {"failures": Indicator.FAILURES, "outages": Indicator.OUTAGES}
_TIMES = {
    "max": Indicator.MAX,
    "longest_outage": Indicator.LONGEST_OUTAGE,
    "total_outage": Indicator.TOTAL_OUTAGE,
    "silence": Indicator.SILENCE,
}


class Condition(NamedTuple):
    """An objective's text, read: share 0 to 1, seconds or count as the indicator has it; window in seconds."""

    indicator: Indicator
    operator: str
    threshold: float
    quantile: float | None
    window: float | None


class ObjectiveError(ValueError):
    """The text is no objective; says what would be right."""


def parse(text: str) -> Condition:
    """Read an objective. Raises ObjectiveError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ObjectiveError(f'{text!r} is not an objective: write "success >= 99.95%" or "p95 < 300ms over 60s"')
    name, operator, value, over = match.groups()
    if operator in ("=", "=="):
        raise ObjectiveError(f"{text!r}: compare with <, <=, > or >=")
    try:
        return _condition(name, operator, value, _window(over))
    except ValueError as error:
        raise ObjectiveError(f"{text!r}: {error}") from None


def parse_abort(text: str) -> Condition:
    """Read `success < 50% over 15s`. Raises ObjectiveError."""
    match = _ABORT.fullmatch(text)
    if match is None:
        raise ObjectiveError(f'{text!r}: write "success < 50% over 15s"')
    try:
        threshold = share(match[1])
        if threshold == 0:
            raise ValueError("nothing is below 0%")
        return Condition(Indicator.SUCCESS, "<", threshold, None, _window(match[2]))
    except ValueError as error:
        raise ObjectiveError(f"{text!r}: {error}") from None


def _window(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = duration(text)
    except ValueError as error:
        raise ValueError(f"after over, {error}") from None
    if seconds < 1:
        raise ValueError("a window is at least 1s")
    return seconds


def _condition(name: str, operator: str, value: str, window: float | None) -> Condition:
    if name == "success":
        if operator not in (">", ">="):
            raise ValueError("success is a lower bound: write success >= 99.95%")
        threshold = share(value)
        if operator == ">" and threshold >= 1:
            raise ValueError("nothing is above 100%: write success >= 100%")
        return Condition(Indicator.SUCCESS, operator, threshold, None, window)
    quantile = _quantile(name)
    if quantile is None and name not in _TIMES and name not in _COUNTS:
        raise ValueError(f"unknown indicator {name!r}: {nearest(name, NAMES)}")
    if operator not in ("<", "<="):
        raise ValueError(f"{name} is an upper bound: write {name} < {value}")
    indicator = Indicator.LATENCY if quantile is not None else _COUNTS.get(name) or _TIMES[name]
    if name in _COUNTS:
        if not re.fullmatch(r"[0-9]{1,15}", value):
            raise ValueError(f"{name} is a count: write {name} <= 3")
        threshold = float(value)
    else:
        threshold = duration(value)
    if threshold == 0 and operator == "<":
        raise ValueError("nothing is below 0")
    return Condition(indicator, operator, threshold, quantile, window)


def _quantile(name: str) -> float | None:
    """0.999 of `p99.9` and of `p999`."""
    match = _QUANTILE.fullmatch(name)
    if match is None:
        return None
    digits = match[1]
    if re.fullmatch(r"999+", digits):
        digits = f"99.{digits[2:]}"
    value = Decimal(digits)
    if not 1 <= value <= Decimal("99.999"):
        raise ValueError(f"{name}: a percentile lies between p1 and p99.999; the longest latency is max")
    return float(value / 100)
