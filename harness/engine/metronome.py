"""Wakes for every tick, and notices when it was woken late: the one place that knows whether the harness stood still.

Used by the engine and by the probes that are functions. Time is the monotonic clock, moments are seconds after the
start.
"""

import math
from collections.abc import Callable
from typing import Protocol

from harness.engine.pace import Pacer
from harness.engine.timer import MakeTimer
from harness.recorder import Recorder
from harness.schedule import Schedule

HEARTBEAT = 0.02  # seconds: wakes at least so often, or a pause would go unseen at low rates
PAUSE = 0.02  # seconds a wake may be late before it counts as a pause of the harness
GAP = 0.0002  # seconds between two wakes: one wake serves several ticks at high rates
LATE = 0.001  # seconds: when the next tick is later than that, we are catching up


class Beaten(Protocol):
    """What a metronome drives."""

    def tick(self, ordinal: int, now: float) -> None:
        """Start an attempt. `now` is the time at which this wake began its work on it."""

    def woken(self, now: float) -> float:
        """Look after deadlines; returns when to be woken next (infinity: no matter)."""

    def is_short(self) -> bool:
        """More attempts are out than connections are free; the loop may find answers if it reads."""

    def finished(self) -> None:
        """No tick will come any more."""


class Metronome:
    """Hands out ticks on time, records missed ones and the harness's own pauses."""

    def __init__(
        self,
        schedule: Schedule,
        *,
        first: int,
        max_lag: float,
        start: float,
        clock: Callable[[], float],
        make_timer: MakeTimer,
        recorder: Recorder,
        driven: Beaten,
    ) -> None:
        self._schedule = schedule
        self._pacer = Pacer(schedule, first=first, max_lag=max_lag)
        self._start = start
        self._clock = clock
        self._recorder = recorder
        self._driven = driven
        self._timer = make_timer(self._wake)
        self._expected = math.inf
        self._told_finished = False
        self._gave_way = False
        self._begun = False
        self._closed = False
        self.worst_gap = 0.0  # seconds, since it was last read by `take_worst_gap`

    @property
    def reached(self) -> int:
        """Every ordinal below was handed out."""
        return self._pacer.next

    @property
    def timer(self) -> str:
        """What wakes us, in words."""
        return self._timer.description

    def begin(self) -> None:
        """Start beating."""
        self._begun = True
        self._arm(self._clock() - self._start)

    def stop_at(self, when: float) -> None:
        """No tick intended at or after `when`; the heart goes on until `close`. It may be said before `begin`."""
        self._pacer.stop_at(when)
        if not self._begun:
            return
        now = self._clock() - self._start
        self.notice_pause(now)
        self._arm(now)

    def close(self) -> None:
        """Stop beating."""
        self._closed = True
        self._timer.close()

    def take_worst_gap(self) -> float:
        """The worst lateness of a wake since the last call, seconds."""
        worst, self.worst_gap = self.worst_gap, 0.0
        return worst

    def notice_pause(self, now: float) -> None:
        """Record a pause that has just ended, if the wake is overdue. Callbacks of sockets may run before the timer's
        after a pause, so whoever is about to judge a failure, or to tell what happened so far, asks first."""
        late = now - self._expected
        if late > 0 and not self._closed:
            if late > self.worst_gap:
                self.worst_gap = late
            if late > PAUSE:
                self._recorder.pause(self._expected, now)
            self._expected = now

    def _arm(self, now: float) -> None:
        if self._closed:
            return
        at = min(self._pacer.wake_at(now, GAP), self._driven.woken(now), now + HEARTBEAT)
        if at < now + GAP:
            at = now + GAP
        self._expected = at
        self._timer.arm(self._start + at)

    def _wake(self) -> None:
        clock, start = self._clock, self._start
        now = clock() - start
        if now < self._expected:  # armed anew since: a spurious wake
            self._timer.arm(start + self._expected)
            return
        self.notice_pause(now)
        if self._gives_way(now):
            self._arm(now)
            return
        missed_from, send_from, send_to = self._pacer.due(now)
        if missed_from < send_from:
            self._recorder.missed(missed_from, send_from - 1, per_second(self._schedule, missed_from, send_from))
        tick = self._driven.tick
        for ordinal in range(send_from, send_to):
            now = clock() - start
            if now - self._expected > PAUSE:  # stopped, or too busy to read, in the middle of a wake
                self.notice_pause(now)
            tick(ordinal, now)
        if self._pacer.finished and not self._told_finished:
            self._told_finished = True
            self._driven.finished()
        now = clock() - start
        if now - self._expected > PAUSE:
            self.notice_pause(now)
        self._arm(now)

    def _gives_way(self, now: float) -> bool:
        """Catching up, we come from one batch to the next without a look at the answers to the first, and all of it
        would stand in line for connections that are free in truth. So let the loop read once in between."""
        self._gave_way = (
            not self._gave_way
            and now - self._schedule.intended(self._pacer.next) > LATE
            and not self._pacer.finished
            and self._driven.is_short()
        )
        return self._gave_way


def per_second(schedule: Schedule, begin: int, end: int) -> list[tuple[int, int]]:
    """How many of the ordinals [begin, end) are intended in each second: (second, count)."""
    parts = []
    while begin < end:
        second = int(schedule.intended(begin))
        until = min(end, schedule.first_from(second + 1))
        if int(schedule.intended(until - 1)) != second:  # floats at the edge
            until -= 1
        until = max(until, begin + 1)
        parts.append((second, until - begin))
        begin = until
    return parts
