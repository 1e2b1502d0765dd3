"""Durations, rates, shares and sizes as people write them: always with their unit. Pure."""

import math
import re

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h|d))")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|sec|second|min|minute|m|h|hour)")
_PER = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "m": 60, "h": 3600, "hour": 3600}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|KB|KiB|MB|MiB|GB|GiB)")
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}

LOWEST_RATE = 1 / 3600
HIGHEST_RATE = 1_000_000.0


def duration(text: object) -> float:
    """Seconds of "500ms", "5s", "1h30m". Raises ValueError, saying what would be right."""
    if not isinstance(text, str):
        raise ValueError(f'expected a duration with its unit, such as "{text}s" or "500ms"')
    parts = _DURATION.findall(text.strip())
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text.strip():
        raise ValueError(f'{text!r} is not a duration: write "500ms", "5s", "2m", "12h" or "1h30m"')
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not math.isfinite(seconds) or seconds > 10 * 365 * 86400:
        raise ValueError(f"{text!r} is too long")
    return seconds


def rate(text: object) -> float:
    """Ticks per second of "10/s", "6/min", "1/h". Raises ValueError, saying what would be right."""
    if not isinstance(text, str):
        raise ValueError(f'expected a rate with its unit, such as "{text}/s" or "6/min"')
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{text!r} is not a rate: write "10/s", "6/min" or "1/h"')
    value = float(match[1]) / _PER[match[2]]
    if not LOWEST_RATE * (1 - 1e-9) <= value <= HIGHEST_RATE:
        raise ValueError(f"{text!r} is out of bounds: from 1/h to 1000000/s")
    return value


def share(text: object) -> float:
    """A part of one, 0 to 1, of "99.95%". Raises ValueError, saying what would be right."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip()) if isinstance(text, str) else None
    if match is None or not float(match[1]) <= 100:
        raise ValueError(f'expected a percentage from "0%" to "100%", not {text!r}')
    return float(match[1]) / 100


def size(text: object) -> int:
    """Bytes of "10MiB" or "500kB". Raises ValueError, saying what would be right."""
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'expected a size with its unit, such as "10MiB" or "500kB", not {text!r}')
    return int(float(match[1]) * _BYTES[match[2]])


def show_duration(seconds: float) -> str:
    """The shortest way to write it: 0.5 -> "500ms", 5400 -> "1h30m"."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    parts = []
    rest = seconds
    for unit in ("h", "m"):
        whole = int(rest // _SECONDS[unit])
        if whole:
            parts.append(f"{whole}{unit}")
            rest -= whole * _SECONDS[unit]
    if rest > 1e-9 or not parts:
        parts.append(f"{rest:g}s" if rest >= 1 or not parts else f"{rest * 1000:g}ms")
    return "".join(parts)


def show_rate(per_second: float) -> str:
    """The way it is written with a number of one or more: 0.1 -> "6/min"."""
    for factor, unit in ((1, "s"), (60, "min"), (3600, "h")):
        if per_second * factor >= 1 - 1e-9:
            return f"{per_second * factor:g}/{unit}"
    return f"{per_second * 3600:g}/h"
