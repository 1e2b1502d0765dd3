"""The worker as a process: its stream, its ends, and what befalls its pipes and itself."""

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.frames import Frame, Hello
from harness.outcome import Cause
from harness.schedule import Schedule
from harness.spec import Stop, Tls
from tests.faults.server import OK, FaultyServer, Peer
from tests.worker.process import COMMAND, ENVIRON, Said, finish, line_of, next_message, pipe_of, spec_of, until, worker


def in_20_ms(peer: Peer) -> None:
    while True:
        peer.request()
        peer.wait(0.02)
        peer.say(OK)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a target that answers in 20 ms."""
    with FaultyServer(in_20_ms) as server:
        yield server.port


def test_a_whole_stream(port: int) -> None:
    """Hello, frames, bye; told to stop at a moment, it has exactly the ticks before it."""
    with worker(line_of(spec_of(port, shard=1, shards=2, incarnation=3))) as process:
        hello = next_message(process)
        assert isinstance(hello, Hello)
        assert (hello.runner, hello.shard, hello.shards, hello.incarnation, hello.first) == ("app", 1, 2, 3, 0)
        assert hello.pid == process.pid
        assert hello.timer
        assert abs(hello.start - time.monotonic()) < 10
        pipe_of(process.stdin).write(line_of(Stop(at=1.0, drain=1.0)))
        pipe_of(process.stdin).flush()
        lines = pipe_of(process.stdout).read()
        assert process.wait(30) == 0
    said = Said(lines, (hello,))
    said.holds_together()
    assert said.bye.planned == Schedule(50.0, 1, 2).first_from(1.0) == 25
    assert said.bye.reason == "told to stop"
    assert sum(frame.counters.get("opened", 0) for frame in said.frames) >= 4
    health = [second for frame in said.frames for second in frame.health]
    assert health
    assert all(second.rss > 0 and second.files > 3 for second in health)
    assert any(frame.canary for frame in said.frames)


def test_the_end_of_standard_input_is_the_schedules(port: int) -> None:
    with worker(line_of(spec_of(port))) as process:
        hello, frame = next_message(process), next_message(process)
        said = finish(process, (hello, frame))
    said.holds_together()
    assert said.bye.reason == "its standard input ended"


def test_a_schedule_with_an_end_outlives_its_input(port: int, tmp_path: Path) -> None:
    """Also from a regular file, which the loop can't watch: `python -m harness.worker < spec.json`."""
    path = tmp_path / "spec.json"
    path.write_bytes(line_of(spec_of(port, until=0.5)).rstrip())
    with path.open("rb") as file:
        done = subprocess.run(COMMAND, env=ENVIRON, stdin=file, capture_output=True, timeout=30, check=True)
    said = Said(done.stdout)
    said.holds_together()
    assert said.bye.planned == 25
    assert said.bye.reason == "its time was over"
    assert done.stderr == b""


def test_to_a_regular_file(port: int, tmp_path: Path) -> None:
    """`… > frames`, to be replayed."""
    path = tmp_path / "frames"
    with path.open("wb") as file:
        subprocess.run(
            COMMAND, env=ENVIRON, input=line_of(spec_of(port, until=0.4)), stdout=file, timeout=30, check=True
        )
    said = Said(path.read_bytes())
    said.holds_together()
    assert said.bye.planned == 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_order(port: int, number: signal.Signals) -> None:
    with worker(line_of(spec_of(port))) as process:
        before = (next_message(process), next_message(process))
        process.send_signal(number)
        lines = pipe_of(process.stdout).read()
        assert process.wait(30) == 0
    said = Said(lines, before)
    said.holds_together()
    assert said.bye.reason == f"signal {number.name}"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"nonsense\n",
        b"{}\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        line_of(spec_of(1)).replace(b'"rate":50.0', b'"rate":"fast"'),
        line_of(spec_of(1, probe="none")),
        line_of(spec_of(1, url="gopher://x/")),
        line_of(spec_of(1, url="http://x:99999/")),
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_bad_spec_is_one_line_and_exit_2(line: bytes) -> None:
    done = subprocess.run(COMMAND, env=ENVIRON, input=line, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    (complaint,) = done.stderr.decode().splitlines()
    assert complaint.startswith("harness.worker: ")


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    spec = spec_of(1, url="https://127.0.0.1/", tls=Tls(ca=str(tmp_path / "none.pem")))
    done = subprocess.run(COMMAND, env=ENVIRON, input=line_of(spec), capture_output=True, timeout=30, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_it_ends_when_nobody_reads_its_frames(port: int) -> None:
    """A killed conductor takes its workers with it, though their input stays open."""
    with worker(line_of(spec_of(port))) as process:
        next_message(process)
        pipe_of(process.stdout).close()
        process.stdout = None
        assert process.wait(10) == 70


def test_it_ends_when_nobody_reads_its_frames_though_the_pipe_is_full(port: int) -> None:
    with worker(line_of(spec_of(port, rate=500.0, frame_every=0.005))) as process:
        next_message(process)
        wait_until_full(process)
        pipe_of(process.stdout).close()
        process.stdout = None
        assert process.wait(10) == 70


def wait_until_full(process: "subprocess.Popen[bytes]") -> None:
    """What it wrote lies unread, and no more comes though it always has something to tell. (How much a pipe holds hangs
    on the sizes of what is written.)"""
    descriptor = pipe_of(process.stdout).fileno()
    seen, since = 0, time.monotonic()

    def settled() -> bool:
        nonlocal seen, since
        (unread,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))
        if unread != seen:
            seen, since = unread, time.monotonic()
        return seen > 16384 and time.monotonic() - since > 0.3

    until(settled)


def test_a_stopped_reader_disturbs_nothing(port: int) -> None:
    """The pipe is full for seconds: the schedule goes on, frames merge, and nothing is lost."""
    with worker(line_of(spec_of(port, rate=100.0, frame_every=0.002))) as process:
        hello = next_message(process)
        assert isinstance(hello, Hello)
        wait_until_full(process)
        time.sleep(1.5)  # for longer than a second of ticks
        said = finish(process, (hello,))
    said.holds_together()
    assert said.causes == {}
    largest = max(said.frames, key=lambda frame: sum(second.sent for second in frame.seconds.values()))
    assert sum(second.sent for second in largest.seconds.values()) > 100, "one frame took what many would have told"


def test_stopped_three_times_it_blames_nobody(port: int) -> None:
    """SIGSTOP, 3 times 1.2 s, a target that answers in 20 ms, a timeout of a second: no false failure at all."""
    with worker(line_of(spec_of(port, rate=100.0))) as process:
        before = [next_message(process), next_message(process)]
        for _ in range(3):
            process.send_signal(signal.SIGSTOP)
            time.sleep(1.2)
            process.send_signal(signal.SIGCONT)
            while sum(frame.pauses != [] for frame in before if isinstance(frame, Frame)) == 0:
                before.append(next_message(process))
            before += [next_message(process) for _ in range(3)]
        said = finish(process, tuple(before))
    said.holds_together()
    assert [run for frame in said.frames for run in frame.bad] == []
    assert set(said.causes) <= {Cause.MISSED, Cause.TAINTED}
    assert said.causes[Cause.MISSED] > 3 * 90
    pauses = [pause for frame in said.frames for pause in frame.pauses]
    assert sum(pause.end - pause.begin > 1.1 for pause in pauses) == 3


def test_it_dies_with_its_parent(port: int) -> None:
    """Though its pipes are held open by others (PR_SET_PDEATHSIG)."""
    if sys.platform != "linux":
        pytest.skip("prctl is Linux's")
    line = line_of(spec_of(port))
    read_end, write_end = os.pipe()
    in_read, in_write = os.pipe()
    program = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen({COMMAND!r}, stdin={in_read}, stdout={write_end}, start_new_session=True)\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        (sys.executable, "-c", program), env=ENVIRON, stdout=subprocess.PIPE, pass_fds=(in_read, write_end)
    )
    try:
        pid = int(pipe_of(parent.stdout).readline())
        os.write(in_write, line)
        with os.fdopen(read_end, "rb", closefd=False) as frames:
            assert b'"hello"' in frames.readline()
        assert os.getsid(pid) == pid
        parent.kill()
        until(lambda: is_gone(pid), 10)
    finally:
        parent.kill()
        parent.wait()
        pipe_of(parent.stdout).close()
        for fd in (read_end, write_end, in_read, in_write):
            os.close(fd)


def is_gone(pid: int) -> bool:
    """Ended; whoever inherited it may not have asked after it yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def test_a_line_that_is_no_stop_changes_nothing(port: int) -> None:
    """It is told, and the next one counts; also where all came in one piece with the spec."""
    with worker(line_of(spec_of(port)) + b"\nnonsense\n" + line_of(Stop(at=0.5, drain=1.0))) as process:
        lines = pipe_of(process.stdout).read()
        assert process.wait(30) == 0
        assert pipe_of(process.stderr).read() == b""
    said = Said(lines)
    said.holds_together()
    assert said.bye.planned == 25
    (problem,) = [problem for frame in said.frames for problem in frame.problems]
    assert "is no stop" in problem


def test_stopped_before_it_began(port: int) -> None:
    """Nothing was due: no tick, a frame and a bye."""
    with worker(line_of(spec_of(port)) + line_of(Stop(at=0.0, drain=1.0))) as process:
        lines = pipe_of(process.stdout).read()
        assert process.wait(30) == 0
    said = Said(lines)
    said.holds_together()
    assert said.bye.planned == 0
