"""The conductor over real worker processes that speak frames."""

import asyncio
import os
import resource
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from harness.command import Command
from harness.events import (
    Anchored,
    Closed,
    CommandEnded,
    Event,
    NeverReady,
    Problem,
    Ready,
    StopRequested,
    WorkerDied,
    WorkerStarted,
)
from harness.frames import Bye
from harness.recording import Said, open_journal
from harness.schedule import Schedule
from harness.stop import StopRules
from tests.conductor.conducting import Scene, in_loop, make_spec


def alive(pid: int) -> bool:
    """A process exists, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@in_loop
async def test_a_quiet_run(tmp_path: Path) -> None:
    """Two runners, one of them sharded: started together, ready, stopped, and all of it in the journal, in order."""
    scene = Scene(tmp_path, [make_spec(shard=0, shards=2), make_spec(shard=1, shards=2), make_spec(runner="b")])
    await scene.play()
    anchor = scene.the(Anchored)
    assert scene.events[0] == anchor
    assert anchor.at == 0
    ready, stop = scene.the(Ready), scene.the(StopRequested)
    assert ready.at == int(ready.at) >= 1
    assert stop.by == "the test"
    assert stop.until == pytest.approx(stop.at, abs=0.01)
    assert len([message for message in scene.messages if isinstance(message, Bye)]) == 3
    assert not scene.all(WorkerDied)
    assert not scene.all(Problem)
    assert isinstance(scene.events[-1], Closed)
    assert scene.the(Closed).cpu_seconds > 0.01
    assert scene.the(Closed).peak_rss_bytes > 30_000_000
    assert scene.ticks >= 2
    with open_journal(scene.path) as recording:
        entries = list(recording.entries())
    assert [entry for entry in entries if not isinstance(entry, Said)] == scene.events
    assert [entry.message for entry in entries if isinstance(entry, Said)] == scene.messages
    assert [path.name for path in tmp_path.iterdir()] == ["journal.sqlite"]
    assert not any(alive(started.pid) for started in scene.all(WorkerStarted))


@in_loop
async def test_the_stop_file(tmp_path: Path) -> None:
    """Its appearance is noticed."""
    file = tmp_path / "stop-please"
    scene = Scene(tmp_path, [make_spec()], stop=StopRules(file=file, drain=0.5))
    async with scene.playing():
        await scene.until(Ready)
        file.touch()
    assert str(file) in scene.the(StopRequested).by


@in_loop
async def test_signals_stop_a_run_in_the_main_thread(tmp_path: Path) -> None:
    """TERM is a stop signal, and what handled it before does so again afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    scene = Scene(tmp_path, [make_spec()])
    async with scene.playing():
        await scene.until(Ready)
        os.kill(os.getpid(), signal.SIGTERM)
    assert scene.the(StopRequested).by == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) == before


@in_loop
async def test_a_killed_worker_is_lost_and_restarted_once(tmp_path: Path) -> None:
    """SIGKILL twice: the first restarts it, the second does not, and the run that has no worker left ends."""
    scene = Scene(tmp_path, [make_spec(rate=100.0)])
    async with scene.playing():
        await scene.until(Ready)
        os.kill(scene.all(WorkerStarted)[0].pid, signal.SIGKILL)
        await scene.until(WorkerStarted, 2)
        await scene.until_frames(2)
        os.kill(scene.all(WorkerStarted)[1].pid, signal.SIGKILL)
    first, second, rest = scene.all(WorkerDied)
    again = scene.all(WorkerStarted)[1]
    assert first.how == second.how == "it was killed by SIGKILL"
    assert (first.incarnation, second.incarnation, rest.incarnation) == (0, 1, 1)
    assert first.lost_until == again.first == Schedule(100.0).count_until(first.at)
    stop = scene.the(StopRequested)
    assert stop.by == "every worker died"
    assert rest.lost_until == Schedule(100.0).first_from(stop.until) >= second.lost_until


@in_loop
async def test_a_worker_that_can_not_live_ends_the_wait_for_readiness(tmp_path: Path) -> None:
    """Two deaths before readiness: no use in waiting any longer. What it said on stderr is kept."""
    scene = Scene(tmp_path, [make_spec("die=always&die_at=-1&say=no+such+probe")], ready_timeout=60)
    async with scene.playing():
        pass
    assert "the worker of app died twice" in scene.the(NeverReady).reason
    assert "worker app/0: no such probe" in scene.problems()
    assert {event.how for event in scene.all(WorkerDied)} >= {"it was killed by SIGABRT"}


@in_loop
async def test_a_stopped_worker_is_noted_and_killed_at_the_stop(tmp_path: Path) -> None:
    """SIGSTOP: silence is a problem of ours, and its ticks are lost when it can't answer the stop."""
    scene = Scene(tmp_path, [make_spec()])
    async with scene.playing():
        await scene.until(Ready)
        os.kill(scene.the(WorkerStarted).pid, signal.SIGSTOP)
        await scene.until(Problem)
        scene.handle.request("the test")
    assert "worker app/0 has been silent for " in scene.problems()  # 5 s, or more where we were late to look
    assert not scene.all(Problem)[0].spoils
    assert scene.the(WorkerDied).how.startswith("it was killed: ")


@in_loop
async def test_the_command_is_run_when_ready_and_its_end_stops_the_run(tmp_path: Path) -> None:
    """Its code is told."""
    scene = Scene(tmp_path, [make_spec()], command=Command(["sh", "-c", "exit 3"]))
    async with scene.playing():
        pass
    assert scene.the(CommandEnded).code == 3
    assert scene.the(CommandEnded).at >= scene.the(Ready).at
    assert scene.the(StopRequested).by == "the command ended with 3"


@in_loop
async def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    """As shells say it: 127."""
    scene = Scene(tmp_path, [make_spec()], command=Command(["/no/such/command"]))
    async with scene.playing():
        pass
    assert scene.the(CommandEnded).code == 127
    assert "'/no/such/command' was not found" in scene.problems()


@in_loop
async def test_the_command_is_never_started_without_readiness(tmp_path: Path) -> None:
    """Nothing is deployed over a platform that is already broken."""
    trace = tmp_path / "trace"
    command = Command(["touch", str(trace)])
    scene = Scene(tmp_path, [make_spec("answer=refused")], ready_timeout=1.5, command=command)
    async with scene.playing():
        pass
    assert scene.all(NeverReady)
    assert not scene.all(CommandEnded)
    assert not trace.exists()


@in_loop
async def test_a_signal_goes_to_the_command_first(tmp_path: Path) -> None:
    """The run stops when the command has ended on it."""
    ready = tmp_path / "ready"
    script = f"trap 'sleep 0.5; exit 9' TERM; touch {ready}; while :; do sleep 0.05; done"
    scene = Scene(tmp_path, [make_spec()], command=Command(["sh", "-c", script]))
    async with scene.playing():
        await scene.until(Ready)
        while not ready.exists():
            await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)
        await scene.until(CommandEnded)
    assert scene.the(CommandEnded).code == 9
    assert scene.the(StopRequested).by == "the command ended with 9"


@in_loop
async def test_the_command_does_not_outlive_the_run(tmp_path: Path) -> None:
    """Another stop signal ends it too: TERM, and KILL if it won't."""
    ready = tmp_path / "ready"
    script = f"trap '' TERM; touch {ready}; while :; do sleep 0.05; done"
    scene = Scene(tmp_path, [make_spec()], command=Command(["sh", "-c", script]))
    async with scene.playing():
        await scene.until(Ready)
        while not ready.exists():
            await asyncio.sleep(0.02)
        scene.handle.request("the test")
    assert scene.the(CommandEnded).code == -signal.SIGKILL
    assert "did not end on SIGTERM" in scene.problems()
    assert scene.the(StopRequested).by == "the test"


@in_loop
async def test_the_journal_is_complete_while_the_run_goes_on(tmp_path: Path) -> None:
    """Whoever is killed a second later leaves this behind: at most half a second is missing."""
    scene = Scene(tmp_path, [make_spec()])
    async with scene.playing():
        await scene.until(Ready)
        await scene.until_frames(2)
        said = scene.frames()
        async with asyncio.timeout(1):
            while True:
                with sqlite3.connect(f"file:{scene.path}?mode=ro", uri=True) as connection:
                    (count,) = connection.execute("SELECT count(*) FROM frames WHERE seq > 0").fetchone()
                if count >= len(said):
                    break
                await asyncio.sleep(0.01)
        scene.handle.request("the test")


def written(journal: Path, event: Event) -> bool:
    """The journal's thread has come so far."""
    with open_journal(journal) as recording:
        return event in recording.entries()


@in_loop
async def test_a_full_disk_does_not_end_the_run_but_spoils_it(tmp_path: Path) -> None:
    """The statistics in memory go on; the evidence is incomplete, so nothing can pass any more."""
    scene = Scene(tmp_path, [make_spec(), make_spec(runner="b")])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        async with scene.playing():
            await scene.until(Ready)
            while not written(scene.path, scene.the(Ready)):
                await asyncio.sleep(0.01)
            resource.setrlimit(resource.RLIMIT_FSIZE, (tmp_path.joinpath("journal.sqlite-wal").stat().st_size, hard))
            await scene.until(Problem)
            heard = len(scene.messages)
            while len(scene.messages) < heard + 10:
                await asyncio.sleep(0.01)
            scene.handle.request("the test")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    problem = scene.the(Problem)
    assert problem.spoils
    assert "can't be written" in problem.text
    assert len([message for message in scene.messages if isinstance(message, Bye)]) == 2
    with open_journal(scene.path) as recording:  # what was written before reads, and is no complete run
        entries = list(recording.entries())
    assert Ready(at=scene.the(Ready).at) in entries
    assert not any(isinstance(entry, Closed) for entry in entries)


def test_a_run_in_a_thread(tmp_path: Path) -> None:
    """Without signals, but with processes; stopped by its handle."""
    scene = Scene(tmp_path, [make_spec()])
    before = signal.getsignal(signal.SIGTERM)

    @in_loop
    async def conduct() -> None:
        await scene.conductor.conduct()

    thread = threading.Thread(target=conduct)
    thread.start()
    deadline = time.monotonic() + 10
    while not scene.all(Ready) and time.monotonic() < deadline:
        time.sleep(0.01)
    scene.handle.request("the test")
    thread.join(5.0)
    scene.journal.close()
    assert not thread.is_alive()
    assert scene.the(StopRequested).by == "the test"
    assert signal.getsignal(signal.SIGTERM) == before
    assert not scene.all(WorkerDied)
