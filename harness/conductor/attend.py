"""One worker's life as the conductor sees it: started, listened to, restarted once, told to stop, killed if need be.

What it says goes on as it is; nothing is counted here.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from harness.conductor.launch import Launch, WorkerProcess
from harness.events import Event, Problem, WorkerDied, WorkerStarted
from harness.frames import Bye, Message, decode_message
from harness.schedule import Schedule
from harness.spec import Spec, Stop

RESTARTS = 1
SILENT_AFTER = 5.0  # seconds without a frame
_LONG = 8192  # bytes: to read such a line and to take in what it says are half a millisecond each …
_REST = 0.003  # … and the worker, which may share our processor, has this many seconds between the two to catch up
_END_WITHIN = 1.0  # seconds from the end of its output to the end of the process


@dataclass(frozen=True)
class Surroundings:
    """What an attendant needs of the run it serves."""

    anchor: float  # CLOCK_MONOTONIC of the start, seconds
    now: Callable[[], float]  # seconds after the start
    launch: Launch
    note: Callable[[Event], None]
    heard: Callable[[Spec, bytes, Message], None]
    lost: Callable[[Spec, int], None]  # all ordinals below are settled, because nobody will


class Attendant:
    """Serves one worker: a shard of a runner, or several runners that share a process."""

    def __init__(self, spec: Spec, surroundings: Surroundings) -> None:
        self.spec = spec
        self.gone = False  # dead, and not to be started again
        self._around = surroundings
        self._name = f"worker {'+'.join(member.runner for member in members_of(spec))}/{spec.shard}"
        self._process: WorkerProcess | None = None
        self._stop: Stop | None = None
        self._killed_for = ""
        self._heard_at = 0.0
        self._silent = False

    async def serve(self) -> None:
        """From the start to the last goodbye. Returns early if the worker is dead for good."""
        firsts = {member.runner: member.first for member in members_of(self.spec)}
        for incarnation in range(RESTARTS + 1):
            spec = _reborn(self.spec, self._around.anchor, incarnation, firsts)
            how = await self._serve_one(spec)
            if not how:
                return
            self.gone = incarnation == RESTARTS
            firsts = self._settle_as_lost(spec, how)
            if self._stop is not None:
                return

    def stop(self, at: float, drain: float) -> None:
        """No tick from `at` seconds after the start on; attempts in flight get `drain` seconds."""
        self._stop = Stop(at=at, drain=drain)
        if self.gone:
            firsts = {member.runner: member.first for member in members_of(self.spec)}
            gone = _reborn(self.spec, self._around.anchor, RESTARTS, firsts)
            self._settle_as_lost(gone, "it was not restarted again")
        elif self._process is not None:
            self._process.tell(msgspec.json.encode(self._stop) + b"\n")

    def kill(self, why: str) -> None:
        """End it at once; what it has not settled is lost."""
        self._killed_for = why
        if self._process is not None:
            self._process.kill()

    def check_silence(self) -> None:
        """Note it when the worker has said nothing for long. Its ticks are unknown meanwhile: weight enough."""
        quiet = self._around.now() - self._heard_at
        if quiet > SILENT_AFTER and self._process is not None and not self._silent:
            self._silent = True
            text = f"{self._name} has been silent for {quiet:.0f} s"
            self._around.note(Problem(at=self._around.now(), text=text, spoils=False))

    async def _serve_one(self, spec: Spec) -> str:
        """One incarnation. Returns how it died; empty if it said goodbye because it was told to stop."""
        try:
            process = await self._around.launch(spec)
        except OSError as error:
            return f"it could not be started: {error}"
        self._process = process
        self._heard_at = self._around.now()
        try:
            for member in members_of(spec):
                self._around.note(
                    WorkerStarted(
                        at=self._around.now(),
                        runner=member.runner,
                        shard=member.shard,
                        incarnation=member.incarnation,
                        first=member.first,
                        pid=process.pid,
                    )
                )
            if self._stop is not None:  # the stop came while it was being started
                process.tell(msgspec.json.encode(self._stop) + b"\n")
            bye, nonsense = await self._listen(spec, process)
            code = await _end_of(process)
        finally:
            self._process = None
            process.kill()
            await process.wait()
        for line in process.complaints:
            self._around.note(Problem(at=self._around.now(), text=f"{self._name}: {line}", spoils=False))
        if bye is not None and not bye.problem and self._stop is not None:
            return ""
        return nonsense or _how(bye, code, self._killed_for)

    async def _listen(self, spec: Spec, process: WorkerProcess) -> tuple[Bye | None, str]:
        """Pass its lines on until they end. Returns its goodbye (of several, one with a problem, or the last), and what
        was wrong with its last line."""
        byes: list[Bye] = []
        members = {member.runner: member for member in members_of(spec)}
        try:
            async for line in process.messages():
                message = decode_message(line)
                self._heard_at = self._around.now()
                self._silent = False
                if len(line) > _LONG:
                    await asyncio.sleep(_REST)
                member = members.get(message.runner) if spec.beside else spec
                if member is None:
                    raise ValueError(f"it serves no runner {message.runner!r}")
                self._around.heard(member, line, message)
                if isinstance(message, Bye):
                    byes.append(message)
        except (ValueError, msgspec.MsgspecError) as error:
            process.kill()
            return None, f"it was killed for saying something that is no frame: {error}"
        broken = [bye for bye in byes if bye.problem]
        return (broken or byes)[-1] if len(byes) == len(members) or broken else None, ""

    def _settle_as_lost(self, spec: Spec, how: str) -> dict[str, int]:
        """Note the death; returns by runner the first ordinal that is not lost by it."""
        now = self._around.now()
        firsts = {}
        for member in members_of(spec):
            schedule = Schedule(member.rate, member.shard, member.shards)
            until = schedule.count_until(now) if self._stop is None else schedule.first_from(self._stop.at)
            firsts[member.runner] = until = max(until, member.first)
            self._around.note(
                WorkerDied(
                    at=now,
                    runner=member.runner,
                    shard=member.shard,
                    incarnation=member.incarnation,
                    lost_until=until,
                    how=how,
                )
            )
            self._around.lost(member, until)
        return firsts


def members_of(spec: Spec) -> tuple[Spec, ...]:
    """All runners that a worker with this spec serves."""
    return (spec, *spec.beside)


def _reborn(spec: Spec, start: float, incarnation: int, firsts: Mapping[str, int]) -> Spec:
    """The spec of another incarnation; `firsts`: by runner, the ordinal it goes on with."""
    own, *beside = (
        msgspec.structs.replace(member, start=start, incarnation=incarnation, first=firsts[member.runner], beside=())
        for member in members_of(spec)
    )
    return msgspec.structs.replace(own, beside=tuple(beside))


async def _end_of(process: WorkerProcess) -> int:
    """Its exit code. A process that closed its output and lives on is of no use to anyone."""
    try:
        async with asyncio.timeout(_END_WITHIN):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()


def _how(bye: Bye | None, code: int, killed_for: str) -> str:
    if killed_for:
        return f"it was killed: {killed_for}"
    if bye is not None:
        return f"it ended by itself: {bye.problem or bye.reason}"
    if code < 0:
        try:
            return f"it was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"it was killed by signal {-code}"
    return f"it ended with exit code {code}"
