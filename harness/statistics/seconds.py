"""What came of a runner second by second: the newest ones open for more, older ones sealed and out of memory.

Service times, lag, statuses and addresses are kept as totals once a second is sealed: nobody asks for them by second.
"""

import sqlite3
import weakref
from collections.abc import Iterator

import msgspec

from harness.frames import Address, Second, merge_address, merge_second
from harness.histogram import Histogram, merge_into

OPEN_FOR = 30  # seconds that a second stays open: longer than most timeouts

_CACHE = 64  # KiB

_encode = msgspec.msgpack.Encoder().encode
_Packed = tuple[list[int], list[int]]
_decode = msgspec.msgpack.Decoder(tuple[int, int, int, dict[str, int], _Packed, _Packed | None]).decode


class SecondLog:
    """The seconds of one runner, all shards together."""

    def __init__(self) -> None:
        self._open: dict[int, Second] = {}
        self._sealed = _Spill()
        self._totals = Second()  # of the sealed ones
        self._begin = 0
        self._sealed_before = 0
        self.newest = -1

    def __len__(self) -> int:
        return len(self._open) + len(self._sealed)

    def add(self, key: int, delta: Second) -> None:
        """Take in what came of one second; those before the begin are not kept."""
        if key < self._begin:
            return
        second = self._open.get(key)
        if second is None:
            packed = self._sealed.pop(key)
            second = self._open[key] = _unpacked(packed) if packed is not None else Second()
        merge_second(second, delta)
        if key > self.newest:
            self.newest = key
            self._seal(key - OPEN_FOR)

    def begin_at(self, key: int) -> None:
        """Forget what was before; called when a run becomes ready, while all that follows is still open."""
        self._begin = key
        self._open = {k: second for k, second in self._open.items() if k >= key}
        self._sealed.forget(key)
        self._totals = Second()

    def get(self, key: int) -> Second | None:
        """One second; of a sealed one, what `totals` holds is gone. Not to be changed."""
        second = self._open.get(key)
        if second is None and (packed := self._sealed.get(key)) is not None:
            return _unpacked(packed)
        return second

    def within(self, begin: int, end: int) -> Iterator[tuple[int, Second]]:
        """The seconds [begin, end) of which anything is known, in order."""
        for key in range(max(begin, self._begin), min(end, self.newest + 1)):
            second = self.get(key)
            if second is not None:
                yield key, second

    def totals(self) -> Second:
        """All seconds together: service times, lag, statuses and addresses alone."""
        totals = Second()
        for second in (self._totals, *self._open.values()):
            _add_totals(totals, second)
        return totals

    def _seal(self, before: int) -> None:
        if before <= self._sealed_before:
            return
        self._sealed_before = before
        for key in [key for key in self._open if key < before]:
            second = self._open.pop(key)
            _add_totals(self._totals, second)
            self._sealed.put(key, _packed(second))


class _Spill:
    """Packed seconds in a temporary database of SQLite's, which lies where temporary files do and goes when we do: at
    2,000/s a day of them takes up to half a gigabyte. What the disk does not take stays in memory."""

    def __init__(self) -> None:
        self._kept: dict[int, bytes] = {}
        self._disk = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._disk.close)
        self._disk.execute(f"PRAGMA cache_size = -{_CACHE}")
        self._disk.execute("PRAGMA journal_mode = MEMORY")
        self._disk.execute("CREATE TABLE seconds (key INTEGER PRIMARY KEY, packed BLOB NOT NULL)")

    def __len__(self) -> int:
        (count,) = self._disk.execute("SELECT count(*) FROM seconds").fetchone()
        return int(count) + len(self._kept)

    def put(self, key: int, packed: bytes) -> None:
        try:
            self._disk.execute("INSERT INTO seconds VALUES (?, ?)", (key, packed))
        except sqlite3.Error:
            self._kept[key] = packed

    def get(self, key: int) -> bytes | None:
        if key in self._kept:
            return self._kept[key]
        row = self._disk.execute("SELECT packed FROM seconds WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def pop(self, key: int) -> bytes | None:
        packed = self.get(key)
        if packed is not None and self._kept.pop(key, None) is None:
            self._disk.execute("DELETE FROM seconds WHERE key = ?", (key,))
        return packed

    def forget(self, before: int) -> None:
        self._kept = {key: packed for key, packed in self._kept.items() if key >= before}
        self._disk.execute("DELETE FROM seconds WHERE key < ?", (before,))


def _add_totals(totals: Second, second: Second) -> None:
    merge_into(totals.alike, second.alike)
    merge_into(totals.service, second.service)
    merge_into(totals.lag, second.lag)
    merge_into(totals.statuses, second.statuses)
    for name, address in second.addresses.items():
        merge_address(totals.addresses.setdefault(name, Address()), address)


def _packed(second: Second) -> bytes:
    upper, lower = second.whole_latency(), second.whole_latency_low()
    low = None if lower == upper else _steps(lower)
    return _encode((second.sent, second.good, second.degraded, second.causes, _steps(upper), low))


def _unpacked(packed: bytes) -> Second:
    sent, good, degraded, causes, latency, low = _decode(packed)
    upper = _histogram(latency)
    return Second(
        sent=sent,
        good=good,
        degraded=degraded,
        causes=causes,
        latency=upper,
        latency_low=dict(upper) if low is None else _histogram(low),
    )


def _steps(histogram: Histogram) -> _Packed:
    """Indexes as the distances between them: most take one byte."""
    indexes = sorted(histogram)
    steps = [index - before for before, index in zip([0, *indexes], indexes, strict=False)]
    return steps, [histogram[index] for index in indexes]


def _histogram(packed: _Packed) -> Histogram:
    histogram: Histogram = {}
    index = 0
    for step, count in zip(*packed, strict=True):
        index += step
        histogram[index] = count
    return histogram
