"""A server that misbehaves as it is told: a thread for each connection, real sockets, plain or TLS."""

import contextlib
import itertools
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

LONGEST = 20.0  # seconds that anything here waits

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Over(Exception):
    """The client has gone, or the test is over."""


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, *, number: int, requests: Callable[[], int], end: threading.Event) -> None:
        self.number = number  # of the connection, from 1
        self.sock = sock
        self._requests = requests
        self._end = end
        self._buffer = b""

    def request(self) -> int:
        """Read a request; returns its number, from 1, over all connections. Raises Over at the end of the stream."""
        while b"\r\n\r\n" not in self._buffer:
            try:
                data = self.sock.recv(65536)
            except OSError:
                raise Over from None
            if not data:
                raise Over
            self._buffer += data
        self.head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return self._requests()

    def read(self) -> bytes:
        """Whatever comes next."""
        try:
            return self.sock.recv(65536)
        except OSError:
            raise Over from None

    def say(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError:
            raise Over from None

    def dribble(self, data: bytes, every: float) -> None:
        """Byte by byte, one each `every` seconds."""
        for position in range(len(data)):
            self.say(data[position : position + 1])
            self.wait(every)

    def wait(self, seconds: float) -> None:
        """Or until the test is over."""
        if self._end.wait(seconds):
            raise Over

    def stall(self) -> None:
        """Say nothing until the client goes away, or the test is over."""
        until = time.monotonic() + LONGEST
        self.sock.settimeout(0.05)
        while not self._end.is_set() and time.monotonic() < until:
            try:
                if not self.sock.recv(65536):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        raise Over

    def secure(self, context: ssl.SSLContext) -> None:
        """Shake hands as a server. If that fails the alert must reach the client: a socket that is closed with bytes
        unread would reset the connection instead."""
        sock = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
        try:
            sock.do_handshake()
        except (OSError, ValueError):
            self.sock = socket.socket(fileno=sock.detach())
            self.sock.settimeout(LONGEST)
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
                self.stall()
            raise Over from None
        self.sock = sock

    @property
    def protocol(self) -> str | None:
        """What ALPN came to."""
        return self.sock.selected_alpn_protocol() if isinstance(self.sock, ssl.SSLSocket) else None

    def reset(self) -> None:
        """RST, whatever lies unsent."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Over

    def close(self) -> None:
        """FIN."""
        raise Over

    def done(self) -> None:
        self.sock.close()


Behaviour = Callable[[Peer], None]


class FaultyServer:
    """Listens on loopback while it is entered. `behave` is called for each connection, in a thread of its own; when it
    returns or raises Over the connection is closed."""

    def __init__(self, behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self._behave = behave
        self._tls = tls
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []
        self._requests = itertools.count(1)
        self.connections = 0
        self.broken: list[BaseException] = []

    def forget(self) -> None:
        """Count requests from 1 again."""
        self._requests = itertools.count(1)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._acceptor.join(LONGEST)
        self._listener.close()
        for thread in self._threads:
            thread.join(LONGEST)
        assert not self.broken, self.broken

    def _accept(self) -> None:
        while not self._end.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(LONGEST)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            peer = Peer(sock, number=self.connections, requests=lambda: next(self._requests), end=self._end)
            thread = threading.Thread(target=self._serve, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer) -> None:
        try:
            if self._tls is not None:
                peer.secure(self._tls)
            self._behave(peer)
        except Over:
            pass
        except BaseException as error:  # told by the test, which could not see it otherwise
            self.broken.append(error)
        finally:
            peer.done()


def answering(
    faulty: Behaviour, *, requests: "range | None" = None, otherwise: bytes = OK, after: bytes = b""
) -> Behaviour:
    """Answers `otherwise`, but is faulty at the requests of these numbers (all, if none are told)."""

    def behave(peer: Peer) -> None:
        while True:
            number = peer.request()
            if requests is None or number in requests:
                faulty(peer)
                if after:
                    peer.say(after)
            else:
                peer.say(otherwise)

    return behave


def saying(data: bytes) -> Behaviour:
    """An answer."""
    return lambda peer: peer.say(data)


def said_then_closed(data: bytes) -> Behaviour:
    """Some bytes, and the end."""

    def behave(peer: Peer) -> None:
        peer.say(data)
        peer.close()

    return behave
