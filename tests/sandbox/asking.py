"""A client that hides nothing: what came on the socket, or how it ended."""

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from harness.sandbox import Sandbox

HOST = "healthcheck.apps.localhost"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Early(Exception):
    """The connection ended before the answer did; its text is what had come."""


class Client:
    """One connection."""

    def __init__(self, url: str, ca: Path | None = None, timeout: float = 5.0, name: str = "127.0.0.1") -> None:
        port = urlsplit(url).port
        assert port is not None
        self.sock: socket.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.rest = b""
        if ca is not None:
            context = ssl.create_default_context(cafile=str(ca))
            try:
                self.sock = context.wrap_socket(self.sock, server_hostname=name)
            except BaseException:
                self.sock.close()
                raise

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def ask(self, path: str = "/", host: str = HOST, method: str = "GET", more: str = "", body: bytes = b"") -> Answer:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.say(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{more}\r\n".encode() + body)
        return self.answer(method)

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, method: str = "GET") -> Answer:
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Answer(int(first.split()[1]), headers, self._body(method, int(first.split()[1]), headers))

    def closed(self) -> bool:
        """Whether the peer has closed; waits for it up to the timeout."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _body(self, method: str, status: int, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        if "content-length" in headers:
            size = int(headers["content-length"])
            while len(self.rest) < size:
                self._more()
            body, self.rest = self.rest[:size], self.rest[size:]
            return body
        body = b""
        while headers.get("transfer-encoding") == "chunked":
            while b"\r\n" not in self.rest:
                self._more()
            line, _, self.rest = self.rest.partition(b"\r\n")
            size = int(line, 16)
            while len(self.rest) < size + 2:
                self._more()
            body, self.rest = body + self.rest[:size], self.rest[size + 2 :]
            if size == 0:
                return body
        with contextlib.suppress(Early):
            while True:
                self._more()
        return self.rest

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Early(self.rest.decode("latin-1"))
        self.rest += data


def ask(sandbox: Sandbox, path: str = "/", host: str = HOST, timeout: float = 5.0, method: str = "GET") -> Answer:
    """On a connection of its own."""
    with Client(sandbox.url, sandbox.ca, timeout) as client:
        return client.ask(path, host, method)


def outcome(sandbox: Sandbox, path: str = "/", timeout: float = 0.5) -> int | str:
    """A status, or the name of what happened instead."""
    try:
        return ask(sandbox, path, timeout=timeout).status
    except (OSError, Early) as error:
        return type(error).__name__


def truth(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sandbox.truth.read_text().splitlines()]


def facts(sandbox: Sandbox, event: str) -> list[dict[str, Any]]:
    return [line for line in truth(sandbox) if line["event"] == event]


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


@contextlib.contextmanager
def clients(sandbox: Sandbox, count: int) -> Iterator[list[Client]]:
    """Kept-alive connections that have been answered once."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(Client(sandbox.url, sandbox.ca)) for _ in range(count)]
        for client in made:
            assert client.ask().status == 200
        yield made
