"""Who asks Cloud Controller: tokens checked by UAA's keys, which are fetched when they are needed and kept."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Literal

from harness.sandbox.cc_errors import ApiError
from harness.sandbox.message import Request
from harness.sandbox.tokens import Claims, Keys, TokenError, read_keys, read_token

_KEYS_TIMEOUT = 5.0  # seconds
_QUESTION = (
    b"GET /token_keys HTTP/1.1\r\nHost: uaa.service.cf.internal\r\nUser-Agent: cloud-controller\r\n"
    b"Connection: close\r\n\r\n"
)
_EXEMPT = {"cloud_controller.admin", "cloud_controller.admin_read_only"}


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    kind: Literal["nobody", "invalid", "known"]  # no token, one that is not good, a good one
    guid: str = ""
    name: str = ""  # of a user
    reads_all: bool = False  # an administrator, if a read-only one


class Callers:
    """Knows people by their tokens."""

    def __init__(self, uaa_port: int, rev_sig: str) -> None:
        self.rev_sig = rev_sig
        self._port = uaa_port
        self._keys: Keys = {}

    def forget_keys(self) -> None:
        """UAA has others."""
        self._keys = {}

    async def know(self, request: Request, now: float) -> Caller:
        """Who sent a request. `now` in Unix seconds. Raises ApiError where UAA must be asked and doesn't answer."""
        scheme, _, token = (request.header(b"authorization") or b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return Caller("nobody")
        try:
            claims = await self._read(token.strip())
        except TokenError:
            return Caller("invalid")
        if claims.exp <= now or claims.rev_sig != self.rev_sig:
            return Caller("invalid")
        return Caller("known", claims.sub, claims.user_name, bool(_EXEMPT & set(claims.scope)))

    async def _read(self, token: str) -> Claims:
        """With the keys that are known; if they don't fit, with those that UAA has now (CC uaa_token_decoder.rb)."""
        if self._keys:
            with contextlib.suppress(TokenError):
                return read_token(token, self._keys)
        self._keys = await _fetch_keys(self._port)
        return read_token(token, self._keys)


async def _fetch_keys(port: int) -> Keys:
    try:
        async with asyncio.timeout(_KEYS_TIMEOUT):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_QUESTION)
                whole = await reader.read(-1)
            finally:
                writer.close()
    except OSError as error:  # TimeoutError is one
        raise ApiError("CF-UaaUnavailable") from error
    head, _, body = whole.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 429 "):
        raise ApiError("CF-UaaRateLimited")
    try:
        return read_keys(body)
    except ValueError as error:
        raise ApiError("CF-UaaUnavailable") from error
