"""What runs out of time. A deadline only nominates: before an attempt is called late, the kernel is asked whether its
answer has come already, and the harness's own pauses are added to its time.

All times count from the moment the loop reached the tick: what it was late by is not the target's. Why extend rather
than forgive: an attempt that had its whole timeout while we were awake, and still no answer, failed,
whatever else happened; one that answers in the extension can't be told good from bad, and the engine taints it.
"""

import heapq
import itertools
import math

from harness.engine.blame import Blame, Stage
from harness.engine.connection import Connection
from harness.engine.deadlines import Deadlines
from harness.engine.dial import Dialer
from harness.engine.dialing import Dial
from harness.outcome import Cause, Component
from harness.recorder import Recorder
from harness.spec import Timeouts

_LOOK_AGAIN = 0.001  # seconds: time for the loop to read what lies in the kernel
_LOOKS = 50


class Expiry:
    """The deadlines of one engine's attempts and dials."""

    def __init__(self, timeouts: Timeouts, *, recorder: Recorder, dialer: Dialer) -> None:
        self._timeouts = timeouts
        self._recorder = recorder
        self._dialer = dialer
        self.total: Deadlines[Connection] = Deadlines()  # the engine's hot path adds and discards here itself
        self._overdue: dict[Connection, None] = {}  # past their total, and not judged yet
        self._first: Deadlines[Connection] = Deadlines()
        self.separate_first = timeouts.first_byte < timeouts.total
        self._connecting: Deadlines[Dial] = Deadlines()
        self._securing: Deadlines[Dial] = Deadlines()
        self._bound: Deadlines[Dial] = Deadlines()
        # out of order, or nominated and given more time: (when, entry, looks, connection, ordinal, cause, due)
        self._extended: list[tuple[float, int, int, Connection, int, Cause, float]] = []
        self._again: list[tuple[float, int, int, Dial, str, Blame, float]] = []
        self._entries = itertools.count()

    @property
    def soonest(self) -> float:
        """No deadline lies before this."""
        return min(
            self.total.soonest,
            self._first.soonest,
            self._connecting.soonest,
            self._securing.soonest,
            self._bound.soonest,
            self._extended[0][0] if self._extended else math.inf,
            self._again[0][0] if self._again else math.inf,
        )

    # attempts

    @property
    def in_flight(self) -> int:
        """How many attempts are on a connection now."""
        return len(self.total) + len(self._overdue)

    def flying(self) -> list[Connection]:
        """The connections whose attempts are not settled."""
        return [*self.total.members(), *self._overdue]

    def await_first(self, connection: Connection, now: float) -> None:
        """An attempt's request was written, and its first byte has a limit of its own."""
        self._first.add(connection, now + self._timeouts.first_byte)

    def appoint(self, connection: Connection) -> None:
        """An attempt that falls due before others which are in the queue already."""
        if len(self._extended) > 1000 + 2 * self.in_flight:  # most of them are settled long ago
            self._extended = [entry for entry in self._extended if entry[3].ordinal == entry[4]]
            heapq.heapify(self._extended)
        due = connection.reached + self._timeouts.total
        self._extend(due, 0, connection, connection.ordinal, Cause.TOTAL_TIMEOUT, due)

    def settled(self, connection: Connection) -> None:
        """An attempt has its end."""
        self.total.discard(connection)
        if self._overdue:
            self._overdue.pop(connection, None)
        if self.separate_first:
            self._first.discard(connection)

    def take_attempts(self, now: float) -> list[tuple[Connection, Blame]]:
        """Attempts that are late beyond doubt. They stay in flight until they are settled."""
        nominated: list[tuple[int, Connection, int, Cause, float]] = []
        for connection in self._first.take_due(now):
            due = connection.sent + self._timeouts.first_byte
            nominated.append((0, connection, connection.ordinal, Cause.FIRST_BYTE_TIMEOUT, due))
        for connection in self.total.take_due(now):
            self._overdue[connection] = None
            due = connection.reached + self._timeouts.total
            nominated.append((0, connection, connection.ordinal, Cause.TOTAL_TIMEOUT, due))
        while self._extended and self._extended[0][0] <= now:
            _, _, looks, connection, ordinal, cause, due = heapq.heappop(self._extended)
            nominated.append((looks, connection, ordinal, cause, due))
        late: dict[Connection, Blame] = {}
        for looks, connection, ordinal, cause, due in nominated:
            if connection.closing or connection.ordinal != ordinal:
                continue
            if cause is Cause.FIRST_BYTE_TIMEOUT and connection.reader.begun:
                continue
            extended = due + self._recorder.paused - connection.paused_before
            if now < extended - 1e-9:
                self._extend(extended, 0, connection, ordinal, cause, due)
            elif looks < _LOOKS and self._dialer.unread(connection.wire) > 0:
                self._extend(now + _LOOK_AGAIN, looks + 1, connection, ordinal, cause, due)
            else:
                late.setdefault(connection, self._blame(connection, cause))  # both limits may be over by now
        return list(late.items())

    def _extend(self, when: float, looks: int, connection: Connection, ordinal: int, cause: Cause, due: float) -> None:
        heapq.heappush(self._extended, (when, next(self._entries), looks, connection, ordinal, cause, due))

    def _blame(self, connection: Connection, cause: Cause) -> Blame:
        limits = self._timeouts
        if cause is Cause.FIRST_BYTE_TIMEOUT:
            words = f"no first byte within {limits.first_byte:g} s of the request"
        else:
            stage = Stage.BODY if connection.reader.begun else Stage.FIRST_BYTE
            words = f"not answered within {limits.total:g} s, {stage}"
        return Blame(cause, Component.TARGET, words)

    # dials

    def connecting(self, dial: Dial) -> None:
        """A dial began."""
        self._connecting.add(dial, dial.began + self._timeouts.connect)
        if dial.ticket is not None:
            self._bound.add(dial, dial.ticket.reached + self._timeouts.total)

    def securing(self, dial: Dial) -> None:
        """A dial is connected, and its TLS handshake begins."""
        self._connecting.discard(dial)
        self._securing.add(dial, dial.began + dial.connect_seconds + self._timeouts.tls)

    def dial_ended(self, dial: Dial) -> None:
        """A dial has its end, whichever."""
        self._connecting.discard(dial)
        self._securing.discard(dial)
        self._bound.discard(dial)

    def expire_dials(self, now: float) -> None:
        """End the dials that are late beyond doubt."""
        nominated: list[tuple[int, Dial, str, Blame, float]] = []
        limits = self._timeouts
        for dial in self._connecting.take_due(now):
            blame = Blame(Cause.CONNECT_TIMEOUT, Component.NETWORK, f"not connected within {limits.connect:g} s")
            nominated.append((0, dial, "connect", blame, dial.began + limits.connect))
        for dial in self._securing.take_due(now):
            blame = Blame(Cause.TLS_TIMEOUT, Component.NETWORK, f"TLS handshake not done within {limits.tls:g} s")
            nominated.append((0, dial, "tls", blame, dial.began + dial.connect_seconds + limits.tls))
        for dial in self._bound.take_due(now):
            assert dial.ticket is not None
            stage = Stage.CONNECT if dial.stage == "connect" else Stage.TLS
            blame = Blame(Cause.TOTAL_TIMEOUT, Component.NETWORK, f"not answered within {limits.total:g} s, {stage}")
            nominated.append((0, dial, "", blame, dial.ticket.reached + limits.total))
        while self._again and self._again[0][0] <= now:
            _, _, looks, dial, only_in, blame, due = heapq.heappop(self._again)
            nominated.append((looks, dial, only_in, blame, due))
        for looks, dial, only_in, blame, due in nominated:
            if dial.task is None or dial.task.done() or (only_in and dial.stage != only_in):
                continue
            extended = due + self._recorder.paused - dial.paused_before
            if now < extended - 1e-9:
                heapq.heappush(self._again, (extended, next(self._entries), 0, dial, only_in, blame, due))
            elif looks < _LOOKS and self._has_news(dial):
                heapq.heappush(
                    self._again, (now + _LOOK_AGAIN, next(self._entries), looks + 1, dial, only_in, blame, due)
                )
            else:
                dial.expire(blame)

    def _has_news(self, dial: Dial) -> bool:
        """The kernel knows more of this dial than we were told yet."""
        if dial.wire is None:
            return False
        if dial.stage == "connect":
            return self._dialer.connected(dial.wire)
        return self._dialer.unread(dial.wire) > 0
