"""Where a moment of the run lies in UTC: by the pair of clock readings that was in force then."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime

from harness.events import Anchored


class Placement:
    """Places seconds after the run's start in UTC. A later pair of readings holds from its own time on."""

    def __init__(self, pairs: Sequence[Anchored]) -> None:
        """`pairs` in the order they were noted; without any, times are told from the epoch on."""
        self._pairs = tuple(pairs)
        self._from = [pair.at for pair in pairs]

    def seconds(self, at: float) -> float:
        """UTC, seconds since the epoch."""
        if not self._pairs:
            return at
        pair = self._pairs[max(0, bisect_right(self._from, at) - 1)]
        return pair.utc + at - (pair.monotonic - self._pairs[0].monotonic)

    def iso(self, at: float) -> str:
        """UTC as ISO 8601, to the millisecond."""
        return datetime.fromtimestamp(self.seconds(at), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def clock(self, at: float) -> str:
        """UTC's time of day, for sentences: 14:03:07.120 UTC."""
        return datetime.fromtimestamp(self.seconds(at), UTC).strftime("%H:%M:%S.%f")[:-3] + " UTC"

    def drift(self) -> float:
        """The furthest that UTC stepped away from where the first pair puts it, seconds."""
        if not self._pairs:
            return 0.0
        first = self._pairs[0]
        steps = [pair.utc - first.utc - (pair.monotonic - first.monotonic) for pair in self._pairs]
        return max(steps, key=abs)
