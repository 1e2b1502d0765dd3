"""How attempts that are not simply good end: the outcome with its evidence, and the rule for our own pauses."""

from harness.engine.blame import Blame
from harness.engine.connection import Connection
from harness.engine.dial import Dialer
from harness.engine.dialing import Dial, Ticket
from harness.outcome import Cause, Component, Outcome, Timings
from harness.recorder import Recorder

_SILENT = frozenset({Cause.FIRST_BYTE_TIMEOUT, Cause.TOTAL_TIMEOUT, Cause.CUT})
"""Ends that leave open whether the network or the peer was silent; a closed connection's state would say nothing."""
_MAYBE_OURS = frozenset({Cause.RESET, Cause.CLOSED_EARLY, Cause.TLS_HANDSHAKE})


def tainted_or(blame: Blame, paused: float) -> Blame:
    """What broke while we stood still (`paused` seconds) may have broken because of that. What the peer or its kernel
    said outright, and a timeout that was extended by our pauses, stands."""
    if paused > 0 and blame.cause in _MAYBE_OURS:
        words = f"{blame.cause} while we were paused {paused:.3f} s: {blame.detail}"
        return Blame(Cause.TAINTED, Component.HARNESS, words)
    return blame


def timings_of(connection: Connection, now: float) -> Timings:
    """The stages of the attempt in flight on a connection, up to `now`."""
    begun = connection.reader.begun
    fresh = is_fresh(connection)
    return Timings(
        queue=max(0.0, connection.sent - connection.reached) or None,
        connect=connection.connect_seconds if fresh else None,
        tls=connection.tls_seconds if fresh else None,
        first_byte=(connection.first_at if begun else now) - connection.sent,
        body=now - connection.first_at if begun else None,
    )


def is_fresh(connection: Connection) -> bool:
    """The connection was opened for the attempt that it carries."""
    return connection.served == 0 and not connection.was_idle


class Settling:
    """Makes outcomes and hands them to the recorder."""

    __slots__ = ("_dialer", "_recorder")

    def __init__(self, *, recorder: Recorder, dialer: Dialer) -> None:
        self._recorder = recorder
        self._dialer = dialer

    def answered(self, connection: Connection, ordinal: int, now: float, blame: Blame, *, outstanding: bool) -> None:
        """A whole answer that is not as expected."""
        reader = connection.reader
        self._tell(connection, ordinal, now, blame, status=reader.status, outstanding=outstanding)

    def broke(self, connection: Connection, ordinal: int, now: float, blame: Blame, *, outstanding: bool) -> None:
        """No whole answer came on a connection; what the kernel knows of it is part of the evidence."""
        if blame.cause in _SILENT and (evidence := self._dialer.describe(connection.wire)):
            blame = blame._replace(detail=f"{blame.detail}; {evidence}")
        blame = tainted_or(blame, self._recorder.paused - connection.paused_before)
        reader = connection.reader
        status = reader.status if reader.head_done else None
        self._tell(connection, ordinal, now, blame, status=status, outstanding=outstanding)

    def _tell(
        self, connection: Connection, ordinal: int, now: float, blame: Blame, *, status: int | None, outstanding: bool
    ) -> None:
        reader = connection.reader
        self._recorder.outcome(
            Outcome(
                tick=ordinal,
                intended=connection.intended,
                reached=connection.reached,
                finished=now,
                sent=connection.sent,
                cause=blame.cause,
                component=blame.component,
                status=status,
                address=connection.lane.name,
                fresh=is_fresh(connection),
                retried=connection.retried,
                request_id=reader.headers().get("x-vcap-request-id", "")[:200] if reader.head_done else "",
                detail=blame.detail,
                timings=timings_of(connection, now),
                paused=self._recorder.paused - connection.paused_before,
            ),
            outstanding=outstanding,
        )

    def not_opened(self, dial: Dial, ticket: Ticket, now: float, blame: Blame, *, outstanding: bool) -> None:
        """A tick's connection could not be opened."""
        blame = tainted_or(blame, self._recorder.paused - dial.paused_before)
        timings = Timings(
            queue=max(0.0, dial.began - ticket.reached) or None,
            connect=dial.connect_seconds or now - dial.began,
            tls=now - dial.began - dial.connect_seconds if dial.stage == "tls" else None,
        )
        record_unsent(
            self._recorder,
            ticket,
            now,
            blame,
            address=dial.lane.name,
            fresh=True,
            timings=timings,
            outstanding=outstanding,
        )

    def in_line(self, ticket: Ticket, now: float, blame: Blame, *, address: str, outstanding: bool) -> None:
        """A tick that never had a connection."""
        timings = Timings(queue=max(0.0, now - ticket.reached))
        record_unsent(
            self._recorder,
            ticket,
            now,
            blame,
            address=address,
            fresh=False,
            timings=timings,
            outstanding=outstanding,
        )


def record_unsent(
    recorder: Recorder,
    ticket: Ticket,
    now: float,
    blame: Blame,
    *,
    address: str,
    fresh: bool,
    timings: Timings,
    outstanding: bool,
) -> None:
    """A tick that ended before its request was written."""
    recorder.outcome(
        Outcome(
            tick=ticket.ordinal,
            intended=ticket.intended,
            reached=ticket.reached,
            finished=now,
            cause=blame.cause,
            component=blame.component,
            address=address,
            fresh=fresh,
            retried=ticket.retried,
            detail=blame.detail,
            timings=timings,
            paused=recorder.paused - ticket.paused_before,
        ),
        outstanding=outstanding,
    )
