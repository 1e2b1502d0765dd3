"""The balancer's health checks: which routers may be sent to, and whose turn it is."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

from harness.sandbox.truth import Truth
from harness.sandbox.wire import RouterAddress

_FIRST_EVERY = 0.02  # seconds between checks of a router that was never healthy yet: the start shall be quick
_LEAST_TIMEOUT = 0.5  # seconds
_QUESTION = b"GET /health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"


class Health:
    """Asks each router's health endpoint again and again, on a fresh connection each time."""

    def __init__(self, name: str, routers: Sequence[RouterAddress], every: float, truth: Truth) -> None:
        self.healthy: list[RouterAddress] = []
        self._name = name
        self._routers = routers
        self._every = every
        self._timeout = max(_LEAST_TIMEOUT, 2 * every)
        self._truth = truth
        self._turn = 0

    def pick(self, tried: Iterable[str] = ()) -> RouterAddress | None:
        """The next healthy one in turn; None where there is none."""
        left = [router for router in self.healthy if router.name not in tried]
        if not left:
            return None
        self._turn += 1
        return left[self._turn % len(left)]

    async def watch(self, router: RouterAddress) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        seen = False
        due = loop.time()
        while True:
            self._settle(router, good := await self._good(router))
            seen = seen or good
            due = max(due + (self._every if seen else _FIRST_EVERY), loop.time())
            await asyncio.sleep(due - loop.time())

    def _settle(self, router: RouterAddress, good: bool) -> None:
        if good == (router in self.healthy):
            return
        chosen = {*self.healthy, router} if good else set(self.healthy) - {router}
        self.healthy = [one for one in self._routers if one in chosen]
        self._truth.note("router_healthy" if good else "router_unhealthy", self._name, router=router.name)

    async def _good(self, router: RouterAddress) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = await asyncio.open_connection("127.0.0.1", router.health_port)
                try:
                    writer.write(_QUESTION % router.name.encode())
                    line = await reader.readline()
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
        except OSError:  # TimeoutError is one
            return False
        return line.startswith(b"HTTP/1.1 200 ")
