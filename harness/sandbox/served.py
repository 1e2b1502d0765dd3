"""One client's connection at an HTTP component: reads requests, hands them on one by one, and lets a fault spoil them.

App instances, routers and a layer-7 balancer differ only in their `Serve`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

import httptools

from harness.sandbox.front import Front, reset
from harness.sandbox.message import TEXT, Request, answer, head
from harness.sandbox.wire import Fault

_BODY_LIMIT = 1 << 20  # bytes of a request; it is read whole before it is handed on
_HEAD_LIMIT = 1 << 16
_PROMISED = 1000  # bytes of an answer that a fault breaks off
_KEPT = 100


class Answering(Protocol):
    """An answer that is still being made."""

    def abandon(self) -> None:
        """The client has gone."""

    def pause(self) -> None:
        """The client doesn't keep up."""

    def resume(self) -> None:
        """It does again."""


Serve = Callable[[Request, "Served"], Answering | None]
Refuse = Callable[[Request, Fault], bytes]


class Served(asyncio.Protocol):
    """Requests are answered in order, one at a time."""

    def __init__(self, front: Front, serve: Serve, refuse: Refuse) -> None:
        self._front = front
        self._serve = serve
        self._refuse = refuse
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._current: Request | None = None
        self._answering: Answering | None = None
        self._later: asyncio.TimerHandle | None = None
        self._unsent: list[bytes] = []
        self._ended: bool | None = None  # the answer is whole, but held: keep the connection?
        self._answered = 0
        self._pumping = False
        self._clear()

    @property
    def idle(self) -> bool:
        """See `Connection`."""
        return not self.active and self._answered > 0

    @property
    def active(self) -> bool:
        """See `Connection`."""
        return self._current is not None or self._begun or bool(self._waiting)

    @property
    def peer(self) -> str:
        """The client's address."""
        return str(self._transport.get_extra_info("peername")[0]) if self._transport is not None else ""

    # What an answer is made with.

    def send(self, data: bytes) -> None:
        """A part of the answer."""
        if self._front.held:
            self._unsent.append(data)
        elif self._transport is not None:
            self._transport.write(data)

    def done(self, keep: bool) -> None:
        """The answer is whole."""
        if self._front.held:
            self._ended = keep
            return
        self._answering = self._current = None
        self._answered += 1
        if self._transport is None:
            return
        if not keep or (self._front.draining and not self.active):
            # gorouter announces nothing: a connection that becomes idle during a drain just closes
            self._transport.close()
        else:
            self._pump()

    def break_off(self) -> None:
        """The answer ends here, in its midst."""
        self._answering = None
        self.shut()

    def cut(self) -> None:
        """End with a reset."""
        if self._transport is not None:
            reset(self._transport)

    # What a fault does to it.

    def hold(self) -> None:
        """See `Connection`."""
        if self._transport is not None:
            self._transport.pause_reading()

    def release(self) -> None:
        """See `Connection`."""
        if self._transport is None:
            return
        unsent, self._unsent = self._unsent, []
        if unsent:
            self._transport.write(b"".join(unsent))
        if self._ended is not None:
            ended, self._ended = self._ended, None
            self.done(ended)
        self._pump()

    def shut(self) -> None:
        """See `Connection`."""
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: it is open."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport
        self._front.connections.add(self)
        if self._front.held:
            self.hold()
        elif self._front.fault is not None and self._front.fault.kind == "refuse":
            self.shut()  # it was in the backlog when the listener closed

    def data_received(self, data: bytes) -> None:
        """asyncio's: bytes came."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._reject(501)
        except httptools.HttpParserError:
            self._reject(400)
        if self._begun and not self._headed:
            self._size += len(data)
            if self._size > _HEAD_LIMIT:
                self._reject(431)

    def eof_received(self) -> bool:
        """asyncio's: the peer will send no more."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's: it is gone."""
        self._transport = None
        self._front.connections.discard(self)
        if self._later is not None:
            self._later.cancel()
        answering, self._answering = self._answering, None
        self._current = None
        self._waiting.clear()
        if answering is not None:
            answering.abandon()

    def pause_writing(self) -> None:
        """asyncio's: the peer doesn't keep up."""
        if self._answering is not None:
            self._answering.pause()

    def resume_writing(self) -> None:
        """asyncio's: the peer does again."""
        if self._answering is not None:
            self._answering.resume()

    # httptools

    def on_message_begin(self) -> None:
        """httptools': a message begins."""
        self._begun = True

    def on_url(self, url: bytes) -> None:
        """httptools': a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools': a header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """httptools': the head is whole."""
        self._headed = True

    def on_body(self, body: bytes) -> None:
        """httptools': a piece of the body."""
        self._body += body
        if len(self._body) > _BODY_LIMIT:
            self._reject(413)

    def on_message_complete(self) -> None:
        """httptools': a message is whole."""
        parser = self._parser
        request = Request(
            parser.get_method(), self._target, parser.get_http_version(), tuple(self._headers), bytes(self._body),
            parser.should_keep_alive(),
        )  # fmt: skip
        self._clear()
        self._waiting.append(request)
        if self._current is not None and self._transport is not None:
            self._transport.pause_reading()  # pipelined: what comes next waits in the kernel
        self._pump()

    def _clear(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._size = 0  # bytes of a head that is not whole yet
        self._begun = self._headed = False

    def _pump(self) -> None:
        """Take up what waits, until one takes its time."""
        if self._pumping:
            return
        self._pumping = True
        while self._waiting and self._current is None and not self._front.held and self._open():
            self._current = request = self._waiting.popleft()
            self._take(request)
        self._pumping = False
        if not self._waiting and not self._front.held and self._open():
            assert self._transport is not None
            self._transport.resume_reading()

    def _open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def _take(self, request: Request) -> None:
        fault = self._front.fault
        kind = fault.kind if fault is not None else None
        if fault is None:
            self._begin(request)
        elif kind == "slow":
            self._later = asyncio.get_running_loop().call_later(fault.delay, self._begin, request)
        elif kind == "reset":
            self.cut()
        elif kind == "close_early":
            self.send(head(200, [TEXT, (b"Content-Length", b"%d" % _PROMISED)]) + b"x" * _KEPT)
            self.break_off()
        elif kind in ("status", "unknown_route"):
            self.send(self._refuse(request, fault))
            self.done(request.keep)
        else:
            self._begin(request)

    def _begin(self, request: Request) -> None:
        self._later = None
        answering = self._serve(request, self)
        if self._current is request:  # else it was answered at once
            self._answering = answering

    def _reject(self, code: int) -> None:
        transport = self._transport
        if transport is not None and self._open():
            transport.write(answer(Request(b"", b"", "1.1", (), b"", False), code, [TEXT], b"%d\n" % code))
            transport.close()
