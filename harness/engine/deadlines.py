"""Deadlines of one kind, in the order in which they fall due. Pure.

All deadlines of a kind lie the same time after their begin, so the order of entry is the order of expiry: a dictionary
is the queue, and leaving it costs one deletion instead of a cancelled timer.
"""

import math
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Things that wait, each with its deadline (seconds). An entry out of order is found late, never early."""

    __slots__ = ("entries", "soonest")

    def __init__(self) -> None:
        self.entries: dict[T, float] = {}
        self.soonest = math.inf  # a lower bound of the earliest deadline, so that most wakes need not look

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, thing: T) -> bool:
        return thing in self.entries

    def add(self, thing: T, when: float) -> None:
        """`thing` falls due at `when`."""
        self.entries[thing] = when
        if when < self.soonest:
            self.soonest = when

    def discard(self, thing: T) -> None:
        """`thing` no longer waits."""
        self.entries.pop(thing, None)

    def members(self) -> list[T]:
        """All that wait, oldest first."""
        return list(self.entries)

    def take_due(self, now: float) -> list[T]:
        """Remove and return what fell due at or before `now`."""
        if now < self.soonest:
            return []
        due: list[T] = []
        self.soonest = math.inf
        for thing, when in self.entries.items():
            if when > now:
                self.soonest = when
                break
            due.append(thing)
        for thing in due:
            del self.entries[thing]
        return due
