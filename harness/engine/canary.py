"""A canary: the same loop probes a responder of its own on loopback. Its round trips are the noise floor of every
figure."""

import asyncio
from collections.abc import Callable

from harness.recorder import Recorder

EVERY = 0.2  # seconds


class _Echo(asyncio.Protocol):
    """Sends back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)  # type: ignore[attr-defined]  # a stream's transport writes


class _Singer(asyncio.Protocol):
    """Notes when the echo came."""

    def __init__(self, clock: Callable[[], float], recorder: Recorder) -> None:
        self._clock = clock
        self._recorder = recorder
        self._transport: asyncio.Transport | None = None
        self._sent: float | None = None
        self.worst = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._sent is not None:
            self._note(self._clock() - self._sent)
            self._sent = None

    def sing(self) -> None:
        """Send one byte, unless the last one is still on its way: then its age is the news."""
        if self._sent is not None:
            self.worst = max(self.worst, self._clock() - self._sent)
        elif self._transport is not None and not self._transport.is_closing():
            self._sent = self._clock()
            self._transport.write(b".")

    def _note(self, seconds: float) -> None:
        self._recorder.canary(seconds)
        self.worst = max(self.worst, seconds)


class Canary:
    """Ten probes a second until cancelled. Without loopback there is none, and the recorder is told."""

    def __init__(self, clock: Callable[[], float], recorder: Recorder) -> None:
        self._clock = clock
        self._recorder = recorder
        self._singer: _Singer | None = None

    def take_worst(self) -> float | None:
        """The worst round trip since the last call, seconds; None if there is no canary."""
        if self._singer is None:
            return None
        worst, self._singer.worst = self._singer.worst, 0.0
        return worst

    async def run(self) -> None:
        """Serve and sing."""
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(_Echo, "127.0.0.1", 0)
        except OSError as error:
            self._recorder.problem(f"no canary: {error}")
            return
        transport: asyncio.BaseTransport | None = None
        try:
            port = server.sockets[0].getsockname()[1]
            transport, singer = await loop.create_connection(
                lambda: _Singer(self._clock, self._recorder), "127.0.0.1", port
            )
            server.close()
            self._singer = singer
            while True:
                await asyncio.sleep(EVERY)
                singer.sing()
        except OSError as error:
            self._recorder.problem(f"no canary: {error}")
        finally:
            server.close()
            if transport is not None:
                transport.close()
