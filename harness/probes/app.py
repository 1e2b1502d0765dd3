"""The `app` probe: one HTTP/1.1 request on the engine, over real sockets."""

import asyncio
from collections.abc import Callable

from harness.engine.dial import SocketDialer
from harness.engine.engine import Engine
from harness.engine.request import target_of
from harness.engine.resolver import SystemResolver
from harness.engine.timer import best_timer
from harness.recorder import Recorder
from harness.spec import Spec


def make(spec: Spec, *, start: float, user_agent: str, clock: Callable[[], float], recorder: Recorder) -> Engine:
    """An engine for a spec. Raises ValueError on a bad URL, OSError or ssl.SSLError on unusable certificates."""
    target = target_of(spec)
    return Engine(
        spec,
        start=start,
        user_agent=user_agent,
        clock=clock,
        make_timer=best_timer(asyncio.get_running_loop()),
        dialer=SocketDialer(secure=target.secure, server_name=target.server_name, tls=spec.tls),
        resolver=SystemResolver(
            target.host, target.port, every=spec.resolve_every, pinned=dict(spec.resolve).get(target.host)
        ),
        recorder=recorder,
    )
