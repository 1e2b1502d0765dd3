"""What wakes the loop at an exact moment.

asyncio's and uvloop's timers step by milliseconds; a Linux timerfd in the loop is exact without spinning. Elsewhere the
loop's own timer serves, and says how coarse it is.
"""

import asyncio
import ctypes
import os
import struct
import sys
from collections.abc import Callable
from typing import Protocol

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1
_TFD_NONBLOCK_CLOEXEC = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)


class Timer(Protocol):
    """Calls back at or after the moment it was armed for; arming again replaces the moment. The callback must arm it
    again or close it, or it may call back without end."""

    description: str

    def arm(self, when: float) -> None:
        """Wake at `when`, in seconds of the monotonic clock."""

    def close(self) -> None:
        """Never call back again, and release what the timer holds."""


MakeTimer = Callable[[Callable[[], None]], Timer]


class TimerfdTimer:
    """A Linux timerfd watched by the loop. It is never read: the callback arms it again, which clears it. Through
    ctypes, since `os.timerfd_create` came with Python 3.13.

    Raises OSError where the kernel refuses (EMFILE).
    """

    description = "timerfd, exact to about 50 µs"

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
        if self._fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"timerfd_create: {os.strerror(number)}")
        self._settime = self._libc.timerfd_settime
        self._setting = ctypes.create_string_buffer(32)
        self._loop = loop
        loop.add_reader(self._fd, callback)

    def arm(self, when: float) -> None:
        """Wake at `when`; a moment in the past fires at once."""
        seconds = int(when)
        nanoseconds = int((when - seconds) * 1e9)
        # it_interval zero: once. An it_value of zero would disarm, and the monotonic clock is never there.
        struct.pack_into("qqqq", self._setting, 0, 0, 0, seconds, nanoseconds)
        self._settime(self._fd, _TFD_TIMER_ABSTIME, self._setting, None)

    def close(self) -> None:
        """Take the descriptor out of the loop and close it."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


class LoopTimer:
    """The event loop's own timer: exact on a virtual clock, a step of a millisecond on a real one."""

    description = "event loop timer, exact to about 1 ms"

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, when: float) -> None:
        """Wake at `when`."""
        self.close()
        self._handle = self._loop.call_at(when, self._callback)

    def close(self) -> None:
        """Cancel what is armed."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def best_timer(loop: asyncio.AbstractEventLoop) -> MakeTimer:
    """The most exact timer that this system has."""
    kind: type[TimerfdTimer] | type[LoopTimer] = TimerfdTimer if sys.platform == "linux" else LoopTimer
    return lambda callback: kind(loop, callback)
