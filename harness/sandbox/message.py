"""HTTP/1.1 messages as bytes: what a request was, and how an answer is written. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

Headers = Sequence[tuple[bytes, bytes]]
TEXT = (b"Content-Type", b"text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has come whole."""

    method: bytes
    target: bytes
    version: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    keep: bool  # its sender would use the connection again

    def header(self, name: bytes) -> bytes | None:
        """The first of that name (lower case)."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    @property
    def authority(self) -> str:
        """The host asked for as it stands in Host, port and all, lower case."""
        return (self.header(b"host") or b"").decode("latin-1").lower()

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def host(self) -> str:
        """The host asked for, without port, lower case."""
        value = self.authority
        return value if value.endswith("]") else value.rpartition(":")[0] or value


def reason(code: int) -> str:
    """The phrase of a status, where it has one."""
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "Unknown"


def head(code: int, headers: Headers, phrase: bytes | None = None) -> bytes:
    """A status line and headers, up to the empty line."""
    words = phrase if phrase is not None else reason(code).encode()
    lines = [b"HTTP/1.1 %d %s\r\n" % (code, words)]
    lines.extend(b"%s: %s\r\n" % header for header in headers)
    lines.append(b"\r\n")
    return b"".join(lines)


def answer(request: Request, code: int, headers: Headers, body: bytes) -> bytes:
    """A whole answer in one piece: two writes would cost the client a delayed acknowledgement."""
    bare = code in (204, 304)
    framing = [] if bare else [(b"Content-Length", b"%d" % len(body))]
    closing = [] if request.keep else [(b"Connection", b"close")]
    return head(code, [*headers, *framing, *closing]) + (b"" if bare or request.method == b"HEAD" else body)
