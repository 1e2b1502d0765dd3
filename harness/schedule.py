"""The intended start of every tick, and how the ticks are dealt to shards. Pure; knows no clock and no probe."""

import math
from typing import NamedTuple


class Schedule(NamedTuple):
    """Ticks at a constant rate: tick k is intended k / rate seconds after the start, computed, never accumulated.

    Worker `shard` of `shards` takes the ticks k = shard (mod shards) and numbers them j = 0, 1, 2 …
    """

    rate: float  # per second, of all shards together
    shard: int = 0
    shards: int = 1

    def tick(self, ordinal: int) -> int:
        """The tick of the whole schedule that this shard's ordinal stands for."""
        return self.shard + ordinal * self.shards

    def intended(self, ordinal: int) -> float:
        """Seconds after the start at which the shard's ordinal is due."""
        return (self.shard + ordinal * self.shards) / self.rate

    @property
    def spacing(self) -> float:
        """Seconds between two ticks of this shard."""
        return self.shards / self.rate

    def count_until(self, when: float) -> int:
        """How many ordinals are intended at or before `when` (seconds after the start): the first one later than it."""
        if when < 0:
            return 0
        guess = max(0, math.floor((when * self.rate - self.shard) / self.shards) - 1)
        while self.intended(guess) <= when:
            guess += 1
        while guess > 0 and self.intended(guess - 1) > when:
            guess -= 1
        return guess

    def first_from(self, when: float) -> int:
        """The first ordinal intended at or after `when` (seconds after the start)."""
        count = self.count_until(when)
        while count > 0 and self.intended(count - 1) >= when:
            count -= 1
        return count
