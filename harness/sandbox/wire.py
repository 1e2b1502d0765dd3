"""What the supervisor says to a component and what it answers: one line of JSON each, on its standard input and output.

The first line is the component's spec; each later one is a command, and each command gets one reply.
"""

from typing import Literal

import msgspec

FaultKind = Literal[
    "stall", "refuse", "status", "reset", "close_early", "slow", "wrong_certificate", "black_hole", "unknown_route",
    "unhealthy",
]  # fmt: skip
CertificateKind = Literal["good", "unknown_ca", "wrong_name", "expired"]


class AppSpec(msgspec.Struct, frozen=True, kw_only=True, tag="app"):
    """One instance of the app."""

    name: str  # app/0
    index: int
    port: int
    truth: str


class RouterSpec(msgspec.Struct, frozen=True, kw_only=True, tag="router"):
    """One gorouter."""

    name: str  # router/0
    port: int
    health_port: int
    hosts: tuple[str, ...]  # which all lead to the one app
    apps: tuple[int, ...]  # ports of its instances, by index
    registered: tuple[int, ...]  # indexes of those in the routing table
    drain_wait: float  # seconds
    drain_timeout: float  # seconds
    dropped_for: float  # seconds during which an instance that failed gets nothing
    app_connections: int | None  # requests in flight that one instance may have
    timeout: float  # seconds that an instance may take to begin its answer
    certificates: str | None  # a folder, see `certificates`; None: plain HTTP
    truth: str


class RouterAddress(msgspec.Struct, frozen=True):
    """Where the balancer finds a router."""

    name: str
    port: int
    health_port: int


class BalancerSpec(msgspec.Struct, frozen=True, kw_only=True, tag="balancer"):
    """The load balancer."""

    name: str
    port: int
    layer: Literal[4, 7]
    routers: tuple[RouterAddress, ...]
    health_every: float  # seconds
    timeout: float  # seconds that a router may take to begin its answer; layer 7 alone
    certificates: str | None  # of the platform's TLS: ended here at layer 7, passed on at layer 4
    truth: str


Spec = AppSpec | RouterSpec | BalancerSpec


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag="fault"):
    """Begin to misbehave."""

    kind: FaultKind
    step: str = ""
    code: int = 0  # status
    error: str = ""  # status of a router: the word in X-Cf-RouterError
    delay: float = 0.0  # slow, seconds
    certificate: CertificateKind = "wrong_name"


class Mend(msgspec.Struct, frozen=True, kw_only=True, tag="mend"):
    """Behave again."""

    step: str = ""


class Drain(msgspec.Struct, frozen=True, kw_only=True, tag="drain"):
    """Drain and exit. A component that knows no drain of that kind takes what it can of it."""

    wait: float | None = None  # seconds; None: as the spec says
    timeout: float | None = None
    step: str = ""


class Route(msgspec.Struct, frozen=True, kw_only=True, tag="route"):
    """An instance joins the routing table, or leaves it."""

    app: int
    present: bool
    step: str = ""


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """Which routers does the balancer use?"""


Command = Fault | Mend | Drain | Route | Ask


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The command was carried out, or the component serves (the first one)."""

    at: float = 0.0  # monotonic seconds
    problem: str = ""  # why it was not
    healthy: tuple[str, ...] = ()


_spec = msgspec.json.Decoder(Spec)
_command = msgspec.json.Decoder(Command)
_reply = msgspec.json.Decoder(Reply)
decode_spec = _spec.decode
decode_command = _command.decode
decode_reply = _reply.decode


def encode(message: Spec | Command | Reply) -> bytes:
    """One line, its end included."""
    return msgspec.json.encode(message) + b"\n"
