"""When a run begins and ends, on a virtual clock: the conductor's real code, with workers in its own loop."""

import asyncio
import time
from pathlib import Path

import pytest

from harness.conductor.attend import SILENT_AFTER
from harness.conductor.launch import WorkerProcess
from harness.events import (
    Anchored,
    Closed,
    NeverReady,
    Problem,
    Ready,
    StopRequested,
    Suspended,
    WorkerDied,
)
from harness.frames import Bye
from harness.schedule import Schedule
from harness.stop import AbortRule, StopRules
from tests.conductor.conducting import make_spec
from tests.conductor.virtual import Stage, VirtualLoop, in_no_time


@in_no_time
async def test_settle_time_goes_on_with_ticks(tmp_path: Path) -> None:
    """New ticks until the settle time is over, none after it."""
    scene = Stage(tmp_path, [make_spec()], stop=StopRules(settle=1.0, drain=0.5))
    async with scene.playing():
        await scene.until(Ready)
        await asyncio.sleep(1.0)
        scene.handle.request("its pipeline", insists=False)
    stop = scene.the(StopRequested)
    assert stop.until == pytest.approx(stop.at + 1.0, abs=0.01)
    (bye,) = [message for message in scene.messages if isinstance(message, Bye)]
    assert bye.planned == Schedule(50.0).first_from(stop.until)


@in_no_time
async def test_a_duration_has_exactly_its_ticks(tmp_path: Path) -> None:
    """Counted from readiness, to a whole number of ticks."""
    scene = Stage(tmp_path, [make_spec()], stop=StopRules(duration=1.0, drain=0.5))
    async with scene.playing():
        pass
    ready, stop = scene.the(Ready), scene.the(StopRequested)
    assert stop.until == ready.at + 1.0
    (bye,) = [message for message in scene.messages if isinstance(message, Bye)]
    assert bye.planned == 50 * stop.until
    assert "duration" in stop.by


@in_no_time
async def test_the_longest_duration_ends_a_run(tmp_path: Path) -> None:
    """It counts from the start."""
    scene = Stage(tmp_path, [make_spec()], stop=StopRules(max_duration=3.0, drain=0.5))
    async with scene.playing():
        pass
    assert scene.the(StopRequested).until == 3.0
    assert "max_duration" in scene.the(StopRequested).by


@in_no_time
async def test_hopeless_runs_are_aborted(tmp_path: Path) -> None:
    """Success below the rule's bound over a full window."""
    rule = AbortRule(text="success < 50% over 2s", below=0.5, over=2.0)
    scene = Stage(tmp_path, [make_spec("bad_from=4")], stop=StopRules(abort=rule, drain=0.5))
    async with scene.playing():
        pass
    stop = scene.the(StopRequested)
    assert stop.by.startswith("abort_when: success < 50% over 2s (app: ")
    assert 4.9 < stop.at < 8
    assert stop.at >= scene.the(Ready).at + 2


@in_no_time
async def test_never_ready_says_why(tmp_path: Path) -> None:
    """Nothing but refused connections: the reason has counts, cause and an example."""
    scene = Stage(tmp_path, [make_spec("answer=refused"), make_spec(runner="b")], ready_timeout=2.0)
    async with scene.playing():
        pass
    reason = scene.the(NeverReady).reason
    assert "not every runner had a clean baseline of 1 s within 2 s" in reason
    assert "connect_refused (such as: 127.0.0.1:9 refused the connection)" in reason
    assert not scene.all(Ready)
    assert not scene.all(StopRequested)
    assert isinstance(scene.events[-1], Closed)


@in_no_time
async def test_a_stop_before_readiness(tmp_path: Path) -> None:
    """It never became ready, and that is what is told."""
    scene = Stage(tmp_path, [make_spec("answer=refused")])
    scene.handle.request("the pipeline")
    async with scene.playing():
        pass
    assert scene.the(NeverReady).reason.startswith("stopped by the pipeline before every runner had")
    assert scene.the(StopRequested).by == "the pipeline"


@in_no_time
async def test_a_bad_start_may_become_clean(tmp_path: Path) -> None:
    """Readiness comes after the last bad second and the baseline."""
    scene = Stage(tmp_path, [make_spec("bad_from=0&bad_until=1.5")], baseline=2.0)
    await scene.play()
    assert scene.the(Ready).at >= 5.0  # bad in [1, 2), clean in [2, 4), settled a moment after 4


@in_no_time
async def test_a_runner_without_workers_does_not_end_the_others(tmp_path: Path) -> None:
    """Its ticks are lost to the end; the other one goes on."""
    scene = Stage(tmp_path, [make_spec("die=always&die_at=3"), make_spec(runner="b")])
    async with scene.playing():
        await scene.until(WorkerDied, 2)
        await asyncio.sleep(0.3)
        assert not scene.all(StopRequested)
        scene.handle.request("the test")
    died = scene.all(WorkerDied)
    assert [event.incarnation for event in died] == [0, 1, 1]
    assert died[-1].lost_until == Schedule(50.0).first_from(scene.the(StopRequested).until)


@in_no_time
async def test_nonsense_is_a_death(tmp_path: Path) -> None:
    """A worker that says what is no frame can't be believed any more."""
    scene = Stage(tmp_path, [make_spec("babble=3"), make_spec(runner="b")])
    async with scene.playing():
        await scene.until(WorkerDied, 2)
        scene.handle.request("the test")
    assert "no frame" in scene.all(WorkerDied)[0].how


@in_no_time
async def test_a_worker_that_ignores_the_stop_is_killed(tmp_path: Path) -> None:
    """Within five seconds in all, its open ticks lost."""
    scene = Stage(tmp_path, [make_spec("stop=ignore")], stop=StopRules(drain=3.0))
    await scene.play()
    stop, died = scene.the(StopRequested), scene.the(WorkerDied)
    assert scene.the(Closed).at - stop.at < 5.0
    assert died.how == "it was killed: it did not end when it was told to stop"
    assert died.lost_until == Schedule(50.0).first_from(stop.until)


@in_no_time
async def test_a_second_signal_cuts_the_drain_short(tmp_path: Path) -> None:
    """An echo within an instant does not."""
    scene = Stage(tmp_path, [make_spec("stop=ignore")], stop=StopRules(drain=20.0))
    async with scene.playing():
        await scene.until(Ready)
        scene.handle.request("SIGINT")
        scene.handle.request("SIGINT, forwarded")
        await asyncio.sleep(1.0)
        scene.handle.request("SIGTERM")
        asked = time.monotonic()
    assert time.monotonic() - asked < 2.0
    assert scene.the(StopRequested).by == "SIGINT"


@in_no_time
async def test_a_signal_ends_the_settle_time(tmp_path: Path) -> None:
    """A pipeline that aborts kills ten seconds later: the verdict must be there by then."""
    scene = Stage(tmp_path, [make_spec()], stop=StopRules(settle=20.0, drain=0.5))
    async with scene.playing():
        await scene.until(Ready)
        scene.handle.request("its pipeline", insists=False)
        await asyncio.sleep(1.0)
        assert len(scene.all(StopRequested)) == 1
        scene.handle.request("SIGTERM")
        asked = time.monotonic()
    assert time.monotonic() - asked < 2.0
    first, second = scene.all(StopRequested)
    assert second.until < first.until
    assert second.until == pytest.approx(second.at, abs=0.01)
    assert second.by == "SIGTERM"


@in_no_time
async def test_a_signal_alone_settles_nothing(tmp_path: Path) -> None:
    scene = Stage(tmp_path, [make_spec()], stop=StopRules(settle=20.0, drain=0.5))
    async with scene.playing():
        await scene.until(Ready)
        scene.handle.request("SIGTERM")
    stop = scene.the(StopRequested)
    assert stop.until == pytest.approx(stop.at, abs=0.01)


@in_no_time
async def test_an_observer_that_raises_is_dropped(tmp_path: Path) -> None:
    """Once, and noted."""
    scene = Stage(tmp_path, [make_spec()])
    calls = []

    def broken(ledger: object, said: object) -> None:
        calls.append(said)
        raise KeyError("x")

    scene.conductor._observers._observers.insert(0, broken)
    await scene.play(0.1)
    assert len(calls) == 1
    assert "broken broke and was dropped: KeyError: 'x'" in scene.problems()


@in_no_time
async def test_a_stepped_clock_and_a_sleeping_machine_are_noted(tmp_path: Path) -> None:
    """UTC is placed anew; the sleep is unobserved time."""
    scene = Stage(tmp_path, [make_spec()])
    async with scene.playing():
        await scene.until(Ready)
        scene.clock.step = -3.0
        await asyncio.sleep(2.0)
        scene.clock.slept = 600.0
        await asyncio.sleep(2.0)
        scene.handle.request("the test")
    first, step, sleep = scene.all(Anchored)
    assert step.utc - step.monotonic == first.utc - first.monotonic - 3.0
    assert sleep.utc - sleep.monotonic == first.utc - first.monotonic - 3.0 + 600.0
    assert scene.the(Suspended).seconds == 600.0


@in_no_time
async def test_a_frozen_worker_is_noted_once_for_each_silence(tmp_path: Path) -> None:
    """Silence is a problem of ours, but spoils nothing: its ticks are unknown anyway."""
    scene = Stage(tmp_path, [make_spec()])
    async with scene.playing():
        await scene.until(Ready)
        for _ in range(2):
            scene.workers[0].frozen = True
            await asyncio.sleep(20)
            scene.workers[0].frozen = False
            await asyncio.sleep(2)
        scene.handle.request("the test")
    assert scene.problems().count(f"worker app/0 has been silent for {SILENT_AFTER:.0f} s") == 2
    assert not any(problem.spoils for problem in scene.all(Problem))
    assert not scene.all(WorkerDied)


@in_no_time
async def test_a_frozen_worker_is_killed_at_the_stop(tmp_path: Path) -> None:
    """It can't hear the stop; what it has not told is lost."""
    scene = Stage(tmp_path, [make_spec()], stop=StopRules(drain=3.0))
    async with scene.playing():
        await scene.until(Ready)
        scene.workers[0].frozen = True
        scene.handle.request("the test")
    stop = scene.the(StopRequested)
    assert scene.the(WorkerDied).lost_until == Schedule(50.0).first_from(stop.until)
    assert 4.0 < scene.the(Closed).at - stop.at < 5.0


@in_no_time
async def test_a_worker_that_dies_during_the_drain_is_not_started_again(tmp_path: Path) -> None:
    """Nothing is due any more."""
    scene = Stage(tmp_path, [make_spec("stop=ignore&die_at=6")], stop=StopRules(duration=2.0, drain=3.0))
    async with scene.playing():
        pass
    assert len(scene.workers) == 1
    stop, died = scene.the(StopRequested), scene.the(WorkerDied)
    assert stop.until < died.at
    assert died.lost_until == Schedule(50.0).first_from(stop.until)


@in_no_time
async def test_a_stop_while_a_worker_is_being_started_again(tmp_path: Path) -> None:
    """The new one hears of it as soon as it can."""
    scene = Stage(tmp_path, [make_spec("die_at=4")], stop=StopRules(drain=1.0))
    async with scene.playing():
        await scene.until(WorkerDied)
        scene.handle.request("the test")
    assert len(scene.workers) == 2
    assert scene.the(WorkerDied).incarnation == 0
    assert [message.reason for message in scene.messages if isinstance(message, Bye)] == ["told to stop"]


@in_no_time
async def test_no_process_can_be_started(tmp_path: Path) -> None:
    """The machine is out of processes: told, not raised."""
    scene = Stage(tmp_path, [make_spec()])

    async def refuse(spec: object) -> WorkerProcess:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    scene.conductor._launch = refuse
    async with scene.playing():
        pass
    assert "the worker of app died twice" in scene.the(NeverReady).reason
    assert "could not be started: [Errno 11] Resource temporarily unavailable" in scene.all(WorkerDied)[0].how


@in_no_time
async def test_a_conductor_that_was_paused_reads_before_it_kills(tmp_path: Path) -> None:
    """Its deadlines passed while it stood still; the goodbyes lie unread, and no worker is blamed for that."""
    scene = Stage(tmp_path, [make_spec()], stop=StopRules(drain=1.0))
    async with scene.playing():
        await scene.until(Ready)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.pause(7.0)
        await asyncio.sleep(1.5)
        scene.handle.request("the test")
        await scene.until(StopRequested)
        loop.pause(7.0)
    assert not scene.all(WorkerDied)
    assert not scene.all(Problem)


@in_no_time
async def test_a_conductor_that_is_always_late_kills_all_the_same(tmp_path: Path) -> None:
    """A machine that is too busy for it can't hold up the stop for ever."""
    scene = Stage(tmp_path, [make_spec("stop=ignore")], stop=StopRules(drain=1.0))
    async with scene.playing():
        await scene.until(Ready)
        scene.handle.request("the test")
        await scene.until(StopRequested)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        for _ in range(20):
            loop.pause(0.7)
            await asyncio.sleep(0.05)
    assert scene.the(WorkerDied).at - scene.the(StopRequested).at < 5.0


@in_no_time
async def test_a_watch_of_an_hour(tmp_path: Path) -> None:
    """A runner with a tick each ten seconds, whose first one fails: ready once the second one was good."""
    spec = make_spec("bad_until=1&bad_from=0", rate=0.1)
    scene = Stage(tmp_path, [spec], ready_timeout=30.0, stop=StopRules(duration=3600.0, drain=0.5))
    async with asyncio.timeout(4000):
        await scene.conductor.conduct()
    scene.journal.close()
    assert 11.0 <= scene.the(Ready).at <= 12.0
    assert scene.the(StopRequested).until == scene.the(Ready).at + 3600.0
    assert scene.ticks > 3600
