"""How far BOSH's clock is ahead of this machine's, from what can't be otherwise. Pure.

Nothing that was told lies in the future, and all of a deployment lies between the pipeline's marks around it. Every
offset that these allow may be the true one. If none at all is among them, the clocks are taken to agree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.bosh.events import Update

STAMP = 1.0  # second: stamps are cut to whole ones
_LARGEST = 3600.0  # seconds that two clocks may differ by
_TOLD_LATE = 5.0  # seconds by which an estimate with one bound alone may be short


@dataclass(frozen=True)
class Bracket:
    """A phase of the pipeline, by this machine's clock: seconds since the epoch."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True)
class Offset:
    """BOSH's clock less this machine's, seconds; `within`: by which that may be wrong."""

    seconds: float
    within: float
    why: str


def estimate(updates: Sequence[Update], brackets: Iterable[Bracket], now: float) -> Offset:
    """`now`: this machine's clock when the file was read. Of several phases that may be the deployment's own, the one
    that needs the smallest offset is believed; one of more than an hour is nobody's."""
    first = min(update.begin for update in updates)
    last = max(update.end if update.end is not None else update.begin for update in updates)
    allowed = [
        (max(last - now, last - bracket.end), first + STAMP - bracket.begin, bracket.name)
        for bracket in brackets
        if last - first <= bracket.end - bracket.begin + 2 * STAMP
    ]
    allowed = [one for one in allowed if one[0] <= one[1] and _nearest(*one[:2]) <= _LARGEST]
    if not allowed:
        if last <= now:
            return Offset(0.0, 0.0, "nothing speaks against it")
        return Offset(last - now, _TOLD_LATE, "its newest event would lie in the future")
    low, high, name = min(allowed, key=lambda one: (_nearest(*one[:2]), one[1] - one[0]))
    if low <= 0 <= high:
        return Offset(0.0, 0.0, f"it agrees with the marks of {name}")
    return Offset((low + high) / 2, (high - low) / 2, f"from the marks of {name}")


def _nearest(low: float, high: float) -> float:
    """The smallest offset that is allowed, whichever way."""
    return 0.0 if low <= 0 <= high else min(abs(low), abs(high))


def placed(updates: Iterable[Update], offset: Offset) -> list[tuple[Update, float, float | None, float]]:
    """Each update with its begin and end by this machine's clock, and the seconds by which both may be wrong: a stamp t
    stands for [t, t + 1)."""
    within = STAMP + offset.within
    return [
        (
            update,
            update.begin - offset.seconds + STAMP / 2,
            update.end - offset.seconds + STAMP / 2 if update.end is not None else None,
            within,
        )
        for update in updates
    ]
