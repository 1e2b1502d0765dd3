"""The `http` probe: one request by httpx, for what the engine does not do: HTTP/2 and proxies. Same outcomes.

httpx's transport is used without its client, whose cookies, redirects, decoding and environment an outside observer
must not have. All deadlines are the driver's. What httpx does not tell: the first byte is known only when the answer's
headers are whole, connections can't be opened ahead, and of several idle ones it takes the oldest.
"""

import asyncio
from collections.abc import Callable

import httpx

from harness.engine.blame import Judge
from harness.engine.dial import client_context
from harness.engine.request import target_of
from harness.engine.resolver import SystemResolver
from harness.engine.timer import best_timer
from harness.probes.drive import Driver
from harness.recorder import Recorder
from harness.spec import Spec

_STALE_SLACK = 0.01  # seconds beside the round trips within which a stale connection shows
_FAMILY_TRIAL = 1.0  # seconds that a family's first address gets to connect


def make(spec: Spec, *, start: float, user_agent: str, clock: Callable[[], float], recorder: Recorder) -> Driver:
    """A driver for a spec. Raises ValueError on a bad URL or proxy, OSError or ssl.SSLError on unusable
    certificates."""
    return Driver(
        spec,
        start=start,
        clock=clock,
        make_timer=best_timer(asyncio.get_running_loop()),
        recorder=recorder,
        probe=HttpProbe(spec, user_agent=user_agent, recorder=recorder),
    )


class HttpProbe:
    """Requests to one target; `attempt` is what the driver calls at every tick."""

    def __init__(self, spec: Spec, *, user_agent: str, recorder: Recorder) -> None:
        self._spec = spec
        self._recorder = recorder
        self._target = target_of(spec)
        pinned = dict(spec.resolve).get(self._target.host)
        if spec.proxy is not None and (pinned or spec.tls.server_name):
            raise ValueError("a proxy resolves and names the target itself: `resolve` and `server_name` need no proxy")
        self._url = httpx.URL(spec.url)
        self._tls = client_context(spec.tls) if self._target.secure else None
        self._headers = _headers(spec, user_agent)
        self._judge = Judge(spec.expect)
        self._resolver = SystemResolver(self._target.host, self._target.port, every=spec.resolve_every, pinned=pinned)
        self._six: bool | None = None
        self._kept = self._transport(keep=True)
        self._opened = 0
        self._closed = 0
        self._round_trips: dict[str, float] = {}  # address -> the last connect's seconds
        self._platform = False
