"""Takes secrets out of what a server sends back, before any of it gets near a message. Pure."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

_GONE = b"[removed]"
_SHORTEST = 3  # characters; less would remove half of every text, and proves nothing


def forms_of(secret: str) -> frozenset[bytes]:
    """The ways in which a server may echo it, or an exception show it: plain, in a form, a URL, JSON, quotes."""
    plain = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return frozenset(form.encode("utf-8", "replace") for form in plain)


def basic(user: str, secret: str) -> str:
    """As HTTP Basic writes the pair (RFC 7617 §2)."""
    return base64.b64encode(f"{user}:{secret}".encode()).decode()


def scrubbed(text: bytes, secrets: Iterable[str]) -> bytes:
    """Without any of them in any form."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            for form in forms_of(secret):
                text = text.replace(form, _GONE)
    return text
