"""The side of a component that its clients connect to: the listener, the connections that it accepted, and the faults
that befall both, whatever is spoken on them."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from harness.sandbox.identity import server_context, use_certificate
from harness.sandbox.wire import Fault

_BACKLOG = 1024
_FILLERS = 8  # a backlog of zero holds one connection; what follows waits for an answer that never comes
_LINGER_ZERO = struct.pack("ii", 1, 0)


class Connection(Protocol):
    """One accepted connection, as a fault sees it."""

    @property
    def idle(self) -> bool:
        """A request was answered on it and none is under way."""

    @property
    def active(self) -> bool:
        """A request is under way."""

    def hold(self) -> None:
        """Answer nothing, read nothing."""

    def release(self) -> None:
        """Go on where it was held."""

    def shut(self) -> None:
        """Close it now."""


def reset(transport: asyncio.Transport) -> None:
    """Close with an RST rather than a FIN (SO_LINGER of zero, socket(7))."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


class Front:
    """Listeners on ports of loopback, which do the same. One fault at a time."""

    def __init__(
        self, ports: Sequence[int], accept: Callable[["Front"], asyncio.Protocol], certificates: Path | None
    ) -> None:
        self.fault: Fault | None = None
        self.held = False
        self.draining = False
        self.connections: set[Connection] = set()
        self._ports = ports
        self._accept = accept
        self._certificates = certificates
        self._tls: ssl.SSLContext | None = server_context(certificates) if certificates else None
        self._servers: list[asyncio.Server] = []
        self._listeners: list[socket.socket] = []  # our own hold on them: they outlive the servers in a black hole
        self._fillers: list[socket.socket] = []

    async def open(self) -> None:
        """Listen. Raises OSError."""
        with contextlib.ExitStack() as unless_all_serve:
            unless_all_serve.callback(self.close_listeners)
            for port in self._ports:
                sock = socket.socket()
                self._listeners.append(sock)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(("127.0.0.1", port))
                sock.listen(_BACKLOG)
                await self._serve(sock)
            unless_all_serve.pop_all()

    def close_listeners(self) -> None:
        """Refuse from now on; connections stay."""
        self._close_servers()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def shut_all(self) -> int:
        """Close every connection. How many."""
        connections = list(self.connections)
        for connection in connections:
            connection.shut()
        return len(connections)

    async def begin(self, fault: Fault) -> None:
        """Misbehave. Raises ValueError where that makes no sense."""
        if self.fault is not None:
            raise ValueError(f"{self.fault.kind} of step {self.fault.step!r} is still going on")
        if fault.kind == "wrong_certificate":
            if self._tls is None or self._certificates is None:
                raise ValueError("it speaks no TLS, so it has no certificate")
            use_certificate(self._tls, self._certificates, fault.certificate)
        self.fault = fault
        if fault.kind == "refuse":
            self.close_listeners()
            self.shut_all()
        elif fault.kind == "stall":
            self._hold()
        elif fault.kind == "black_hole":
            self._hold()
            self._swallow()

    async def mend(self) -> None:
        """Behave again; without a fault nothing happens."""
        fault, self.fault = self.fault, None
        if fault is None:
            return
        if fault.kind == "wrong_certificate" and self._tls is not None and self._certificates is not None:
            use_certificate(self._tls, self._certificates, "good")
        elif fault.kind == "refuse":
            await self.open()
        elif fault.kind == "stall":
            self._release()
        elif fault.kind == "black_hole":
            await self._emerge()
            self._release()

    def close(self) -> None:
        """Close all that it opened."""
        self.close_listeners()
        self._close_fillers()
        self.shut_all()

    async def _serve(self, listener: socket.socket) -> None:
        self._servers.append(
            await asyncio.get_running_loop().create_server(
                lambda: self._accept(self), sock=listener.dup(), ssl=self._tls, backlog=_BACKLOG
            )
        )

    def _close_servers(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()

    def _hold(self) -> None:
        self.held = True
        for connection in self.connections:
            connection.hold()

    def _release(self) -> None:
        self.held = False
        for connection in list(self.connections):
            connection.release()

    def _swallow(self) -> None:
        """Stop accepting and fill the backlog ourselves: the kernel then drops every SYN (listen(2), tcp(7))."""
        self._close_servers()
        for listener in self._listeners:
            listener.listen(0)
        for port in self._ports:
            for _ in range(_FILLERS):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
                self._fillers.append(filler)

    async def _emerge(self) -> None:
        self._close_fillers()
        for listener in self._listeners:
            listener.listen(_BACKLOG)
            await self._serve(listener)

    def _close_fillers(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
