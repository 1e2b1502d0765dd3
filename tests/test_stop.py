"""Stop sources, each by itself; how a run stops is tested with the conductor."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import conductor, stop
from harness.command import Command
from harness.events import CommandEnded, Event
from harness.stop import SOURCES, AbortRule, Mark, Request, RunHandle, Situation, StopRules, signals_kept
from tests.conductor.conducting import in_loop
from tests.conductor.virtual import in_no_time


class Watched:
    """A situation, with what the sources requested of it."""

    def __init__(
        self,
        rules: StopRules | None = None,
        command: Command | None = None,
        good_and_bad: Callable[[str, float, float], tuple[int, int]] = lambda runner, begin, end: (0, 0),
    ) -> None:
        self.requests: list[Request] = []
        self.marks: list[Mark] = []
        self.events: list[Event] = []
        self.asked = asyncio.Event()
        begun = asyncio.get_running_loop().time()
        self.situation = Situation(
            rules=rules or StopRules(),
            handle=RunHandle(),
            command=command,
            runners=("a", "b"),
            now=lambda: asyncio.get_running_loop().time() - begun,
            good_and_bad=good_and_bad,
            request=self._request,
            mark=self.marks.append,
            note=self.events.append,
        )

    def _request(self, request: Request) -> None:
        self.requests.append(request)
        self.asked.set()

    async def first(self, source: str) -> Request:
        """What this source requests first."""
        task = asyncio.get_running_loop().create_task(SOURCES[source](self.situation))
        await self.asked.wait()
        task.cancel()
        await asyncio.wait([task])
        return self.requests[0]


@in_no_time
async def test_a_duration_counts_from_readiness() -> None:
    watched = Watched(StopRules(duration=300.0))
    watched.situation.ready.set_result(7.0)
    request = await watched.first("duration")
    assert request == Request("its duration of 300 s was over", until=307.0)
    assert watched.situation.now() == pytest.approx(306.8)


@in_no_time
async def test_the_longest_duration_counts_from_the_start() -> None:
    watched = Watched(StopRules(max_duration=43200.0))
    assert (await watched.first("max_duration")).until == 43200.0


@in_no_time
async def test_sources_that_nobody_asked_for_end_at_once() -> None:
    watched = Watched()
    for name in ("file", "duration", "abort_when", "command"):
        await SOURCES[name](watched.situation)
    assert watched.requests == []


@in_no_time
async def test_the_stop_file(tmp_path: Path) -> None:
    watched = Watched(StopRules(file=tmp_path / "stop"))
    asyncio.get_running_loop().call_later(60.0, (tmp_path / "stop").touch)
    assert (await watched.first("file")).by == f"the stop file {tmp_path / 'stop'}"
    assert 60.0 <= watched.situation.now() <= 60.3


@pytest.mark.parametrize(
    ("good", "bad", "stops"),
    [(0, 10, True), (49, 51, True), (50, 50, False), (10, 0, False), (0, 0, False)],
)
def test_hopeless_is_what_the_rule_says(good: int, bad: int, stops: bool) -> None:
    asked: list[tuple[str, float, float]] = []

    def count(runner: str, begin: float, end: float) -> tuple[int, int]:
        asked.append((runner, begin, end))
        return (good, bad) if runner == "b" else (100, 0)

    @in_no_time
    async def check() -> None:
        watched = Watched(StopRules(abort=AbortRule(text="the rule", below=0.5, over=15.0)), good_and_bad=count)
        watched.situation.ready.set_result(3.0)
        task = asyncio.get_running_loop().create_task(SOURCES["abort_when"](watched.situation))
        await asyncio.wait([task], timeout=30.0)
        task.cancel()
        assert len(watched.requests) == stops
        if stops:
            assert watched.requests[0].by.startswith("abort_when: the rule (b: ")
            assert watched.requests[0].until == pytest.approx(18.0)
        assert min(begin for _, begin, _ in asked) >= 3.0 - 1e-6
        assert {round(end - begin, 6) for _, begin, end in asked} == {15.0}

    check()


@in_loop
async def test_a_handle_stops_from_another_thread() -> None:
    watched = Watched()
    threading.Timer(0.05, watched.situation.handle.request, ["the daemon"]).start()
    assert await watched.first("request") == Request("the daemon", insists=True)


@in_loop
async def test_a_request_before_the_run_is_kept_for_it() -> None:
    watched = Watched()
    watched.situation.handle.request("early")
    assert (await watched.first("request")).by == "early"


@in_loop
async def test_signals_are_requests_and_their_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    for number in (signal.SIGTERM, signal.SIGINT):
        watched = Watched()
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), number)
        assert await watched.first("signal") == Request(number.name, insists=True)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_verdict_comes_before_a_pipeline_kills() -> None:
    """Ten seconds after its TERM: with a command, a target and a worker that all ignore it."""
    assert stop.COMMAND_GRACE + StopRules().drain + 2 * conductor.BYE_GRACE < 10.0 - 0.5


def test_a_command_that_ignores_the_signal_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "COMMAND_GRACE", 0.3)

    @in_loop
    async def check() -> None:
        command = Command(["sh", "-c", f"trap '' TERM; touch {tmp_path}/on; while :; do sleep 0.05; done"])
        watched = Watched(command=command)
        running = asyncio.get_running_loop().create_task(command.run())
        while not (tmp_path / "on").exists():
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        begun = time.monotonic()
        assert (await watched.first("signal")).by == "SIGTERM"
        assert time.monotonic() - begun >= 0.3
        assert command.running
        command.send(signal.SIGKILL)
        assert await running == -signal.SIGKILL

    check()


@in_loop
async def test_the_command_ends() -> None:
    watched = Watched(command=Command(["sh", "-c", "exit 5"]))
    watched.situation.ready.set_result(0.0)
    assert (await watched.first("command")).by == "the command ended with 5"
    (ended,) = watched.events
    assert isinstance(ended, CommandEnded)
    assert ended.code == 5


@in_loop
async def test_a_command_that_can_not_be_started(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    for path, code in ((tmp_path / "none", 127), (tmp_path / "text", 126), (tmp_path, 126)):
        command = Command([str(path)])
        assert await command.run() == code
        assert repr(str(path)) in command.problem
        assert not command.running


@in_loop
async def test_a_command_and_its_children_are_signalled_together(tmp_path: Path) -> None:
    """`sh -c 'make deploy; true'`: the shell waits for its child, so the child must hear of it too."""
    command = Command(["sh", "-c", f"touch {tmp_path}/on; sleep 60; true"])
    task = asyncio.get_running_loop().create_task(command.run())
    while not (tmp_path / "on").exists():
        await asyncio.sleep(0.01)
    begun = time.monotonic()
    command.send(signal.SIGTERM)
    assert await task == -signal.SIGTERM
    assert time.monotonic() - begun < 5
    command.send(signal.SIGTERM)


def test_signals_while_no_loop_runs_are_kept() -> None:
    """Between the plan's loading and the first tick, and while the verdict is written."""
    handle = RunHandle()
    got: list[Request] = []
    before = signal.getsignal(signal.SIGTERM)
    with signals_kept(handle):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    handle.attach(got.append)
    assert [request.by for request in got] == ["SIGTERM"]


@in_no_time
async def test_marks_reach_the_run_with_their_moment() -> None:
    watched = Watched()
    watched.situation.handle.mark("router", "begin", 12.5)
    watched.situation.handle.request("then")
    await watched.first("request")
    assert watched.marks == [Mark("router", "begin", 12.5)]


def test_a_phase_has_no_other_edges() -> None:
    with pytest.raises(ValueError, match="no edge"):
        RunHandle().mark("router", "middle")
