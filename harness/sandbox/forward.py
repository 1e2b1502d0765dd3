"""Carries one request to an endpoint behind a proxy and its answer back, trying again where HTTP allows it.

Shared by routers and by a layer-7 balancer; a `Way` says where to, how often, and what is said when it fails.
"""

import asyncio
import errno
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import httptools

from harness.sandbox.message import Headers, Request, head
from harness.sandbox.served import Served

_CONNECT_TIMEOUT = 5.0  # seconds
_IDLE_KEPT = 64  # connections kept open to an endpoint
_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_REPLAYABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))  # what gorouter, by Go's http.Transport, sends again


@dataclass(eq=False, slots=True)
class Endpoint:
    """Where requests are carried to."""

    name: str
    port: int
    in_flight: int = 0
    idle: "deque[_Upstream]" = field(default_factory=deque)
    open: "set[_Upstream]" = field(default_factory=set)

    def close(self) -> None:
        """Close its connections."""
        for upstream in list(self.open):
            upstream.close()


class Way(Protocol):
    """Where one request goes."""

    timeout: float  # seconds to the first byte of the answer

    def choose(self, tried: Iterable[Endpoint]) -> Endpoint | bytes:
        """The next endpoint, or a whole answer of the proxy's own."""

    def failed(self, endpoint: Endpoint, why: str, dialled: bool) -> bool:
        """It failed before it answered: is there another try?"""

    def give_up(self, why: str, late: bool) -> bytes:
        """The proxy's own answer."""

    def request_headers(self, peer: str) -> Headers:
        """What the endpoint is told besides."""

    def answer_headers(self) -> Headers:
        """What the client is told besides."""


class Forwarding:
    """One request on its way."""

    def __init__(self, request: Request, served: Served, way: Way, tasks: asyncio.TaskGroup) -> None:
        self._request = request
        self._served = served
        self._way = way
        self._tasks = tasks
        self._tried: list[Endpoint] = []
        self._endpoint: Endpoint | None = None
        self._upstream: _Upstream | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._over = False
        self._deadline = asyncio.get_running_loop().call_later(way.timeout, self._too_late)

    def start(self) -> "Forwarding | None":
        """Choose an endpoint and go. None: that was all."""
        self._choose()
        return None if self._over else self

    # Answering

    def abandon(self) -> None:
        """See `Answering`."""
        self._end()
        if self._upstream is not None:
            self._upstream.close()
        if self._dialling is not None:
            self._dialling.cancel()

    def pause(self) -> None:
        """See `Answering`."""
        if self._upstream is not None:
            self._upstream.pause()

    def resume(self) -> None:
        """See `Answering`."""
        if self._upstream is not None:
            self._upstream.resume()

    # What the upstream tells.

    def began(self) -> None:
        """The answer has begun: no more tries."""
        self._deadline.cancel()

    def piece(self, data: bytes) -> None:
        """A part of the answer, as the client is to have it."""
        self._served.send(data)

    def head(self, code: int, phrase: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bool, bool]:
        """The client's head; is its body chunked; may the client's connection stay."""
        request = self._request
        kept = [pair for pair in headers if pair[0].lower() not in _HOP]
        bare = request.method == b"HEAD" or code in (204, 304)
        sized = bare or any(name.lower() == b"content-length" for name, _ in kept)
        chunked = not sized and request.version == "1.1"
        keep = request.keep and (sized or chunked)
        if chunked:
            kept.append((b"Transfer-Encoding", b"chunked"))
        if not keep:
            kept.append((b"Connection", b"close"))
        told = {name.lower() for name, _ in kept}  # what stands behind the proxy may know better
        kept.extend(pair for pair in self._way.answer_headers() if pair[0].lower() not in told)
        return head(code, kept, phrase), chunked, keep

    def finished(self, keep: bool) -> None:
        """The answer is whole."""
        self._upstream = None
        self._end()
        self._served.done(keep)

    def lost(self, why: str, begun: bool, reused: bool) -> None:
        """The connection is gone before the answer was whole."""
        self._upstream = None
        endpoint = self._endpoint
        if self._over or endpoint is None:
            return
        if begun:
            self._end()
            self._served.break_off()
        elif self._request.method not in _REPLAYABLE:
            self._give_up(why)
        elif reused:
            self._dial(endpoint)  # a stale connection says nothing about the endpoint (RFC 9112 §9.3.1)
        else:
            self._failed(endpoint, why, dialled=True)

    def _choose(self) -> None:
        chosen = self._way.choose(self._tried)
        if isinstance(chosen, bytes):
            self._answer(chosen)
            return
        self._tried.append(chosen)
        self._leave()
        self._endpoint = chosen
        chosen.in_flight += 1
        while chosen.idle:
            upstream = chosen.idle.popleft()
            if upstream.usable:
                self._send(upstream, reused=True)
                return
        self._dial(chosen)

    def _dial(self, endpoint: Endpoint) -> None:
        self._dialling = self._tasks.create_task(self._connect(endpoint))

    async def _connect(self, endpoint: Endpoint) -> None:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                _, upstream = await asyncio.get_running_loop().create_connection(
                    lambda: _Upstream(endpoint), "127.0.0.1", endpoint.port
                )
        except OSError as error:  # TimeoutError is one
            self._dialling = None
            self._failed(endpoint, f"dial tcp 127.0.0.1:{endpoint.port}: {_words(error, 'connect')}", dialled=False)
            return
        self._dialling = None
        if self._over:
            upstream.close()
        else:
            self._send(upstream, reused=False)

    def _send(self, upstream: "_Upstream", reused: bool) -> None:
        self._upstream = upstream
        request = self._request
        added = self._way.request_headers(self._served.peer)
        replaced = {b"content-length", *_HOP, *(name.lower() for name, _ in added)}
        kept = [pair for pair in request.headers if pair[0].lower() not in replaced]
        kept.extend(added)
        if request.body or request.method in (b"POST", b"PUT", b"PATCH"):
            kept.append((b"Content-Length", b"%d" % len(request.body)))
        lines = [b"%s %s HTTP/1.1\r\n" % (request.method, request.target)]
        lines.extend(b"%s: %s\r\n" % pair for pair in kept)
        upstream.carry(self, b"".join((*lines, b"\r\n", request.body)), request.method == b"HEAD", reused)

    def _failed(self, endpoint: Endpoint, why: str, dialled: bool) -> None:
        if self._over:
            return
        if self._way.failed(endpoint, why, dialled):
            self._choose()
        else:
            self._give_up(why)

    def _give_up(self, why: str) -> None:
        self._answer(self._way.give_up(why, late=False))

    def _too_late(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.close()
        if self._dialling is not None:
            self._dialling.cancel()
        self._answer(self._way.give_up("context deadline exceeded", late=True))

    def _answer(self, whole: bytes) -> None:
        self._end()
        self._served.send(whole)
        self._served.done(self._request.keep)

    def _end(self) -> None:
        self._over = True
        self._deadline.cancel()
        self._leave()

    def _leave(self) -> None:
        if self._endpoint is not None:
            self._endpoint.in_flight -= 1
            self._endpoint = None


class _Upstream(asyncio.Protocol):
    """A connection to an endpoint; carries one request at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._transport: asyncio.Transport | None = None
        self._forwarding: Forwarding | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._bare = self._reused = self._begun = False
        self._informed = self._chunked = self._keep = self._until_close = self._complete = False
        self._phrase = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []

    @property
    def usable(self) -> bool:
        """Open, as far as one knows."""
        return self._transport is not None and not self._transport.is_closing()

    def carry(self, forwarding: Forwarding, data: bytes, bare: bool, reused: bool) -> None:
        """Send a request whose answer goes to `forwarding`."""
        self._forwarding = forwarding
        self._parser = httptools.HttpResponseParser(self)
        self._bare, self._reused, self._begun = bare, reused, False
        if self._transport is not None:
            self._transport.write(data)

    def pause(self) -> None:
        if self.usable:
            assert self._transport is not None
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.usable:
            assert self._transport is not None
            self._transport.resume_reading()

    def close(self) -> None:
        """Close it; nobody is told."""
        self._forwarding = None
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport
        self._endpoint.open.add(self)

    def data_received(self, data: bytes) -> None:
        forwarding = self._forwarding
        if forwarding is None:  # nothing was asked
            self.close()
            return
        if not self._begun:
            self._begun = True
            forwarding.began()
        ended = None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            ended = "malformed HTTP response"
        if self._pieces:
            pieces = b"".join(self._pieces)
            self._pieces.clear()
            forwarding.piece(pieces)
        if ended is not None:
            self.close()
            forwarding.lost(ended, begun=True, reused=False)
        elif self._complete:
            self._release(forwarding)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._endpoint.open.discard(self)
        if self in self._endpoint.idle:
            self._endpoint.idle.remove(self)
        forwarding, self._forwarding = self._forwarding, None
        if forwarding is None:
            return
        if self._begun and exc is None and self._until_close:
            if self._chunked:
                forwarding.piece(b"0\r\n\r\n")
            forwarding.finished(self._keep)
        else:
            why = f"read tcp 127.0.0.1:{self._endpoint.port}: {_words(exc, 'read')}" if exc is not None else "EOF"
            forwarding.lost(why, self._begun, self._reused)

    # httptools

    def on_message_begin(self) -> None:
        self._phrase = b""
        self._headers = []
        self._complete = self._until_close = False

    def on_status(self, status: bytes) -> None:
        self._phrase += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        code = self._parser.get_status_code()
        self._informed = 100 <= code < 200
        if self._informed or self._forwarding is None:
            return
        names = {name.lower() for name, _ in self._headers}
        self._until_close = not self._bare and not names & {b"content-length", b"transfer-encoding"}
        whole, self._chunked, self._keep = self._forwarding.head(code, self._phrase, self._headers)
        self._pieces.append(whole)
        if self._bare:  # the parser waits for a body that never comes
            self._complete = True

    def on_body(self, body: bytes) -> None:
        self._pieces.append(b"%x\r\n%s\r\n" % (len(body), body) if self._chunked else body)

    def on_message_complete(self) -> None:
        if self._informed:
            return
        if self._chunked and not self._complete:
            self._pieces.append(b"0\r\n\r\n")
        self._complete = True

    def _release(self, forwarding: Forwarding) -> None:
        self._complete = False
        self._forwarding = None
        reusable = not self._bare and self._parser.should_keep_alive() and len(self._endpoint.idle) < _IDLE_KEPT
        if reusable and self.usable:
            self._endpoint.idle.append(self)
        else:
            self.close()
        forwarding.finished(self._keep)


def _words(error: Exception | None, call: str) -> str:
    """An error of the network in Go's words."""
    if isinstance(error, TimeoutError):
        return "i/o timeout"
    if (
        isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode
    ):  # asyncio has a long sentence of its own
        return f"{call}: {os.strerror(error.errno).lower()}"
    return f"{call}: {error}"
