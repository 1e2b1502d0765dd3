"""What becomes of the ticks in line: served in order, out of time, or cut. The same rules for the engine and for the
driver of probes that are functions.

Whose fault it is when a tick's whole time passes in line: the target's, if there were connections enough for as long as
it stalls us (cap >= rate x time-out), else our own setting's.
"""

from harness.engine.blame import Blame, pool_limit, shared_with_line
from harness.engine.dialing import Ticket
from harness.engine.line import Line
from harness.engine.settling import record_unsent
from harness.outcome import Cause, Component, Timings
from harness.recorder import Recorder
from harness.schedule import Schedule
from harness.spec import Spec


class Waiting:
    """The rules of one shard's lines. Times are seconds after the start."""

    __slots__ = ("_cap", "_patient", "_recorder", "_schedule", "_total")

    def __init__(self, spec: Spec, *, schedule: Schedule, recorder: Recorder) -> None:
        self._cap = spec.pool.cap
        self._patient = spec.pool.cap >= spec.rate / spec.shards * spec.timeouts.total
        self._total = spec.timeouts.total
        self._schedule = schedule
        self._recorder = recorder

    def due(self, line: Line) -> float:
        """When the time of the line's head is over; our own lateness, and our pauses while it waited, are no part of
        it."""
        reached = self._schedule.intended(line.head) + line.head_lag
        return reached + self._total + self._recorder.paused - line.head_paused

    def take(self, line: Line, now: float) -> Ticket:
        """The head's turn has come."""
        ordinal, lag, paused = line.leave()
        intended = self._schedule.intended(ordinal)
        reached = intended + lag
        self._recorder.queued(now - reached)
        return Ticket(ordinal, intended, reached, paused, False)

    def expire(self, line: Line, now: float, *, address: str) -> None:
        """End the ticks whose whole time has passed in line. One example of each batch is enough."""
        blame = pool_limit(self._cap)
        if self._patient:
            words = "no connection came free: every one waits for the target"
            blame = Blame(Cause.STALLED, Component.TARGET, words)
        told = False
        while len(line) and self.due(line) <= now:
            ordinal, lag, paused = line.leave()
            intended = self._schedule.intended(ordinal)
            if told:
                self._recorder.unsent(ordinal, ordinal, blame.cause, blame.component, [(int(intended), 1)])
                continue
            told = True
            ticket = Ticket(ordinal, intended, intended + lag, paused, False)
            timings = Timings(queue=max(0.0, now - ticket.reached))
            record_unsent(
                self._recorder, ticket, now, blame, address=address, fresh=False, timings=timings, outstanding=True
            )

    def cut(self, line: Line) -> None:
        """The drain is over for those that never had a connection."""
        while len(line):
            ordinal, _, _ = line.leave()
            second = int(self._schedule.intended(ordinal))
            self._recorder.unsent(ordinal, ordinal, Cause.CUT, Component.HARNESS, [(second, 1)])

    def late(self, blame: Blame, waited: float) -> Blame:
        """Why an attempt ran out of time that had waited so many seconds in line before."""
        return blame if self._patient else shared_with_line(blame, waited, self._cap)
