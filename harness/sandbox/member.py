"""One component's process, as the supervisor sees it: started, told, stopped, frozen, killed."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path

import msgspec

import harness
from harness.errors import HarnessError
from harness.sandbox.wire import Command, Reply, Spec, decode_reply, encode

_START_TIMEOUT = 20.0  # seconds
_REPLY_TIMEOUT = 5.0
_END_TIMEOUT = 1.0  # from the end of its standard input to SIGKILL

# What a component may need of our environment; credentials of a pipeline are not among it.
_PASSED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "OPENSSL_CONF")
_PASSED_PREFIXES = ("LC_", "PYTHON", "COVERAGE_")


class SandboxError(HarnessError):
    """The sandbox can't start, or can't do what a step says."""


class Member:
    """A component by name. At most one process at a time.

    Processes are begun by `nursery`, a thread that lives as long as the sandbox: PR_SET_PDEATHSIG fires at the death of
    the *thread* that forked (prctl(2)).
    """

    def __init__(self, name: str, folder: Path, nursery: Executor, make_spec: Callable[[], Spec]) -> None:
        self.name = name
        self.frozen = False
        self._log = folder / f"{name.replace('/', '-')}.log"
        self._nursery = nursery
        self._make_spec = make_spec
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._telling = threading.Lock()

    @property
    def kind(self) -> str:
        """balancer, router, app, api or uaa."""
        return self.name.partition("/")[0]

    @property
    def alive(self) -> bool:
        """Its process runs, be it frozen."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id, while it has one."""
        return self._process.pid if self._process is not None else None

    def begin(self) -> None:
        """Start its process; it may not serve yet. Raises SandboxError."""
        if self.alive:
            raise SandboxError(f"{self.name} is running already")
        self._forget()
        command = [sys.executable, "-P", "-m", f"harness.sandbox.{self.kind}"]
        try:
            self._process = self._nursery.submit(_spawn, command, self._log).result()
            assert self._process.stdin is not None
            self._process.stdin.write(encode(self._make_spec()))
        except OSError as error:
            raise SandboxError(f"{self.name} can't start: {error.strerror or error}") from error

    def await_ready(self) -> None:
        """Until it serves. Raises SandboxError."""
        with self._telling:
            self._reply(_START_TIMEOUT)

    def tell(self, command: Command) -> Reply:
        """Let it carry out a command. Raises SandboxError where it doesn't."""
        with self._telling:
            if not self.alive or self._process is None or self._process.stdin is None:
                raise SandboxError(f"{self.name} is not running")
            try:
                self._process.stdin.write(encode(command))
            except OSError:
                raise SandboxError(f"{self.name} has just ended{self._complaint()}") from None
            return self._reply(_REPLY_TIMEOUT)

    def wait(self, seconds: float) -> int | None:
        """Its exit code; None if it still runs then."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """SIGKILL; a frozen process dies of it too."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self.frozen = False

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)
        self.frozen = False

    def dismiss(self) -> None:
        """Ask it to end at once; see `end`."""
        if self._process is not None and self._process.stdin is not None:
            self.thaw()
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def end(self) -> None:
        """Be rid of it."""
        self.dismiss()
        if self.wait(_END_TIMEOUT) is None:
            self.kill()
        self._forget()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _reply(self, seconds: float) -> Reply:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        end = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise SandboxError(f"{self.name} has not answered for {seconds:g} seconds{self._complaint()}")
            data = os.read(descriptor, 65536)
            if not data:
                process.wait()
                raise SandboxError(f"{self.name} has ended (exit code {process.returncode}){self._complaint()}")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            reply = decode_reply(line)
        except msgspec.MsgspecError as error:
            raise SandboxError(f"{self.name} said what nobody understands: {error}") from None
        if reply.problem:
            raise SandboxError(f"{self.name}: {reply.problem}")
        return reply

    def _complaint(self) -> str:
        """The last line of its stderr."""
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f": {lines[-1]}" if lines else ""

    def _forget(self) -> None:
        self._buffer = b""
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """In a session of its own: the terminal's Ctrl-C is for the supervisor alone."""
    with log.open("ab") as stderr:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            start_new_session=True,
            env=_environment(os.environ),
        )


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
    home = Path(harness.__file__).resolve().parent.parent
    if home.name not in ("site-packages", "dist-packages"):
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(home), kept.get("PYTHONPATH", "")]))
    return kept
