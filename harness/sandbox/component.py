"""The process around a component: its spec and its commands on standard input, replies on standard output.

It ends when told to drain (a command, or TERM), at once when its standard input does, and with its supervisor
(PR_SET_PDEATHSIG) where even that can't be noticed, as when it is stopped.
"""

import asyncio
import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from harness.sandbox.truth import Truth
from harness.sandbox.wire import Command, Drain, Reply, Spec, decode_command, decode_spec, encode

_PR_SET_PDEATHSIG = 1


class Component(Protocol):
    """A balancer, a router, an app instance, a Cloud Controller or UAA."""

    async def open(self) -> None:
        """Begin to serve. Raises OSError."""

    async def obey(self, command: Command) -> Reply:
        """Carry out anything but a drain. Raises ValueError or OSError with the reason why it can't."""

    async def drain(self, order: Drain) -> None:
        """Stop in order; returns when it may exit."""

    def close(self) -> None:
        """Close all that it opened, at once."""


Build = Callable[[Spec, Truth, asyncio.TaskGroup], Component]


class _End(Exception):
    """The process is to end; tasks that still run are cancelled."""


class _Commands:
    """Lines of standard input, as they come. None: its end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rest: bytes) -> None:
        self._loop = loop
        self._rest = b""
        self.queue: asyncio.Queue[Command | None] = asyncio.Queue()
        self._feed(rest)
        os.set_blocking(0, False)
        loop.add_reader(0, self._read)

    def _read(self) -> None:
        try:
            data = os.read(0, 65536)
        except BlockingIOError:
            return
        if data:
            self._feed(data)
        else:
            self._loop.remove_reader(0)
            self.queue.put_nowait(None)

    def _feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.queue.put_nowait(decode_command(line))


async def _drain(component: Component, order: Drain) -> None:
    await component.drain(order)
    raise _End


async def _obey(component: Component, command: Command) -> Reply:
    try:
        return await component.obey(command)
    except (ValueError, OSError) as error:
        return Reply(at=time.monotonic(), problem=str(error))


async def _live(spec: Spec, rest: bytes, build: Build) -> None:
    loop = asyncio.get_running_loop()
    truth = Truth(Path(spec.truth))
    try:
        async with asyncio.TaskGroup() as group:
            component = build(spec, truth, group)
            try:
                await component.open()
                commands = _Commands(loop, rest)
                loop.add_signal_handler(signal.SIGTERM, commands.queue.put_nowait, Drain(step="TERM"))
                truth.note("listening", spec.name, pid=os.getpid())
                _say(Reply(at=time.monotonic()))
                draining = False
                while (command := await commands.queue.get()) is not None:
                    if not isinstance(command, Drain):
                        _say(await _obey(component, command))
                        continue
                    if not draining:
                        group.create_task(_drain(component, command))
                        draining = True
                    if command.step != "TERM":
                        _say(Reply(at=time.monotonic()))
                raise _End
            finally:
                component.close()
    except* _End:
        pass
    finally:
        truth.close()


def _say(reply: Reply) -> None:
    os.write(1, encode(reply))


def run(build: Build) -> int:
    """Read the spec and live. Exit codes: 0 ended, 1 can't serve, 2 bad spec."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    data = b""
    while b"\n" not in data and (piece := os.read(0, 65536)):
        data += piece
    line, _, rest = data.partition(b"\n")
    try:
        spec = decode_spec(line)
    except msgspec.MsgspecError as error:
        print(f"harness.sandbox: bad spec on standard input: {error}", file=sys.stderr)
        return 2
    import uvloop

    gc.freeze()
    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_live(spec, rest, build))
    except* OSError as group:
        print(f"{spec.name}: {group.exceptions[0]}", file=sys.stderr)
        code = 1
    return code
