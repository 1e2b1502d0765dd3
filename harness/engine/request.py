"""The bytes of a runner's request, made once. Pure. RFC 9112 §3.2.1 for the request target, §3.2 for Host."""

from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from harness.spec import Spec

_DEFAULT_PORTS = {"http": 80, "https": 443}
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent again on another connection (RFC 9110 §9.2.2)."""


class Target(NamedTuple):
    """Where a URL leads."""

    secure: bool
    host: str
    port: int
    server_name: str  # for SNI and certificate


def target_of(spec: Spec) -> Target:
    """Host, port and server name of a spec's URL. Raises ValueError on a URL that is none."""
    parts = urlsplit(spec.url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"not an http or https URL: {spec.url}")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    host = parts.hostname
    return Target(parts.scheme == "https", host, port, spec.tls.server_name or host)


def request_headers(spec: Spec, user_agent: str) -> tuple[tuple[str, str], ...]:
    """Names and values. Headers of the spec replace ours, Host included."""
    headers = {
        "host": ("Host", _host_header(urlsplit(spec.url))),
        "user-agent": ("User-Agent", user_agent),
        "accept": ("Accept", "*/*"),
    }
    if spec.body or spec.method in ("POST", "PUT", "PATCH"):
        headers["content-length"] = ("Content-Length", str(len(spec.body)))
    if spec.fresh:
        headers["connection"] = ("Connection", "close")
    for name, value in spec.headers:
        headers[name.lower()] = (name, value)
    return tuple(headers.values())


def request_bytes(spec: Spec, user_agent: str) -> bytes:
    """The whole request."""
    parts = urlsplit(spec.url)
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    lines = [
        f"{spec.method} {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in request_headers(spec, user_agent)),
    ]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + spec.body


def _host_header(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    default = _DEFAULT_PORTS.get(parts.scheme)
    return host if parts.port in (None, default) else f"{host}:{parts.port}"
