"""`python -P -m harness.worker` as a process, and what it said."""

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from harness.frames import Bye, Frame, Hello, Message, decode_message, runs_of, settled_above
from harness.outcome import Cause
from harness.spec import Pool, Spec, Timeouts

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-P", "-m", "harness.worker")
ENVIRON = os.environ | {"PYTHONPATH": str(ROOT)}


def spec_of(port: int, **more: Any) -> Spec:
    spec = Spec(
        runner="app",
        rate=50.0,
        url=f"http://127.0.0.1:{port}/",
        timeouts=Timeouts(connect=1.0, tls=1.0, first_byte=1.0, total=1.0),
        pool=Pool(warm=4, cap=60, handshakes=16),
        drain=2.0,
    )
    return msgspec.structs.replace(spec, **more)


def line_of(message: msgspec.Struct) -> bytes:
    return msgspec.json.encode(message) + b"\n"


@contextlib.contextmanager
def worker(stdin: bytes = b"", **more: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker that was told `stdin`, which stays open; killed at the end, if need be."""
    settings: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": ENVIRON,
    }
    process = subprocess.Popen(COMMAND, **(settings | more))
    try:
        if stdin:
            pipe_of(process.stdin).write(stdin)
            pipe_of(process.stdin).flush()
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def pipe_of(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def next_message(process: "subprocess.Popen[bytes]") -> Message:
    return decode_message(pipe_of(process.stdout).readline())


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


class Said:
    """A whole stream."""

    def __init__(self, lines: bytes, before: tuple[Message, ...] = ()) -> None:
        assert lines.endswith(b"\n")
        messages = [*before, *map(decode_message, lines.splitlines())]
        hello, bye = messages[0], messages[-1]
        assert isinstance(hello, Hello)
        assert isinstance(bye, Bye)
        self.hello, self.bye = hello, bye
        self.frames = [message for message in messages if isinstance(message, Frame)]
        assert len(self.frames) == len(messages) - 2
        assert [frame.seq for frame in self.frames] == list(range(1, len(self.frames) + 1))
        assert bye.seq == len(self.frames) + 1
        self.good = 0
        self.causes: Counter[str] = Counter()
        for frame in self.frames:
            for second in frame.seconds.values():
                self.good += second.good
                self.causes.update(second.causes)

    def holds_together(self) -> None:
        """Every planned tick has one end, told once in the counts and once in the runs."""
        assert self.good + sum(self.causes.values()) == self.bye.planned - self.hello.first
        ended: Counter[Cause] = Counter()
        seen: set[int] = set()
        for frame in self.frames:
            packed = [run for bitmap in frame.bitmaps for run in runs_of(bitmap)]
            for run in (*frame.bad, *frame.unknown, *packed):
                ticks = range(run.first, run.last + 1)
                assert seen.isdisjoint(ticks)
                seen.update(ticks)
                ended[run.cause] += len(ticks)
        assert ended == self.causes
        last = self.frames[-1]
        assert (last.watermark, last.reached, settled_above(last)) == (self.bye.planned, self.bye.planned, [])
        watermarks = [frame.watermark for frame in self.frames]
        assert watermarks == sorted(watermarks)


def finish(process: "subprocess.Popen[bytes]", before: tuple[Message, ...] = ()) -> Said:
    """Close its standard input, and hear it to its end."""
    lines, complaints = process.communicate(timeout=30)
    assert process.returncode == 0, complaints
    assert complaints == b""
    return Said(lines, before)
