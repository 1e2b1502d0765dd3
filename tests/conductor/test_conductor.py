"""The conductor over real worker processes that speak frames."""

import asyncio
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from harness.command import Command
from harness.conductor.attend import SILENT_AFTER
from harness.events import (
    Anchored,
    Closed,
    CommandEnded,
    NeverReady,
    Problem,
    Ready,
    StopRequested,
    WorkerDied,
    WorkerStarted,
)
from harness.frames import Bye, Frame
from harness.recording import Said, open_journal
from harness.schedule import Schedule
from harness.stop import AbortRule, StopRules
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
async def test_settle_time_goes_on_with_ticks(tmp_path: Path) -> None:
    """New ticks until the settle time is over, none after it."""
    scene = Scene(tmp_path, [make_spec()], stop=StopRules(settle=1.0, drain=0.5))
    await scene.play()
    stop = scene.the(StopRequested)
    assert stop.until == pytest.approx(stop.at + 1.0, abs=0.01)
    (bye,) = [message for message in scene.messages if isinstance(message, Bye)]
    assert bye.planned == Schedule(50.0).first_from(stop.until)


@in_loop
async def test_a_duration_has_exactly_its_ticks(tmp_path: Path) -> None:
    """Counted from readiness, to a whole number of ticks."""
    scene = Scene(tmp_path, [make_spec()], stop=StopRules(duration=1.0, drain=0.5))
    async with scene.playing():
        pass
    ready, stop = scene.the(Ready), scene.the(StopRequested)
    assert stop.until == ready.at + 1.0
    (bye,) = [message for message in scene.messages if isinstance(message, Bye)]
    assert bye.planned == 50 * stop.until
    assert "duration" in stop.by


@in_loop
async def test_the_longest_duration_ends_a_run(tmp_path: Path) -> None:
    """It counts from the start."""
    scene = Scene(tmp_path, [make_spec()], stop=StopRules(max_duration=3.0, drain=0.5))
    async with scene.playing():
        pass
    assert scene.the(StopRequested).until == 3.0
    assert "max_duration" in scene.the(StopRequested).by


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
async def test_hopeless_runs_are_aborted(tmp_path: Path) -> None:
    """Success below the rule's bound over a full window."""
    rule = AbortRule(text="success < 50% over 2s", below=0.5, over=2.0)
    scene = Scene(tmp_path, [make_spec("bad_from=4")], stop=StopRules(abort=rule, drain=0.5))
    async with scene.playing():
        pass
    stop = scene.the(StopRequested)
    assert stop.by.startswith("abort_when: success < 50% over 2s (app: ")
    assert 4.9 < stop.at < 8
    assert stop.at >= scene.the(Ready).at + 2


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
async def test_never_ready_says_why(tmp_path: Path) -> None:
    """Nothing but refused connections: the reason has counts, cause and an example."""
    scene = Scene(tmp_path, [make_spec("answer=refused"), make_spec(runner="b")], ready_timeout=2.0)
    async with scene.playing():
        pass
    reason = scene.the(NeverReady).reason
    assert "not every runner had a clean baseline of 1 s within 2 s" in reason
    assert "connect_refused (such as: 127.0.0.1:9 refused the connection)" in reason
    assert not scene.all(Ready)
    assert not scene.all(StopRequested)
    assert isinstance(scene.events[-1], Closed)


@in_loop
async def test_a_stop_before_readiness(tmp_path: Path) -> None:
    """It never became ready, and that is what is told."""
    scene = Scene(tmp_path, [make_spec("answer=refused")])
    scene.handle.request("the pipeline")
    async with scene.playing():
        pass
    assert scene.the(NeverReady).reason.startswith("stopped by the pipeline before every runner had")
    assert scene.the(StopRequested).by == "the pipeline"


@in_loop
async def test_a_bad_start_may_become_clean(tmp_path: Path) -> None:
    """Readiness comes after the last bad second and the baseline."""
    scene = Scene(tmp_path, [make_spec("bad_from=0&bad_until=1.5")], baseline=2.0)
    await scene.play()
    assert scene.the(Ready).at >= 5.0  # bad in [1, 2), clean in [2, 4), settled a moment after 4


@in_loop
async def test_a_killed_worker_is_lost_and_restarted_once(tmp_path: Path) -> None:
    """SIGKILL twice: the first restarts it, the second does not, and the run that has no worker left ends."""
    scene = Scene(tmp_path, [make_spec(rate=100.0)])
    async with scene.playing():
        await scene.until(Ready)
        os.kill(scene.all(WorkerStarted)[0].pid, signal.SIGKILL)
        await scene.until(WorkerStarted, 2)
        await asyncio.sleep(0.5)
        os.kill(scene.all(WorkerStarted)[1].pid, signal.SIGKILL)
    first, second, rest = scene.all(WorkerDied)
    again = scene.all(WorkerStarted)[1]
    assert first.how == second.how == "it was killed by SIGKILL"
    assert (first.incarnation, second.incarnation, rest.incarnation) == (0, 1, 1)
    assert first.lost_until == again.first == Schedule(100.0).count_until(first.at)
    stop = scene.the(StopRequested)
    assert stop.by == "every worker died"
    assert rest.lost_until == Schedule(100.0).first_from(stop.until) > second.lost_until


@in_loop
async def test_a_runner_without_workers_does_not_end_the_others(tmp_path: Path) -> None:
    """Its ticks are lost to the end; the other one goes on."""
    scene = Scene(tmp_path, [make_spec("die=always&die_at=3"), make_spec(runner="b")])
    async with scene.playing():
        await scene.until(WorkerDied, 2)
        await asyncio.sleep(0.3)
        assert not scene.all(StopRequested)
        scene.handle.request("the test")
    died = scene.all(WorkerDied)
    assert [event.incarnation for event in died] == [0, 1, 1]
    assert died[-1].lost_until == Schedule(50.0).first_from(scene.the(StopRequested).until)


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
async def test_nonsense_is_a_death(tmp_path: Path) -> None:
    """A worker that says what is no frame can't be believed any more."""
    scene = Scene(tmp_path, [make_spec("babble=3"), make_spec(runner="b")])
    async with scene.playing():
        await scene.until(WorkerDied, 2)
        scene.handle.request("the test")
    assert "no frame" in scene.all(WorkerDied)[0].how


@in_loop
async def test_a_worker_that_ignores_the_stop_is_killed(tmp_path: Path) -> None:
    """Within five seconds in all, its open ticks lost."""
    scene = Scene(tmp_path, [make_spec("stop=ignore")], stop=StopRules(drain=3.0))
    await scene.play()
    stop, died = scene.the(StopRequested), scene.the(WorkerDied)
    assert scene.the(Closed).at - stop.at < 5.0
    assert died.how == "it was killed: it did not end when it was told to stop"
    assert died.lost_until == Schedule(50.0).first_from(stop.until)


@in_loop
async def test_a_second_signal_cuts_the_drain_short(tmp_path: Path) -> None:
    """Both settle time and drain; an echo within an instant does not."""
    scene = Scene(tmp_path, [make_spec("stop=ignore")], stop=StopRules(settle=20.0, drain=3.0))
    async with scene.playing():
        await scene.until(Ready)
        scene.handle.request("SIGINT")
        scene.handle.request("SIGINT, forwarded")
        await asyncio.sleep(1.0)
        assert len(scene.all(StopRequested)) == 1
        scene.handle.request("SIGTERM")
        asked = time.monotonic()
    assert time.monotonic() - asked < 2.0
    first, second = scene.all(StopRequested)
    assert second.until < first.until
    assert second.until == pytest.approx(second.at, abs=0.01)
    assert second.by == "SIGTERM"


@in_loop
async def test_a_stopped_worker_is_noted_and_killed_at_the_stop(tmp_path: Path) -> None:
    """SIGSTOP: silence is a problem of ours, and its ticks are lost when it can't answer the stop."""
    scene = Scene(tmp_path, [make_spec()])
    async with scene.playing():
        await scene.until(Ready)
        os.kill(scene.the(WorkerStarted).pid, signal.SIGSTOP)
        await scene.until(Problem)
        scene.handle.request("the test")
    assert f"worker app/0 has been silent for {SILENT_AFTER:.0f} s" in scene.problems()
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
async def test_an_observer_that_raises_is_dropped(tmp_path: Path) -> None:
    """Once, and noted."""
    scene = Scene(tmp_path, [make_spec()])
    calls = []

    def broken(ledger: object, said: object) -> None:
        calls.append(said)
        raise KeyError("x")

    scene.conductor._observers._observers.insert(0, broken)
    await scene.play(0.1)
    assert len(calls) == 1
    assert "broken broke and was dropped: KeyError: 'x'" in scene.problems()


@in_loop
async def test_the_journal_is_complete_while_the_run_goes_on(tmp_path: Path) -> None:
    """Whoever is killed a second later leaves this behind: at most half a second is missing."""
    scene = Scene(tmp_path, [make_spec()])
    async with scene.playing():
        await scene.until(Ready)
        await asyncio.sleep(0.5)
        said = [message for message in scene.messages if isinstance(message, Frame)]
        async with asyncio.timeout(1):
            while True:
                with sqlite3.connect(f"file:{scene.path}?mode=ro", uri=True) as connection:
                    (count,) = connection.execute("SELECT count(*) FROM frames WHERE seq > 0").fetchone()
                if count >= len(said):
                    break
                await asyncio.sleep(0.01)
        scene.handle.request("the test")
