"""A proxy before a bucket that delays, refuses, throttles, drops, duplicates, is away (connections break) or silent
(they stay open, and nothing comes); switched while it serves."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

MOODS = ("none", "delays", "errors", "throttles", "drops", "duplicates", "away", "silent")
GONE = ("away", "silent")  # nothing gets through
_KEPT = frozenset({"etag", "content-type", "last-modified"})
_SHARE = 0.4  # of the requests that meet trouble
_BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_BROKEN = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


class Chaos:
    """What stands between; `mood` may be set at any time."""

    def __init__(self, target: str, seed: int) -> None:
        self.mood = "none"
        self.met: dict[str, int] = {}  # requests by what they met
        self.url = ""
        at = urlsplit(target)
        self.address = at.hostname or "", at.port or 0
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def meets(self) -> str:
        """What the next request meets."""
        with self._lock:
            trouble = self.mood in GONE or (self.mood != "none" and self._random.random() < _SHARE)
            met = self.mood if trouble else "none"
            self.met[met] = self.met.get(met, 0) + 1
            return met

    def too_late(self) -> bool:
        """The connection breaks when the request has been heard already."""
        with self._lock:
            return self._random.random() < 0.5

    def pause(self) -> float:
        """Seconds; some are longer than the store's own limit."""
        with self._lock:
            return self._random.choices([0.1, 0.3, 1.0, 6.0], [10, 6, 4, 1])[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chaos: Chaos

    def log_message(self, *_: object) -> None:
        pass

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        met = self.chaos.meets()
        while met == "silent" and self.chaos.mood == "silent":
            time.sleep(0.05)
        if met == "drops" and self.chaos.too_late():
            self._forwarded(body)
        if met in ("drops", *GONE):
            self.close_connection = True
            return
        if met == "errors":
            self._answer(500, {}, _BROKEN)
            return
        if met == "throttles":
            self._answer(503, {"Retry-After": "1"}, _BUSY)
            return
        if met == "delays":
            time.sleep(self.chaos.pause())
        answer = self._forwarded(body)
        if met == "duplicates":  # the first answer is lost
            answer = self._forwarded(body)
        self._answer(*answer)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _any

    def _forwarded(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(*self.chaos.address, timeout=20)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() in _KEPT}
        return answer.status, kept, data

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:  # who asked has given up
            self.close_connection = True


@contextmanager
def chaos(target: str, seed: int = 1) -> Iterator[Chaos]:
    """Serve in front of `target`, a URL."""
    between = Chaos(target, seed)

    class Handler(_Handler):
        pass

    Handler.chaos = between
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    between.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield between
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
