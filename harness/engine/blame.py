"""Which cause a failure has, and which part of the platform it came from. Pure; `reference` for the router's own words:
gorouter's X-Cf-RouterError, and X-Vcap-Request-Id, which gorouter sets on everything that passed through it.
"""

import errno
import re
import socket
import ssl
from collections.abc import Mapping
from typing import NamedTuple

from harness.outcome import Cause, Component
from harness.spec import Expect


class Blame(NamedTuple):
    """A cause, where it came from, and the evidence in words."""

    cause: Cause
    component: Component
    detail: str
    evidence: str = ""  # why this component, where the detail does not say it


class Stage:
    """The stages in which an exchange can break, as words in details."""

    CONNECT = "connecting"
    TLS = "in the TLS handshake"
    FIRST_BYTE = "waiting for the first byte"
    BODY = "reading the body"


_WAITED = 0.001  # seconds in line that count
_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EACCES, errno.EPERM}
_FILES = {errno.EMFILE, errno.ENFILE}
_PORTS = {errno.EADDRNOTAVAIL, errno.EADDRINUSE}


def _words(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text[:200]


def of_connect(error: OSError) -> Blame:
    """Why a TCP connection was not made."""
    number = error.errno
    words = _words(error)
    if number in _FILES:
        return Blame(Cause.LOCAL_FILES, Component.HARNESS, f"out of file descriptors: {words} (raise `ulimit -n`)")
    if number in _PORTS:
        return Blame(
            Cause.LOCAL_PORTS,
            Component.HARNESS,
            f"no local port left: {words} (net.ipv4.ip_local_port_range, TIME_WAIT)",
        )
    if number in (errno.ENOBUFS, errno.ENOMEM):
        return Blame(Cause.INTERNAL, Component.HARNESS, f"the kernel has no memory for a socket: {words}")
    if number == errno.ECONNREFUSED:
        return Blame(Cause.CONNECT_REFUSED, Component.NETWORK, words)
    if number == errno.ETIMEDOUT:
        return Blame(Cause.CONNECT_TIMEOUT, Component.NETWORK, f"the kernel gave up: {words}")
    if number in _UNREACHABLE:
        return Blame(Cause.CONNECT_UNREACHABLE, Component.NETWORK, words)
    if number in (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE):
        return Blame(Cause.RESET, Component.NETWORK, f"while {Stage.CONNECT}: {words}")
    return Blame(Cause.CONNECT_UNREACHABLE, Component.NETWORK, words)


def of_tls(error: Exception) -> Blame:
    """Why a TLS handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Blame(Cause.TLS_CERTIFICATE, Component.NETWORK, (error.verify_message or _words(error))[:200])
    if isinstance(error, ssl.CertificateError):
        return Blame(Cause.TLS_CERTIFICATE, Component.NETWORK, _words(error))
    return Blame(Cause.TLS_HANDSHAKE, Component.NETWORK, f"{type(error).__name__}: {_words(error)}")


def of_names(error: OSError) -> Blame:
    """Why a host name has no address."""
    code = getattr(socket, "EAI_AGAIN", None)
    again = " (the name server did not answer)" if isinstance(error, socket.gaierror) and error.errno == code else ""
    return Blame(Cause.DNS, Component.DNS, f"{_words(error)}{again}")


def of_loss(error: Exception | None, *, begun: bool) -> Blame:
    """Why a connection ended under a request: reset by the peer, or closed before the answer was whole."""
    if isinstance(error, ssl.SSLError):
        return Blame(Cause.TLS_HANDSHAKE, Component.NETWORK, _words(error))
    stage = Stage.BODY if begun else Stage.FIRST_BYTE
    if error is None:
        return Blame(Cause.CLOSED_EARLY, Component.NETWORK, f"closed by the peer while {stage}")
    if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
        return Blame(Cause.TOTAL_TIMEOUT, Component.NETWORK, f"the kernel gave up while {stage}: {_words(error)}")
    return Blame(Cause.RESET, Component.NETWORK, f"{_words(error)} while {stage}")


def pool_limit(cap: int) -> Blame:
    """Every connection waited, and there are too few of them to say that the target stalls (rate x time-out)."""
    words = f"all {cap} connections wait; rate x timeout asks for more (`pool: {{max: …}}`)"
    return Blame(Cause.POOL_LIMIT, Component.HARNESS, words)


def shared_with_line(blame: Blame, waited: float, cap: int) -> Blame:
    """What ran out of time after it had waited (seconds) in the line of a pool that is too small: our own setting used
    up a part of that time, so nobody can say what the target would have done with it."""
    return pool_limit(cap) if blame.cause is Cause.TOTAL_TIMEOUT and waited > _WAITED else blame


class Judge:
    """Compares answers with what is expected. Compiled once for a runner."""

    __slots__ = ("_body", "_headers", "_ok", "needs_body", "plain")

    def __init__(self, expect: Expect) -> None:
        self._ok = frozenset(code for low, high in expect.statuses for code in range(low, high + 1))
        self._headers = tuple((name, re.compile(pattern)) for name, pattern in expect.headers)
        self._body = re.compile(expect.body.encode()) if expect.body is not None else None
        self.needs_body = self._body is not None
        self.plain = (
            frozenset(code for code in self._ok if code < 400)
            if not self._headers and self._body is None
            else frozenset()
        )
        """Status codes that are ok without a look at anything else: the hot path's only question."""

    def blame(self, status: int, headers: Mapping[str, str], body: bytes, *, platform: bool) -> Blame | None:
        """None if the answer is as expected. `platform`: an earlier answer proved that a Cloud Foundry router serves
        this target, so an error without its request id came from the load balancer before it."""
        router_error = headers.get("x-cf-routererror")
        if router_error is not None:
            return Blame(Cause.ROUTER, Component.ROUTER, f"{status} by the router: {router_error[:200]}")
        if status not in self._ok:
            return self._of_status(status, headers, body, platform)
        for name, pattern in self._headers:
            value = headers.get(name)
            if value is None or not pattern.search(value):
                seen = "is missing" if value is None else f"is {value[:100]!r}"
                return Blame(
                    Cause.HEADER_MISMATCH, Component.TARGET, f"header {name} {seen}, expected /{pattern.pattern}/"
                )
        if self._body is not None and not self._body.search(body):
            shown = body[:100].decode("utf-8", "replace")
            return Blame(
                Cause.BODY_MISMATCH,
                Component.TARGET,
                f"body {shown!r} does not match /{self._body.pattern.decode()}/",
            )
        return None

    @staticmethod
    def _of_status(status: int, headers: Mapping[str, str], body: bytes, platform: bool) -> Blame:
        passed_router = "x-vcap-request-id" in headers
        if passed_router:
            component = Component.APP
        elif platform and status in (502, 503, 504):
            component = Component.LOAD_BALANCER
        else:
            component = Component.TARGET
        server = headers.get("server", "")
        words = f"status {status}" + (f", server {server[:60]}" if server else "")
        if body:
            words += f": {body[:100].decode('utf-8', 'replace')}"
        if status == 429:
            after = headers.get("retry-after")
            return Blame(Cause.THROTTLED, component, words + (f", retry after {after[:40]}" if after else ""))
        if 400 <= status < 500:
            return Blame(Cause.STATUS_4XX, component, words)
        if 500 <= status < 600:
            return Blame(Cause.STATUS_5XX, component, words)
        location = headers.get("location")
        return Blame(Cause.STATUS_UNEXPECTED, component, words + (f", to {location[:120]}" if location else ""))
