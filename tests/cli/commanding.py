"""The program as a process, and targets on loopback that misbehave when told."""

import contextlib
import json
import os
import re
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.cells import cell_len

from harness.verdict import Verdict

ROOT = Path(__file__).parent.parent.parent
PROGRAM = (sys.executable, "-m", "harness")
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-B0-2])")


def environment(**more: str) -> dict[str, str]:
    """Ours, with the tree that is tested first, 80 columns and no colour."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    unset = ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "TERMINAL_WIDTH")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, "PYTHONPATH": path, "COLUMNS": "80", "TERM": "xterm", **more}


class Ended(NamedTuple):
    """A command that is over."""

    code: int
    out: str
    err: str

    @property
    def verdict(self) -> Verdict:
        return msgspec.json.decode(self.out, type=Verdict)

    @property
    def value(self) -> Any:
        return json.loads(self.out)


class Going:
    """A command that goes on."""

    def __init__(self, folder: Path, words: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, *words],
            cwd=folder,
            env=environ or environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._grown:
                self.said.append(line)
                self._grown.notify_all()

    def until_said(self, what: str, seconds: float = 30.0) -> None:
        """Wait until a line of stderr has these words in it."""
        with self._grown:
            assert self._grown.wait_for(lambda: any(what in line for line in self.said), seconds), self.said

    def ended(self) -> Ended:
        """Wait for the end."""
        assert self.process.stdout is not None
        out = ""
        if not self.process.stdout.closed:
            with self.process.stdout:
                out = self.process.stdout.read()
        code = self.process.wait(30)
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return Ended(code, out, "".join(self.said))


@contextlib.contextmanager
def going(folder: Path, *words: str) -> Iterator[Going]:
    """A command in its own process, killed at last if it still goes on."""
    command = Going(folder, words)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.process.kill()
            command.ended()


def cf(folder: Path, *words: str, **environ: str) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        [*PROGRAM, *words],
        cwd=folder,
        env=environment(**environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def bare(text: str) -> str:
    """Without what moves a cursor or colours."""
    return _ESCAPES.sub("", text)


def widest(text: str) -> int:
    """Cells of the longest line."""
    return max((cell_len(line) for line in re.split(r"[\r\n]+", bare(text))), default=0)


class Target(socketserver.ThreadingTCPServer):
    """Answers 200, or as `answer` says: a status, or None for nothing at all while it stays so."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: int | None = 200
        self.served = 0
        self.every = 0  # each so manieth answer is 503

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def serve(self, more: int, seconds: float = 30.0) -> None:
        """Wait until so many more requests were answered."""
        until, deadline = self.served + more, time.monotonic() + seconds
        while self.served < until:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none."""


class _Handler(socketserver.StreamRequestHandler):
    server: Target

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline():
                if line != b"\r\n":
                    continue
                while self.server.answer is None:
                    time.sleep(0.02)
                self.server.served += 1
                failing = self.server.every and self.server.served % self.server.every == 0
                status = 503 if failing else self.server.answer
                self.wfile.write(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\nok" % status)


@contextlib.contextmanager
def target() -> Iterator[Target]:
    """A target on loopback."""
    with Target() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.answer = 200
            server.shutdown()
            thread.join()
