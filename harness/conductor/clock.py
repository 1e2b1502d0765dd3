"""The machine's clocks, as something that can be lent a virtual one, and what their drifting apart means."""

import time
from typing import NamedTuple, Protocol

from harness.events import Anchored, Suspended

STEP = 0.05  # seconds that UTC may be off before it is placed anew
SLEPT = 1.0  # seconds that CLOCK_BOOTTIME must run ahead before we say that the machine slept
_SANDWICH = 0.001  # seconds between the two monotonic readings around the others
_TRIES = 5


class Clock(Protocol):
    """Seconds. `boottime` goes on while the machine sleeps, `monotonic` does not, `utc` may step."""

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC: the same in every process of this machine."""

    def boottime(self) -> float:
        """CLOCK_BOOTTIME, or the monotonic clock where there is none."""

    def utc(self) -> float:
        """Seconds since the epoch."""


class SystemClock:
    """The real ones."""

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC."""
        return time.monotonic()

    def boottime(self) -> float:
        """CLOCK_BOOTTIME (Linux); elsewhere a sleep of the machine goes unnoticed."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()

    def utc(self) -> float:
        """CLOCK_REALTIME."""
        return time.time()


class Reading(NamedTuple):
    """The three clocks at one moment."""

    monotonic: float
    boottime: float
    utc: float

    def after(self, seconds: float) -> "Reading":
        """What they will show so many seconds later, if nothing steps."""
        return Reading(self.monotonic + seconds, self.boottime + seconds, self.utc + seconds)


def read(clock: Clock) -> Reading:
    """All three, as close together as can be: our being paused between two readings must not look like a step."""
    best: tuple[float, Reading] | None = None
    for _ in range(_TRIES):
        before = clock.monotonic()
        boottime, utc = clock.boottime(), clock.utc()
        after = clock.monotonic()
        if best is None or after - before < best[0]:
            best = (after - before, Reading((before + after) / 2, boottime, utc))
        if after - before < _SANDWICH:
            break
    assert best is not None
    return best[1]


class ClockWatch:
    """Compares each reading with what the last placement predicts."""

    def __init__(self, anchor: Reading) -> None:
        self._start = anchor.monotonic
        self._placed = anchor
        self._slept = anchor.boottime - anchor.monotonic

    def look(self, now: Reading) -> list[Anchored | Suspended]:
        """What happened to the clocks since the last look."""
        found: list[Anchored | Suspended] = []
        at = now.monotonic - self._start
        slept = now.boottime - now.monotonic - self._slept
        if slept > SLEPT:
            self._slept += slept
            found.append(Suspended(at=at, seconds=slept))
        predicted = self._placed.utc + (now.monotonic - self._placed.monotonic)
        if abs(now.utc - predicted) > STEP:
            self._placed = now
            found.append(Anchored(at=at, monotonic=now.monotonic, boottime=now.boottime, utc=now.utc))
        return found
