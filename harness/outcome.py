"""What one attempt came to: its outcome, the closed list of causes, and who is to blame.

Values only. Engine and probes make them, frames carry them, statistics count them.
"""

from enum import StrEnum

import msgspec


class Cause(StrEnum):
    """Why an attempt is not ok; design §6. The target's causes make a tick bad, our own make it unknown."""

    DNS = "dns"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_UNREACHABLE = "connect_unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_HANDSHAKE = "tls_handshake"
    TLS_CERTIFICATE = "tls_certificate"
    TLS_TIMEOUT = "tls_timeout"
    RESET = "reset"
    CLOSED_EARLY = "closed_early"
    STALLED = "stalled"
    PROTOCOL = "protocol"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    STATUS_4XX = "status_4xx"
    STATUS_5XX = "status_5xx"
    STATUS_UNEXPECTED = "status_unexpected"
    ROUTER = "router"
    THROTTLED = "throttled"
    HEADER_MISMATCH = "header_mismatch"
    BODY_MISMATCH = "body_mismatch"
    LOGIN = "login"
    API_ERROR = "api_error"
    DEGRADED = "degraded"
    # the harness's own: these ticks are unknown
    MISSED = "missed"
    CUT = "cut"
    LOST = "lost"
    TAINTED = "tainted"
    POOL_LIMIT = "pool_limit"
    LOCAL_PORTS = "local_ports"
    LOCAL_FILES = "local_files"
    INTERNAL = "internal"


OWN_CAUSES = frozenset(
    {
        Cause.MISSED,
        Cause.CUT,
        Cause.LOST,
        Cause.TAINTED,
        Cause.POOL_LIMIT,
        Cause.LOCAL_PORTS,
        Cause.LOCAL_FILES,
        Cause.INTERNAL,
    }
)
"""Causes that are the harness's doing: a tick with one of them is unknown, never bad."""


class Component(StrEnum):
    """Which part of the platform said no; `reference/cloud-foundry.md` tells how each is recognised."""

    DNS = "dns"
    NETWORK = "network"
    LOAD_BALANCER = "load_balancer"
    ROUTER = "router"
    APP = "app"
    NGINX = "nginx"  # before Cloud Controller
    CLOUD_CONTROLLER = "cloud_controller"
    DATABASE = "database"  # Cloud Controller's
    UAA = "uaa"
    DIEGO = "diego"  # its BBS
    LOG_CACHE = "log_cache"
    TARGET = "target"  # no part could be told from another
    HARNESS = "harness"


def is_own(cause: Cause, component: Component) -> bool:
    """The harness's doing: the tick is unknown. Too many requests to an API are our mistake (THROTTLED at HARNESS); an
    app that throttles its users is not."""
    return cause in OWN_CAUSES or (cause is Cause.THROTTLED and component is Component.HARNESS)


class Timings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long each stage of one attempt took, in seconds; a stage that did not happen is None."""

    queue: float | None = None  # waiting for a connection to come free
    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None  # request written to first byte of the answer
    body: float | None = None  # first byte to last


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record of one attempt. Times are seconds after the run's start on the monotonic clock."""

    tick: int  # ordinal within the worker's shard
    intended: float
    reached: float  # when the loop came to the tick
    finished: float
    sent: float | None = None  # when the request was written; None if it never was
    cause: Cause | None = None  # None: ok
    component: Component | None = None
    status: int | None = None
    address: str = ""  # the peer, "10.0.0.1:443"
    fresh: bool = False  # on a connection opened for this attempt
    retried: bool = False  # after a stale kept-alive connection
    request_id: str = ""
    detail: str = ""
    evidence: str = ""  # why this component, where the detail does not say it
    timings: Timings = Timings()
    paused: float = 0.0  # how long the harness itself was paused during the attempt

    @property
    def latency(self) -> float:
        """Seconds from the intended start: the upper figure."""
        return self.finished - self.intended

    @property
    def latency_low(self) -> float:
        """Seconds from the moment the loop reached the tick, without our own pauses: the lower figure."""
        return max(0.0, self.finished - self.reached - self.paused)
