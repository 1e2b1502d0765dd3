"""What one attempt does: a table of probes. Each makes a driver that keeps a spec's schedule."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.probes import app, cf_api, http
from harness.recorder import Recorder
from harness.spec import Spec

if TYPE_CHECKING:
    from harness.worker.work import Driver

PROBES: dict[str, Callable[..., "Driver"]] = {"app": app.make, "http": http.make, "cf-api": cf_api.make}


def make_driver(
    spec: Spec, *, start: float, user_agent: str, clock: Callable[[], float], recorder: Recorder
) -> "Driver":
    """The driver of a spec's probe, on the running loop. Raises ValueError on an unknown probe."""
    if spec.probe not in PROBES:
        raise ValueError(f"unknown probe {spec.probe!r}: one of {', '.join(sorted(PROBES))}")
    asyncio.get_running_loop()
    return PROBES[spec.probe](spec, start=start, user_agent=user_agent, clock=clock, recorder=recorder)
