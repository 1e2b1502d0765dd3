"""How numbers and times are written, in sentences and in reports: with units, without false precision, and never
rounded across a threshold or up to 100 %."""

import math
from datetime import UTC, datetime

from harness.objectives import Indicator

NOTHING = "–"
UNBOUNDED = "unbounded"


def count(number: float) -> str:
    """`12,345`."""
    return f"{number:,.0f}"


def share(value: float | None, apart_from: float = 1.0) -> str:
    """A share 0 to 1 as `99.97 %`; as many decimals as keep it apart from 100 % and from `apart_from`."""
    if value is None:
        return NOTHING
    percent = 100 * value
    if percent == round(percent):
        return f"{percent:,.0f} %"
    return f"{_apart(percent, 2, (100.0, 0.0, 100 * apart_from))} %"


def seconds(value: float | None, apart_from: float | None = None) -> str:
    """A length of time: `85 µs`, `12.3 ms`, `1.93 s`, `5 min 3 s`, `2 h 5 min`; kept apart from `apart_from`."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return UNBOUNDED
    if value == 0:
        return "0 s"
    size = abs(value)
    others = () if apart_from is None else (apart_from,)
    if size < 60:
        factor, unit = (1.0, "s") if size >= 0.9995 else (1e3, "ms") if size >= 0.9995e-3 else (1e6, "µs")
        scaled = value * factor
        # Three significant digits; whole microseconds, which are what is recorded.
        decimals = 0 if unit == "µs" else min(2, max(0, 2 - math.floor(math.log10(abs(scaled)) + 1e-9)))
        return f"{_apart(scaled, decimals, tuple(other * factor for other in others))} {unit}"
    whole = round(size)
    sign = "-" if value < 0 else ""
    if whole < 3600:
        return f"{sign}{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(size / 60)
    return f"{sign}{minutes // 60:,} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def whole_seconds(value: int) -> str:
    """A step of so many seconds: `5 s`, `2 min`."""
    return f"{value} s" if value < 60 else seconds(float(value))


def rate(per_second: float) -> str:
    """`1,000/s`, `9.98/s`, `6/min`, `12/h`."""
    for factor, unit in ((1, "s"), (60, "min"), (3600, "h")):
        if per_second * factor >= 0.9995 or unit == "h":
            number = per_second * factor
            return f"{_trimmed(number, 0 if number >= 1000 else 2)}/{unit}"
    raise AssertionError("the last unit takes every rate")


def size(octets: float) -> str:
    """`48 MB`."""
    return f"{octets / 1e6:,.0f} MB" if octets >= 1e6 else f"{octets / 1e3:,.0f} kB"


def value_of(text: str, value: float | None, apart_from: float) -> str:
    """An objective's value in the unit that its text implies, kept apart from the threshold."""
    if value is None:
        return NOTHING
    word = text.split(maxsplit=1)[0] if text.split() else ""
    if word == Indicator.SUCCESS:
        return share(value, apart_from)
    if word in (Indicator.FAILURES, Indicator.OUTAGES):
        return _trimmed(value, 2)
    return seconds(value, apart_from)


def moment(iso: str) -> datetime | None:
    """The instant that an ISO 8601 string means; None where it means none."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def clock(iso: str | None, decimals: int = 0, beside: str | None = None) -> str:
    """The time of day, `17:13:05.120`; with the date before it where `beside` lies on another day."""
    when = moment(iso) if iso else None
    if when is None:
        return iso or NOTHING
    day = moment(beside) if beside else None
    date = f"{when:%m-%d} " if day is not None and day.date() != when.date() else ""
    fraction = f".{when.microsecond:06d}"[: decimals + 1] if decimals else ""
    return f"{date}{when:%H:%M:%S}{fraction}"


def day_and_time(iso: str | None) -> str:
    """`2026-11-24 17:12:50 UTC`."""
    when = moment(iso) if iso else None
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when is not None else iso or NOTHING


def tally(counts: dict[str, int]) -> str:
    """`reset 18, router 2`: the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name.replace('_', ' ')} {count(number)}" for name, number in ordered if number)


def _trimmed(number: float, decimals: int) -> str:
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _apart(number: float, decimals: int, others: tuple[float, ...]) -> str:
    """With so many decimals, or more where rounding would make it look like one of `others` that it is not."""
    while decimals < 9 and any(
        round(number, decimals) == round(other, decimals) and not math.isclose(number, other, rel_tol=1e-12)
        for other in others
    ):
        decimals += 1
    return f"{number:,.{decimals}f}"
