"""Remembers when the instances of a process began, so that a restart between two looks shows."""

import threading
from collections.abc import Iterable
from typing import NamedTuple

from harness.cf.shapes import Instance

_GRAIN = 1.0  # seconds: Cloud Controller tells uptime in whole ones, each of its VMs by a clock of its own
_APART = 5.0  # seconds by which the clocks of its VMs are never apart


class Restart(NamedTuple):
    """An instance that began anew since the last look."""

    instance: int  # its index
    uptime: float  # seconds


class _Seen(NamedTuple):
    """When an instance began, not before and not after; its uptime, and when the call that told it was over."""

    earliest: float
    latest: float
    uptime: float
    ended: float


class Sightings:
    """Shared by the sessions that watch the same app: any thread may use it, and each restart is told once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int], _Seen] = {}

    def look(self, process: str, instances: Iterable[Instance], began: float, ended: float) -> list[Restart]:
        """What restarted. The uptimes were true at some moment between `began` and `ended` (monotonic seconds), so a
        stalled call makes no restart, nor does one that another overtook."""
        restarts = []
        with self._lock:
            for instance in instances:
                if instance.state != "RUNNING" or instance.uptime is None:
                    continue
                place, uptime = (process, instance.index), instance.uptime
                now = _Seen(began - uptime - _GRAIN, ended - uptime, uptime, ended)
                seen = self._seen.get(place, now)
                if _is_anew(seen, now, began):
                    restarts.append(Restart(instance.index, uptime))
                    self._seen[place] = now
                elif now.latest >= seen.earliest:
                    self._seen[place] = _Seen(
                        max(seen.earliest, now.earliest), min(seen.latest, now.latest), uptime, max(seen.ended, ended)
                    )
        return restarts


def _is_anew(seen: _Seen, now: _Seen, began: float) -> bool:
    """Its uptime fell between two looks, or is far less than the time between them allows."""
    fell = began >= seen.ended and now.uptime < seen.uptime - _GRAIN
    return fell or now.earliest > seen.latest + _APART
