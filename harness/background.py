"""Standing back behind the workers: where both share a processor, the conductor's work must not delay a tick."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def behind_the_workers() -> Iterator[None]:
    """While this lasts the calling thread preempts nobody when it wakes (SCHED_BATCH, sched(7)). What it starts
    inherits that: see `in_front`. Where the system has or allows no such thing, nothing changes."""
    if sys.platform != "linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        yield
        return
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        in_front(0)


def in_front(pid: int) -> None:
    """A process that was started from behind takes its ordinary place; one that has ended needs none."""
    if sys.platform == "linux":
        with suppress(OSError):
            if os.sched_getscheduler(pid) == os.SCHED_BATCH:
                os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
