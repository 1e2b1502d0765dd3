"""A conductor over talkers: real processes and a real journal, with an observer that keeps all it hears."""

import asyncio
import contextlib
import functools
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec
import uvloop

from harness.brief import Brief, RunnerBrief
from harness.command import Command
from harness.conductor import Conductor, Rules
from harness.conductor.attend import members_of
from harness.conductor.clock import Clock, SystemClock
from harness.conductor.launch import Launch, subprocess_launcher
from harness.conductor.observe import Tick
from harness.events import Event, Problem, Ready
from harness.frames import Bye, Frame, Hello, Message
from harness.journal import Journal
from harness.spec import Pool, Spec, Timeouts
from harness.statistics.ledger import Ledger
from harness.stop import RunHandle, StopRules

TALKER = Path(__file__).with_name("talker.py")
Kind = TypeVar("Kind")
Arguments = ParamSpec("Arguments")


def in_loop(test: Callable[Arguments, Coroutine[Any, Any, None]]) -> Callable[Arguments, None]:
    """Make a test of a coroutine, in the loop that the product uses."""

    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def make_spec(query: str = "", runner: str = "app", rate: float = 50.0, shard: int = 0, shards: int = 1) -> Spec:
    """A spec whose query tells the talker how to behave."""
    return Spec(
        runner=runner,
        rate=rate,
        shard=shard,
        shards=shards,
        url=f"http://127.0.0.1/?{query}",
        timeouts=Timeouts(connect=1, tls=1, first_byte=1, total=1),
        pool=Pool(warm=1, cap=4, handshakes=2),
    )


def make_brief(specs: Sequence[Spec], run: str = "r", attempt: int = 1) -> Brief:
    """The brief that goes with such specs."""
    runners = {
        spec.runner: RunnerBrief(name=spec.runner, probe="app", target=spec.url, rate=spec.rate, shards=spec.shards)
        for worker in specs
        for spec in members_of(worker)
    }
    return Brief(run=run, attempt=attempt, version="0", python="3", runners=tuple(runners.values()), objectives=())


def talkers() -> Launch:
    """Launches talkers in the place of workers."""
    return subprocess_launcher(os.environ, (sys.executable, "-P", str(TALKER)))


class Scene:
    """A conductor at work, and all that it heard and noted."""

    def __init__(
        self,
        folder: Path,
        specs: Sequence[Spec],
        *,
        baseline: float = 1.0,
        ready_timeout: float = 10.0,
        stop: StopRules | None = None,
        command: Command | None = None,
        launch: Launch | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.path = folder / "journal.sqlite"
        self.brief = make_brief(specs)
        self.journal = Journal(self.path, self.brief, {"runners": []})
        self.ledger = Ledger(self.brief)
        self.handle = RunHandle()
        self.events: list[Event] = []
        self.messages: list[Message] = []
        self.ticks = 0
        self.conductor = Conductor(
            specs,
            Rules(baseline=baseline, ready_timeout=ready_timeout, stop=stop or StopRules(drain=0.5)),
            clock=clock or SystemClock(),
            launch=launch or talkers(),
            record=self.journal,
            ledger=self.ledger,
            handle=self.handle,
            command=command,
            observers=[self._observe],
        )

    def _observe(self, ledger: Ledger, said: Message | Event | Tick) -> None:
        if isinstance(said, Tick):
            self.ticks += 1
        elif isinstance(said, Hello | Frame | Bye):
            self.messages.append(said)
        else:
            self.events.append(said)

    def all(self, kind: type[Kind]) -> list[Kind]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def the(self, kind: type[Kind]) -> Kind:
        """The only event of a kind."""
        (event,) = self.all(kind)
        return event

    def problems(self) -> str:
        """All of them, in one text."""
        return "\n".join(problem.text for problem in self.all(Problem))

    async def until(self, kind: type, count: int = 1, seconds: float = 60.0) -> None:
        """Wait until so many events of a kind were noted."""
        async with asyncio.timeout(seconds):
            while len(self.all(kind)) < count:
                await asyncio.sleep(0.01)

    async def until_frames(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many more frames were heard."""
        heard = len(self.frames())
        async with asyncio.timeout(seconds):
            while len(self.frames()) < heard + count:
                await asyncio.sleep(0.01)

    def frames(self) -> list[Frame]:
        """All that were heard so far."""
        return [message for message in self.messages if isinstance(message, Frame)]

    @contextlib.asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        """Conduct beside the body, and to the end after it."""
        try:
            async with asyncio.timeout(100), asyncio.TaskGroup() as group:
                group.create_task(self.conductor.conduct())
                yield
        finally:
            self.journal.close()

    async def play(self, after_ready: float = 0.5) -> None:
        """Become ready, go on for a while, stop by request."""
        async with self.playing():
            await self.until(Ready)
            await asyncio.sleep(after_ready)
            self.handle.request("the test")


def main() -> None:
    """Conduct one real worker until killed: `python -m tests.conductor.conducting FOLDER URL`."""
    spec = msgspec.structs.replace(make_spec(rate=100.0), url=sys.argv[2])
    scene = Scene(Path(sys.argv[1]), [spec], launch=subprocess_launcher(os.environ))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene.conductor.conduct())


if __name__ == "__main__":
    main()
