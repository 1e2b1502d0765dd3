"""When a run begins and ends, on a virtual clock: the conductor's real code, with workers in its own loop."""

import asyncio
import time
from pathlib import Path

import pytest

from harness.events import (
    Closed,
    NeverReady,
    Ready,
    StopRequested,
    WorkerDied,
)
from harness.frames import Bye
from harness.schedule import Schedule
from harness.stop import AbortRule, StopRules
from tests.conductor.conducting import make_spec
from tests.conductor.virtual import Stage, in_no_time


def alive(pid: int) -> bool:
    """A process exists, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@in_no_time
async def test_settle_time_goes_on_with_ticks(tmp_path: Path) -> None:
    """New ticks until the settle time is over, none after it."""
    scene = Stage(tmp_path, [make_spec()], stop=StopRules(settle=1.0, drain=0.5))
    await scene.play()
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
    """Both settle time and drain; an echo within an instant does not."""
    scene = Stage(tmp_path, [make_spec("stop=ignore")], stop=StopRules(settle=20.0, drain=3.0))
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
