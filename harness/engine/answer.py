"""Reads one HTTP/1.x answer after another from bytes: framing by httptools (llhttp), bounds and refusals by us.

Sans-I/O: it knows no socket and no time, so it can be fuzzed with anything. RFC 9112 for framing, RFC 9110 §15.2 for
interim answers.
"""

import httptools

HEAD_LIMIT = 64 * 1024  # bytes of status line and headers
INTERIM_LIMIT = 20  # answers of 1xx that may come before the final one; each costs the sender next to nothing
_HEAD_TOO_LARGE = f"headers larger than {HEAD_LIMIT} bytes"
_SURPLUS = "more bytes than one answer holds"


class AnswerError(Exception):
    """What came is not a well-formed answer to the one request that is in flight; the text says how."""


class AnswerReader:
    """Eats bytes; `complete` once the final answer to the current request is whole. One request at a time."""

    __slots__ = (
        "_alone",
        "_body",
        "_bodyless",
        "_head_done",
        "_headers",
        "_interims",
        "_keep_alive",
        "_keep_body",
        "_limit",
        "_parser",
        "_refusal",
        "body_bytes",
        "complete",
        "head",
        "interim",
        "status",
        "truncated",
    )

    def __init__(self, *, bodyless: bool, body_limit: int, keep_body: bool) -> None:
        """`bodyless`: the request is a HEAD. `body_limit`: bytes of a body that are read. `keep_body`: for a check."""
        self._bodyless = bodyless
        self._limit = body_limit
        self._keep_body = keep_body
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self.truncated = False
        self._refusal = ""
        self._keep_alive = False
        self._alone = False
        self.reset()

    def reset(self) -> None:
        """Make ready for the answer to the next request, after one that left the connection usable."""
        if self._bodyless:  # llhttp still expects the body that a HEAD's length announces
            self._parser = httptools.HttpResponseParser(self)
        self.head = b""
        self.interim = False
        self._interims = 0
        self.status = 0
        self.body_bytes = 0
        if self._keep_body:
            self._body = bytearray()
        self.complete = False
        self._head_done = False
        self._headers: dict[str, str] | None = None

    @property
    def begun(self) -> bool:
        """At least one byte of the final answer came; `interim` tells of one before it."""
        return bool(self.head)

    @property
    def body(self) -> bytes:
        """What was kept of the body, to the limit; empty if nobody wants it."""
        return bytes(self._body)

    @property
    def head_done(self) -> bool:
        """Status line and headers of the final answer are whole."""
        return self._head_done

    def feed(self, data: bytes) -> bool:
        """Eat what came; True when the answer is complete. Raises AnswerError."""
        self._alone = not self.head and not self.interim
        if not self._head_done:
            self.head = self.head + data if self.head else data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise AnswerError("answered 101: switched to another protocol unasked") from None
        except httptools.HttpParserError as error:
            if self._refusal or not self.truncated:
                raise AnswerError(self._refusal or f"malformed answer: {error}") from None
        if self._refusal:
            raise AnswerError(self._refusal)
        if not self._head_done and len(self.head) > HEAD_LIMIT:
            raise AnswerError(_HEAD_TOO_LARGE)
        return self.complete

    @property
    def repeatable(self) -> bool:
        """The complete answer came in one piece and left this reader as it was before it: the same bytes once more
        need not be fed to know what they say. Not so where more is looked at than bytes: a body that is kept, a HEAD's
        parser, an interim answer before it."""
        whole = self.complete and self._alone and self._keep_alive
        return whole and not (self._keep_body or self._bodyless or self.interim or self.truncated)

    def eof(self) -> bool:
        """The connection ended; True if that completes an answer whose end is the connection's (RFC 9112 §6.3)."""
        if self._head_done and not self.complete:
            # llhttp was not told of the end, since it would only repeat this rule
            headers = self.headers()
            coding = headers.get("transfer-encoding", "").rpartition(",")[2].strip().lower()
            if "content-length" not in headers and coding != "chunked":
                self.complete = True
        return self.complete

    def can_be_reused(self) -> bool:
        """The connection may carry another request after this answer."""
        if self.truncated:
            return False
        if self._bodyless:  # llhttp would have it that the body, which never comes, ends with the connection
            wish = self.headers().get("connection", "").lower()
            return "close" not in wish and (self._parser.get_http_version() != "1.0" or "keep-alive" in wish)
        return self._keep_alive

    def headers(self) -> dict[str, str]:
        """The final answer's headers, names in lower case, repeated ones joined by commas (RFC 9110 §5.3).

        Read only when asked for: most answers are judged by their status alone.
        """
        if self._headers is None:
            headers: dict[str, str] = {}
            lines = self.head[: self._head_end()].lstrip(b"\r\n").decode("latin-1").split("\r\n")
            for line in lines[1:]:
                if not line:
                    break
                name, colon, value = line.partition(":")
                if colon:
                    name = name.strip().lower()
                    headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
            self._headers = headers
        return self._headers

    def _head_end(self) -> int:
        """Where the body would begin. llhttp lets empty lines pass before a status line (RFC 9112 §2.2)."""
        head = self.head
        end = head.find(b"\r\n\r\n", len(head) - len(head.lstrip(b"\r\n")))
        return end + 4 if end >= 0 else len(head)

    # what httptools calls

    def on_message_begin(self) -> None:
        """A status line begins; after a complete answer there must be none."""
        if self.complete and not self.truncated:
            self._refusal = _SURPLUS

    def on_headers_complete(self) -> None:
        """Headers are whole; an interim answer's (1xx) are set aside."""
        if self.complete:  # another answer, in the piece in which a body went over its limit: nobody asked for it
            return
        if len(self.head) > HEAD_LIMIT and self._head_end() > HEAD_LIMIT:
            self._refusal = _HEAD_TOO_LARGE
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            # several may have come in one piece: what lies behind this one is the next
            self.head = self.head[self._head_end() :]
            self.interim = True
            self._interims += 1
            if self._interims > INTERIM_LIMIT:
                self._refusal = f"more than {INTERIM_LIMIT} interim answers before the final one"
            return
        self.status = status
        self._head_done = True
        if status < 100:
            self._refusal = f"status {status}: there is no such class (RFC 9110 §15)"
        if self._bodyless:
            self.complete = True
            if len(self.head) > self._head_end():
                self._refusal = _SURPLUS

    def on_body(self, data: bytes) -> None:
        """A piece of the body, of at least one byte."""
        self.body_bytes += len(data)
        if self._keep_body and len(self._body) < self._limit:
            self._body += data[: self._limit - len(self._body)]
        if self.body_bytes > self._limit:  # whatever follows, in this piece too, is not read
            self.truncated = True
            self.complete = True

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was interim."""
        if self._head_done:
            self.complete = True
            self._keep_alive = self._parser.should_keep_alive()  # llhttp forgets it with the next byte
