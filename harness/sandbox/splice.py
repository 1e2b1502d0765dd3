"""A layer-4 balancer's work: bytes from a client to a router and back, without a look at them.

What one side does, the other feels: an end is an end, a reset is a reset, and a router that refuses is a reset too,
since the client's connection had to be accepted before.
"""

import asyncio
from collections.abc import Callable

from harness.sandbox.front import Front, reset
from harness.sandbox.wire import RouterAddress

_CONNECT_TIMEOUT = 5.0  # seconds
_KEPT = 60  # bytes of an answer that goes no further


class Incoming(asyncio.Protocol):
    """The client's side."""

    def __init__(self, front: Front, pick: Callable[[], RouterAddress | None], tasks: asyncio.TaskGroup) -> None:
        self._front = front
        self._pick = pick
        self._tasks = tasks
        self._transport: asyncio.Transport | None = None
        self._outgoing: _Outgoing | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._early: list[bytes] = []  # came before the router's connection stood
        self._ended = False

    @property
    def idle(self) -> bool:
        """See `Connection`."""
        return False  # a balancer can't tell

    @property
    def active(self) -> bool:
        """See `Connection`."""
        return self._transport is not None

    def hold(self) -> None:
        """See `Connection`."""
        for side in (self._transport, self._outgoing.transport if self._outgoing else None):
            if side is not None and not side.is_closing():
                side.pause_reading()

    def release(self) -> None:
        """See `Connection`."""
        if self._outgoing is None and self._dialling is None:
            self._dial()
        for side in (self._transport, self._outgoing.transport if self._outgoing else None):
            if side is not None and not side.is_closing():
                side.resume_reading()

    def shut(self) -> None:
        """See `Connection`."""
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """End with a reset."""
        if self._transport is not None:
            reset(self._transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: it is open."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport
        self._front.connections.add(self)
        if self._front.held:
            self.hold()
        elif self._front.fault is not None and self._front.fault.kind == "refuse":
            self.shut()
        else:
            self._dial()

    def data_received(self, data: bytes) -> None:
        """asyncio's: bytes came."""
        fault = self._front.fault
        if fault is not None and fault.kind == "reset":
            self.cut()
        elif fault is not None and fault.kind == "slow":
            asyncio.get_running_loop().call_later(fault.delay, self._pass_on, data)
        else:
            self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        if self._outgoing is None:
            self._early.append(data)
        else:
            self._outgoing.write(data)

    def give(self, data: bytes) -> None:
        """What the router said."""
        if self._transport is None:
            return
        fault = self._front.fault
        if fault is not None and fault.kind == "close_early":
            self._transport.write(data[:_KEPT])
            self._transport.close()
        else:
            self._transport.write(data)

    def ended(self) -> None:
        """The router will say no more."""
        if self._transport is not None:
            self._transport.close()

    def eof_received(self) -> bool:
        """asyncio's: the peer will send no more."""
        self._ended = True
        if self._outgoing is not None:
            self._outgoing.end()
        return True  # the router may have something to say yet

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's: it is gone."""
        self._transport = None
        self._front.connections.discard(self)
        if self._dialling is not None:
            self._dialling.cancel()
        if self._outgoing is not None:
            self._outgoing.close(hard=exc is not None)

    def pause_writing(self) -> None:
        """asyncio's: the peer doesn't keep up."""
        if self._outgoing is not None and self._outgoing.transport is not None:
            self._outgoing.transport.pause_reading()

    def resume_writing(self) -> None:
        """asyncio's: the peer does again."""
        transport = self._outgoing.transport if self._outgoing is not None else None
        if transport is not None and not transport.is_closing() and not self._front.held:
            transport.resume_reading()

    def pause(self) -> None:
        """The router doesn't keep up."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """It does again."""
        if self._transport is not None and not self._transport.is_closing() and not self._front.held:
            self._transport.resume_reading()

    def _dial(self) -> None:
        router = self._pick()
        if router is None:
            self.cut()
        else:
            self._dialling = self._tasks.create_task(self._connect(router))

    async def _connect(self, router: RouterAddress) -> None:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                _, outgoing = await asyncio.get_running_loop().create_connection(
                    lambda: _Outgoing(self), "127.0.0.1", router.port
                )
        except OSError:
            self._dialling = None
            self.cut()
            return
        self._dialling = None
        if self._transport is None:
            outgoing.close(hard=True)
            return
        self._outgoing = outgoing
        if self._early:
            outgoing.write(b"".join(self._early))
            self._early.clear()
        if self._ended:
            outgoing.end()
        if self._front.held:
            self.hold()


class _Outgoing(asyncio.Protocol):
    """The router's side."""

    def __init__(self, incoming: Incoming) -> None:
        self.transport: asyncio.Transport | None = None
        self._incoming = incoming

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def end(self) -> None:
        """The client will say no more."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write_eof()

    def close(self, hard: bool) -> None:
        if self.transport is None:
            return
        if hard:
            reset(self.transport)
        else:
            self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream's transport

    def data_received(self, data: bytes) -> None:
        self._incoming.give(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if exc is not None:
            self._incoming.cut()
        else:
            self._incoming.ended()

    def pause_writing(self) -> None:
        self._incoming.pause()

    def resume_writing(self) -> None:
        self._incoming.resume()
