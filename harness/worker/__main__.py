"""`python -m harness.worker < spec.json`: the process around `harness.worker.work`.

Standard input: a spec, one line of JSON; then, if it stays open, `Stop` lines. A schedule without an end ends when its
standard input does. SIGTERM and SIGINT stop it in order.
"""

import asyncio
import ctypes
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator

import msgspec

import harness
from harness.engine.canary import Canary
from harness.engine.vitals import Vitals
from harness.errors import HarnessError
from harness.probes import make_driver
from harness.recorder import Recorder
from harness.spec import Spec, Stop, decode_spec
from harness.worker.outlet import Outlet
from harness.worker.work import Work

_PR_SET_PDEATHSIG = 1
_WARM_UP = 0.25  # seconds from reading a spec without a start to its first tick
_GONE = 70  # exit code: nobody reads our frames any more


def _die_with_parent() -> None:
    """For the case that a killed conductor's pipe is held open by another process (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _raise_file_limit(spec: Spec, recorder: Recorder) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass
    if soft != resource.RLIM_INFINITY and soft < spec.pool.cap + 32:
        recorder.problem(
            f"file descriptors: {soft} allowed, up to {spec.pool.cap} connections wanted (raise `ulimit -n`)"
        )


class _Input:
    """The lines that follow the spec. Reads by the loop, since the schedule must not wait for a thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rest: bytes,
        *,
        told: Callable[[Stop], None],
        ended: Callable[[], None],
        puzzled: Callable[[str], None],
    ) -> None:
        """`rest`: what was read together with the spec. `puzzled` is told of lines that are no `Stop`."""
        self._loop = loop
        self._buffer = b""
        self._told = told
        self._ended = ended
        self._puzzled = puzzled
        self._feed(rest)
        os.set_blocking(0, False)
        try:
            loop.add_reader(0, self._read)
        except (OSError, RuntimeError):  # a regular file: epoll has nothing to wait for
            self._read_all()

    def _read(self) -> None:
        try:
            data = os.read(0, 65536)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(0)
            self._ended()
            return
        self._feed(data)

    def _read_all(self) -> None:
        while data := os.read(0, 65536):
            self._feed(data)
        self._ended()

    def _feed(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if line.strip():
                try:
                    stop = msgspec.json.decode(line, type=Stop)
                except msgspec.MsgspecError as error:
                    self._puzzled(f"a line on the worker's standard input is no stop: {error}")
                else:
                    self._told(stop)


async def _run(spec: Spec, rest: bytes) -> None:
    loop = asyncio.get_running_loop()
    clock = time.monotonic
    start = spec.start if spec.start is not None else clock() + _WARM_UP
    recorder = Recorder()  # of the first runner, whose frames tell how the process fares
    _raise_file_limit(spec, recorder)
    vitals = Vitals(clock)
    vitals.watch_collections()
    outlet = Outlet(loop, 1, gone=lambda: os._exit(_GONE))

    def work_for(member: Spec, recorder: Recorder, vitals: Vitals | None, canary: Canary | None) -> Work:
        agent = f"cf-harness/{harness.__version__}"
        driver = make_driver(member, start=start, user_agent=agent, clock=clock, recorder=recorder)
        return Work(
            member,
            start=start,
            clock=clock,
            driver=driver,
            recorder=recorder,
            sink=outlet,
            label=member.runner if spec.beside else "",
            vitals=vitals,
            canary=canary,
        )

    works = [
        work_for(spec, recorder, vitals, Canary(clock, recorder) if spec.canary else None),
        *(work_for(member, Recorder(), None, None) for member in spec.beside),
    ]
    loop.set_exception_handler(works[0].callback_broke)

    def stop_at(at: float, drain: float, reason: str) -> None:
        for work in works:
            work.stop(at, drain, reason)

    def stop(reason: str) -> None:
        stop_at(clock() - start, spec.drain, reason)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, f"signal {number.name}")
    _Input(
        loop,
        rest,
        told=lambda message: stop_at(message.at, message.drain, "told to stop"),
        ended=lambda: stop("its standard input ended") if spec.until is None else None,
        puzzled=recorder.problem,
    )
    gc.collect()
    gc.freeze()  # what lives now lives to the end: the collector need not look at it again
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work.run())
    finally:
        outlet.close()


def main() -> int:
    """Read the spec and work. Exit codes: 0 done, 2 bad spec, 1 it broke."""
    _die_with_parent()
    data = b""
    while b"\n" not in data:
        piece = os.read(0, 1 << 20)
        if not piece:
            break
        data += piece
    line, _, rest = data.partition(b"\n")
    try:
        spec = decode_spec(line)
    except msgspec.MsgspecError as error:
        print(f"harness.worker: bad spec on standard input: {error}", file=sys.stderr)
        return 2
    try:
        _loop_runner(spec, rest)
    except (ValueError, OSError, HarnessError) as error:
        print(f"harness.worker: {error}", file=sys.stderr)
        return 2
    except ExceptionGroup as group:
        print(f"harness.worker: it broke: {list(_leaves(group))!r}", file=sys.stderr)
        return 1
    return 0


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _loop_runner(spec: Spec, rest: bytes) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(spec, rest))


if __name__ == "__main__":
    sys.exit(main())
