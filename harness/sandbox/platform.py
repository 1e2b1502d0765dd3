"""The platform as a whole: its components' addresses, who is in the routing table, how one is restarted in order."""

import secrets
import threading
import time
from concurrent.futures import Executor
from pathlib import Path

from harness.sandbox.config import SandboxConfig
from harness.sandbox.member import Member, SandboxError
from harness.sandbox.ports import Ports
from harness.sandbox.truth import Truth
from harness.sandbox.wire import (
    ApiSpec,
    AppSpec,
    Ask,
    Backends,
    BalancerSpec,
    Drain,
    Revoke,
    RotateKey,
    Route,
    RouterAddress,
    RouterSpec,
    Spec,
    UaaSpec,
)

REQUESTS = "requests.jsonl"
STRANGER = "stranger"  # a user without a role
_HEALTHY_TIMEOUT = 5.0  # seconds, beyond a few health checks
_EXIT_SLACK = 5.0  # seconds beyond a drain's longest
_POLL = 0.005
_ROUTED = ("app", "api", "uaa")  # kinds of components in the routing table


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
        self.password = config.password or secrets.token_urlsafe(12)
        self.client_secret = config.client_secret or secrets.token_urlsafe(12)
        self.ports = (ports.reserve(config.port), *(ports.reserve() for _ in range(2 if config.api else 0)))
        self._scheme = "https" if secure else "http"
        self._folder = folder
        self._certificates = str(folder) if secure else None
        self._born = time.time()
        self._rev_sig = secrets.token_hex(4)
        self._backends = {
            kind: tuple(ports.reserve() for _ in range(config.shape.count(kind)))
            for kind in _ROUTED
        }  # fmt: skip
        self._routers = tuple(
            RouterAddress(f"router/{index}", ports.reserve(), ports.reserve()) for index in range(config.routers)
        )
        self._registered = {kind: set(range(len(held))) for kind, held in self._backends.items()}
        self._table = threading.Lock()
        names = ["balancer", *(router.name for router in self._routers)]
        names += [f"{kind}/{index}" for kind, held in self._backends.items() for index in range(len(held))]
        self.members = {
            name: Member(name, folder, nursery, lambda name=name: self._spec(name))  # type: ignore[misc]
            for name in names
        }

    @property
    def urls(self) -> tuple[str, ...]:
        """Of the app; then of the API and of UAA, where there are any. No slash at the end."""
        return tuple(f"{self._scheme}://127.0.0.1:{port}" for port in self.ports)

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
        if member.kind in _ROUTED:
            self.route(name, present=True)
        elif member.kind == "router":
            self.await_healthy(name)
        else:
            for router in self._routers:
                if self._usable(self.members[router.name]):
                    self.await_healthy(router.name)

    def stop_member(self, name: str, drain: Drain) -> None:
        """Stop it as the platform does: an instance leaves the routing table first. Raises SandboxError."""
        member = self.members[name]
        if member.kind in _ROUTED:
            self.route(name, present=False)
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

    def route(self, name: str, present: bool, step: str = "") -> None:
        """An instance joins the routing table, or leaves it. Raises SandboxError."""
        kind, _, index = name.partition("/")
        with self._table:
            if present:
                self._registered[kind].add(int(index))
            else:
                self._registered[kind].discard(int(index))
            for router in self._routers:
                member = self.members[router.name]
                if self._usable(member):
                    member.tell(Route(endpoint=name, present=present, step=step))

    def rotate_key(self, step: str) -> None:
        """UAA signs with another key, and each Cloud Controller forgets the old one. Raises SandboxError."""
        self._tell_about_tokens(RotateKey(step=step))

    def revoke_tokens(self, step: str) -> None:
        """Whatever was issued before is good no more. Raises SandboxError."""
        self._rev_sig = secrets.token_hex(4)
        self._tell_about_tokens(Revoke(rev_sig=self._rev_sig, step=step))

    def _tell_about_tokens(self, command: RotateKey | Revoke) -> None:
        """UAA first: what a Cloud Controller then asks for is new."""
        for name in sorted(self.members, reverse=True):
            member = self.members[name]
            if member.kind == "uaa" or (member.kind == "api" and self._usable(member)):
                member.tell(command)

    @staticmethod
    def _usable(member: Member) -> bool:
        return member.alive and not member.frozen

    def _spec(self, name: str) -> Spec:
        kind, _, index = name.partition("/")
        if kind == "app":
            return AppSpec(
                name=name, index=int(index), port=self._backends[kind][int(index)], folder=str(self._folder),
                truth=str(self.truth.path),
            )  # fmt: skip
        if kind == "api":
            return self._api_spec(name, self._backends[kind][int(index)])
        if kind == "uaa":
            return self._uaa_spec(name, self._backends[kind][int(index)])
        if kind == "router":
            return self._router_spec(self._routers[int(index)])
        config = self.config
        return BalancerSpec(
            name=name, ports=self.ports, layer=config.layer, routers=self._routers, health_every=config.health_every,
            timeout=config.balancer_timeout, certificates=self._certificates, truth=str(self.truth.path),
        )  # fmt: skip

    def _router_spec(self, address: RouterAddress) -> RouterSpec:
        config = self.config
        table = [self._entry("app", config.hosts)]
        if config.api:
            _, api, uaa = self.ports
            table.append(self._entry("api", (*config.api_hosts, f"127.0.0.1:{api}", f"localhost:{api}")))
            table.append(self._entry("uaa", (*config.uaa_hosts, f"127.0.0.1:{uaa}", f"localhost:{uaa}")))
        return RouterSpec(
            name=address.name, port=address.port, health_port=address.health_port, table=tuple(table),
            drain_wait=config.drain_wait, drain_timeout=config.drain_timeout, dropped_for=config.dropped_for,
            timeout=config.router_timeout, certificates=self._certificates if config.layer == 4 else None,
            truth=str(self.truth.path),
        )  # fmt: skip

    def _entry(self, kind: str, hosts: tuple[str, ...]) -> Backends:
        app = kind == "app"
        return Backends(
            kind=kind, hosts=hosts, ports=self._backends[kind], registered=tuple(sorted(self._registered[kind])),
            empty="no_endpoints" if app else "unknown_route",
            connections=self.config.app_connections if app else None,
        )  # fmt: skip

    def _api_spec(self, name: str, port: int) -> ApiSpec:
        config = self.config
        _, api, uaa = self.urls
        return ApiSpec(
            name=name, port=port, url=api, uaa_url=uaa, uaa_port=self._backends["uaa"][0], app=config.app,
            instances=config.instances, stranger=STRANGER, born=self._born, folder=str(self._folder),
            limit=config.rate_limit, ip_limit=config.ip_rate_limit, interval=config.rate_interval,
            rev_sig=self._rev_sig, truth=str(self.truth.path), requests=str(self._folder / REQUESTS),
        )  # fmt: skip

    def _uaa_spec(self, name: str, port: int) -> UaaSpec:
        config = self.config
        return UaaSpec(
            name=name, port=port, url=self.urls[2], username=config.username, stranger=STRANGER,
            password=self.password, client_id=config.client_id, client_secret=self.client_secret,
            lifetime=config.token_lifetime, rotate_refresh=config.rotate_refresh, rev_sig=self._rev_sig,
            folder=str(self._folder), truth=str(self.truth.path), requests=str(self._folder / REQUESTS),
        )  # fmt: skip
