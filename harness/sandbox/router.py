"""`python -m harness.sandbox.router`: one gorouter. Sends requests to instances of the app, of Cloud Controller or of
UAA by Host, says its own errors as gorouter does (X-Cf-RouterError), and drains as it does."""

import asyncio
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

from harness.sandbox import component
from harness.sandbox.drain import drain_front
from harness.sandbox.fault import obey_fault
from harness.sandbox.forward import Endpoint, Forwarding
from harness.sandbox.front import Front
from harness.sandbox.message import Headers, Request, answer, reason
from harness.sandbox.served import Answering, Served
from harness.sandbox.truth import Truth
from harness.sandbox.wire import Backends, Command, Drain, Fault, Reply, Route, RouterSpec, Spec

_TRIES = 3  # endpoints of one request
_ENDPOINT_FAILED = "Registered endpoint failed to handle the request."
_CODES = {
    "unknown_route": 404,
    "no_endpoints": 503,
    "Connection Limit Reached": 503,
    "empty_host": 400,
    "endpoint_failure": 502,
}


class Table:
    """One entry of the routing table: which instances it has, and which of them failed a short while ago."""

    def __init__(self, backends: Backends, dropped_for: float) -> None:
        self.endpoints = [Endpoint(f"{backends.kind}/{index}", port) for index, port in enumerate(backends.ports)]
        self._kind = backends.kind
        self._empty = backends.empty
        self._cap = backends.connections
        self._registered = set(backends.registered)
        self._failed: dict[int, float] = {}  # until when, monotonic
        self._dropped_for = dropped_for
        self._turn = 0

    def set(self, index: int, present: bool) -> None:
        """An instance joins, its past forgotten, or leaves. Raises ValueError."""
        if not 0 <= index < len(self.endpoints):
            raise ValueError(f"there is no {self._kind}/{index}")
        self._failed.pop(index, None)
        if present:
            self._registered.add(index)
        else:
            self._registered.discard(index)

    def drop(self, endpoint: Endpoint, now: float) -> None:
        """It failed."""
        self._failed[self.endpoints.index(endpoint)] = now + self._dropped_for

    def pick(self, tried: Iterable[Endpoint], now: float) -> Endpoint | str:
        """The next in turn, or the router's word for why there is none."""
        registered = [self.endpoints[index] for index in sorted(self._registered)]
        if not registered:
            return self._empty
        tried = set(tried)
        fresh = [endpoint for endpoint in registered if endpoint not in tried] or registered
        good = [endpoint for endpoint in fresh if self._failed.get(self.endpoints.index(endpoint), 0.0) <= now]
        if not good:  # gorouter forgets all failures rather than serve nobody
            self._failed.clear()
            good = fresh
        free = [endpoint for endpoint in good if self._cap is None or endpoint.in_flight < self._cap]
        if not free:
            return "Connection Limit Reached"
        self._turn += 1
        return free[self._turn % len(free)]


class _Way:
    """One request's way through the table."""

    def __init__(self, router: "Router", table: Table, request: Request, request_id: bytes) -> None:
        self._router = router
        self._table = table
        self._request = request
        self._id = request_id
        self._tries = 0
        self.timeout = router.spec.timeout

    def choose(self, tried: Iterable[Endpoint]) -> Endpoint | bytes:
        self._tries += 1
        chosen = self._table.pick(tried, time.monotonic())
        return chosen if isinstance(chosen, Endpoint) else self._router.error(self._request, chosen, self._id)

    def failed(self, endpoint: Endpoint, why: str, dialled: bool) -> bool:
        self._table.drop(endpoint, time.monotonic())
        self._router.endpoint_failed(endpoint, why)
        return self._tries < _TRIES

    def give_up(self, why: str, late: bool) -> bytes:
        return self._router.error(self._request, f"endpoint_failure ({why})", self._id)

    def request_headers(self, peer: str) -> Headers:
        forwarded = self._request.header(b"x-forwarded-for")
        scheme = b"https" if self._router.spec.certificates else b"http"
        return (
            (b"X-Forwarded-For", (forwarded + b", " if forwarded else b"") + peer.encode()),
            (b"X-Forwarded-Proto", self._request.header(b"x-forwarded-proto") or scheme),
            (b"X-Request-Start", b"%d" % (time.time() * 1000)),
            (b"X-Vcap-Request-Id", self._id),
        )

    def answer_headers(self) -> Headers:
        return ((b"X-Vcap-Request-Id", self._id),)


class Router:
    """A gorouter and its health endpoint."""

    def __init__(self, spec: RouterSpec, truth: Truth, tasks: asyncio.TaskGroup) -> None:
        self.spec = spec
        self._tables = {backends.kind: Table(backends, spec.dropped_for) for backends in spec.table}
        self._hosts = {host: self._tables[backends.kind] for backends in spec.table for host in backends.hosts}
        self._truth = truth
        self._tasks = tasks
        self._draining = False
        certificates = Path(spec.certificates) if spec.certificates else None
        self._front = Front((spec.port,), lambda front: Served(front, self._serve, self._refuse), certificates)
        self._health = Front((spec.health_port,), lambda front: Served(front, self._check, self._refuse), None)

    async def open(self) -> None:
        """See `Component`."""
        await self._front.open()
        await self._health.open()

    async def obey(self, command: Command) -> Reply:
        """See `Component`."""
        if isinstance(command, Route):
            kind, _, index = command.endpoint.partition("/")
            self._tables[kind].set(int(index), command.present)
            event = "registered" if command.present else "unregistered"
            return Reply(at=self._truth.note(event, self.spec.name, command.step, app=command.endpoint))
        return await obey_fault(self._front, self._truth, self.spec.name, command)

    async def drain(self, order: Drain) -> None:
        """See `Component`."""
        self._draining = True
        spec = self.spec
        await drain_front(self._front, self._truth, spec.name, order, wait=spec.drain_wait, timeout=spec.drain_timeout)

    def close(self) -> None:
        """See `Component`."""
        self._front.close()
        self._health.close()
        for table in self._tables.values():
            for endpoint in table.endpoints:
                endpoint.close()

    def endpoint_failed(self, endpoint: Endpoint, why: str) -> None:
        """An instance did not answer."""
        self._truth.note("endpoint_failed", self.spec.name, app=endpoint.name, why=why)

    def error(self, request: Request, word: str, request_id: bytes, code: int = 0) -> bytes:
        """An answer of the router's own."""
        kind = word.partition(" (")[0]
        code = code or _CODES.get(kind, 502)
        host = request.host
        said = {
            "unknown_route": f"Requested route ('{host}') does not exist.",
            "no_endpoints": f"Requested route ('{host}') has no available endpoints.",
            "Connection Limit Reached": f"Requested route ('{host}') has reached the connection limit.",
            "empty_host": "Request had empty Host header",
        }.get(kind, _ENDPOINT_FAILED)
        headers = [
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"X-Cf-Routererror", word.encode("latin-1", "replace")),  # as Go's canonical form spells it
            (b"X-Content-Type-Options", b"nosniff"),
            (b"X-Vcap-Request-Id", request_id),
        ]
        if kind == "unknown_route":
            headers.append((b"Cache-Control", b"no-cache, no-store"))
        return answer(request, code, headers, f"{code} {reason(code)}: {said}\n".encode())

    def _serve(self, request: Request, served: Served) -> Answering | None:
        request_id = str(uuid.uuid4()).encode()
        table = self._hosts.get(request.authority) or self._hosts.get(request.host)
        if table is not None:
            return Forwarding(request, served, _Way(self, table, request, request_id), self._tasks).start()
        served.send(self.error(request, "unknown_route" if request.host else "empty_host", request_id))
        served.done(request.keep)
        return None

    def _refuse(self, request: Request, fault: Fault) -> bytes:
        word = "unknown_route" if fault.kind == "unknown_route" else fault.error or "endpoint_failure"
        return self.error(request, word, str(uuid.uuid4()).encode(), fault.code)

    def _check(self, request: Request, served: Served) -> None:
        fault = self._front.fault
        well = not self._draining and (fault is None or fault.kind != "unhealthy")
        served.send(answer(request, 200 if well else 503, [], b"ok\n" if well else b""))
        served.done(keep=False)


def _build(spec: Spec, truth: Truth, group: asyncio.TaskGroup) -> Router:
    assert isinstance(spec, RouterSpec)
    return Router(spec, truth, group)


if __name__ == "__main__":
    sys.exit(component.run(_build))
