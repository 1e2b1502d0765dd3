"""The platform as a whole: its components' addresses, who is in the routing table, how one is restarted in order."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

from harness.sandbox.config import SandboxConfig
from harness.sandbox.member import Member, SandboxError
from harness.sandbox.ports import Ports
from harness.sandbox.truth import Truth
from harness.sandbox.wire import AppSpec, Ask, BalancerSpec, Drain, Route, RouterAddress, RouterSpec

_HEALTHY_TIMEOUT = 5.0  # seconds, beyond a few health checks
_EXIT_SLACK = 5.0  # seconds beyond a drain's longest
_POLL = 0.005


class Ended(Exception):
    """The sandbox is being closed; what was being done is left."""


class Platform:
    """The components of one sandbox, by name."""

    def __init__(
        self, config: SandboxConfig, folder: Path, truth: Truth, ports: Ports, nursery: Executor, secure: bool
    ) -> None:
        self.config = config
        self.truth = truth
        self.ending = threading.Event()
        self.port = ports.reserve(config.port)
        self._file = str(truth.path)
        self._certificates = str(folder) if secure else None
        self._apps = tuple(ports.reserve() for _ in range(config.instances))
        self._routers = tuple(
            RouterAddress(f"router/{index}", ports.reserve(), ports.reserve()) for index in range(config.routers)
        )
        self._registered = set(range(config.instances))
        self._table = threading.Lock()
        self.members = {
            name: Member(name, folder, nursery, lambda name=name: self._spec(name))  # type: ignore[misc]
            for name in self._names()
        }

    def start(self) -> None:
        """All at once; returns when each serves and the balancer uses every router. Raises SandboxError."""
        for member in self.members.values():
            member.begin()
        for member in self.members.values():
            member.await_ready()
        for router in self._routers:
            self.await_healthy(router.name)

    def close(self) -> None:
        """End all."""
        self.ending.set()
        for member in self.members.values():
            member.dismiss()
        for member in self.members.values():
            member.end()

    def pause(self, seconds: float) -> None:
        """Raises Ended if the sandbox is closed meanwhile."""
        if self.ending.wait(seconds):
            raise Ended

    def start_member(self, name: str) -> None:
        """Start it, and let the others know. Raises SandboxError."""
        member = self.members[name]
        member.begin()
        member.await_ready()
        if member.kind == "app":
            self._route(name, present=True)
        elif member.kind == "router":
            self.await_healthy(name)
        else:
            for router in self._routers:
                if self._usable(self.members[router.name]):
                    self.await_healthy(router.name)

    def stop_member(self, name: str, drain: Drain) -> None:
        """Stop it as the platform does: an instance leaves the routing table first. Raises SandboxError."""
        member = self.members[name]
        if member.kind == "app":
            self._route(name, present=False)
        member.tell(drain)
        config = self.config
        wait = config.drain_wait if drain.wait is None else drain.wait
        timeout = config.drain_timeout if drain.timeout is None else drain.timeout
        end = time.monotonic() + wait + timeout + _EXIT_SLACK
        while (code := member.wait(_POLL)) is None:
            if self.ending.is_set():
                raise Ended
            if time.monotonic() > end:
                member.kill()
                raise SandboxError(f"{name} did not end its drain, and was killed")
        self.truth.note(f"{member.kind}_exited", name, drain.step, code=code)

    def await_healthy(self, router: str) -> None:
        """Until the balancer uses it. Raises SandboxError."""
        balancer = self.members["balancer"]
        if not self._usable(balancer):
            return
        end = time.monotonic() + _HEALTHY_TIMEOUT + 5 * self.config.health_every
        while router not in balancer.tell(Ask()).healthy:
            if time.monotonic() > end:
                raise SandboxError(f"the balancer does not use {router}: its health endpoint does not answer well")
            self.pause(_POLL)

    def _route(self, app: str, present: bool) -> None:
        index = int(app.partition("/")[2])
        with self._table:
            if present:
                self._registered.add(index)
            else:
                self._registered.discard(index)
            for router in self._routers:
                member = self.members[router.name]
                if self._usable(member):
                    member.tell(Route(app=index, present=present))

    @staticmethod
    def _usable(member: Member) -> bool:
        return member.alive and not member.frozen

    def _names(self) -> Iterator[str]:
        yield "balancer"
        yield from (router.name for router in self._routers)
        yield from (f"app/{index}" for index in range(self.config.instances))

    def _spec(self, name: str) -> AppSpec | RouterSpec | BalancerSpec:
        config = self.config
        kind, _, index = name.partition("/")
        if kind == "app":
            return AppSpec(name=name, index=int(index), port=self._apps[int(index)], truth=self._file)
        if kind == "balancer":
            return BalancerSpec(
                name=name, port=self.port, layer=config.layer, routers=self._routers, health_every=config.health_every,
                timeout=config.balancer_timeout, certificates=self._certificates, truth=self._file,
            )  # fmt: skip
        address = self._routers[int(index)]
        return RouterSpec(
            name=name, port=address.port, health_port=address.health_port, hosts=config.hosts, apps=self._apps,
            registered=tuple(sorted(self._registered)), drain_wait=config.drain_wait,
            drain_timeout=config.drain_timeout, dropped_for=config.dropped_for,
            app_connections=config.app_connections, timeout=config.router_timeout,
            certificates=self._certificates if config.layer == 4 else None, truth=self._file,
        )  # fmt: skip
