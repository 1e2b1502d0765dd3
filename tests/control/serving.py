"""A control API over a real socket, of a run that has begun and is told nothing yet; raw requests and curl's."""

import contextlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from harness.channel.live import LiveRun
from harness.channel.records import Ended, Owner
from harness.control.listen import Listen
from harness.control.server import ControlServer
from harness.stop import Mark, Request, RunHandle, Word

ENDED = Ended(outcome="fail", exit_code=1, at=1.7e9, reasons=["an outage"], reports=["report.txt", "verdict.json"])
REPORTS = {"report.txt": "FAIL ✘\n".encode(), "verdict.json": b'{"verdict": "fail"}\n'}


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.body)


class Api:
    """A run and its API."""

    def __init__(self, live: LiveRun, server: ControlServer, said: list[Word], runs: Path) -> None:
        self.live = live
        self.server = server
        self.said = said  # to the run
        self.runs = runs

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    @property
    def marks(self) -> list[Mark]:
        return [word for word in self.said if isinstance(word, Mark)]

    @property
    def stops(self) -> list[Request]:
        return [word for word in self.said if isinstance(word, Request)]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """`body`: sent as JSON, bytes as they are."""
        host, port = self.address
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            told = {"content-type": "application/json", **told}
        with contextlib.closing(http.client.HTTPConnection(host, port, timeout=20)) as connection:
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())

    def raw(self, data: bytes, context: ssl.SSLContext | None = None) -> bytes:
        """Send these bytes, read all until the end."""
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection(self.address, 20))
            if context is not None:
                connection = stack.enter_context(context.wrap_socket(connection, server_hostname="localhost"))
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65536), b""))


def owner(run: str = "r", attempt: int = 1) -> Owner:
    """Of nobody."""
    return Owner(
        run=run,
        attempt=attempt,
        id="me",
        at=time.time(),
        host="h",
        pid=1,
        boot="",
        namespace="",
        version="",
        target="t",
    )


@contextlib.contextmanager
def serving(
    runs: Path,
    *,
    attempt: int = 1,
    token: str | None = None,
    host: str = "127.0.0.1",
    cert: Path | None = None,
    key: Path | None = None,
) -> Iterator[Api]:
    """Until the end of the block."""
    handle = RunHandle()
    said: list[Word] = []
    handle.attach(said.append)
    live = LiveRun(owner(attempt=attempt), handle)
    with ControlServer(live, Listen(host, 0, token, cert, key), runs) as server:
        yield Api(live, server, said, runs)
