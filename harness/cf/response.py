"""An HTTP answer as `http.client` reads it, but for one thing: to that, the end of the stream ends the headers too, so
that an answer which broke off in its head would pass for one without a body."""

import http.client
from typing import Any, BinaryIO


class _Strict:
    """A stream whose lines end: whoever reads by lines reads a head, or the size of a chunk."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._begun = False

    def readline(self, limit: int = -1) -> bytes:
        """Raises IncompleteRead if the stream ends in it. That none came at all is told by an empty first line."""
        line = self._stream.readline(limit)
        if not line.endswith(b"\n") and len(line) != limit and (line or self._begun):
            raise http.client.IncompleteRead(line)
        self._begun = True
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Response(http.client.HTTPResponse):
    """What a connection is told to read its answers by."""

    def begin(self) -> None:
        """Read the head. Raises HTTPException, OSError."""
        if not isinstance(self.fp, _Strict):
            self.fp = _Strict(self.fp)  # type: ignore[assignment]
        super().begin()
