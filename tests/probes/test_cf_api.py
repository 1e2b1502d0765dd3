"""The API's probe in a real worker process: runners that share it, their slots, their ends, and its death."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.cf.target import ApiTarget, Asked, Limits
from harness.conductor.launch import subprocess_launcher
from harness.events import Ready, StopRequested, WorkerDied, WorkerStarted
from harness.frames import Bye, Frame, Hello, decode_message
from harness.outcome import Cause, Component, Outcome
from harness.schedule import Schedule
from harness.spec import Operation, Pool, Spec, Stop, Timeouts
from harness.stop import StopRules
from tests.cf.foundation import Foundation, error, stalling
from tests.cf.ways import WATCHER
from tests.conductor.conducting import Scene, in_loop
from tests.worker.process import Said, line_of, pipe_of, until, worker

STATS = "/v3/processes/process-of-app-1/stats"


@pytest.fixture
def foundation() -> Iterator[Foundation]:
    with Foundation() as one:
        yield one


def runner(at: Foundation, operation: str, rate: float, *, slots: int = 2, total: float = 2.0, **more: Any) -> Spec:
    """One runner, named for its operation."""
    return Spec(
        runner=operation,
        probe="cf-api",
        rate=rate,
        url=at.url,
        timeouts=Timeouts(connect=total, tls=total, first_byte=total, total=total),
        pool=Pool(warm=0, cap=slots, handshakes=slots),
        drain=2.0,
        operation=Operation(
            target=ApiTarget(api=at.url),
            credentials=WATCHER,
            asked=Asked(operation=operation, app="shop" if operation == "app-stats" else None),
            limits=Limits(connect=60, read=60, total=total),
            run="r/7",
        ),
        **more,
    )


def together(*runners: Spec) -> Spec:
    """All in one process."""
    first, *others = runners
    return msgspec.structs.replace(first, beside=tuple(others))


class Told:
    """What a worker of several runners said, by runner."""

    def __init__(self, lines: bytes) -> None:
        assert lines.endswith(b"\n")
        streams: dict[str, list[bytes]] = {}
        only = decode_message(lines.splitlines()[0]).runner  # of one that is alone, frames have no label
        for line in lines.splitlines():
            streams.setdefault(decode_message(line).runner or only, []).append(line)
        self.by = {name: Said(b"\n".join(stream) + b"\n") for name, stream in streams.items()}

    def examples(self, name: str) -> list[Outcome]:
        return [example for frame in self.by[name].frames for example in frame.examples]

    def counters(self, name: str) -> Counter[str]:
        counted: Counter[str] = Counter()
        for frame in self.by[name].frames:
            counted.update(frame.counters)
        return counted


def told_by(spec: Spec) -> Told:
    """A worker's whole life; the spec says when it is over."""
    with worker(line_of(spec)) as process:
        lines, complaints = process.communicate(timeout=30)
        assert (process.returncode, complaints) == (0, b"")
    return Told(lines)


def test_each_runner_has_a_stream_of_its_own(foundation: Foundation) -> None:
    """One process, one connection's worth of pipe; every line says whose it is."""
    spaces, info = runner(foundation, "list-spaces", 20.0, until=1.5), runner(foundation, "info", 10.0, until=1.5)
    stats = runner(foundation, "app-stats", 4.0, until=1.5)
    told = told_by(together(spaces, info, stats))
    assert set(told.by) == {"list-spaces", "info", "app-stats"}
    for spec in (spaces, info, stats):
        said = told.by[spec.runner]
        said.holds_together()
        assert said.hello.rate == spec.rate
        assert said.bye.planned == Schedule(spec.rate).first_from(1.5)
        assert said.causes == {}
    assert len({said.hello.pid for said in told.by.values()}) == 1
    assert len({said.hello.start for said in told.by.values()}) == 1
    assert 2 * 15 < told.counters("info")["calls"] <= 2 * 15 + 2  # each slot in use asks for the root once more
    health = {name: any(frame.health for frame in said.frames) for name, said in told.by.items()}
    assert health == {"list-spaces": True, "info": False, "app-stats": False}  # one process, told of once
    stages = {stage for frame in told.by["app-stats"].frames for stage in frame.stages}
    assert {"apps", "processes", "sidecars", "stats", "routes", "droplet", "deployments"} <= stages
    agents = {seen.headers["user-agent"] for seen in foundation.requests}
    assert len(agents) == 1
    assert agents.pop().endswith(" (r/7)")


def test_told_to_stop_all_of_them_do(foundation: Foundation) -> None:
    spec = together(runner(foundation, "list-spaces", 20.0), runner(foundation, "info", 10.0))
    with worker(line_of(spec) + line_of(Stop(at=1.0, drain=1.0))) as process:
        lines = pipe_of(process.stdout).read()
        assert process.wait(30) == 0
    for name, planned in (("list-spaces", 20), ("info", 10)):
        said = Told(lines).by[name]
        said.holds_together()
        assert (said.bye.planned, said.bye.reason) == (planned, "told to stop")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_them_in_order(foundation: Foundation, number: signal.Signals) -> None:
    spec = together(runner(foundation, "list-spaces", 20.0), runner(foundation, "info", 10.0))
    with worker(line_of(spec)) as process:
        until(lambda: foundation.paths().count("/v3/spaces") > 3)
        process.send_signal(number)
        lines = pipe_of(process.stdout).read()
        assert process.wait(30) == 0
    told = Told(lines)
    for said in told.by.values():
        said.holds_together()
        assert said.bye.reason == f"signal {number.name}"
    assert set(told.by) == {"list-spaces", "info"}


def test_a_stalled_operation_starves_no_neighbour(foundation: Foundation) -> None:
    """Its slots are taken for as long as the deadline is; the others never wait for one."""
    foundation.on[STATS] = stalling
    told = told_by(
        together(
            runner(foundation, "app-stats", 8.0, total=1.0, until=3.0),
            runner(foundation, "list-spaces", 10.0, total=1.0, until=3.0),
            runner(foundation, "info", 4.0, total=1.0, until=3.0),
        )
    )
    for name, planned in (("list-spaces", 30), ("info", 12)):
        said = told.by[name]
        said.holds_together()
        assert (said.good, said.causes) == (planned, {})
    stalled = told.by["app-stats"]
    stalled.holds_together()
    assert stalled.good == 0
    assert stalled.bye.planned == 24
    assert stalled.causes[Cause.POOL_LIMIT] > 0


def test_what_waits_for_too_few_slots_is_our_setting(foundation: Foundation) -> None:
    """2 slots, 8/s, a second each: whoever waited for one had little of its time left when it came, and nobody can say
    what the target would have done with the whole of it."""
    foundation.on[STATS] = stalling
    told = told_by(runner(foundation, "app-stats", 8.0, total=1.0, until=3.0))
    (said,) = told.by.values()
    said.holds_together()
    assert set(said.causes) <= {Cause.POOL_LIMIT, Cause.TOTAL_TIMEOUT}
    assert said.causes[Cause.TOTAL_TIMEOUT] == 2  # those that had one at once are Diego's
    blamed = {(example.cause, example.component) for example in told.examples(said.hello.runner)}
    assert (Cause.TOTAL_TIMEOUT, Component.DIEGO) in blamed
    assert (Cause.POOL_LIMIT, Component.HARNESS) in blamed
    assert {second.in_flight for frame in said.frames for second in frame.health} <= {1, 2}


def test_with_slots_enough_a_stall_is_the_targets(foundation: Foundation) -> None:
    foundation.on[STATS] = stalling
    told = told_by(runner(foundation, "app-stats", 4.0, slots=4, total=1.0, until=2.0))
    (said,) = told.by.values()
    said.holds_together()
    assert set(said.causes) <= {Cause.TOTAL_TIMEOUT, Cause.STALLED}
    assert sum(said.causes.values()) == 8


def test_too_many_requests_are_our_mistake(foundation: Foundation) -> None:
    """Nothing more is sent for as long as the answer asked, and no tick of it is bad."""
    foundation.on["/v3/spaces"] = error(429, 10013, "CF-RateLimitExceeded", Retry_After="30")
    told = told_by(runner(foundation, "list-spaces", 10.0, slots=1, until=1.5))
    (said,) = told.by.values()
    said.holds_together()
    assert said.causes == {Cause.THROTTLED: 15}
    assert [run for frame in said.frames for run in frame.bad] == []
    assert foundation.paths().count("/v3/spaces") == 1


@in_loop
async def test_a_killed_worker_goes_on_with_each_runners_own_ordinals(tmp_path: Path) -> None:
    """Each of them by its own rate: what was due meanwhile is lost, and nothing is told twice."""
    with Foundation() as foundation:
        spec = together(runner(foundation, "list-spaces", 20.0), runner(foundation, "info", 5.0))
        launch = subprocess_launcher(os.environ)
        scene = Scene(tmp_path, [spec], launch=launch, stop=StopRules(duration=6.0, drain=1.0))
        async with scene.playing():
            await scene.until(Ready)
            await scene.until_frames(4)
            pid = scene.all(WorkerStarted)[0].pid
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(0.6)  # ticks of both are due meanwhile
            os.kill(pid, signal.SIGKILL)
            await scene.until(WorkerStarted, 4)
            await asyncio.to_thread(until, lambda: len([m for m in scene.messages if isinstance(m, Hello)]) == 4)
    deaths = {death.runner: death for death in scene.all(WorkerDied)}
    reborn = {start.runner: start for start in scene.all(WorkerStarted) if start.incarnation == 1}
    assert set(deaths) == set(reborn) == {"list-spaces", "info"}
    assert len({start.pid for start in reborn.values()}) == 1
    for name, rate in (("list-spaces", 20.0), ("info", 5.0)):
        assert deaths[name].how == "it was killed by SIGKILL"
        assert reborn[name].first == deaths[name].lost_until == Schedule(rate).count_until(deaths[name].at)
        assert reborn[name].first > 0
    stop = scene.the(StopRequested)
    byes = {message.runner: message for message in scene.messages if isinstance(message, Bye)}
    for name, rate in (("list-spaces", 20.0), ("info", 5.0)):
        assert byes[name].planned == Schedule(rate).first_from(stop.until)
        ready = scene.the(Ready).at
        tally = scene.ledger.tally(name, ready, stop.until)
        assert tally.good + tally.unknown == (stop.until - ready) * rate
        assert tally.bad == 0
        assert set(tally.causes) <= {Cause.LOST, Cause.MISSED}
        assert 0.5 * rate <= tally.causes[Cause.LOST] <= 2 * rate
    labelled = {message.runner for message in scene.messages if isinstance(message, Frame)}
    assert labelled == {"list-spaces", "info"}
