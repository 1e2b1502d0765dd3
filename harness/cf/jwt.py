"""What a UAA token says of itself: until when, and for what. Read and not verified, which is Cloud Controller's part.
Pure."""

import base64
from typing import NamedTuple

import msgspec


class Claims(NamedTuple):
    """Of an access token; an opaque one says nothing."""

    expires: float | None = None  # epoch seconds
    scopes: frozenset[str] = frozenset()


class _Payload(msgspec.Struct):
    exp: float | None = None
    scope: list[str] | str = []


def claims(token: str) -> Claims:
    """Never raises."""
    parts = token.split(".")
    if len(parts) != 3:
        return Claims()
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        payload = msgspec.json.decode(raw, type=_Payload)
    except (ValueError, msgspec.MsgspecError):
        return Claims()
    scopes = payload.scope.split() if isinstance(payload.scope, str) else payload.scope
    return Claims(payload.exp, frozenset(scopes))
