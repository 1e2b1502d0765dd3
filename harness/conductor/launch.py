"""Starting a worker as a process of its own, and the lines that go in and come out of it.

The conductor knows only `WorkerProcess`; tests lend it workers that live in its own loop.
"""

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

import harness
from harness.background import in_front
from harness.spec import Spec

LINE_LIMIT = 16 * 1024 * 1024  # bytes of one frame
COMPLAINTS = 20  # lines of a worker's stderr that are kept
_COMPLAINT_LENGTH = 500

# What a worker may need of our environment. The credentials that a pipeline's environment holds are not among it.
_PASSED = (
    "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "RES_OPTIONS", "LOCALDOMAIN",
)  # fmt: skip
_PASSED_PREFIXES = ("LC_", "PYTHON", "COVERAGE_")


class WorkerProcess(Protocol):
    """A running worker, near or far."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def complaints(self) -> Sequence[str]:
        """The last lines of its stderr."""

    def messages(self) -> AsyncIterator[bytes]:
        """Its lines, newline included, until it ends, without one torn by its death. ValueError: a line too long."""

    def tell(self, line: bytes) -> None:
        """Send it a line. A worker that is gone can't hear it, which is no error."""

    async def wait(self) -> int:
        """Its exit code; negative: the signal that killed it."""

    def kill(self) -> None:
        """End it at once. A worker that is gone stays so."""


Launch = Callable[[Spec], Awaitable[WorkerProcess]]


class Subprocess:
    """A worker process of this machine."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._complaints: deque[str] = deque(maxlen=COMPLAINTS)
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def complaints(self) -> Sequence[str]:
        """The last lines of its stderr, each cut to a readable length."""
        return tuple(self._complaints)

    async def messages(self) -> AsyncIterator[bytes]:
        """Its lines, as they come."""
        assert self._process.stdout is not None
        while (line := await self._process.stdout.readline()).endswith(b"\n"):
            yield line

    def tell(self, line: bytes) -> None:
        """Write a line to its stdin."""
        stdin = self._process.stdin
        assert stdin is not None
        if not stdin.is_closing():
            stdin.write(line)

    async def wait(self) -> int:
        """Wait for its end, and for the last of its stderr."""
        code = await self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait([self._listener], timeout=0.5)  # a grandchild may hold stderr open
        self._listener.cancel()
        return code

    def kill(self) -> None:
        """SIGKILL; a stopped process (SIGSTOP) dies of it too."""
        if self._process.returncode is None:
            self._process.kill()

    async def _listen(self) -> None:
        """Drain stderr, or a talkative worker would block on it."""
        assert self._process.stderr is not None
        rest = b""
        while piece := await self._process.stderr.read(65536):
            *lines, rest = (rest + piece).split(b"\n")
            self._keep(lines)
            rest = rest[:_COMPLAINT_LENGTH]
        self._keep([rest])

    def _keep(self, lines: list[bytes]) -> None:
        for line in lines[-COMPLAINTS:]:
            if text := line.decode(errors="replace").strip():
                self._complaints.append(text[:_COMPLAINT_LENGTH])


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What of `environ` a worker is given; our own package is found even if it was never installed."""
    kept = {name: value for name, value in environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
    home = Path(harness.__file__).resolve().parent.parent
    if home.name not in ("site-packages", "dist-packages"):
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(home), kept.get("PYTHONPATH", "")]))
    return kept


def subprocess_launcher(
    environ: Mapping[str, str], command: Sequence[str] = (sys.executable, "-P", "-m", "harness.worker")
) -> Launch:
    """Starts workers by `command`, each in a session of its own: the terminal's Ctrl-C is for the conductor alone."""
    environment = worker_environment(environ)

    async def launch(spec: Spec) -> WorkerProcess:
        """Raises OSError if no process can be started."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=environment,
            limit=LINE_LIMIT,
        )
        in_front(process.pid)
        worker = Subprocess(process)
        worker.tell(msgspec.json.encode(spec) + b"\n")
        return worker

    return launch
