"""Commands of cf-harness as real processes that cost little: forked from one that has imported everything.

`python -m tests.channel.zygote` reads a line of JSON for each command (its words, folder, and where output and exit
code go), forks, and answers with the child's process id. `Zygote` is the handle of those who ask.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from harness.channel.process import Process, is_gone
from tests.cli.commanding import ROOT, Ended, environment


class Child(NamedTuple):
    """A command that goes on, or has ended."""

    words: tuple[str, ...]
    process: Process
    stem: Path

    @property
    def over(self) -> bool:
        return is_gone(self.process)

    def signal(self, number: signal.Signals) -> bool:
        """Whether it was there to get it."""
        if self.over:
            return False
        try:
            os.kill(self.process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def ended(self, seconds: float = 90.0) -> Ended:
        """Its end; code -9: it was killed."""
        deadline = time.monotonic() + seconds
        while not self.over:
            assert time.monotonic() < deadline, f"{self.words} hangs: {self._read('err')}"
            time.sleep(0.01)
        code = self._read("code")
        return Ended(int(code) if code else -9, self._read("out"), self._read("err"))

    def _read(self, what: str) -> str:
        path = self.stem.with_suffix(f".{what}")
        return path.read_text() if path.exists() else ""


class Zygote:
    """A context manager around the process that forks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.channel.zygote"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def start(self, folder: Path, *words: str) -> Child:
        """Run a command there."""
        with self._lock:
            self._count += 1
            stem = folder / f"command-{self._count}"
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            asked = {"words": words, "folder": str(folder), "stem": str(stem)}
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            return Child(words, Process(*json.loads(self._process.stdout.readline())), stem)


def _serve() -> None:
    import harness.cli.app
    import harness.cli.meeting
    import harness.cli.run
    import harness.cli.status
    import harness.cli.stop
    import harness.cli.verdict
    import harness.cli.wait_ready  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        asked = json.loads(line)
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            _child(asked, writing)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            print(pipe.read(), flush=True)


def _child(asked: dict[str, str], writing: int) -> None:
    from harness.channel.process import this_process
    from harness.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(asked["folder"])
    stem = Path(asked["stem"])
    for number, what in ((1, "out"), (2, "err")):
        os.dup2(os.open(stem.with_suffix(f".{what}"), os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.write(writing, json.dumps(this_process()).encode())
    os.close(writing)
    code = main(asked["words"])
    sys.stdout.flush()
    sys.stderr.flush()
    stem.with_suffix(".code").write_text(str(code))
    os._exit(code)


if __name__ == "__main__":
    _serve()
