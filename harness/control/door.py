"""Lets connections in, and sees that none stays: however many come and whatever they do, the run keeps its descriptors.

There are at most `MOST` at once, TLS handshakes among them: the oldest gives way to the newest, so idle ones can't keep
an honest task out. Each carries one request, and is cut after `LIFE` seconds. HTTP itself is uvicorn's part.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

MOST = 128  # connections
LIFE = 20.0  # seconds
_SWEEP_EVERY = 1.0  # seconds
_HANDSHAKE = 10.0  # seconds
_AGAIN = 0.1  # seconds until it is tried again where a connection can't be accepted, as without descriptors


class _Guest(NamedTuple):
    connection: socket.socket
    since: float  # by the loop's clock

    @property
    def gone(self) -> bool:
        return self.connection.fileno() < 0

    def cut(self) -> None:
        """Its transport sees the end, and closes it."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Door:
    """Belongs to the loop in which `keep` runs."""

    def __init__(
        self, listener: socket.socket, tls: ssl.SSLContext | None, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        """`protocol`: makes what serves one connection."""
        self._listener = listener
        self._tls = tls
        self._protocol = protocol
        self._inside: deque[_Guest] = deque()  # the oldest first; closed ones may be among them

    async def keep(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep())
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._listener)
                except OSError:
                    await asyncio.sleep(_AGAIN)
                    continue
                self._make_room()
                self._inside.append(_Guest(connection, loop.time()))
                group.create_task(self._serve(connection))
                await asyncio.sleep(0)  # accepting alone would never let another one run

    async def _serve(self, connection: socket.socket) -> None:
        handshake = _HANDSHAKE if self._tls is not None else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=handshake,
                ssl_shutdown_timeout=1.0 if self._tls is not None else None,
            )
        except OSError:  # no TLS, or gone already
            connection.close()

    def _make_room(self) -> None:
        if len(self._inside) >= MOST:
            self._inside = deque(guest for guest in self._inside if not guest.gone)
        while len(self._inside) >= MOST:
            self._inside.popleft().cut()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            while self._inside and (self._inside[0].gone or loop.time() - self._inside[0].since > LIFE):
                self._inside.popleft().cut()
