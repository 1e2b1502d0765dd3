"""Plays a script: the real conductor in one virtual process, the real worker and engine in others, then the real judge.

Of the product only what touches the outside is lent: clocks, processes, pipes, sockets, names, the journal.
"""

import asyncio
import math
import signal
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.conductor import Conductor, Rules
from harness.conductor.launch import WorkerProcess
from harness.engine.engine import Engine
from harness.engine.resolver import SystemResolver
from harness.engine.timer import LoopTimer
from harness.judge import judge
from harness.plan import Plan
from harness.plan.models import PlanFile
from harness.recorder import Recorder
from harness.spec import Spec, Stop
from harness.statistics.ledger import Ledger
from harness.stop import RunHandle, StopRules
from harness.verdict import Verdict
from harness.worker.work import Work
from tests.oracle.network import HOST, Network, VirtualDialer
from tests.oracle.platform import Platform
from tests.oracle.script import Script
from tests.oracle.world import Process, World

EPOCH = 1_750_000_000.0
_PIPE = 65536  # bytes that a pipe holds
_PIPE_DELAY = 0.0001  # seconds
_STARTING = 0.2  # seconds until a process runs


@dataclass(frozen=True)
class Played:
    """A deployment that was played."""

    script: Script
    verdict: Verdict
    ledger: Ledger
    network: Network
    platform: Platform
    objectives: tuple[str, ...]


class Clocks:
    """The machine's."""

    def __init__(self, world: World) -> None:
        self.monotonic = world.clock
        self.boottime = world.clock
        self._world = world

    def utc(self) -> float:
        """Seconds since the epoch."""
        return EPOCH + self._world.now


class Nothing:
    """A journal that keeps nothing."""

    trouble = ""

    def frame(self, runner: str, shard: int, incarnation: int, seq: int, line: bytes) -> None:
        """Forgotten."""

    def event(self, line: bytes) -> None:
        """Forgotten."""


class Pipe:
    """A worker's standard output: 64 KiB, and what was written before a death is still read."""

    def __init__(self, world: World, reader: Process) -> None:
        self._world = world
        self._reader = reader
        self._kernel: deque[bytes] = deque()
        self._lines: deque[bytes | None] = deque()
        self._arrived = asyncio.Event()  # the reader's loop
        self._outlet: Outlet | None = None

    def attach(self, outlet: "Outlet") -> None:
        """Who writes."""
        self._outlet = outlet

    def fits(self, line: bytes) -> bool:
        """There is room for it."""
        return not self._kernel or sum(map(len, self._kernel)) + len(line) <= _PIPE

    def push(self, line: bytes | None) -> None:
        """Into the kernel's buffer; None: the writer's end was closed."""
        if line is not None:
            self._kernel.append(line)
        self._world.at(self._world.now + _PIPE_DELAY, lambda: self._reader.post(lambda: self._read(line)))

    def _read(self, line: bytes | None) -> None:
        if line is not None:
            self._kernel.popleft()
            if self._outlet is not None:
                self._outlet.room()
        self._lines.append(line)
        self._arrived.set()

    async def lines(self) -> AsyncIterator[bytes]:
        """All that comes, to the end."""
        while True:
            while self._lines:
                line = self._lines.popleft()
                if line is None:
                    return
                yield line
            self._arrived.clear()
            await self._arrived.wait()


class Outlet:
    """The worker's end of a pipe: never blocks."""

    def __init__(self, pipe: Pipe, process: Process) -> None:
        self._pipe = pipe
        self._process = process
        self._stuck: bytes | None = None
        self._emptied = asyncio.Event()
        self._emptied.set()
        pipe.attach(self)

    @property
    def clear(self) -> bool:
        """Nothing is stuck."""
        return self._stuck is None

    def write(self, line: bytes) -> None:
        """Write it, or be stuck with it."""
        if self._process.killed:
            return
        if self._pipe.fits(line):
            self._pipe.push(line)
        else:
            self._stuck = line
            self._emptied.clear()

    def room(self) -> None:
        """The reader took something out."""
        if self._stuck is not None and self._pipe.fits(self._stuck):
            self._process.post(self._push)

    def _push(self) -> None:
        line, self._stuck = self._stuck, None
        if line is not None:
            self.write(line)
        if self._stuck is None:
            self._emptied.set()

    async def emptied(self) -> None:
        """Wait until nothing is stuck; the dead wait for nothing."""
        if not self._process.killed:
            await self._emptied.wait()


class Worker:
    """A worker's process, as the conductor holds it."""

    complaints: Sequence[str] = ()

    def __init__(self, stage: "Stage", spec: Spec) -> None:
        self._stage = stage
        self._world = stage.world
        self.pid = 100 + len(stage.workers)
        self.process = Process(self._world, reads_first=stage.script.reads_first)
        self._pipe = Pipe(self._world, stage.conductor)
        self._code: asyncio.Future[int] = stage.conductor.loop.create_future()
        self._work: Work | None = None
        self.process.loop.find = stage.network.look_up
        self.process.start(self._run(spec), done=lambda: self._gone(0 if self.process.broke is None else 1))

    async def _run(self, spec: Spec) -> None:
        assert spec.start is not None
        world, network = self._world, self._stage.network
        loop = self.process.loop
        recorder = Recorder()
        engine = Engine(
            spec,
            start=spec.start,
            user_agent="oracle",
            clock=world.clock,
            make_timer=lambda callback: LoopTimer(loop, callback),
            dialer=VirtualDialer(network, self.process, spec.shard),  # type: ignore[arg-type]
            resolver=SystemResolver(HOST, 80, every=spec.resolve_every, pinned=None),
            recorder=recorder,
        )
        self._work = Work(
            spec,
            start=spec.start,
            clock=world.clock,
            driver=engine,
            recorder=recorder,
            sink=Outlet(self._pipe, self.process),
            vitals=None,
            canary=None,
        )
        await self._work.run()

    def messages(self) -> AsyncIterator[bytes]:
        """Its lines."""
        return self._pipe.lines()

    def tell(self, line: bytes) -> None:
        """Its standard input."""
        self._world.at(self._world.now + _PIPE_DELAY, lambda: self.process.post(lambda: self._told(line)))

    def _told(self, line: bytes) -> None:
        stop = msgspec.json.decode(line, type=Stop)
        if self._work is not None:
            self._work.stop(stop.at, stop.drain, "told to stop")

    async def wait(self) -> int:
        """Its exit code."""
        return await asyncio.shield(self._code)

    def kill(self) -> None:
        """SIGKILL."""
        if not self.process.ended:
            self.process.kill()
            self._gone(-9)

    def _gone(self, code: int) -> None:
        self._pipe.push(None)
        when = self._world.now + 2 * _PIPE_DELAY
        self._world.at(when, lambda: self._stage.conductor.post(lambda: self._note(code)))

    def _note(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)


class Stage:
    """One script being played."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.world = World()
        self.platform = Platform(script)
        self.network = Network(self.world, self.platform, script.addresses)
        self.conductor = Process(self.world, reads_first=script.reads_first)
        self.workers: list[Worker] = []

    def play(self) -> Played:
        """From the start to the verdict."""
        script, plan = self.script, plan_of(self.script)
        brief = plan.brief(run="oracle", attempt=1)
        ledger = Ledger(brief)
        handle = RunHandle()
        conductor = Conductor(
            [msgspec.structs.replace(spec, canary=False) for spec in plan.specs({})],
            Rules(plan.baseline, plan.ready_timeout, StopRules(drain=script.drain, max_duration=300)),
            clock=Clocks(self.world),
            launch=self._launch,
            record=Nothing(),
            ledger=ledger,
            handle=handle,
        )
        self.conductor.start(conductor.conduct())
        try:
            self.world.run(self.conductor)
            if self.conductor.broke is not None:
                raise self.conductor.broke
        finally:
            for process in list(self.world.processes):
                process.kill()
        objectives = tuple(objective.text for objective in brief.objectives)
        return Played(script, judge(brief, ledger), ledger, self.network, self.platform, objectives)

    async def _launch(self, spec: Spec) -> WorkerProcess:
        await asyncio.sleep(_STARTING)
        assert spec.start is not None
        if math.isnan(self.network.origin):
            self.network.begin(spec.start)
            self._place_troubles()
        self.workers.append(Worker(self, spec))
        return self.workers[-1]

    def _place_troubles(self) -> None:
        script, network = self.script, self.network
        for pause in script.pauses:
            network.at(pause.at, lambda pause=pause: self._pause(pause.who, pause.seconds))  # type: ignore[misc]
        for kill in script.kills:
            network.at(kill, self._kill)
        network.at(script.stop_at, lambda: self.conductor.signal(signal.SIGTERM))

    def _pause(self, who: str, seconds: float) -> None:
        if who in ("conductor", "everything"):
            self.conductor.pause(seconds)
        if who in ("workers", "everything"):
            for worker in self.workers:
                worker.process.pause(seconds)

    def _kill(self) -> None:
        for worker in self.workers:
            if not worker.process.ended:
                worker.kill()
                return


def plan_of(script: Script) -> Plan:
    """The plan that the script is watched with."""
    file = PlanFile.model_validate(
        {
            "runners": [
                {
                    "name": "app",
                    "url": f"http://{HOST}/",
                    "rate": f"{script.rate:g}/s",
                    "timeout": f"{script.timeout * 1000:g}ms",
                    "connections": "fresh" if script.fresh else "keep-alive",
                    "workers": script.shards,
                }
            ],
            "objectives": list(script.objectives),
            "bounds": {"max_blind": ["1%", "5s"] if script.mercy else ["0%", "0s"]},
            "stop": {"drain": f"{script.drain:g}s"},
        }
    )
    return Plan(file=file, source="script", folder=Path())


def play(script: Script) -> Played:
    """Play one."""
    return Stage(script).play()
