"""A thread that writes to the terminal, so that one that stands still (Ctrl-S, a full pipe) never holds up a run."""

import sys
import threading
from collections import deque
from types import TracebackType
from typing import Self

from harness.cli import hush
from harness.report.layout import in_ascii

_KEPT = 1000  # lines that wait for a terminal that stands still; older ones are dropped
_CLOSE_WITHIN = 1.0  # seconds that it may take at the end


class Voice:
    """Says lines on stderr, in order. `say` never blocks."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._news = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._write, name="voice", daemon=True)

    def say(self, line: str) -> None:
        """Write a line when the terminal takes it."""
        with self._news:
            self._lines.append(line)
            self._news.notify()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join(_CLOSE_WITHIN)

    def _write(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._lines or self._closing)
                if not self._lines:
                    return
                lines = list(self._lines)
                self._lines.clear()
            _print("\n".join(lines))


def _print(text: str) -> None:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except UnicodeEncodeError:
        text = in_ascii(text)
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:  # nobody listens any more, or a full disk
        hush(sys.stderr.fileno())
