"""One connection to one peer: writes a request, reads its answer, tells the engine. It decides nothing."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from harness.engine.answer import AnswerError, AnswerReader

if TYPE_CHECKING:
    from harness.engine.dial import Wire
    from harness.engine.pool import Lane


class Listener(Protocol):
    """Whom a connection tells."""

    @property
    def answered_as_usual(self) -> "Callable[[Connection, float], bool]":
        """What to call when the last good answer comes once more, byte for byte; False: read it like any other."""

    def answered(self, connection: "Connection", now: float) -> None:
        """The answer is complete since `now`."""

    def broke(self, connection: "Connection", error: AnswerError) -> None:
        """The answer is malformed."""

    def lost(self, connection: "Connection", error: Exception | None) -> None:
        """The connection ended; None: the peer closed it in order."""

    def unasked(self, connection: "Connection") -> None:
        """Bytes came though no request is in flight."""


class Connection(asyncio.Protocol):
    """A connection and, while a request is in flight, its attempt. Times are seconds after the start.

    The attempt's fields live here rather than in an object of their own: at 100,000 requests a second an allocation
    each is a tenth of the budget.
    """

    __slots__ = (
        "_answered_as_usual",
        "_clock",
        "_listener",
        "_start",
        "closing",
        "connect_seconds",
        "idle_limit",
        "idle_until",
        "intended",
        "lane",
        "first_at",
        "ordinal",
        "paused_before",
        "reached",
        "reader",
        "retried",
        "sent",
        "served",
        "tls_seconds",
        "transport",
        "usual",
        "was_idle",
        "wire",
        "write",
    )

    def __init__(
        self,
        *,
        listener: Listener,
        lane: "Lane",
        reader: AnswerReader,
        wire: "Wire",
        clock: "Clock",
        start: float,
    ) -> None:
        self._listener = listener
        self._answered_as_usual = listener.answered_as_usual
        self._clock = clock
        self._start = start
        self.lane = lane
        self.reader = reader
        self.wire = wire
        self.transport: asyncio.Transport | None = None
        self.write: Callable[[bytes], None]  # the transport's, once it is made
        self.closing = False
        self.connect_seconds = 0.0
        self.tls_seconds: float | None = None
        self.served = 0  # answers so far
        self.idle_limit = 0.0  # seconds that it may be idle
        self.idle_until = 0.0
        self.ordinal = -1  # of the attempt in flight; -1: idle
        self.intended = 0.0
        self.reached = 0.0
        self.sent = 0.0
        self.first_at = 0.0
        self.paused_before = 0.0
        self.retried = False
        self.was_idle = False
        self.usual = b""  # the last good answer, while the reader is at rest and nothing but its bytes matters

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio hands us the transport."""
        self.transport = transport  # type: ignore[assignment]  # a stream's transport is a Transport
        self.write = self.transport.write  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self.ordinal < 0:
            self._listener.unasked(self)
            return
        now = self._clock() - self._start
        if data == self.usual and self._answered_as_usual(self, now):
            return
        self.usual = b""
        reader = self.reader
        if not reader.head:
            self.first_at = now
        try:
            complete = reader.feed(data)
        except AnswerError as error:
            self._listener.broke(self, error)
            return
        if complete:
            self._listener.answered(self, now)

    def eof_received(self) -> bool:
        """The peer closed its side: nothing more will come, so close ours."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._listener.lost(self, exc)


class Clock(Protocol):
    """The monotonic clock, seconds."""

    def __call__(self) -> float:
        """Now."""
