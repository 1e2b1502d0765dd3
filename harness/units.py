"""Durations, rates, shares and sizes as people write them: always with their unit. Pure.

Numbers are read in decimal: 99.9 % is the float nearest to 0.999, which 99.9 / 100 is not, and a run of exactly 999 in
1,000 must meet it.
"""

import math
import re
from decimal import Decimal

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_SECONDS = {"d": Decimal(86400), "h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
_DURATION = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in _SECONDS))
_PER = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "m": 60, "h": 3600, "hour": 3600}
_RATE = re.compile(rf"{_NUMBER}\s*/\s*({'|'.join(_PER)})")
_SHARE = re.compile(rf"{_NUMBER}\s*%")
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}
_SIZE = re.compile(rf"{_NUMBER}\s*({'|'.join(_BYTES)})")

LOWEST_RATE = 1 / 3600
HIGHEST_RATE = 1_000_000.0
_LONGEST = 10 * 365 * 86400  # seconds
_LARGEST = 2**50  # bytes


def duration(text: object) -> float:
    """Seconds of "500ms", "5s", "1h30m". Raises ValueError, saying what would be right."""
    if not isinstance(text, str):
        raise ValueError(f'expected a duration with its unit, such as "{_number_or(text, 5)}s" or "500ms"')
    match = _DURATION.fullmatch(text.strip())
    parts = match.groups() if match else ()
    if not any(parts):
        raise ValueError(f'{text!r} is not a duration: write "500ms", "5s", "2m", "12h" or "1h30m"')
    seconds = sum(Decimal(number) * unit for number, unit in zip(parts, _SECONDS.values(), strict=True) if number)
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is too long")
    return float(seconds)


def rate(text: object) -> float:
    """Ticks per second of "10/s", "6/min", "1/h". Raises ValueError, saying what would be right."""
    if not isinstance(text, str):
        raise ValueError(f'expected a rate with its unit, such as "{_number_or(text, 10)}/s" or "6/min"')
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{text!r} is not a rate: write "10/s", "6/min" or "1/h"')
    value = float(match[1]) / _PER[match[2]]
    if not LOWEST_RATE * (1 - 1e-9) <= value <= HIGHEST_RATE:
        raise ValueError(f"{text!r} is out of bounds: from 1/h to 1000000/s")
    return value


def share(text: object) -> float:
    """A part of one, 0 to 1, of "99.95%". Raises ValueError, saying what would be right."""
    match = _SHARE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or Decimal(match[1]) > 100:
        raise ValueError(f'expected a percentage from "0%" to "100%", not {text!r}')
    return float(Decimal(match[1]) / 100)


def size(text: object) -> int:
    """Bytes of "10MiB" or "500kB". Raises ValueError, saying what would be right."""
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'expected a size with its unit, such as "10MiB" or "500kB", not {text!r}')
    value = Decimal(match[1]) * _BYTES[match[2]]
    if value > _LARGEST:
        raise ValueError(f"{text!r} is too large")
    return int(value)


def _number_or(value: object, example: int) -> object:
    """The number that lacks its unit, if it is one that could have it."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    return value if usable else example


def show_duration(seconds: float) -> str:
    """The shortest way to write it: 0.5 -> "500ms", 5400 -> "1h30m"."""
    if 0 < seconds < 1:
        return f"{_plain(seconds * 1000)}ms"
    parts = []
    rest = seconds
    for unit, length in (("h", 3600), ("m", 60)):
        whole = int(rest // length)
        if whole:
            parts.append(f"{whole}{unit}")
            rest -= whole * length
    if rest > 1e-9 or not parts:
        parts.append(f"{_plain(rest)}s" if rest >= 1 or not parts else f"{_plain(rest * 1000)}ms")
    return "".join(parts)


def show_rate(per_second: float) -> str:
    """The way it is written with a number of one or more: 0.1 -> "6/min"."""
    for factor, unit in ((1, "s"), (60, "min"), (3600, "h")):
        if per_second * factor >= 1 - 1e-9:
            return f"{_plain(per_second * factor)}/{unit}"
    return f"{_plain(per_second * 3600)}/h"


def show_share(part: float) -> str:
    """0.9995 -> "99.95%"."""
    return f"{_plain(part * 100)}%"


def show_size(number: int) -> str:
    """10485760 -> "10MiB"."""
    for unit in ("GiB", "MiB", "KiB"):
        if number and number % _BYTES[unit] == 0:
            return f"{number // _BYTES[unit]}{unit}"
    return f"{number}B"


def _plain(number: float) -> str:
    """Without an exponent, which no unit is read with, and without float noise: to nine decimals."""
    return f"{number:.9f}".rstrip("0").rstrip(".")
