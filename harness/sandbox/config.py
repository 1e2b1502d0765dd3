"""What a sandbox is made of."""

import re
from dataclasses import dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Literal

from harness.sandbox.script import Script, Shape

DOMAIN = "apps.localhost"  # of apps
SYSTEM_DOMAIN = "localhost"  # of the API and of UAA
_MOST = 50  # components of a kind
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """A platform on loopback. Durations in seconds."""

    routers: int = 2
    instances: int = 2
    app: str = "healthcheck"
    layer: Literal[4, 7] = 4
    tls: bool = False
    port: int = 0  # of the balancer; 0: one that is free
    drain_wait: float = 1.0
    drain_timeout: float = 10.0
    health_every: float = 0.1
    dropped_for: float = 30.0  # an instance that failed gets nothing from that router
    app_connections: int | None = None  # requests in flight that a router lets one instance have
    router_timeout: float = 900.0  # until an instance's answer must have begun: then 502
    balancer_timeout: float = 60.0  # likewise a router's, at layer 7: then 504
    api: int = 0  # Cloud Controller VMs, and UAA beside them; 0: there is no API
    username: str = "developer"  # a space developer
    password: str | None = field(default=None, repr=False)  # None: made for this sandbox
    client_id: str = "cf-harness"  # has cloud_controller.admin_read_only
    client_secret: str | None = field(default=None, repr=False)
    token_lifetime: float = 599.0  # of an access token
    rotate_refresh: bool = False  # each use of a refresh token ends it
    rate_limit: int | None = None  # requests of one user in an interval, counted by each Cloud Controller VM by itself
    ip_rate_limit: int | None = None  # likewise of one address without a token
    rate_interval: float = 3600.0
    script: Script | None = None
    folder: Path | None = None  # of the truth log and the certificates; None: a temporary one

    def __post_init__(self) -> None:
        """Raises ValueError."""
        for name in ("routers", "instances"):
            if not 1 <= getattr(self, name) <= _MOST:
                raise ValueError(f"{name}: from 1 to {_MOST}, not {getattr(self, name)}")
        if not 0 <= self.api <= _MOST:
            raise ValueError(f"api: from 0 to {_MOST}, not {self.api}")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: from 0 to 65535, not {self.port}")
        if self.layer not in (4, 7):
            raise ValueError(f"layer: 4 or 7, not {self.layer}")
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float) and not 0 <= value < inf:
                raise ValueError(f"{each.name}: seconds, not negative, not {value}")
        if not _NAME.fullmatch(self.app):
            raise ValueError(f"app: a name of small letters, digits and hyphens, not {self.app!r}")

    @property
    def shape(self) -> Shape:
        """What a script may name."""
        return Shape(self.routers, self.instances, self.layer, self.tls, self.api)

    @property
    def host(self) -> str:
        """The app's name in Host."""
        return f"{self.app}.{DOMAIN}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """All that lead to the app."""
        return (self.host, "127.0.0.1", "localhost", DOMAIN)

    @property
    def api_hosts(self) -> tuple[str, ...]:
        """Names of the API."""
        return (f"api.{SYSTEM_DOMAIN}",)

    @property
    def uaa_hosts(self) -> tuple[str, ...]:
        """Names of UAA."""
        return (f"uaa.{SYSTEM_DOMAIN}", f"login.{SYSTEM_DOMAIN}")
