"""A real terminal (a pseudo one): the view, Ctrl-C, and the report in its place."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cli.commanding import PROGRAM, bare, environment, target, widest

# Makes the terminal on its standard input the controlling one, so that a typed Ctrl-C is a SIGINT.
_IN_CHARGE = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A command in a terminal of 80 by 24, and all that it showed."""

    def __init__(self, folder: Path, *words: str, **environ: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        env = environment(**environ)
        del env["COLUMNS"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _IN_CHARGE, *PROGRAM, *words],
            cwd=folder,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._shown = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: the last one who had it open has closed it
            while piece := os.read(self._ours, 65536):
                self._shown += piece

    @property
    def raw(self) -> str:
        return self._shown.decode(errors="replace")

    def until(self, pattern: str, seconds: float = 30.0) -> None:
        """Wait until it has shown this."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, bare(self.raw)):
            assert time.monotonic() < deadline, bare(self.raw)
            assert self.process.poll() is None, bare(self.raw)
            time.sleep(0.02)

    def type(self, keys: bytes) -> None:
        """As if at the keyboard."""
        os.write(self._ours, keys)

    def close(self) -> int:
        """Wait for the end. Returns the exit code."""
        code = self.process.wait(30)
        self._reader.join()
        os.close(self._ours)
        return code


@contextlib.contextmanager
def terminal(folder: Path, *words: str, **environ: str) -> Iterator[Terminal]:
    """A terminal whose command is killed at last if it still goes on."""
    screen = Terminal(folder, *words, **environ)
    try:
        yield screen
    finally:
        if screen.process.poll() is None:
            screen.process.kill()
            screen.close()


def test_the_view_follows_the_run_and_the_report_takes_its_place(tmp_path: Path) -> None:
    with target() as good, terminal(tmp_path, "run", good.url, "--rate", "50/s") as screen:
        screen.until("waiting for 1s without failure.*Ctrl-C gives up")
        screen.until("watching since [0-9:]{8} UTC, 1 s .*Ctrl-C stops and judges")
        screen.until(r"app +50/s +good \d+ +bad 0 .*p99 ")
        good.answer = 503
        screen.until("✖ OUTAGE since [0-9:.]{12}.*status 5xx")
        good.answer = 200
        screen.until("newest failure .*status 5xx")
        screen.type(b"\x03")
        code = screen.close()
    assert code == 1, bare(screen.raw)
    assert "\x1b[?25l" in screen.raw  # the cursor is hidden …
    assert screen.raw.rindex("\x1b[?25h") > screen.raw.rindex("\x1b[?25l")  # … and shown again
    report = bare(screen.raw)[bare(screen.raw).rindex("FAIL ") :]
    assert "ended by SIGINT" in report
    assert "Objectives" in report
    assert "\x1b[1;31mFAIL" in screen.raw
    assert widest(screen.raw) <= 80


def test_lines_where_a_view_is_not_wanted_or_possible(tmp_path: Path) -> None:
    """Asked for; on a terminal without a cursor; beside a command, which writes there too."""
    with (
        target() as good,
        terminal(tmp_path, "run", good.url, "--duration", "1s", "--no-live") as plain,
        terminal(tmp_path, "run", good.url, "--duration", "1s", TERM="dumb") as dumb,
        terminal(tmp_path, "run", good.url, "--while", "--", "sleep", "1") as beside,
    ):
        for screen in (plain, dumb, beside):
            assert screen.close() == 0, screen.raw
            assert re.search(r"\d\d:\d\d:\d\dZ ready, judging", screen.raw)
            assert "\x1b[?25l" not in screen.raw


def test_colour_and_signs_are_as_the_terminal_takes_them(tmp_path: Path) -> None:
    with (
        target() as good,
        terminal(tmp_path, "run", good.url, "--duration", "1s", NO_COLOR="1") as pale,
        terminal(tmp_path, "run", good.url, "--duration", "1s", "--no-live", PYTHONIOENCODING="ascii") as old,
    ):
        assert (pale.close(), old.close()) == (0, 0)
    assert "✔ met" in bare(pale.raw)
    assert not re.search(r"\x1b\[[0-9;]*3\dm", pale.raw)
    assert old.raw.isascii()
    assert "+ met" in bare(old.raw)
