"""What a run cost this machine: CPU and memory of the conductor and its workers."""

import resource
import sys

from harness.command import Command
from harness.frames import Frame

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, KiB elsewhere


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


class Usage:
    """Counts from its creation on."""

    def __init__(self, command: Command | None) -> None:
        """`command`: what runs beside the workers, and isn't ours to count."""
        self._command = command
        self._own = _cpu(resource.RUSAGE_SELF)
        self._children = _cpu(resource.RUSAGE_CHILDREN)
        self._told = 0.0
        self._peaks: dict[tuple[str, int], int] = {}

    def hear(self, runner: str, shard: int, frame: Frame) -> None:
        """Take in what a worker says of itself."""
        for health in frame.health:
            self._told += health.cpu
            key = (runner, shard)
            self._peaks[key] = max(self._peaks.get(key, 0), health.rss)

    def cpu_seconds(self) -> float:
        """CPU of the conductor and of the workers that have ended. Beside a command, what the kernel sums up over all
        children isn't ours alone: then what the workers told, each second, counts."""
        workers = self._told if self._command else _cpu(resource.RUSAGE_CHILDREN) - self._children
        return _cpu(resource.RUSAGE_SELF) - self._own + workers

    def peak_rss_bytes(self) -> int:
        """The sum of each process's highest resident size; shared pages count in each."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT + sum(self._peaks.values())
