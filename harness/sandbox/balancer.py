"""`python -m harness.sandbox.balancer`: the load balancer before the routers. At layer 4 it splices connections; at
layer 7 it ends them (and TLS) and has errors of its own, which carry neither X-Vcap-Request-Id nor X-Cf-RouterError."""

import asyncio
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from harness.sandbox import component
from harness.sandbox.drain import drain_front
from harness.sandbox.fault import obey_fault
from harness.sandbox.forward import Endpoint, Forwarding
from harness.sandbox.front import Front
from harness.sandbox.health import Health
from harness.sandbox.message import Headers, Request, answer, reason
from harness.sandbox.served import Answering, Served
from harness.sandbox.splice import Incoming
from harness.sandbox.truth import Truth
from harness.sandbox.wire import Ask, BalancerSpec, Command, Drain, Fault, Reply, Spec

_SERVER = b"sandbox-balancer"
_GRACE = 1.0  # seconds that it gives what is under way


class _Way:
    """One request's way to a healthy router: dialled again elsewhere if refused, never sent twice."""

    def __init__(self, balancer: "Balancer", request: Request) -> None:
        self._balancer = balancer
        self._request = request
        self.timeout = balancer.spec.timeout

    def choose(self, tried: Iterable[Endpoint]) -> Endpoint | bytes:
        router = self._balancer.health.pick({endpoint.name for endpoint in tried})
        return self._balancer.endpoints[router.name] if router else self._balancer.error(self._request, 502)

    def failed(self, endpoint: Endpoint, why: str, dialled: bool) -> bool:
        return not dialled

    def give_up(self, why: str, late: bool) -> bytes:
        return self._balancer.error(self._request, 504 if late else 502)

    def request_headers(self, peer: str) -> Headers:
        scheme = b"https" if self._balancer.spec.certificates else b"http"
        return ((b"X-Forwarded-For", peer.encode()), (b"X-Forwarded-Proto", scheme))

    def answer_headers(self) -> Headers:
        return ()


class Balancer:
    """Takes turns among the routers whose health endpoint says yes."""

    def __init__(self, spec: BalancerSpec, truth: Truth, tasks: asyncio.TaskGroup) -> None:
        self.spec = spec
        self.health = Health(spec.name, spec.routers, spec.health_every, truth)
        self.endpoints = {router.name: Endpoint(router.name, router.port) for router in spec.routers}
        self._truth = truth
        self._tasks = tasks
        certificates = Path(spec.certificates) if spec.certificates and spec.layer == 7 else None
        accept = self._accept_spliced if spec.layer == 4 else self._accept_http
        self._front = Front(spec.ports, accept, certificates)

    async def open(self) -> None:
        """See `Component`."""
        await self._front.open()
        for router in self.spec.routers:
            self._tasks.create_task(self.health.watch(router))

    async def obey(self, command: Command) -> Reply:
        """See `Component`."""
        if isinstance(command, Ask):
            return Reply(at=time.monotonic(), healthy=tuple(router.name for router in self.health.healthy))
        return await obey_fault(self._front, self._truth, self.spec.name, command)

    async def drain(self, order: Drain) -> None:
        """See `Component`."""
        await drain_front(self._front, self._truth, self.spec.name, order, wait=0.0, timeout=_GRACE)

    def close(self) -> None:
        """See `Component`."""
        self._front.close()
        for endpoint in self.endpoints.values():
            endpoint.close()

    def error(self, request: Request, code: int) -> bytes:
        """An answer of the balancer's own."""
        words = f"{code} {reason(code)}"
        page = f"<html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>\n"
        return answer(request, code, [(b"Server", _SERVER), (b"Content-Type", b"text/html")], page.encode())

    def _accept_spliced(self, front: Front) -> asyncio.Protocol:
        return Incoming(front, self.health.pick, self._tasks)

    def _accept_http(self, front: Front) -> asyncio.Protocol:
        return Served(front, self._serve, self._refuse)

    def _serve(self, request: Request, served: Served) -> Answering | None:
        return Forwarding(request, served, _Way(self, request), self._tasks).start()

    def _refuse(self, request: Request, fault: Fault) -> bytes:
        return self.error(request, fault.code or 502)


def _build(spec: Spec, truth: Truth, group: asyncio.TaskGroup) -> Balancer:
    assert isinstance(spec, BalancerSpec)
    return Balancer(spec, truth, group)


if __name__ == "__main__":
    sys.exit(component.run(_build))
