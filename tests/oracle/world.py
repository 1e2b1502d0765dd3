"""A virtual machine: processes with an event loop each, one clock, a network's events. Nothing in it waits.

It is a discrete simulation: whatever comes next is done at once, at its own time. A process can be paused (as by
SIGSTOP: time goes on, what arrives for it lies in the kernel) and killed. A turn of a loop costs it a microsecond, so
that time never stands still.
"""

import asyncio
import heapq
import itertools
import math
import signal
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

TURN = 1e-6  # seconds that one turn of a loop takes
MORNING = 1000.0  # what the monotonic clock shows when a world begins
_TURNS = 50_000_000


class World:
    """The clock, what is going to happen, and the processes to which it happens."""

    def __init__(self) -> None:
        self.now = MORNING
        self.processes: list[Process] = []
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def clock(self) -> float:
        """CLOCK_MONOTONIC, the same in every process."""
        return self.now

    def at(self, when: float, happens: Callable[[], None]) -> None:
        """Something outside of all processes; never, if `when` is infinite."""
        if when < math.inf:
            heapq.heappush(self._coming, (when, next(self._order), happens))

    def run(self, main: "Process") -> None:
        """Until this process has ended."""
        for _ in range(_TURNS):
            if main.ended:
                return
            first: Process | None = None
            when = math.inf
            for process in self.processes:
                wakes = process.wakes_at(self.now)
                if wakes < when:
                    first, when = process, wakes
            if self._coming and self._coming[0][0] <= when:
                due, _, happens = heapq.heappop(self._coming)
                self.now = max(self.now, due)
                happens()
            elif first is not None:
                self.now = max(self.now, when)
                first.turn()
                self.now += TURN
            else:
                raise RuntimeError("nothing will ever happen any more")
        raise RuntimeError("the world did not come to an end")


class Loop(asyncio.BaseEventLoop):
    """An event loop without a selector: its process hands it what arrived."""

    def __init__(self, process: "Process") -> None:
        super().__init__()
        self._process = process
        self._selector = process  # asks `select`, as asyncio's loops do
        self._clock_resolution = 1e-9
        self.handlers: dict[int, Callable[[], object]] = {}
        self.find: Callable[[], list[Any]] = list  # what the name server says; raises OSError

    def time(self) -> float:
        """The world's."""
        return self._process.world.now

    def _process_events(self, event_list: list[Callable[[], object]]) -> None:
        for arrived in event_list:
            self.call_soon(arrived)

    def _write_to_self(self) -> None:
        """Nobody sleeps here."""

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override]
        """Of this process alone; the real one's stay as they are."""
        self.handlers[sig] = lambda: callback(*args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Likewise."""
        return self.handlers.pop(sig, None) is not None

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> list[Any]:
        """The world's name server."""
        await asyncio.sleep(0.001)
        return self.find()

    @property
    def next_timer(self) -> float:
        """When something is due; infinity: nothing is."""
        return self._scheduled[0].when() if self._scheduled else math.inf  # type: ignore[attr-defined]

    @property
    def has_work(self) -> bool:
        """Something is to be done in the next turn."""
        return bool(self._ready)  # type: ignore[attr-defined]


class Process:
    """One process. `reads_first`: what arrived is read in the turn in which overdue timers run, not in the next one;
    a real loop does either, by the order in which the kernel names its descriptors."""

    def __init__(self, world: World, *, reads_first: bool) -> None:
        self.world = world
        self.loop = Loop(self)
        self.killed = False
        self._reads_first = reads_first
        self._arrived: deque[Callable[[], object]] = deque()
        self._paused_until = -math.inf
        self._main: asyncio.Task[None] | None = None
        world.processes.append(self)

    def start(self, main: Coroutine[Any, Any, None], done: Callable[[], None] = lambda: None) -> None:
        """Begin; `done` is called when it has ended by itself."""
        self._main = self.loop.create_task(main)
        self._main.add_done_callback(lambda _: None if self.killed else done())

    @property
    def ended(self) -> bool:
        """By itself or not."""
        return self.killed or (self._main is not None and self._main.done())

    @property
    def broke(self) -> BaseException | None:
        """What ended it, if it did not end in order."""
        return None if self._main is None or not self._main.done() or self.killed else self._main.exception()

    def post(self, arrived: Callable[[], object]) -> None:
        """The kernel has something for it; `arrived` is what the loop does about that."""
        if not self.killed:
            self._arrived.append(arrived)

    def pause(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT so much later."""
        self._paused_until = max(self._paused_until, self.world.now + seconds)

    def signal(self, number: signal.Signals) -> None:
        """Delivered to its loop's handler."""
        if number in self.loop.handlers:
            self.post(self.loop.handlers[number])

    def kill(self) -> None:
        """SIGKILL: it is never heard again. What Python has to wind up happens out of the world."""
        if self.ended:
            return
        self.killed = True
        self.world.processes.remove(self)
        assert self._main is not None
        self._main.cancel()
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        while not self._main.done():
            self._turn()
        self._close()
        asyncio._set_running_loop(before)

    def wakes_at(self, now: float) -> float:
        """When its next turn is."""
        when = now if self._arrived or self.loop.has_work else self.loop.next_timer
        return max(when, self._paused_until)

    def select(self, timeout: float | None) -> list[Callable[[], object]]:
        """What its loop asks the kernel."""
        if not self._arrived or (not self._reads_first and self.loop.next_timer <= self.world.now):
            return []
        arrived = list(self._arrived)
        self._arrived.clear()
        return arrived

    def turn(self) -> None:
        """One round of its loop."""
        self._turn()
        if self.ended and not self.killed:
            for _ in range(3):  # what was called for the next turn
                self._turn()
            self.world.processes.remove(self)
            self._close()

    def _turn(self) -> None:
        loop = self.loop
        loop._thread_id = threading.get_ident()  # type: ignore[attr-defined]
        asyncio._set_running_loop(loop)
        try:
            loop._run_once()  # type: ignore[attr-defined]  # one turn; `run_forever` is no more than this in a loop
        finally:
            asyncio._set_running_loop(None)
            loop._thread_id = None  # type: ignore[attr-defined]

    def _close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        for _ in range(10):
            self._turn()
        self.loop.close()
