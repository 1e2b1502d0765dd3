"""What can end a run. A source is a coroutine that watches for one thing and requests the stop; `SOURCES` lists them.

Sources decide nothing about how a run stops: that is the conductor's part.
"""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import assert_never

from harness.command import Command
from harness.events import CommandEnded, Event, Problem

SIGNALS = (signal.SIGTERM, signal.SIGINT)
FILE_EVERY = 0.2  # seconds between looks at the stop file
LEAD = 0.2  # seconds before a known end at which the workers are told of it, so that no tick is sent beyond
COMMAND_GRACE = 4.0  # seconds that a signalled command gets before the run stops without it; a pipeline kills after 10


@dataclass(frozen=True)
class Request:
    """A wish to stop."""

    by: str
    until: float | None = None  # seconds after the start: no tick from then on; None: once the settle time is over
    insists: bool = False  # comes from outside: the second such request cuts the drain short
    spoils: str = ""  # why a run that ends like this can't pass


@dataclass(frozen=True)
class Mark:
    """A named moment that the pipeline reports: the begin or the end of a phase, or neither."""

    name: str
    edge: str  # "begin", "end" or ""
    monotonic: float  # CLOCK_MONOTONIC of the moment, seconds
    within: float = 0.0  # seconds by which that may be wrong
    source: str = ""  # who told of it afterwards


@dataclass(frozen=True)
class Remark:
    """Something that the run's surroundings have to tell, for the record."""

    text: str


Word = Request | Mark | Remark


class RunHandle:
    """Speaks to a run from another thread, or from a signal handler: stops it, marks moments. The second request to
    stop cuts the drain short."""

    def __init__(self) -> None:
        self.begun = False  # a run listens, or has listened
        self._lock = threading.RLock()  # a signal handler may interrupt its own thread inside
        self._said: list[Word] = []
        self._listener: Callable[[Word], None] | None = None

    def request(self, by: str = "request", *, insists: bool = True, spoils: str = "") -> None:
        """Ask for the stop. Returns at once; one that comes before the run began is kept for it. `insists`: a second
        such request cuts the drain short. `spoils`: why the run can't pass then."""
        self._say(Request(by, insists=insists, spoils=spoils))

    def mark(
        self, name: str, edge: str = "", monotonic: float | None = None, *, within: float = 0.0, source: str = ""
    ) -> None:
        """Note a moment, by default this one; `edge`: "begin" or "end" of a phase, or neither. `monotonic`: when it
        was (CLOCK_MONOTONIC, seconds), `within`: by how much that may be wrong, `source`: who told of it afterwards.
        Raises ValueError on another edge. Returns at once."""
        if edge not in ("", "begin", "end"):
            raise ValueError(f"{edge!r} is no edge of a phase: begin, end, or nothing for a moment")
        self._say(Mark(name, edge, monotonic if monotonic is not None else time.monotonic(), within, source))

    def remark(self, text: str) -> None:
        """Note something about the run's surroundings: it stands among the harness's problems. Returns at once."""
        self._say(Remark(text))

    def _say(self, said: Word) -> None:
        with self._lock:
            if self._listener is None:
                self._said.append(said)
            else:
                self._listener(said)

    def attach(self, listener: Callable[[Word], None]) -> None:
        """Hand over what was said so far and what comes; called by the run, `listener` in any thread."""
        with self._lock:
            self.begun = True
            self._listener = listener
            while self._said:
                listener(self._said.pop(0))

    def detach(self) -> None:
        """The run is over."""
        with self._lock:
            self._listener = None


@dataclass(frozen=True)
class AbortRule:
    """`success < 50% over 15s`: a run that is hopeless is ended early."""

    text: str
    below: float  # share of good among good and bad ticks, 0 to 1
    over: float  # seconds; the window must be full


@dataclass(frozen=True)
class StopRules:
    """The plan's part in stopping. Seconds."""

    max_duration: float = 12 * 3600.0  # from the start
    max_duration_spoils: bool = False  # somebody was to stop it, and nobody did
    signal_spoils: bool = False  # its pipeline stops it otherwise: a signal broke it off
    duration: float | None = None  # from readiness
    file: Path | None = None
    abort: AbortRule | None = None
    settle: float = 0.0
    drain: float = 3.0


@dataclass
class Situation:
    """What the sources see of a run, and the two ways in which they act on it."""

    rules: StopRules
    handle: RunHandle
    command: Command | None
    runners: tuple[str, ...]
    now: Callable[[], float]  # seconds after the start
    good_and_bad: Callable[[str, float, float], tuple[int, int]]  # runner, begin, end -> ticks
    request: Callable[[Request], None]
    mark: Callable[[Mark], None]
    note: Callable[[Event], None]
    ready: "asyncio.Future[float]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def until(self, when: float) -> None:
        """Sleep until `when` seconds after the start, to the microsecond: sums of floats may never meet."""
        while (rest := when - self.now()) > 1e-6:
            await asyncio.sleep(rest)


async def on_signal(situation: Situation) -> None:
    """TERM and INT, in the main thread alone (Python delivers them nowhere else). A running command gets the first."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    overdue: list[asyncio.TimerHandle] = []
    spoils = ""
    if situation.rules.signal_spoils:
        spoils = "a signal ended it, and not its pipeline: what was done afterwards was not watched"

    def received(number: signal.Signals) -> None:
        command = situation.command
        request = Request(number.name, insists=True, spoils=spoils)
        if command is not None and command.running and not overdue:
            command.send(number)
            overdue.append(loop.call_later(COMMAND_GRACE, situation.request, request))
        else:
            situation.request(request)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        loop.add_signal_handler(number, received, number)
    try:
        await asyncio.Event().wait()
    finally:
        for timer in overdue:
            timer.cancel()
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # None: installed from C, Python can't put it back
                signal.signal(number, handler)


async def on_request(situation: Situation) -> None:
    """The caller's RunHandle."""
    loop = asyncio.get_running_loop()

    def said(what: Word) -> None:
        match what:
            case Mark():
                situation.mark(what)
            case Remark():
                situation.note(Problem(at=situation.now(), text=what.text, spoils=False))
            case Request():
                situation.request(what)
            case _:
                assert_never(what)

    situation.handle.attach(lambda what: _threadsafe(loop, said, what))
    try:
        await asyncio.Event().wait()
    finally:
        situation.handle.detach()


def _threadsafe(loop: asyncio.AbstractEventLoop, call: Callable[[Word], None], what: Word) -> None:
    loop.call_soon_threadsafe(call, what)


async def on_file(situation: Situation) -> None:
    """The stop file appears."""
    path = situation.rules.file
    if path is None:
        return
    while not _exists(path):
        await asyncio.sleep(FILE_EVERY)
    situation.request(Request(f"the stop file {path}"))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that can't be searched at this moment
        return False


async def on_duration(situation: Situation) -> None:
    """The planned duration, from readiness: exactly its ticks, no settle time."""
    duration = situation.rules.duration
    if duration is None:
        return
    end = await asyncio.shield(situation.ready) + duration
    await situation.until(end - LEAD)
    situation.request(Request(f"its duration of {duration:g} s was over", until=end))


async def on_max_duration(situation: Situation) -> None:
    """The longest that any run lasts, from its start."""
    end = situation.rules.max_duration
    await situation.until(end - LEAD)
    spoils = "nobody stopped it before max_duration was over" if situation.rules.max_duration_spoils else ""
    situation.request(Request(f"max_duration of {end:g} s was over", until=end, spoils=spoils))


async def on_abort(situation: Situation) -> None:
    """The rule by which a hopeless run ends early, looked at each second, once its window is full."""
    rule = situation.rules.abort
    if rule is None:
        return
    since = await asyncio.shield(situation.ready)
    while True:
        await asyncio.sleep(1.0)
        now = situation.now()
        if now - rule.over < since:
            continue
        for runner in situation.runners:
            good, bad = situation.good_and_bad(runner, now - rule.over, now)
            if bad and good / (good + bad) < rule.below:
                share = 100 * good / (good + bad)
                situation.request(Request(f"abort_when: {rule.text} ({runner}: {share:.3g} %)", until=now))
                return


async def on_command(situation: Situation) -> None:
    """The command of `--while`, started when the run is ready, and its end."""
    command = situation.command
    if command is None:
        return
    await asyncio.shield(situation.ready)
    code = await command.run()
    if command.problem:
        situation.note(Problem(at=situation.now(), text=command.problem, spoils=False))
    situation.note(CommandEnded(at=situation.now(), code=code))
    situation.request(Request(f"the command ended with {code}"))


Source = Callable[[Situation], Coroutine[None, None, None]]

SOURCES: dict[str, Source] = {
    "signal": on_signal,
    "request": on_request,
    "file": on_file,
    "duration": on_duration,
    "max_duration": on_max_duration,
    "abort_when": on_abort,
    "command": on_command,
}


@contextmanager
def signals_kept(handle: RunHandle) -> Iterator[None]:
    """While a run is being set up or its verdict written, TERM and INT go to `handle` instead of ending the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def received(number: int, frame: FrameType | None) -> None:
        handle.request(signal.Signals(number).name)

    before = {number: signal.signal(number, received) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
