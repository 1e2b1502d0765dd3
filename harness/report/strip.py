"""A run on one line: a sign for every second, or for several of a long run. Pure; the text report draws it."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from harness.figures import moment, seconds, whole_seconds
from harness.report.layout import fit, plain, right
from harness.verdict import PhaseReport, SecondCell

BARS = "▁▂▃▄▅▆▇█"
BAD = "✖"
UNKNOWN = "?"
NOTHING_DUE = "·"
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 60, 90, 120, 180, 240, 300, 400, 600, 900, 1200, 1800, 3600)
_FINEST = 1e-6  # seconds: what is recorded
_SPAN = 10.0  # the least ratio of highest to lowest bar: noise must not look like a mountain
_LABEL_EVERY = 20  # columns


class Strip(NamedTuple):
    """The drawn line, and what one needs to read it."""

    signs: str
    step: int  # seconds a sign
    lowest: float | None  # seconds: the worst p99 of the calmest second
    highest: float | None


class _Slot:
    """What lies under one sign."""

    def __init__(self) -> None:
        self.good = self.bad = self.unknown = 0
        self.p99: float | None = None

    def add(self, cell: SecondCell) -> None:
        self.good += cell.good
        self.bad += cell.bad
        self.unknown += cell.unknown
        if cell.p99 is not None:  # percentiles don't add up: the worst one stands for all
            self.p99 = max(self.p99 or _FINEST, cell.p99)


def step_for(length: int, width: int) -> int:
    """Seconds a sign must stand for, so that `length` seconds fit `width` columns."""
    for step in _STEPS:
        if length <= step * width:
            return step
    return math.ceil(length / width)


def draw(cells: Sequence[SecondCell], width: int) -> Strip:
    """The strip of a run, at most `width` columns. Bad second: ✖. Mostly unknown: ?. Good: a bar, by its p99."""
    length = max((cell.offset + max(cell.seconds, 1) for cell in cells), default=0)
    step = step_for(length, width)
    slots = [_Slot() for _ in range(math.ceil(length / step))]
    for cell in cells:
        if cell.offset >= 0:
            slots[cell.offset // step].add(cell)
    known = [slot.p99 for slot in slots if slot.p99 is not None and slot.p99 > 0]
    lowest, highest = (min(known), max(known)) if known else (None, None)
    signs = "".join(_sign(slot, lowest or 0.0, highest or 0.0) for slot in slots)
    return Strip(signs, step, lowest, highest)


def _sign(slot: _Slot, lowest: float, highest: float) -> str:
    if slot.bad:
        return BAD
    if slot.unknown and slot.unknown >= slot.good:
        return UNKNOWN
    if not slot.good:
        return NOTHING_DUE
    if not slot.p99 or lowest <= 0:
        return BARS[0]
    top = math.log(max(highest / lowest, _SPAN))
    return BARS[min(len(BARS) - 1, int(math.log(slot.p99 / lowest) / top * len(BARS)))]


def axis(begin: str | None, strip: Strip) -> str:
    """UTC times under the strip: `└17:12:50           └17:13:10`."""
    start = moment(begin) if begin else None
    line = ""
    for column in range(0, max(len(strip.signs), 1), _LABEL_EVERY):
        offset = column * strip.step
        label = f"{start + timedelta(seconds=offset):%H:%M:%S}" if start is not None else whole_seconds(offset)
        if column and column + 2 > len(strip.signs):
            break
        line = line.ljust(column) + "└" + label
    return line


def legend(strip: Strip) -> str:
    """What the signs of this strip mean; only those that occur."""
    parts = ["a sign a second" if strip.step == 1 else f"a sign for {whole_seconds(strip.step)}"]
    if strip.lowest is not None and strip.highest is not None and any(sign in BARS for sign in strip.signs):
        heights = sorted({sign for sign in strip.signs if sign in BARS})
        worst = "p99" if strip.step == 1 else "worst p99"
        if len(heights) == 1:
            parts.append(f"{heights[0]} {worst} {seconds(strip.lowest)} to {seconds(strip.highest)}")
        else:
            parts.append(f"{heights[0]} {worst} {seconds(strip.lowest)} … {heights[-1]} {seconds(strip.highest)}")
    parts += [
        f"{sign} {meaning}"
        for sign, meaning in ((BAD, "failures"), (UNKNOWN, "unknown"), (NOTHING_DUE, "nothing due"))
        if sign in strip.signs
    ]
    return ", ".join(parts)


def phase_line(phase: PhaseReport, begin: str | None, strip: Strip, width: int) -> str | None:
    """A phase under the strip, `├────┤ restart router 1`; None where it can't be placed."""
    start, ready = moment(phase.start), moment(begin) if begin else None
    if start is None or ready is None or not strip.signs:
        return None
    last = len(strip.signs) - 1
    first = int((start - ready).total_seconds() // strip.step)
    end = moment(phase.end) if phase.end else None
    until = int((end - ready).total_seconds() // strip.step) if end is not None else last
    if first > last or until < 0:
        return None
    first, until = max(0, first), min(max(until, first), last)
    bar = "│" if first == until else "├" + "─" * (until - first - 1) + "┤"
    name = plain(phase.name)
    after = width - until - 2
    if len(name) <= after or after >= first - 1:
        return " " * first + bar + " " + fit(name, after)
    return right(name, first - 1) + " " + bar
