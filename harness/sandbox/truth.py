"""The truth log: what was done to the platform and what its components saw of themselves, as JSON lines.

Every process appends its own lines (a short write to a file opened with O_APPEND is one piece), so that a fact bears
the moment at which it was one, and is on file before the next thing happens.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec


class Truth:
    """An open log. Closed by who opened it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def note(self, event: str, target: str, step: str = "", **details: object) -> float:
        """Write a line. Gives its moment, monotonic seconds."""
        monotonic = time.monotonic()
        now = datetime.now(UTC)
        line = {
            "utc": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}Z",
            "monotonic": monotonic,
            "step": step,
            "event": event,
            "target": target,
            **details,
        }
        os.write(self._descriptor, msgspec.json.encode(line) + b"\n")
        return monotonic

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
