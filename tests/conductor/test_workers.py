"""The conductor over the data plane's real process, against a server on loopback."""

import asyncio
import contextlib
import itertools
import math
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from harness.conductor.launch import subprocess_launcher
from harness.events import Anchored, Closed, Ready, StopRequested, WorkerDied
from harness.frames import Bye, Frame
from harness.recording import Said, open_journal
from harness.schedule import Schedule
from harness.spec import Spec
from harness.stop import StopRules
from tests.conductor.conducting import Scene, in_loop, make_spec

ROOT = Path(__file__).parent.parent.parent


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Answers(socketserver.StreamRequestHandler):
    """200 to each request of a kept-alive connection."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline():
                if line == b"\r\n":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """A server with threads of its own, so that it answers while the test's loop stands still. Gives its URL."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def spec_for(url: str) -> Spec:
    return msgspec.structs.replace(make_spec(rate=100.0), url=url)


@in_loop
async def test_a_run_with_real_workers(tmp_path: Path) -> None:
    """Ready, a second of traffic, goodbye: each tick of it accounted for."""
    with serving() as url:
        scene = Scene(tmp_path, [spec_for(url)], stop=StopRules(duration=1.0), launch=subprocess_launcher(os.environ))
        async with scene.playing():
            pass
    stop = scene.the(StopRequested)
    (bye,) = [message for message in scene.messages if isinstance(message, Bye)]
    assert bye.planned == Schedule(100.0).first_from(stop.until)
    assert scene.ledger.tally("app", scene.the(Ready).at, stop.until).good >= 95
    assert not scene.all(WorkerDied)
    assert not scene.problems()


@in_loop
async def test_a_frozen_conductor_does_not_disturb_real_workers(tmp_path: Path) -> None:
    """Six seconds in which nobody reads: the worker keeps its schedule, and is not blamed for our silence."""
    with serving() as url:
        scene = Scene(tmp_path, [spec_for(url)], launch=subprocess_launcher(os.environ))
        async with scene.playing():
            await scene.until(Ready)
            await asyncio.sleep(1.0)
            frozen = scene.conductor.now()
            time.sleep(6.0)
            thawed = scene.conductor.now()
            await asyncio.sleep(1.0)
            scene.handle.request("the test")
    tally = scene.ledger.tally("app", math.ceil(frozen), math.floor(thawed))
    # a busy machine misses a few ticks; a worker that had waited for us would have missed most
    assert tally.good >= 0.8 * 100 * (math.floor(thawed) - math.ceil(frozen))
    assert tally.bad == 0
    assert not scene.all(WorkerDied)
    assert "silent" not in scene.problems()


def alive(pid: int) -> bool:
    """A process exists, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_after(seconds: float, conductor: subprocess.Popen[bytes]) -> float:
    """Kill it so long after it started its worker. Returns when; the worker has ended by then, too."""
    wait_until(lambda: children_of(conductor.pid))
    time.sleep(seconds)
    workers = children_of(conductor.pid)
    assert workers
    killed = time.monotonic()
    conductor.kill()
    conductor.wait()
    wait_until(lambda: not any(map(alive, workers)))
    return killed


@pytest.mark.timeout(120)
def test_a_killed_conductor_leaves_its_journal_and_no_orphan(tmp_path: Path) -> None:
    """SIGKILL at six moments, from before the first tick on: whatever was written reads."""
    random = Random(4)
    with serving() as url:
        for turn in range(6):
            folder = tmp_path / str(turn)
            folder.mkdir()
            conductor = subprocess.Popen(
                [sys.executable, "-m", "tests.conductor.conducting", str(folder), url], cwd=ROOT, start_new_session=True
            )
            killed = kill_after(random.uniform(0.6 * turn, 0.6 * turn + 0.6), conductor)
            with open_journal(folder / "journal.sqlite") as recording:
                entries = list(recording.entries())
            said = [entry.message for entry in entries if isinstance(entry, Said)]
            (anchor,) = [entry for entry in entries if isinstance(entry, Anchored)]
            frames = [message for message in said if isinstance(message, Frame)]
            assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
            if frames:
                told = [frame.at for frame in frames]
                late = max((after - before for before, after in itertools.pairwise(told)), default=0.0)
                assert killed - anchor.monotonic - told[-1] < 0.5 + late, "at the pace at which this machine tells"
            assert not any(isinstance(entry, Closed) for entry in entries)
