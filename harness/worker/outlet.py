"""Standard output that never blocks: a pipe holds 64 KiB, and a stopped conductor fills it in seconds."""

import asyncio
import os
from collections.abc import Callable


class Outlet:
    """Writes lines to a non-blocking descriptor. While one is stuck, `clear` is False and the caller keeps
    gathering."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, gone: Callable[[], None]) -> None:
        """`gone` is called once if the reader has closed its end."""
        self._loop = loop
        self._fd = fd
        self._gone = gone
        self._rest = memoryview(b"")
        self._watching = False
        self._closed = False
        self._emptied = asyncio.Event()
        self._emptied.set()
        os.set_blocking(fd, False)

    @property
    def clear(self) -> bool:
        """Nothing is stuck."""
        return not self._rest

    def write(self, line: bytes) -> None:
        """Write a line, as far as it goes; behind one that is stuck it waits."""
        self._rest = memoryview(bytes(self._rest) + line)
        self._push()

    def _push(self) -> None:
        try:
            while self._rest and not self._closed:
                self._rest = self._rest[os.write(self._fd, self._rest) :]
        except BlockingIOError:
            self._emptied.clear()
            if not self._watching:
                self._watching = True
                self._loop.add_writer(self._fd, self._push)
            return
        except OSError:  # EPIPE: nobody listens any more
            self._closed = True
            self._rest = memoryview(b"")
            self._gone()
        if self._watching:
            self._watching = False
            self._loop.remove_writer(self._fd)
        self._emptied.set()

    async def emptied(self) -> None:
        """Wait until nothing is stuck."""
        await self._emptied.wait()

    def close(self) -> None:
        """Leave the descriptor as it was found."""
        if self._watching:
            self._loop.remove_writer(self._fd)
            self._watching = False
        os.set_blocking(self._fd, True)
