"""The engine over real sockets: addresses and connections, where `tests/faults` tells causes apart."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import uvloop

from harness.engine.dial import SocketDialer
from harness.engine.engine import Engine
from harness.engine.resolver import Address
from harness.engine.timer import best_timer
from harness.frames import Frame
from harness.recorder import Recorder
from harness.spec import Pool, Spec, Timeouts, Tls
from tests.engine.stage import Names

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Scripted(asyncio.Protocol):
    """The server's end of a connection. Its reply is the server's; `end` is when it was closed, by whom."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self.served = 0
        self.began = time.monotonic()
        self.ended: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.host = transport.get_extra_info("sockname")[0]
        self._server.connections.append(self)

    def data_received(self, data: bytes) -> None:
        assert data.endswith(b"\r\n\r\n")
        self.served += 1
        self._server.order.append(self)
        self.transport.write(self._server.reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = time.monotonic()


class Server:
    """In a thread of its own, on one port of two addresses."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply
        self.connections: list[Scripted] = []
        self.order: list[Scripted] = []
        self.port = 0

    @contextmanager
    def serving(self) -> Iterator["Server"]:
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        thread.start()
        assert ready.wait(20)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._over.set)
            thread.join(20)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        one = await self._loop.create_server(lambda: Scripted(self), "127.0.0.1", 0)
        self.port = one.sockets[0].getsockname()[1]
        two = await self._loop.create_server(lambda: Scripted(self), "127.0.0.2", self.port)
        ready.set()
        await self._over.wait()
        for server in (one, two):
            server.close()
        for connection in self.connections:
            connection.transport.abort()


def spec_of(rate: float = 50.0, *, warm: int = 4, fresh: bool = False) -> Spec:
    return Spec(
        runner="app",
        rate=rate,
        url="http://app.test/",
        timeouts=Timeouts(connect=10.0, tls=10.0, first_byte=10.0, total=10.0),
        pool=Pool(warm=warm, cap=50, handshakes=16),
        max_lag=30.0,  # a busy machine is late, and these tests are not about that
        drain=10.0,
        fresh=fresh,
    )


def run(server: Server, spec: Spec, ticks: int, hosts: tuple[str, ...]) -> Frame:
    async def drive() -> Frame:
        loop = asyncio.get_running_loop()
        recorder = Recorder()
        engine = Engine(
            spec,
            start=time.monotonic() + 0.2,
            user_agent="test/1",
            clock=time.monotonic,
            make_timer=best_timer(loop),
            dialer=SocketDialer(secure=False, server_name="", tls=Tls()),
            resolver=Names((0.0, tuple(Address((host, server.port)) for host in hosts))),
            recorder=recorder,
        )
        engine.stop((ticks - 0.5) / spec.rate, spec.drain)
        async with asyncio.timeout(40):
            await engine.run()
        return recorder.frame(at=0.0, reached=ticks, waiting=(), in_flight=())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        frame = runner.run(drive())
    assert sum(second.good for second in frame.seconds.values()) == ticks
    return frame


def test_two_addresses_take_turns_and_each_has_its_own_figures() -> None:
    with Server(OK).serving() as server:
        frame = run(server, spec_of(), 40, ("127.0.0.1", "127.0.0.2"))
        by_host = Counter(connection.host for connection in server.order)
        assert by_host == {"127.0.0.1": 20, "127.0.0.2": 20}
        assert Counter(connection.host for connection in server.connections) == {"127.0.0.1": 2, "127.0.0.2": 2}
    told: Counter[str] = Counter()
    for second in frame.seconds.values():
        for name, address in second.addresses.items():
            told[name] += address.good
            assert sum(address.latency.values()) == address.good
    assert told == {f"127.0.0.{n}:{server.port}": 20 for n in (1, 2)}
    assert (frame.counters["opened"], frame.counters["kept"]) == (4, 40)


def test_warm_connections_take_turns() -> None:
    with Server(OK).serving() as server:
        run(server, spec_of(warm=5), 50, ("127.0.0.1",))
        assert sum(connection.served for connection in server.connections) == 50
        if len(server.connections) == 5:  # a busy machine may have needed one more
            assert server.order[:40] == server.order[:5] * 8
        assert all(connection.served >= 5 for connection in server.connections[:5])


def test_fresh_connections_serve_one_each() -> None:
    with Server(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).serving() as server:
        frame = run(server, spec_of(fresh=True), 30, ("127.0.0.1", "127.0.0.2"))
        assert [connection.served for connection in server.connections] == [1] * 30
    assert (frame.counters["opened"], frame.counters["fresh"]) == (30, 30)
    assert sum(frame.stages["connect"].values()) == 30


def test_a_server_that_wants_to_close_is_left() -> None:
    """Kept-alive runners too: a new connection follows, and no attempt fails."""
    with Server(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).serving() as server:
        frame = run(server, spec_of(warm=1), 20, ("127.0.0.1",))
        assert [connection.served for connection in server.connections] == [1] * len(server.connections)
        assert len(server.connections) >= 20
    assert frame.counters.get("retried", 0) == 0


def test_the_servers_own_keep_alive_is_minded() -> None:
    """It says for how long it keeps an idle connection; we leave before it does, and never use one that it may have
    closed."""
    with Server(OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=1\r\n\r\n")).serving() as server:
        run(server, spec_of(0.9, warm=1), 3, ("127.0.0.1",))
        assert [connection.served for connection in server.connections] == [1, 1, 1]
    with Server(OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=30\r\n\r\n")).serving() as server:
        run(server, msgspec.structs.replace(spec_of(0.9, warm=1)), 3, ("127.0.0.1",))
        assert [connection.served for connection in server.connections] == [3]


def test_both_latencies_and_the_service_time() -> None:
    """From the intended start, from when the loop reached it, from the send: each within the one before."""
    with Server(OK).serving() as server:
        frame = run(server, spec_of(200.0), 100, ("127.0.0.1",))
    for second in frame.seconds.values():
        times = [second.whole_latency(), second.whole_latency_low(), second.whole_service()]
        assert [sum(histogram.values()) for histogram in (*times, second.lag)] == [second.good] * 4
        top = [max(histogram) for histogram in times]
        assert top == sorted(top, reverse=True)
    assert sum(frame.stages.get("first_byte", {}).values()) == sum(frame.pieces.values()), "most come in one piece"


def test_bytes_nobody_asked_for_end_a_connection() -> None:
    """A second answer, in a piece of its own: the attempt was good, the connection is not used again."""

    class Chatty(Scripted):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            asyncio.get_running_loop().call_later(0.02, self.transport.write, OK)

    class Talkative(Server):
        async def _serve(self, ready: threading.Event) -> None:
            self._loop = asyncio.get_running_loop()
            self._over = asyncio.Event()
            one = await self._loop.create_server(lambda: Chatty(self), "127.0.0.1", 0)
            self.port = one.sockets[0].getsockname()[1]
            ready.set()
            await self._over.wait()
            one.close()

    with Talkative(OK).serving() as server:
        frame = run(server, spec_of(4.0, warm=1), 4, ("127.0.0.1",))
        assert [connection.served for connection in server.connections] == [1, 1, 1, 1]
    assert frame.counters["unasked"] >= 3
