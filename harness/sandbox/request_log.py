"""The request log: what the API and UAA were asked, as JSON lines. Never a body, never a header that may hold a secret;
of the token endpoint's form the kind of grant alone."""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.sandbox.message import Request


class RequestLog:
    """An open log. Closed by who opened it."""

    def __init__(self, path: Path, component: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._component = component

    def note(self, request: Request, status: int | None, request_id: str, **details: object) -> None:
        """Write a line, unless the log is closed. No status: the client went before there was one."""
        if self._descriptor < 0:  # what is cut off at the very end
            return
        now = datetime.now(UTC)
        line = {
            "utc": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}Z",
            "component": self._component,
            "method": request.method.decode("latin-1"),
            "path": request.path,
            "status": status,
            "user_agent": (request.header(b"user-agent") or b"").decode("latin-1"),
            "request_id": request_id,
            **details,
        }
        os.write(self._descriptor, msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
