"""A small HTTP/2 server over TLS: a thread for each connection, streams answered as it is told."""

import contextlib
import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Self

import h2.config
import h2.connection
import h2.events
from h2.errors import ErrorCodes

LONGEST = 20.0  # seconds


class Exchange:
    """One request: what may be done with it. `number` counts over all connections, from 1."""

    def __init__(self, server: "H2Conversation", stream: int, number: int, headers: dict[str, str]) -> None:
        self.number = number
        self.headers = headers
        self._conversation = server
        self._stream = stream

    def answer(self, status: int, body: bytes = b"ok", **headers: str) -> None:
        state = self._conversation.state
        told = [(name.replace("_", "-"), value) for name, value in headers.items()]
        state.send_headers(self._stream, [(":status", str(status)), *told])
        state.send_data(self._stream, body, end_stream=True)

    def begin(self, body: bytes) -> None:
        """An answer that does not end."""
        self._conversation.state.send_headers(self._stream, [(":status", "200")])
        self._conversation.state.send_data(self._stream, body)

    def reset_stream(self) -> None:
        self._conversation.state.reset_stream(self._stream, ErrorCodes.INTERNAL_ERROR)

    def go_away(self, last: int, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """GOAWAY with the last stream that was looked at, and the end of the connection."""
        self._conversation.state.close_connection(code, last_stream_id=last)
        self._conversation.over = True

    @property
    def stream(self) -> int:
        return self._stream

    def close(self) -> None:
        self._conversation.over = True

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self._conversation.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._conversation.over = True

    def nonsense(self) -> None:
        self._conversation.sock.sendall(b"\x00\x00\x05\x01\x25\x00\x00\x00\x01nope!")
        self._conversation.over = True


class H2Conversation:
    """The server's end of one connection."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.over = False
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.state = h2.connection.H2Connection(config)


Answer = Callable[[Exchange], None]


class H2Server:
    """Listens on loopback while it is entered."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext) -> None:
        self._answer = answer
        self._tls = tls
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []
        self._numbers = itertools.count(1)
        self.connections = 0
        self.broken: list[BaseException] = []

    def forget(self) -> None:
        """Count requests from 1 again."""
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._listener.shutdown(socket.SHUT_RDWR)
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
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(LONGEST)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with plain, contextlib.suppress(OSError), self._tls.wrap_socket(plain, server_side=True) as sock:
            sock.settimeout(0.1)
            conversation = H2Conversation(sock)
            conversation.state.initiate_connection()
            sock.sendall(conversation.state.data_to_send())
            while not conversation.over and not self._end.is_set():
                try:
                    data = sock.recv(65536)
                except TimeoutError:
                    continue
                if not data:
                    return
                try:
                    self._take(conversation, data)
                except OSError:
                    raise
                except Exception as error:
                    self.broken.append(error)
                    return
                sock.sendall(conversation.state.data_to_send())

    def _take(self, conversation: H2Conversation, data: bytes) -> None:
        for event in conversation.state.receive_data(data):
            if isinstance(event, h2.events.RequestReceived) and not conversation.over:
                headers = {str(name): str(value) for name, value in event.headers or ()}
                stream = event.stream_id or 0
                self._answer(Exchange(conversation, stream, next(self._numbers), headers))
