"""Silence: how long no good answer came while attempts were outstanding, of one shard and of several together."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from harness.frames import Silence

TOUCH = 1e-6  # seconds by which unseen time overlaps what it borders on
_KEPT = 1000
_PRUNE_AT = 4000

Spell = tuple[float, float, float]
"""Begin, end, and how long of it the harness itself stood still. Seconds after the start."""


class Quiet(NamedTuple):
    """A silence of a whole runner."""

    begin: float
    end: float
    paused: float

    @property
    def seconds(self) -> float:
        """From begin to end."""
        return self.end - self.begin

    @property
    def seconds_low(self) -> float:
        """Without the harness's own pauses."""
        return max(0.0, self.end - self.begin - self.paused)


class SilenceLog:
    """The long silences of one shard. Short ones are dropped once there are thousands; `dropped`: the longest of
    those."""

    def __init__(self) -> None:
        self._begin = array("d")
        self._end = array("d")
        self._paused = array("d")
        self.dropped = 0.0

    def __len__(self) -> int:
        return len(self._begin)

    def add(self, silence: Silence) -> None:
        """Take one in."""
        if silence.end <= silence.begin:
            return
        self._begin.append(silence.begin)
        self._end.append(silence.end)
        self._paused.append(silence.paused)
        if len(self._begin) >= _PRUNE_AT:
            spells = sorted(self, key=lambda spell: spell[0] - spell[1])
            self.dropped = max(self.dropped, spells[_KEPT][1] - spells[_KEPT][0])
            spells = sorted(spells[:_KEPT])
            self._begin = array("d", (spell[0] for spell in spells))
            self._end = array("d", (spell[1] for spell in spells))
            self._paused = array("d", (spell[2] for spell in spells))

    def __iter__(self) -> Iterator[Spell]:
        return zip(self._begin, self._end, self._paused, strict=True)

    def after(self, when: float) -> None:
        """Forget what ended before `when`."""
        kept = [spell for spell in self if spell[1] > when]
        self._begin = array("d", (spell[0] for spell in kept))
        self._end = array("d", (spell[1] for spell in kept))
        self._paused = array("d", (spell[2] for spell in kept))
        self.dropped = 0.0


def clipped(spells: Iterable[Spell], begin: float, end: float) -> list[Spell]:
    """The spells within [begin, end], in order. A pause within one that is cut is taken to lie in what is left."""
    cut = [(max(b, begin), min(e, end), paused) for b, e, paused in spells if b < end and e > begin]
    return sorted((b, e, min(paused, e - b)) for b, e, paused in cut)


def common(shards: Sequence[Sequence[Spell]]) -> list[Spell]:
    """When all shards were silent at once. Each shard's spells are in order and don't overlap."""
    result = list(shards[0])
    for spells in shards[1:]:
        together: list[Spell] = []
        i = j = 0
        while i < len(result) and j < len(spells):
            begin = max(result[i][0], spells[j][0])
            end = min(result[i][1], spells[j][1])
            if begin < end:
                together.append((begin, end, min(end - begin, max(result[i][2], spells[j][2]))))
            if result[i][1] < spells[j][1]:
                i += 1
            else:
                j += 1
        result = together
    return result


def parted(spells: Iterable[Spell], gaps: Sequence[tuple[float, float]]) -> list[Spell]:
    """What of the spells lies outside the gaps, which are in order and don't overlap. A gap without length parts one,
    too. A pause within a spell that is parted is taken to lie in each of its parts."""
    result: list[Spell] = []
    for begin, end, paused in spells:
        at = bisect_left(gaps, begin, key=lambda gap: gap[1])
        while at < len(gaps) and gaps[at][0] < end:
            since, until = gaps[at]
            if since > begin:
                result.append((begin, since, min(paused, since - begin)))
            begin = max(begin, until)
            at += 1
        if begin < end:
            result.append((begin, end, min(paused, end - begin)))
    return result


def joined(spells: Iterable[Spell]) -> list[Spell]:
    """Overlapping spells as one; their pauses add up, to at most its length. Two that only touch have a good answer
    between them."""
    result: list[Spell] = []
    for begin, end, paused in sorted(spells):
        if result and begin < result[-1][1]:
            before = result[-1]
            reach = max(before[1], end)
            result[-1] = (before[0], reach, min(reach - before[0], before[2] + paused))
        else:
            result.append((begin, end, paused))
    return result


def longest(spells: Iterable[Spell]) -> Quiet | None:
    """The longest one."""
    return max((Quiet(*spell) for spell in spells), key=lambda quiet: quiet.seconds, default=None)
