"""How a component stops in order: gorouter's drain, with a wait of zero that of anything else."""

import asyncio
import time

from harness.sandbox.front import Front
from harness.sandbox.truth import Truth
from harness.sandbox.wire import Drain

_TICK = 0.005  # seconds between two looks at what is still active


async def drain_front(front: Front, truth: Truth, name: str, order: Drain, wait: float, timeout: float) -> None:
    """Gorouter's drain, of any component: after the wait the listener and all idle connections close, active ones when
    they become idle, and after the timeout what is left."""
    wait = wait if order.wait is None else order.wait
    timeout = timeout if order.timeout is None else order.timeout
    truth.note("drain_began", name, order.step, drain_wait=wait, drain_timeout=timeout)
    await asyncio.sleep(wait)
    front.draining = True
    front.close_listeners()
    idle = [connection for connection in front.connections if connection.idle]
    for connection in idle:
        connection.shut()
    active = sum(1 for connection in front.connections if connection.active)
    truth.note("listener_closed", name, order.step, idle_closed=len(idle), active=active)
    end = time.monotonic() + timeout
    while any(connection.active for connection in front.connections) and time.monotonic() < end:
        await asyncio.sleep(_TICK)
    left = sum(1 for connection in front.connections if connection.active)
    truth.note("drained", name, order.step, cut=left)
