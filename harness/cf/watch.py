"""Ends a call that must end: at its deadline, or when another thread cuts it short.

A socket's timeout starts anew with every byte, so it can't bound a call. What can is `shutdown(2)`, by another thread,
on a second descriptor of the same connection: it ends a connect, a handshake, headers and a body alike, and what has
come by then can still be read.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from harness.cf.attribute import Ended


class Over(OSError):
    """The call was ended by us, outside of any socket."""


class Watch:
    """One call at a time: its deadline, its connections, and whether it was ended. `cut` may come from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._twins: list[socket.socket] = []
        self._until = 0.0
        self._end: Future[Ended] | None = None  # of the call under way

    @contextlib.contextmanager
    def call(self, until: float) -> Iterator[None]:
        """Watch what happens inside; `until` is on the clock, in seconds. Its connections must not be used after."""
        end: Future[Ended] = Future()
        with self._lock:
            self._until, self._end = until, end
        timer = threading.Timer(max(0.0, until - self._clock()), self._close, (end, Ended.DEADLINE))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._end = None
                for twin in self._twins:
                    twin.close()
                self._twins.clear()

    @property
    def ended(self) -> Ended | None:
        """Why the call under way was ended; None if it was not."""
        end = self._end
        if end is None:
            return None
        if end.done():
            return end.result()
        return Ended.DEADLINE if self.left <= 0 else None  # a socket may notice before the timer does

    @property
    def left(self) -> float:
        """Seconds to the deadline, not negative."""
        return max(0.0, self._until - self._clock())

    def cut(self) -> None:
        """End the call under way; without one it does nothing."""
        with self._lock:
            end = self._end
        if end is not None:
            self._close(end, Ended.CUT)

    def expire(self) -> None:
        """End the call under way at once, as its deadline would; without one it does nothing."""
        with self._lock:
            end = self._end
        if end is not None:
            self._close(end, Ended.DEADLINE)

    def bind(self, sock: socket.socket) -> None:
        """Let a connection end with the call. Raises Over if that has ended, OSError if no descriptor is left."""
        with self._lock:
            if self._end is None or self._end.done():
                raise Over("the call is over")
            self._twins.append(sock.dup())

    def limit(self, seconds: float) -> float:
        """A timeout for a socket: so many seconds, but not beyond the deadline. Raises Over where none are left."""
        if self.ended is not None:
            raise Over("the call is over")
        return max(0.001, min(seconds, self.left))

    def await_either(self, work: "Future[object]", seconds: float) -> None:
        """Return when the work is done. Raises TimeoutError after so many seconds, Over if the call ends before."""
        end = self._end
        assert end is not None
        either: tuple[Future[Any], Future[Any]] = (work, end)
        wait(either, timeout=seconds, return_when=FIRST_COMPLETED)
        if work.done():
            return
        if end.done():
            raise Over("the call is over")
        raise TimeoutError

    def _close(self, end: "Future[Ended]", why: Ended) -> None:
        with self._lock:
            if end is not self._end or end.done():
                return
            end.set_result(why)
            for twin in self._twins:
                with contextlib.suppress(OSError):  # it has gone by itself
                    twin.shutdown(socket.SHUT_RDWR)
