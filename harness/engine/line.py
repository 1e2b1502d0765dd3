"""Ticks that wait for a connection, first come first served. Pure.

The line holds ranges of ordinals, not objects: a stall of half a minute at 50,000 a second costs a few entries.
"""

from collections import deque
from collections.abc import Iterator


class Line:
    """A queue of ordinals in rising order, `step` apart. With each goes how late the loop reached it, and how long the
    harness had been paused by then, in all (seconds)."""

    __slots__ = ("_chunks", "length", "_step")

    def __init__(self, step: int = 1) -> None:
        self._chunks: deque[list[float]] = deque()  # [first, last, lag, paused] of neighbours reached alike
        self.length = 0
        self._step = step

    def __len__(self) -> int:
        return self.length

    def join(self, ordinal: int, lag: float, paused: float) -> None:
        """Put an ordinal at the end. Lags within a millisecond are told as one."""
        self.length += 1
        if self._chunks:
            tail = self._chunks[-1]
            if tail[1] + self._step == ordinal and abs(tail[2] - lag) < 0.001 and tail[3] == paused:
                tail[1] = ordinal
                return
        self._chunks.append([ordinal, ordinal, lag, paused])

    @property
    def head(self) -> int:
        """The ordinal that is served next. The line must not be empty."""
        return int(self._chunks[0][0])

    @property
    def head_lag(self) -> float:
        """How late the loop had reached the head."""
        return self._chunks[0][2]

    @property
    def head_paused(self) -> float:
        """How long the harness had been paused, in all, when the head was reached."""
        return self._chunks[0][3]

    def leave(self) -> tuple[int, float, float]:
        """Take the head: its ordinal, the lag at which it was reached, the pauses until then."""
        chunk = self._chunks[0]
        ordinal = int(chunk[0])
        lag = chunk[2]
        if chunk[0] == chunk[1]:
            self._chunks.popleft()
        else:
            chunk[0] += self._step
        self.length -= 1
        return ordinal, lag, chunk[3]

    def ordinals(self) -> Iterator[range]:
        """All that wait, as ranges in rising order."""
        for first, last, *_ in self._chunks:
            yield range(int(first), int(last) + 1, self._step)
