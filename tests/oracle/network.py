"""The engine's way to the virtual target: a dialer, its wires and transports, and the name server.

Each wire has a kernel: what came lies there, unread, until the process has a turn. Nothing here decides what the target
does; `platform` does.
"""

import asyncio
import errno
import math
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from harness.engine.connection import Connection
from harness.engine.resolver import Address
from tests.oracle.platform import Platform
from tests.oracle.world import Process, World

HOST = "app.example.org"
_FIN = b""
_HEADS = {
    200: b"HTTP/1.1 200 OK\r\nX-Vcap-Request-Id: r\r\nContent-Length: 2\r\n\r\nok",
    502: b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\nX-Vcap-Request-Id: r\r\nContent-Length: 0\r\n\r\n",
    404: b"HTTP/1.1 404 Not Found\r\nX-Cf-RouterError: unknown_route\r\nContent-Length: 0\r\n\r\n",
}


class Network:
    """Between the harness and the target. `sent`: when each tick's request was first written, by shard and ordinal;
    `answered`: when a good answer to it came to our kernel."""

    def __init__(self, world: World, platform: Platform, addresses: int) -> None:
        self.world = world
        self.platform = platform
        self.addresses = addresses
        self.origin = math.nan  # of the platform's time, on the monotonic clock
        self.sent: dict[tuple[int, int], float] = {}
        self.answered: dict[tuple[int, int], float] = {}
        self.wires: set[Wire] = set()

    def begin(self, origin: float) -> None:
        """The run's start is known: the target's cuts can be placed in time."""
        if not math.isnan(self.origin):
            return
        self.origin = origin
        for index in range(self.addresses):
            for hard in (True, False):
                for cut in self.platform.cuts(index, hard=hard):
                    self.world.at(origin + cut, lambda index=index, hard=hard: self._cut(index, hard))  # type: ignore[misc]

    @property
    def now(self) -> float:
        """Seconds after the run's start."""
        return self.world.now - self.origin

    def at(self, when: float, happens: Callable[[], None]) -> None:
        """Seconds after the run's start."""
        self.world.at(self.origin + when, happens)

    def _cut(self, index: int, hard: bool) -> None:
        for wire in list(self.wires):
            if wire.index == index and not wire.over:
                if hard:
                    wire.end(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
                elif wire.busy:
                    wire.ends_after_answer = True
                else:
                    wire.end(_FIN)

    def look_up(self) -> list[Any]:
        """What getaddrinfo gives."""
        if not self.platform.names_known(self.now):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"10.0.0.{i + 1}", 80)) for i in range(self.addresses)]


class Wire:
    """One TCP connection, both ends of it."""

    def __init__(self, network: Network, process: Process, shard: int, address: Address) -> None:
        self.network = network
        self.process = process
        self.shard = shard
        self.index = int(address[0].rpartition(".")[2]) - 1
        self.busy = False  # the target works on a request
        self.ends_after_answer = False
        self.over = False  # the target has closed it
        self.closed = False  # we have
        self.connected = False  # our kernel knows that it is
        self.kernel: deque[bytes | Exception] = deque()
        self.transport: Transport | None = None

    def close(self) -> None:
        """We give it up."""
        self.closed = True
        self.network.wires.discard(self)

    @property
    def unread(self) -> int:
        """Bytes in our kernel."""
        return sum(len(piece) for piece in self.kernel if isinstance(piece, bytes))

    def dial(self, told: Callable[[Exception | None], None]) -> None:
        """Send a SYN; `told` is called in the process, if ever."""
        network, platform = self.network, self.network.platform

        def arrives() -> None:
            back = platform.carried(self.index, network.now)
            accepted = platform.accepts(self.index, network.now)
            if accepted and not self.closed:
                network.wires.add(self)

            def returns() -> None:
                self.connected = accepted
                refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
                self.process.post(lambda: told(None if accepted else refused))

            network.at(back, returns)

        network.at(platform.carried(self.index, network.now, syn=True), arrives)

    def send(self, tick: tuple[int, int]) -> None:
        """A request leaves us."""
        network = self.network
        network.sent.setdefault(tick, network.now)
        network.at(network.platform.carried(self.index, network.now), lambda: self._receive(tick))

    def _receive(self, tick: tuple[int, int]) -> None:
        """It has come to the target."""
        network = self.network
        if self.closed:
            return
        if self.over:  # RFC 9293 §3.5.2: what comes for a closed connection is answered with a reset
            self._deliver(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
            return
        answer = network.platform.answers(self.index, network.now)
        if not answer.status:
            self.end(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
            return
        self.busy = True
        network.at(answer.at, lambda: self._answer(answer.status, tick))

    def _answer(self, status: int, tick: tuple[int, int]) -> None:
        if self.over or self.closed:
            return
        self.busy = False
        self._deliver(_HEADS[status], tick if status == 200 else None)
        if self.ends_after_answer:
            self.end(_FIN)

    def end(self, how: bytes | Exception) -> None:
        """The target closes it."""
        self.over = True
        self.network.wires.discard(self)
        self._deliver(how)

    def _deliver(self, piece: bytes | Exception, tick: tuple[int, int] | None = None) -> None:
        network = self.network

        def arrives() -> None:
            if self.closed:
                return
            if tick is not None:
                network.answered.setdefault(tick, network.now)
            self.kernel.append(piece)
            if self.transport is not None:
                self.process.post(self.transport.read)

        network.at(network.platform.carried(self.index, network.now), arrives)


class Transport(asyncio.Transport):
    """What the engine writes to."""

    def __init__(self, wire: Wire, protocol: Connection) -> None:
        super().__init__()
        self._wire = wire
        self._protocol = protocol
        self._loop = wire.process.loop

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """A whole request."""
        if not self._wire.closed:
            self._wire.send((self._wire.shard, self._protocol.ordinal))

    def read(self) -> None:
        """Read all that lies in the kernel."""
        wire = self._wire
        while wire.kernel and not wire.closed:
            piece = wire.kernel.popleft()
            if isinstance(piece, Exception):
                self._end(piece)
            elif piece == _FIN:
                self._protocol.eof_received()
                self._end(None)
            else:
                self._protocol.data_received(piece)

    def abort(self) -> None:
        """Close at once."""
        if not self._wire.closed:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        self._wire.close()
        self._loop.call_soon(self._protocol.connection_lost, error)


class VirtualDialer:
    """The engine's seam."""

    def __init__(self, network: Network, process: Process, shard: int) -> None:
        self._network = network
        self._process = process
        self._shard = shard

    def prepare(self, address: Address) -> Wire:
        """A socket."""
        return Wire(self._network, self._process, self._shard, address)

    async def connect(self, wire: Wire, address: Address) -> None:
        """TCP's handshake."""
        future = self._process.loop.create_future()

        def told(error: Exception | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        wire.dial(told)
        await future

    async def attach(self, wire: Wire, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Hand it over in the loop's next turn, as asyncio does."""
        assert isinstance(protocol, Connection)
        transport = Transport(wire, protocol)
        self._process.loop.call_soon(protocol.connection_made, transport)
        await asyncio.sleep(0)
        wire.transport = transport
        if wire.kernel:
            self._process.post(transport.read)
        return transport

    def unread(self, wire: Wire) -> int:
        """FIONREAD."""
        return wire.unread

    def connected(self, wire: Wire) -> bool:
        """Our kernel's word."""
        return wire.connected

    def describe(self, wire: Wire) -> str:
        """It tells nothing."""
        return ""
