"""Who may ask the control API, and how much: token, origin, size. An ASGI layer around the routes.

Without a token only this machine may ask, and only by a loopback name: a web page that has its own name point here (DNS
rebinding) is refused. There is no CORS: a page of another origin may neither read nor write.
"""

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.channel.messages import Refusal

LARGEST_BODY = 256 * 1024  # bytes: a thousand marks
PUBLIC = frozenset({"/healthz", "/openapi.json"})


class Guard:
    """Lets a request through, or answers it with the reason."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        """`token`: None lets every process of this machine in."""
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope["path"], headers)
        if refusal is None:
            body = await _body(headers, receive)
            if body is None:
                refusal = refused(413, f"the body is larger than {LARGEST_BODY} bytes")
            else:
                await self._app(scope, _told_again(body, receive), send)
                return
        await refusal(scope, receive, send)

    def _refusal(self, path: str, headers: Mapping[str, str]) -> Response | None:
        if path not in PUBLIC:
            if self._token is None:
                if not is_loopback(_host(headers.get("host", ""))):
                    return refused(403, "without a token only this machine may ask, by a loopback name")
            elif not _same(headers.get("authorization", ""), f"Bearer {self._token}"):
                answer = refused(401, "a bearer token is needed: Authorization: Bearer …")
                answer.headers["WWW-Authenticate"] = "Bearer"
                return answer
        origin = headers.get("origin")
        if origin is not None and urlsplit_safely(origin) != headers.get("host"):
            return refused(403, "a page of another origin may not ask")
        return None


def refused(status: int, why: str) -> Response:
    """An answer that says why not."""
    return Response(msgspec.json.encode(Refusal(error=why)), status, media_type="application/json")


def is_loopback(host: str) -> bool:
    """A name or an address of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def urlsplit_safely(url: str) -> str:
    """Host and port of a URL; empty where it is none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _host(header: str) -> str:
    host, _, port = header.rpartition(":")
    return host if host and port.isdecimal() else header


def _same(one: str, other: str) -> bool:
    """In a time that does not tell how far they agree."""
    return hmac.compare_digest(one.encode(), other.encode())


async def _body(headers: Mapping[str, str], receive: Receive) -> bytes | None:
    """The whole body; None: too large."""
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:18]) > LARGEST_BODY:
        return None
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""  # the client has gone
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _told_again(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
