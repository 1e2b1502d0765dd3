"""Reads one HTTP/1.x answer after another from bytes: framing by httptools (llhttp), bounds and refusals by us.

Sans-I/O: it knows no socket and no time, so it can be fuzzed with anything. RFC 9112 for framing, RFC 9110 §15.2 for
interim answers.
"""

import httptools

HEAD_LIMIT = 64 * 1024  # bytes of status line and headers


class AnswerError(Exception):
    """What came is not a well-formed answer to the one request that is in flight; the text says how."""


class AnswerReader:
    """Eats bytes; `complete` once the final answer to the current request is whole. One request at a time."""

    __slots__ = (
        "_bodyless",
        "_head_bytes",
        "_head_done",
        "_headers",
        "_keep_alive",
        "_keep_body",
        "_limit",
        "_parser",
        "_surplus",
        "body",
        "body_bytes",
        "complete",
        "head",
        "status",
        "truncated",
    )

    def __init__(self, *, bodyless: bool, body_limit: int, keep_body: bool) -> None:
        """`bodyless`: the request is a HEAD. `body_limit`: bytes of a body that are read. `keep_body`: for a check."""
        self._bodyless = bodyless
        self._limit = body_limit
        self._keep_body = keep_body
        self._parser = httptools.HttpResponseParser(self)
        self.body = b""
        self.truncated = False
        self._surplus = False
        self._keep_alive = False
        self.reset()

    def reset(self) -> None:
        """Make ready for the answer to the next request, after one that left the connection usable."""
        if self._bodyless:  # llhttp still expects the body that a HEAD's length announces
            self._parser = httptools.HttpResponseParser(self)
        self.head = b""
        self.status = 0
        self.body_bytes = 0
        if self._keep_body:
            self.body = b""
        self.complete = False
        self._head_done = False
        self._headers: dict[str, str] | None = None

    @property
    def begun(self) -> bool:
        """At least one byte of an answer came."""
        return bool(self.head)

    @property
    def head_done(self) -> bool:
        """Status line and headers of the final answer are whole."""
        return self._head_done

    def feed(self, data: bytes) -> bool:
        """Eat what came; True when the answer is complete. Raises AnswerError."""
        if not self._head_done:
            self.head = self.head + data if self.head else data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise AnswerError("answered 101: switched to another protocol unasked") from None
        except httptools.HttpParserError as error:
            raise AnswerError(f"malformed answer: {error}") from None
        if self._surplus:
            raise AnswerError(f"not one well-formed answer: status {self.status}, or more bytes than it holds")
        if not self._head_done and len(self.head) > HEAD_LIMIT:
            raise AnswerError(f"headers larger than {HEAD_LIMIT} bytes")
        if self.body_bytes > self._limit and not self.complete:
            self.truncated = True
            self.complete = True
        return self.complete

    def eof(self) -> bool:
        """The connection ended; True if that completes an answer whose end is the connection's (RFC 9112 §6.3)."""
        if self._head_done and not self.complete:
            # llhttp was not told of the end, since it would only repeat this rule
            headers = self.headers()
            if "content-length" not in headers and "transfer-encoding" not in headers:
                self.complete = True
        return self.complete

    def can_be_reused(self) -> bool:
        """The connection may carry another request after this answer."""
        if self.truncated:
            return False
        if self._bodyless:
            return "close" not in self.headers().get("connection", "").lower()
        return self._keep_alive

    def headers(self) -> dict[str, str]:
        """The final answer's headers, names in lower case, repeated ones joined by commas (RFC 9110 §5.3).

        Read only when asked for: most answers are judged by their status alone.
        """
        if self._headers is None:
            headers: dict[str, str] = {}
            head = self.head
            end = head.find(b"\r\n\r\n")
            lines = (head if end < 0 else head[:end]).decode("latin-1").replace("\r\n", "\n").split("\n")
            for line in lines[1:]:
                if not line:
                    break
                name, colon, value = line.partition(":")
                if colon:
                    name = name.strip().lower()
                    headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
            self._headers = headers
        return self._headers

    # what httptools calls

    def on_message_begin(self) -> None:
        """A status line begins; after a complete answer there must be none."""
        if self.complete:
            self._surplus = True

    def on_headers_complete(self) -> None:
        """Headers are whole; an interim answer's (1xx) are set aside."""
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            cut = self.head.find(b"\r\n\r\n")
            # several may have come in one piece: what lies behind this one is the next
            self.head = self.head[cut + 4 :] if cut >= 0 else b""
            return
        self.status = status
        self._head_done = True
        if status < 100:
            self._surplus = True  # RFC 9110 §15: no such class
        if self._bodyless:
            self.complete = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body, of at least one byte."""
        if self._bodyless:
            self._surplus = True
            return
        self.body_bytes += len(data)
        if self._keep_body and len(self.body) < self._limit:
            self.body += data[: self._limit - len(self.body)]

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was interim."""
        if self._head_done:
            self.complete = True
            self._keep_alive = self._parser.should_keep_alive()  # llhttp forgets it with the next byte
