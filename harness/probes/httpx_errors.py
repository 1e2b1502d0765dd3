"""Which cause an exception of httpx has. Pure; used by the `http` probe.

httpx wraps httpcore, which wraps anyio, asyncio, ssl, h11 or h2: the innermost exception tells most, the stage in which
it came tells the rest. The words of h11 and httpcore that are relied on here are watched by `tests/faults`.
"""

import socket
import ssl
from collections.abc import Iterator

from harness.engine.blame import Blame, Stage, of_connect, of_loss, of_names, of_tls
from harness.outcome import Cause, Component

_ENDED_BY_PEER = ("Server disconnected", "peer closed connection", "peer unexpectedly closed connection")
_HOW_ANYIO_READS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)  # in the chain of whatever it met at the socket then
_NO_ERROR = 0  # RFC 9113 §7


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that it stands for, outermost first. httpcore's pool raises `from None`, but its exceptions
    hold what they stand for as their argument."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [one.__cause__, one.__context__, *one.args, *getattr(one, "exceptions", ())]
        waiting += [another for another in inner if isinstance(another, BaseException)]


def blame_of(error: Exception, *, stage: str, begun: bool) -> Blame:
    """Why an attempt failed that was in this stage; `begun`: its answer had begun."""
    links = [one for one in chain(error) if not isinstance(one, _HOW_ANYIO_READS)]
    tls = next((one for one in links if isinstance(one, ssl.SSLError | ssl.CertificateError)), None)
    kernel = next((one for one in reversed(links) if _is_the_kernels(one)), None)
    if stage == Stage.CONNECT and isinstance(error, AttributeError) and kernel is None:
        # httpcore asks anyio for the socket of a connection that was reset as soon as it was open
        return of_loss(ConnectionResetError("reset as soon as it was open"), begun=False)
    names = next((one for one in links if isinstance(one, socket.gaierror)), None)
    if stage == Stage.CONNECT:
        if names is not None:
            return of_names(names)
        if isinstance(kernel, OSError):
            return of_connect(kernel)
        if _is_proxys(links):
            return Blame(Cause.CONNECT_UNREACHABLE, Component.NETWORK, f"the proxy answered: {_words(error)}")
        return of_connect(OSError(_words(error)))
    if stage == Stage.TLS:
        if isinstance(tls, Exception):
            return of_tls(tls)
        return of_tls(kernel if isinstance(kernel, OSError) else OSError(_words(links[-1])))
    if isinstance(tls, Exception):
        return of_loss(tls, begun=begun)
    if isinstance(kernel, OSError):
        return of_loss(kernel, begun=begun)
    told = _told_by_http2(links, begun=begun)
    if told is not None:
        return told
    words = _words(error)
    if words.startswith(_ENDED_BY_PEER) or any(type(one).__name__ == "EndOfStream" for one in links):
        return of_loss(None, begun=begun)
    if any(type(one).__name__ in ("RemoteProtocolError", "LocalProtocolError", "DecodingError") for one in links):
        return Blame(Cause.PROTOCOL, Component.TARGET, f"malformed answer: {words}")
    if any(type(one).__module__.startswith(("h2.", "hpack.", "hyperframe.")) for one in links):
        return Blame(Cause.PROTOCOL, Component.TARGET, f"malformed HTTP/2: {type(error).__name__}: {words}")
    if any(
        type(one).__name__ in ("ReadError", "WriteError", "BrokenResourceError", "ClosedResourceError") for one in links
    ):
        return of_loss(ConnectionResetError(words), begun=begun)
    return Blame(Cause.INTERNAL, Component.HARNESS, f"httpx: {type(error).__name__}: {words}")


def is_loss(blame: Blame) -> bool:
    """The connection ended under the attempt: what a stale kept-alive connection looks like."""
    return blame.cause in (Cause.RESET, Cause.CLOSED_EARLY)


def _is_the_kernels(error: BaseException) -> bool:
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno is not None


def _is_proxys(links: list[BaseException]) -> bool:
    return any(type(one).__name__ == "ProxyError" for one in links)


def _told_by_http2(links: list[BaseException], *, begun: bool) -> Blame | None:
    """RST_STREAM and GOAWAY (RFC 9113 §6.4, §6.8): httpcore raises h2's event as its exception's argument."""
    for one in links:
        for event in one.args:
            code = getattr(event, "error_code", None)
            if code is None or isinstance(event, BaseException):
                continue
            name = getattr(code, "name", str(code))
            stage = Stage.BODY if begun else Stage.FIRST_BYTE
            if hasattr(event, "stream_id"):
                return Blame(Cause.RESET, Component.NETWORK, f"stream reset by the peer ({name}) while {stage}")
            cause = Cause.CLOSED_EARLY if code == _NO_ERROR else Cause.RESET
            return Blame(cause, Component.NETWORK, f"GOAWAY from the peer ({name}) while {stage}")
    return None


def _words(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__)[:200]
