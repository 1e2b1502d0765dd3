"""Reads the text of an objective, such as `p99 < 500ms over 60s`. Pure."""

import difflib
import re
from typing import NamedTuple

from harness.objectives import Indicator
from harness.units import duration, share

_FORM = re.compile(r"\s*([A-Za-z][\w.]*)\s*(<=|>=|<|>|==|=)\s*(.+?)(?:\s+over\s+(?:every\s+)?(\S+))?\s*")
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|999|9999)")
_NAMES = (
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
    try:
        window = duration(over) if over else None
    except ValueError as error:
        raise ObjectiveError(f"{text!r}: after over, {error}") from None
    if window is not None and window < 1:
        raise ObjectiveError(f"{text!r}: a window is at least 1s")
    if operator in ("=", "=="):
        raise ObjectiveError(f"{text!r}: compare with <, <=, > or >=")
    try:
        return _condition(name, operator, value, window)
    except ValueError as error:
        raise ObjectiveError(f"{text!r}: {error}") from None


def parse_abort(text: str) -> Condition:
    """Read `success < 50% over 15s`. Raises ObjectiveError."""
    form = '"success < 50% over 15s"'
    head, _, rest = text.partition("<")
    if head.strip() != "success" or not rest.strip() or rest.startswith("="):
        raise ObjectiveError(f"{text!r}: write {form}")
    condition = parse(f"success >= {rest.strip()}")
    if condition.window is None:
        raise ObjectiveError(f"{text!r}: over which time? Write {form}")
    return condition._replace(operator="<")


def _condition(name: str, operator: str, value: str, window: float | None) -> Condition:
    if name == "success":
        if operator not in (">", ">="):
            raise ValueError("success is a lower bound: write success >= 99.95%")
        return Condition(Indicator.SUCCESS, operator, share(value), None, window)
    quantile = _quantile(name)
    known = quantile is not None or name in _TIMES or name in _COUNTS
    if not known:
        near = difflib.get_close_matches(name, _NAMES, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(_NAMES)}"
        raise ValueError(f"unknown indicator {name!r}: {hint}")
    if operator not in ("<", "<="):
        raise ValueError(f"{name} is an upper bound: write {name} < {value}")
    if name in _COUNTS:
        if not value.isdigit():
            raise ValueError(f"{name} is a count: write {name} <= 3")
        return Condition(_COUNTS[name], operator, float(value), None, window)
    threshold = duration(value)
    if threshold <= 0 and operator == "<":
        raise ValueError("nothing is below 0")
    if quantile is not None:
        return Condition(Indicator.LATENCY, operator, threshold, quantile, window)
    return Condition(_TIMES[name], operator, threshold, None, window)


def _quantile(name: str) -> float | None:
    match = _QUANTILE.fullmatch(name)
    if match is None:
        return None
    digits = match[1]
    value = float(f"{digits[:2]}.{digits[2:]}") if len(digits) > 2 and "." not in digits else float(digits)
    if not 0 < value < 100:
        raise ValueError(f"{name}: a percentile lies between p1 and p99.999; the longest latency is max")
    return value / 100
