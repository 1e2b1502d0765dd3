"""The worker's own vital signs, once a second, from /proc: was it us?

Each reading is a difference to the one before. Where the system has no such file (macOS), the figure stays 0.
"""

import gc
import os
import time
from collections.abc import Callable
from typing import NamedTuple

from harness.frames import Health

_PAGE = os.sysconf("SC_PAGE_SIZE")


class _Reading(NamedTuple):
    at: float
    cpu: float
    run_delay: float
    stolen: float
    total: float
    pressure: float


class Vitals:
    """Reads the process's and the machine's counters."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._gc_began = 0.0
        self._gc_worst = 0.0
        self._last = self._read()

    def watch_collections(self) -> None:
        """Time the garbage collector from now on."""
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_began = self._clock()
        else:
            self._gc_worst = max(self._gc_worst, self._clock() - self._gc_began)

    def _read(self) -> _Reading:
        stolen, total = _steal()
        return _Reading(self._clock(), time.process_time(), _run_delay(), stolen, total, _pressure())

    def take(
        self, second: int, *, wake_gap: float, in_flight: int, connections: int, waiting: int, canary: float | None
    ) -> Health:
        """What happened since the last reading, as the health of `second`."""
        last, self._last = self._last, self._read()
        now = self._last
        elapsed = max(1e-6, now.at - last.at)
        ticks = now.total - last.total
        worst, self._gc_worst = self._gc_worst, 0.0
        return Health(
            second=second,
            wake_gap=round(wake_gap, 6),
            run_delay=round(now.run_delay - last.run_delay, 6),
            steal=round((now.stolen - last.stolen) / ticks, 4) if ticks > 0 else 0.0,
            pressure=round(min(1.0, (now.pressure - last.pressure) / elapsed), 4),
            gc=round(worst, 6),
            cpu=round(now.cpu - last.cpu, 6),
            rss=_resident(),
            files=_open_files(),
            in_flight=in_flight,
            connections=connections,
            waiting=waiting,
            canary=None if canary is None else round(canary, 6),
        )


def _text(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # once a second in the loop: Path costs ten times that
            return file.read(4096).decode("ascii", "replace")
    except OSError:
        return ""


def _run_delay() -> float:
    """Seconds this process was runnable and not running: the second figure of schedstat, nanoseconds."""
    words = _text("/proc/self/schedstat").split()
    return int(words[1]) / 1e9 if len(words) > 1 else 0.0


def _steal() -> tuple[float, float]:
    """Stolen and all ticks of all processors (proc(5), /proc/stat)."""
    words = _text("/proc/stat").partition("\n")[0].split()[1:9]
    figures = [float(word) for word in words]
    return (figures[7], sum(figures)) if len(figures) == 8 else (0.0, 0.0)


def _pressure() -> float:
    """Seconds in which some task waited for a processor (PSI, "some … total=", microseconds)."""
    line = _text("/proc/pressure/cpu").partition("\n")[0]
    _, _, total = line.partition("total=")
    return int(total) / 1e6 if total.isdigit() else 0.0


def _resident() -> int:
    words = _text("/proc/self/statm").split()
    return int(words[1]) * _PAGE if len(words) > 1 else 0


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
