"""What a sandbox is made of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.sandbox.script import Script

DOMAIN = "apps.localhost"
_MOST = 50  # components of a kind


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
    timeout: float = 60.0  # until an answer must have begun: 502 of a router, 504 of a layer-7 balancer
    script: Script | None = None
    folder: Path | None = None  # of the truth log and the certificates; None: a temporary one

    def __post_init__(self) -> None:
        """Raises ValueError."""
        for name in ("routers", "instances"):
            if not 1 <= getattr(self, name) <= _MOST:
                raise ValueError(f"{name}: from 1 to {_MOST}, not {getattr(self, name)}")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: from 0 to 65535, not {self.port}")
        if self.layer not in (4, 7):
            raise ValueError(f"layer: 4 or 7, not {self.layer}")
        for name in ("drain_wait", "drain_timeout", "health_every", "dropped_for", "timeout"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: not negative")

    @property
    def host(self) -> str:
        """The app's name in Host."""
        return f"{self.app}.{DOMAIN}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """All that lead to the app."""
        return (self.host, "127.0.0.1", "localhost", DOMAIN)
