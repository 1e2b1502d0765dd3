"""One dial: the way from a decision to open a connection to a connection that can carry a request, or to a blame."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from harness.engine.blame import Blame, of_connect, of_tls
from harness.engine.dial import Dialer, Wire
from harness.engine.pool import Lane


class Ticket(NamedTuple):
    """A tick that a dial is made for: on a fresh connection, or again after a stale one."""

    ordinal: int
    intended: float
    reached: float
    paused_before: float
    retried: bool


class Dial:
    """A connection being opened. `stage` tells how far it is; `expired` is set by whoever cancels it."""

    __slots__ = ("began", "connect_seconds", "expired", "lane", "paused_before", "stage", "task", "ticket", "wire")

    def __init__(self, lane: Lane, ticket: Ticket | None, *, began: float, paused_before: float) -> None:
        self.lane = lane
        self.ticket = ticket
        self.began = began
        self.paused_before = paused_before
        self.stage = "connect"
        self.wire: Wire | None = None
        self.connect_seconds = 0.0
        self.expired: Blame | None = None
        self.task: asyncio.Task[None] | None = None

    def expire(self, blame: Blame) -> None:
        """End it for this reason."""
        if self.expired is None and self.task is not None:
            self.expired = blame
            self.task.cancel()


class Opened(NamedTuple):
    """A dial's success."""

    transport: asyncio.Transport
    connect_seconds: float
    tls_seconds: float | None


async def open_connection(
    dial: Dial,
    dialer: Dialer,
    make_protocol: Callable[[Wire], asyncio.Protocol],
    *,
    secure: bool,
    now: Callable[[], float],
    securing: Callable[[Dial], None],
) -> Opened | Blame:
    """Connect and shake hands; a Blame if either fails. `securing` is told when TLS begins."""
    try:
        dial.wire = wire = dialer.prepare(dial.lane.address)
    except OSError as error:
        return of_connect(error)
    done = False
    try:
        try:
            await dialer.connect(wire, dial.lane.address)
        except OSError as error:
            return of_connect(error)
        connected = now()
        dial.connect_seconds = connected - dial.began
        if secure:
            dial.stage = "tls"
            securing(dial)
        try:
            transport = await dialer.attach(wire, make_protocol(wire))
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError, ssl.CertificateError a ValueError
            return of_tls(error) if secure else of_connect(error if isinstance(error, OSError) else OSError(str(error)))
        done = True
        return Opened(transport, dial.connect_seconds, now() - connected if secure else None)
    except asyncio.CancelledError:
        if dial.expired is None:
            raise
        return dial.expired
    finally:
        if not done:
            wire.close()
