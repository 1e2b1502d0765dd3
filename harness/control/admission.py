"""Who may ask the control API: decided from a request's head alone. Pure.

With a token every request but the public ones must carry it (RFC 6750 §2.1). Without one the API is on loopback, and
the browser of somebody on this machine must not be made to ask it: the Host must be loopback (DNS rebinding). A request
that says that it comes from another origin (RFC 6454 §7) is refused in both cases.
"""

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

PUBLIC = ("/healthz", "/openapi.json")
LARGEST_HEAD = 16 * 1024  # bytes

Headers = Sequence[tuple[bytes, bytes]]  # names in lower case


@dataclass(frozen=True)
class Denied:
    """Why a request is not let in."""

    status: int
    why: str


def denied(path: str, scheme: str, headers: Headers, token: str | None) -> Denied | None:
    """None: it may ask. `scheme`: http or https, as it came in."""
    if sum(len(name) + len(value) for name, value in headers) > LARGEST_HEAD:
        return Denied(431, f"the request's headers are longer than {LARGEST_HEAD} bytes")
    hosts = _all(headers, b"host")
    if token is None and not (len(hosts) == 1 and _is_loopback(hosts[0])):
        return Denied(403, "without a token this API answers to its loopback address alone, such as 127.0.0.1")
    for origin in _all(headers, b"origin"):
        if not hosts or origin.lower() != f"{scheme}://{hosts[0]}".lower():
            return Denied(403, "pages of other origins may not ask")
    if token is None or path in PUBLIC:
        return None
    given = _all(headers, b"authorization")
    if not given:
        return Denied(401, "this run wants a token: Authorization: Bearer TOKEN")
    kind, _, value = given[0].partition(" ")
    same = hmac.compare_digest(value.strip().encode("latin-1"), token.encode())
    if len(given) > 1 or kind.lower() != "bearer" or not same:
        return Denied(401, "that is not this run's token")
    return None


def _all(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in headers if key == name]


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
