"""What is known of one shard's ticks: which are settled, how those ended that are not simply good, and its silences.

Ordinals are the shard's own. Times are the worker's, seconds after its schedule's start.
"""

import math

from harness.frames import Frame, Silence, runs_of, settled_above
from harness.schedule import Schedule
from harness.statistics.kinds import LOST, kind_of
from harness.statistics.runlog import RunLog, Runs
from harness.statistics.silences import TOUCH, SilenceLog, Spell


class ShardBook:
    """One shard through all incarnations of its worker."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.log = RunLog()
        self.silences = SilenceLog()
        self.unseen: list[Spell] = []  # while no worker watched
        self.incarnation = -1
        self.heard_at = 0.0  # when its newest frame was gathered
        self.reached = 0
        self.quiet_since: float | None = None
        self._quiet_paused = 0.0  # seconds of that in which the harness stood still
        self.said_goodbye = False
        self._seq = 0
        self._watermark = 0
        self._settled: list[tuple[int, int]] = []

    def take(self, incarnation: int, frame: Frame) -> str | None:
        """Take a frame in. Returns None if it was heard before, else what is wrong with it: nothing, if empty."""
        if incarnation < self.incarnation or (incarnation == self.incarnation and frame.seq <= self._seq):
            return None
        if incarnation > self.incarnation:
            self._begin(incarnation)
        gap = frame.seq - self._seq - 1
        self._seq = frame.seq
        self.heard_at = max(self.heard_at, frame.at)
        self.reached = max(self.reached, frame.reached)
        self._watermark = max(self._watermark, frame.watermark)
        self._settled = settled_above(frame)
        add = self.log.add
        for runs in (frame.bad, frame.unknown, frame.degraded):
            for first, last, cause, component in runs:
                add(first, last, kind_of(cause, component))
        for bitmap in frame.bitmaps:
            for first, last, cause, component in runs_of(bitmap):
                add(first, last, kind_of(cause, component))
        for silence in frame.silences:
            self.silences.add(silence)
        self._stay_quiet(frame)
        return f"{gap} of its frames are missing before number {frame.seq}" if gap else ""

    def bye(self, incarnation: int, seq: int) -> str | None:
        """The worker ended. What it has not settled by then stays open, whatever the reason. Returns as `take`."""
        if incarnation < self.incarnation or (incarnation == self.incarnation and seq <= self._seq):
            return None
        if incarnation > self.incarnation:
            self._begin(incarnation)
        gap = seq - self._seq - 1
        self._seq = seq
        self.said_goodbye = True
        return f"{gap} of its frames are missing before its goodbye" if gap else ""

    def died(self, lost_until: int) -> Runs:
        """The worker is dead: what it left open below `lost_until`, or had reached, is lost. Returns those runs."""
        lost_until = max(lost_until, self.reached)
        lost = self.open_runs(0, lost_until)
        for first, last, kind in lost:
            self.log.add(first, last, kind)
        resumed = self.schedule.intended(lost_until)
        quiet = self.quiet_since
        if quiet is not None:
            self.silences.add(Silence(quiet, self.heard_at, self._quiet_paused))
            self.quiet_since = None
        begin = quiet if quiet is not None else self.heard_at
        if resumed > begin:
            self.unseen.append((begin - TOUCH, resumed + TOUCH, 0.0))
        self._watermark = max(self._watermark, lost_until)
        self._settled = []
        return lost

    def open_runs(self, begin: int, end: int) -> Runs:
        """The ordinals of [begin, end) that nobody has settled, as lost ones."""
        position = max(begin, self._watermark)
        lost: Runs = []
        for first, last in self._settled:
            if first > position:
                lost.append((position, min(first, end) - 1, LOST))
            position = max(position, last + 1)
            if position >= end:
                break
        if position < end:
            lost.append((position, end - 1, LOST))
        return [run for run in lost if run[0] <= run[1]]

    def runs(self, begin: int, end: int) -> Runs:
        """All ordinals of [begin, end) that are not simply good; open ones are lost."""
        told = self.log.between(begin, end)
        lost = self.open_runs(begin, end)
        return sorted([*told, *lost]) if lost else told

    def newest_settled(self) -> int:
        """The highest ordinal whose end is known; -1: none."""
        return max(self._watermark - 1, self._settled[-1][1] if self._settled else -1)

    def spells(self) -> list[Spell]:
        """Its silences; one that is still open lasts until its newest frame, or for ever once the worker has ended."""
        spells = list(self.silences)
        if self.quiet_since is not None and self.heard_at > self.quiet_since:
            end = math.inf if self.said_goodbye else self.heard_at
            spells.append((self.quiet_since, end, self._quiet_paused))
        return spells

    def _stay_quiet(self, frame: Frame) -> None:
        if frame.quiet_since != self.quiet_since:
            self._quiet_paused = 0.0
        self.quiet_since = quiet = frame.quiet_since
        if quiet is not None:
            self._quiet_paused += sum(max(0.0, pause.end - max(pause.begin, quiet)) for pause in frame.pauses)

    def _begin(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self._seq = 0
        self.said_goodbye = False
