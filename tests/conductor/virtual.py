"""A loop whose time is virtual: when nothing is left to do now, it is at once the time of what comes next.

The conductor's real code runs on it in no time, with workers that are coroutines of the same loop.
"""

import asyncio
import functools
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, ParamSpec

import msgspec

from harness.conductor.launch import WorkerProcess
from harness.spec import Spec, Stop
from tests.conductor.conducting import Scene
from tests.conductor.talker import Talk

EPOCH = 1_750_000_000.0
Arguments = ParamSpec("Arguments")


class _Selector(selectors.SelectSelector):
    """Never waits: it moves the loop's time on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen any more")
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time starts at 1,000 s, and is the clock's."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return 1000.0 + self._virtual.now

    def pause(self, seconds: float) -> None:
        """The whole process stands still, as by SIGSTOP: time goes on, nothing is done."""
        self._virtual.now += seconds


def in_no_time(test: Callable[Arguments, Coroutine[Any, Any, None]]) -> Callable[Arguments, None]:
    """Make a test of a coroutine, on a virtual loop."""

    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


class VirtualClock:
    """The clocks of a machine that lives in a virtual loop. `step` and `slept` are what befell it, seconds."""

    def __init__(self) -> None:
        self.step = 0.0
        self.slept = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def boottime(self) -> float:
        return self.monotonic() + self.slept

    def utc(self) -> float:
        return EPOCH + self.monotonic() + self.slept + self.step


class VirtualWorker:
    """A talker in the conductor's own loop."""

    def __init__(self, spec: Spec) -> None:
        self.pid = 1
        self.complaints: Sequence[str] = ()
        self.frozen = False  # as by SIGSTOP
        self._talk = Talk(spec)
        self._killed = asyncio.Event()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def messages(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        yield self._talk.hello()
        while not self._killed.is_set():
            if not self.frozen:
                lines, code = self._talk.look(loop.time())
                for line in lines:
                    yield line
                if code is not None:
                    self._end(code)
                    return
            await asyncio.sleep(0.25)
        self._end(-9)

    def tell(self, line: bytes) -> None:
        self._talk.told(msgspec.json.decode(line, type=Stop))

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def kill(self) -> None:
        self._killed.set()
        self._end(-9)

    def _end(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)


class Stage(Scene):
    """A scene on the virtual clock. `workers` are those launched so far."""

    def __init__(self, folder: Path, specs: Sequence[Spec], **more: Any) -> None:
        self.clock = VirtualClock()
        self.workers: list[VirtualWorker] = []
        super().__init__(folder, specs, clock=self.clock, launch=self._launch, **more)

    async def _launch(self, spec: Spec) -> WorkerProcess:
        await asyncio.sleep(0.2)  # as long as a process takes to start
        self.workers.append(VirtualWorker(spec))
        return self.workers[-1]
