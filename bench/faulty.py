"""A target that fails on command and stamps the truth: a process of its own, and the handle that commands it.

`python -m bench.faulty` serves on loopback, prints its URL, obeys the words that come on standard input (`serve`,
`refuse`, `reset`, `stall`, `503`, `delay SECONDS`) and ends with it. It answers each word, once it has taken effect,
with a line of JSON: when that was, and what came in since the word before.
"""

import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

import uvloop

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
_RST = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets
_BACKLOG = 4096


class Stamp(NamedTuple):
    """A moment of the target's, and what it saw since the one before."""

    monotonic: float  # CLOCK_MONOTONIC, seconds
    utc: float  # seconds since the epoch
    requests: int = 0  # since it began
    longest_gap: float = 0.0  # seconds between two requests' arrivals since the word before, the last one still open


class _State:
    """What all connections do now."""

    def __init__(self) -> None:
        self.mode = "serve"
        self.delay = 0.0
        self.held: list[asyncio.Transport] = []
        self.open: set[asyncio.Transport] = set()
        self.requests = 0
        self.newest = time.monotonic()
        self.longest_gap = 0.0

    def arrived(self) -> None:
        now = time.monotonic()
        self.longest_gap = max(self.longest_gap, now - self.newest)
        self.newest = now
        self.requests += 1

    def stamp(self) -> Stamp:
        now = time.monotonic()
        stamp = Stamp(now, time.time(), self.requests, max(self.longest_gap, now - self.newest))
        self.longest_gap, self.newest = 0.0, now
        return stamp


class _Connection(asyncio.Protocol):
    """Keep-alive, one write an answer. A request ends with an empty line; it has no body."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._state.open.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._state.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for _ in requests:
            self._answer()

    def _answer(self) -> None:
        state, transport = self._state, self._transport
        assert transport is not None
        state.arrived()
        match state.mode:
            case "serve" if state.delay:
                asyncio.get_running_loop().call_later(state.delay, self._late, transport)
            case "serve":
                transport.write(_OK)
            case "503":
                transport.write(_UNAVAILABLE)
            case "stall":
                state.held.append(transport)
            case "reset":
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
                transport.abort()
            case _:
                transport.abort()

    def _late(self, transport: asyncio.Transport) -> None:
        if self._state.mode == "stall":
            self._state.held.append(transport)
        elif not transport.is_closing():
            transport.write(_OK)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    state = _State()
    # bound and never listening: while the target refuses, nobody else gets its port, as a client neither
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]

        async def listen() -> asyncio.AbstractServer:
            ear = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
            return await loop.create_server(lambda: _Connection(state), sock=ear, backlog=_BACKLOG)

        server: asyncio.AbstractServer | None = await listen()
        print(json.dumps({"url": f"http://127.0.0.1:{port}/"}), flush=True)
        words = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
        while line := await words.readline():
            word, _, number = line.decode().strip().partition(" ")
            if word == "delay":
                state.delay = float(number)
            elif word != "look":
                state.mode = word
            if word == "refuse" and server is not None:
                server.close()
                server = None
                for transport in list(state.open):
                    transport.abort()
            if word == "serve":
                server = server or await listen()
            stamp = state.stamp()
            if word == "serve":
                held, state.held = state.held, []
                for transport in held:
                    if not transport.is_closing():
                        transport.write(_OK)
            print(json.dumps(stamp), flush=True)


class Faulty:
    """The handle. A context manager that ends the process."""

    def __init__(self, delay: float = 0.0) -> None:
        command = [sys.executable, "-m", "bench.faulty"]
        root = Path(__file__).parent.parent
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
        self.url = str(self._line()["url"])
        if delay:
            self.say(f"delay {delay}")

    def say(self, word: str) -> Stamp:
        """From now on the target does this; when that began."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return Stamp(*self._line())

    def await_requests(self, count: int, limit: float = 60) -> None:
        """Return once so many requests have come in. Raises RuntimeError after `limit` seconds."""
        deadline = time.monotonic() + limit
        while self.say("look").requests < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"fewer than {count} requests came within {limit:g} s")
            time.sleep(0.1)

    def freeze(self) -> Stamp:
        """SIGSTOP."""
        os.kill(self._process.pid, signal.SIGSTOP)
        while _state_of(self._process.pid) != "T":
            time.sleep(0.0005)
        return Stamp(time.monotonic(), time.time())

    def thaw(self) -> Stamp:
        """SIGCONT."""
        stamp = Stamp(time.monotonic(), time.time())
        os.kill(self._process.pid, signal.SIGCONT)
        return stamp

    def _line(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the target ended")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.kill(self._process.pid, signal.SIGCONT)
        self._process.terminate()
        self._process.communicate()


def _state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


if __name__ == "__main__":
    uvloop.run(_serve())
