"""Which ticks are due now: the open-loop rule, its limit on catching up, and what is missed. Pure; time is an
argument."""

import math
from typing import NamedTuple

from harness.schedule import Schedule

CATCH_UP = 2.0  # times the rate
_WINDOW = 0.001  # seconds of catching up that may be saved: a burst after a pause would be a load of our own making


class Due(NamedTuple):
    """Ordinals [missed_from, send_from) are missed, [send_from, send_to) are to be sent now."""

    missed_from: int
    send_from: int
    send_to: int


class Pacer:
    """Walks through a shard's schedule. Invariant: every ordinal below `next` was handed out exactly once, as sent or
    as missed, in order."""

    __slots__ = ("_budget", "_last", "_limit", "_max_lag", "_rate", "_schedule", "next")

    def __init__(self, schedule: Schedule, *, first: int, max_lag: float) -> None:
        self._schedule = schedule
        self._rate = schedule.rate / schedule.shards
        self._max_lag = max_lag
        self._budget = 1.0
        self._last = -math.inf
        self._limit: int | None = None
        self.next = first

    def stop_at(self, when: float) -> None:
        """No ordinal intended at or after `when` (seconds after the start) is handed out any more: ten seconds at ten a
        second are a hundred ticks."""
        self._limit = self._schedule.first_from(when)

    @property
    def finished(self) -> bool:
        """Nothing more will be handed out."""
        return self._limit is not None and self.next >= self._limit

    def due(self, now: float) -> Due:
        """What to do at `now` (seconds after the start).

        A tick later than `max_lag` is missed. Late ones are sent at no more than twice the rate: allowance grows with
        time at that pace and is capped at a millisecond's worth, but never below one tick, so that a schedule on time
        is never held back.
        """
        start = self.next
        elapsed = now - self._last
        self._last = now
        ceiling = max(1.0, CATCH_UP * self._rate * _WINDOW)
        self._budget = min(ceiling, self._budget + max(0.0, elapsed) * CATCH_UP * self._rate)
        end = self._schedule.count_until(now)
        if self._limit is not None and end > self._limit:
            end = self._limit
        if end <= start:
            return Due(start, start, start)
        send_from = start
        if self._schedule.intended(start) < now - self._max_lag:
            send_from = min(end, self._schedule.first_from(now - self._max_lag))
        allowed = int(self._budget + 1e-6)
        send_to = min(end, send_from + allowed)
        self._budget -= send_to - send_from
        self.next = send_to
        return Due(start, send_from, send_to)

    def wake_at(self, now: float, gap: float) -> float:
        """When to look again, in seconds after the start: at the next intended time, but not within `gap` seconds, so
        that one wake serves several ticks at high rates; infinity when nothing is left."""
        if self.finished:
            return math.inf
        intended = self._schedule.intended(self.next)
        if intended > now:
            return max(intended, now + gap)
        held_back = max(0.0, 1.0 - self._budget) / (CATCH_UP * self._rate)
        return now + max(gap, held_back)
