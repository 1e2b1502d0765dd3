"""The transport under the library: every request goes through here, discovery and tokens as well.

It is mounted in the library's own `requests.Session`. An answer that is not a success in JSON leaves as `Failed`, so
that the library, which can't read such answers, never sees one; and nothing but reading leaves at all.
"""

import contextlib
import http.client
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import time
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import requests
from requests.adapters import BaseAdapter

from harness.cf.answer import Answer, wait_of, warnings_of
from harness.cf.attribute import (
    ProxyRefused,
    Question,
    Stage,
    of_answer,
    of_break,
    of_pages,
    of_shape,
    token_refused,
)
from harness.cf.dial import Dialer, Site, site_of
from harness.cf.origin import Endpoint
from harness.cf.performed import Call, Failed
from harness.cf.response import Response
from harness.cf.scrub import scrubbed
from harness.cf.target import Limits
from harness.cf.trail import Lack, Trail
from harness.cf.watch import Over, Watch
from harness.outcome import Cause, Component

_CHUNK = 65536  # bytes
_STALE_SLACK, _STALE_LONGEST = 0.01, 0.1  # seconds after the request within which a stale connection shows


class TokenRefused(Failed):
    """Cloud Controller did not take the access token."""

    def __init__(self, failed: Failed, answer: Answer) -> None:
        super().__init__(failed.fault)
        self.answer = answer


class Throttled(Failed):
    """Too many requests; `wait` in seconds, None if nobody said how long."""

    def __init__(self, failed: Failed, wait: float | None) -> None:
        super().__init__(failed.fault)
        self.wait = wait


class Decoded(requests.Response):
    """An answer whose JSON has been read already."""

    def __init__(self, answer: Answer, url: str, document: dict[str, Any]) -> None:
        super().__init__()
        self.status_code = answer.status
        self.url = url
        self.headers.update(answer.headers)
        self._content = answer.body
        self._document = document

    def json(self, **_: Any) -> dict[str, Any]:
        """The object. The hooks that the library asks for would only slow it down."""
        return self._document


class TooLarge(Exception):
    """A body beyond its limit."""


@dataclass(slots=True)
class _Line:
    """One connection."""

    connection: http.client.HTTPConnection
    address: str
    opening: float  # seconds that it took to open
    used: bool = False


class Wire(BaseAdapter):
    """One session's. Its owner says what is asked before each call, and to which addresses calls may go."""

    def __init__(self, dialer: Dialer, limits: Limits, watch: Watch, clock: Callable[[], float]) -> None:
        super().__init__()
        self._dialer = dialer
        self._limits = limits
        self._watch = watch
        self._clock = clock
        self._lines: dict[Site, _Line] = {}
        self._stage = Stage.NAMES
        self._head: Answer | None = None
        self._question = Question("")
        self._pages: set[str] = set()
        self.trail = Trail(body_limit=0, max_pages=0)
        self.last = Answer(0, {}, b"")
        self.sites: frozenset[Site] = frozenset()  # which may be asked
        self.token_url = ""  # which alone may be posted to
        self.patience = math.inf  # seconds of a peer's silence, where less than the limit
        self.secrets: tuple[str, ...] = ()  # which no message may show

    @contextlib.contextmanager
    def aside(self, question: Question) -> Iterator[None]:
        """Ask this inside, and what was asked before again after it."""
        before = self._question, set(self._pages)
        self.ask(question)
        try:
            yield
        finally:
            self._question, self._pages = before

    def ask(self, question: Question) -> None:
        """What the next requests are about: one call, or the pages of one list."""
        self._question = question._replace(answered=self.trail.answered)
        self._pages.clear()

    def failed(self, error: BaseException, stage: Stage) -> Failed:
        """What broke off the call."""
        ended = self._watch.ended
        return Failed(of_break(self._question, error, stage, limits=self._limits, ended=ended, head=self._head))

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """One request and its answer, read whole. Raises Failed; what else requests passes on is the session's to set,
        and set."""
        site = self._allowed(request)
        answer = self._call(request, site)
        question = self._question
        shown = answer._replace(body=scrubbed(answer.body[:_CHUNK], self._secrets_of(request)))
        found = of_answer(question, shown)
        if found is not None:
            failed = Failed(found)
            if found.cause is Cause.THROTTLED:
                raise Throttled(failed, wait_of(answer.headers, time()))
            if question.endpoint is Endpoint.API and token_refused(answer):
                raise TokenRefused(failed, shown)
            raise failed
        if question.endpoint is Endpoint.TOKEN:
            shown = shown._replace(body=b"")  # it holds a token that nobody knows yet
        self.last = shown
        try:
            document = msgspec.json.decode(answer.body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            words = "HTML where JSON was due" if answer.is_html else "no JSON"
            raise Failed(of_shape(question, shown, words)) from None
        if not isinstance(document, dict):
            raise Failed(of_shape(question, shown, "JSON, but no object"))
        if question.lists and not isinstance(document.get("resources"), list):
            raise Failed(of_shape(question, shown, "a list without its resources"))
        if question.endpoint is Endpoint.API:
            self.trail.answered = True
            self.trail.lacks += [_lack(question.call, words) for words in warnings_of(answer.headers)]
        return Decoded(answer, request.url or "", document)

    def close(self) -> None:
        """Every connection; the next request opens another."""
        for line in self._lines.values():
            line.connection.close()
        self._lines.clear()

    # what may leave

    def _allowed(self, request: requests.PreparedRequest) -> Site:
        """Reads alone, log-ins, and nothing to strangers: a link to another host must not get our token. Raises
        Failed."""
        question, url = self._question, request.url or ""
        if question.endpoint is Endpoint.TOKEN:
            if request.method != "POST" or url != self.token_url:
                raise AssertionError(f"not a log-in: {request.method}")
            return site_of(url)
        if request.method != "GET":
            raise AssertionError(f"{request.method} would write")
        if url in self._pages:
            raise Failed(of_pages(question, "its pages lead in a circle"))
        if len(self._pages) >= self.trail.max_pages:
            raise Failed(of_pages(question, f"more than {self.trail.max_pages} pages"))
        self._pages.add(url)
        try:
            site = site_of(url)
        except ValueError:
            raise Failed(of_pages(question, "a link that is no URL")) from None
        if site not in self.sites:
            raise Failed(of_pages(question, f"a link to another host: {site.host}:{site.port}"))
        return site

    def _secrets_of(self, request: requests.PreparedRequest) -> list[str]:
        held = [*self.secrets, str(request.headers.get("Authorization", "")).partition(" ")[2]]
        if isinstance(request.body, str):
            held += [value for name, value in parse_qsl(request.body) if name not in ("grant_type", "client_id")]
        return held

    # the exchange

    def _call(self, request: requests.PreparedRequest, site: Site) -> Answer:
        """With its record, once more if its connection was stale. Raises Failed."""
        began = self._clock()
        self._forget()
        try:
            try:
                return self._exchange(request, site)
            except _Stale:
                self.trail.retried += 1
                return self._exchange(request, site)
        except TooLarge:
            words = f"larger than {self.trail.body_limit} bytes"
            raise Failed(of_shape(self._question, self._head or Answer(0, {}, b""), words)) from None
        except (OSError, http.client.HTTPException, ProxyRefused) as error:
            raise self.failed(error, self._stage) from None
        finally:
            head = self._head
            self.trail.calls.append(
                Call(
                    name=self._question.call,
                    began=began,
                    ended=self._clock(),
                    status=head.status if head is not None else None,
                    request_id=head.request_id[:200] if head is not None else "",
                )
            )

    def _forget(self) -> None:
        self._head = None

    def _exchange(self, request: requests.PreparedRequest, site: Site) -> Answer:
        line = self._line(site, alone=request.method == "POST")
        self.trail.address = line.address
        kept, line.used = line.used, True
        self._stage = Stage.FIRST_BYTE
        connection = line.connection
        body = request.body
        assert connection.sock is not None
        assert body is None or isinstance(body, str | bytes)
        connection.sock.settimeout(min(self.patience, self._limits.read))
        sent = self._clock()
        whole = False
        try:
            connection.request(request.method or "", self._path(request, site), body, dict(request.headers))
            sent = self._clock()
            if self.trail.sent is None:
                self.trail.sent = sent
            response = connection.getresponse()
            if self.trail.first_byte is None:
                self.trail.first_byte = self._clock()
            self._head = Answer(response.status, _by_name(response), b"")
            self._stage = Stage.BODY
            answer = self._head._replace(body=_read(response, self.trail.body_limit))
            if response.length is None and not response.chunked and self._watch.ended is not None:
                raise Over("the call is over")  # a body that ends with its connection, which we have ended
            whole = True
            return answer
        except ConnectionError as error:
            if kept and self._is_stale(request, line, sent):
                raise _Stale from error
            raise
        finally:
            if not whole or connection.sock is None:
                connection.close()
                self._lines.pop(site, None)

    def _is_stale(self, request: requests.PreparedRequest, line: _Line, sent: float) -> bool:
        """An idle connection was closed as we wrote: RFC 9110 §9.2.2, and what Go's client, the CLI's, does."""
        soon = self._clock() - sent <= min(line.opening, _STALE_LONGEST) + _STALE_SLACK
        return request.method == "GET" and self._head is None and self._watch.ended is None and soon

    def _line(self, site: Site, *, alone: bool) -> _Line:
        """The connection kept for this site, or another; `alone`: never one that was used, since it can't be asked
        twice."""
        line = self._lines.get(site)
        if line is not None and not alone:
            return line
        began = self._clock()
        dialled = self._dialer.dial(site, self._enter)
        connection = http.client.HTTPConnection(site.host, site.port)
        connection.default_port = 443 if site.secure else 80  # else Host would name it
        connection.auto_open = 0  # it must never dial by itself
        connection.response_class = Response
        connection.sock = dialled.sock
        if line is not None:
            line.connection.close()
        self._lines[site] = line = _Line(connection, dialled.address, self._clock() - began)
        return line

    def _enter(self, stage: Stage) -> None:
        self._stage = stage

    def _path(self, request: requests.PreparedRequest, site: Site) -> str:
        """A proxy without a tunnel wants the whole URL (RFC 9112 §3.2.2)."""
        if self._dialer.proxy is None or site.secure:
            return request.path_url
        if self._dialer.proxy.authorization is not None:
            request.headers["Proxy-Authorization"] = self._dialer.proxy.authorization
        return request.url or ""


class _Stale(Exception):
    """The kept connection was closed before a byte of the answer came."""


def _by_name(response: http.client.HTTPResponse) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for raw, value in response.getheaders():
        name = raw.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _read(response: http.client.HTTPResponse, limit: int) -> bytes:
    """The whole body. Raises TooLarge, IncompleteRead, OSError."""
    body = bytearray()
    while piece := response.read(_CHUNK):
        body += piece
        if len(body) > limit:
            raise TooLarge
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(body)


def _lack(call: str, words: str) -> Lack:
    about = words.lower()
    logs = "stats" in about or "log" in about
    component = Component.LOG_CACHE if logs else Component.CLOUD_CONTROLLER
    return Lack(call, component, f"X-Cf-Warnings: {words}", words)
