"""What the supervisor says to a component and what it answers: one line of JSON each, on its standard input and output.

The first line is the component's spec; each later one is a command, and each command gets one reply.
"""

from typing import Literal

import msgspec

FaultKind = Literal[
    "stall", "refuse", "status", "reset", "close_early", "slow", "wrong_certificate", "black_hole", "unknown_route",
    "unhealthy", "ruby_away", "html_page", "endless_pages", "trickle", "database_away", "uaa_away", "uaa_limited",
    "tokens_refused", "throttle", "bbs_away", "log_cache_away", "short_tokens", "rotate_refresh",
]  # fmt: skip
CertificateKind = Literal["good", "unknown_ca", "wrong_name", "expired"]


class AppSpec(msgspec.Struct, frozen=True, kw_only=True, tag="app"):
    """One instance of the app."""

    name: str  # app/0
    index: int
    port: int
    folder: str  # where Diego's knowledge of it is kept, see `bbs`
    truth: str


class Backends(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the routing table."""

    kind: str  # of the component that serves it: app, api, uaa
    hosts: tuple[str, ...]  # which lead there: names, with a port where it tells
    ports: tuple[int, ...]  # of its instances, by index
    registered: tuple[int, ...]  # indexes of those in the routing table
    empty: Literal["no_endpoints", "unknown_route"] = "no_endpoints"  # what is said while nobody is registered
    connections: int | None = None  # requests in flight that one instance may have


class RouterSpec(msgspec.Struct, frozen=True, kw_only=True, tag="router"):
    """One gorouter."""

    name: str  # router/0
    port: int
    health_port: int
    table: tuple[Backends, ...]
    drain_wait: float  # seconds
    drain_timeout: float  # seconds
    dropped_for: float  # seconds during which an instance that failed gets nothing
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
    ports: tuple[int, ...]  # the app's; then the API's and UAA's, where there are any
    layer: Literal[4, 7]
    routers: tuple[RouterAddress, ...]
    health_every: float  # seconds
    timeout: float  # seconds that a router may take to begin its answer; layer 7 alone
    certificates: str | None  # of the platform's TLS: ended here at layer 7, passed on at layer 4
    truth: str


class ApiSpec(msgspec.Struct, frozen=True, kw_only=True, tag="api"):
    """One Cloud Controller VM: nginx, and Ruby behind it."""

    name: str  # api/0
    port: int
    url: str  # of the API, as clients know it; no slash at its end
    uaa_url: str
    uaa_port: int  # where it asks UAA for its keys, past the routers
    app: str  # the sandbox's
    instances: int  # of it
    stranger: str  # a user who sees nothing
    born: float  # Unix seconds: when the platform came to be
    folder: str  # where Diego's knowledge is kept, see `bbs`
    limit: int | None  # requests of one user in an interval, of this VM; None: no limit
    ip_limit: int | None  # of one address, by those who are not logged in
    interval: float  # seconds
    rev_sig: str  # tokens with another revocation signature are refused
    truth: str
    requests: str  # the request log


class UaaSpec(msgspec.Struct, frozen=True, kw_only=True, tag="uaa"):
    """UAA: it logs people in."""

    name: str  # uaa/0
    port: int
    url: str  # as clients know it
    username: str
    stranger: str  # a user who sees nothing; the password is the same
    password: str
    client_id: str
    client_secret: str
    lifetime: float  # seconds of an access token
    rotate_refresh: bool  # each use of a refresh token ends it
    rev_sig: str  # of the tokens it issues: it changes when all are revoked
    folder: str  # of the signing key
    truth: str
    requests: str


Spec = AppSpec | RouterSpec | BalancerSpec | ApiSpec | UaaSpec


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag="fault"):
    """Begin to misbehave."""

    kind: FaultKind
    step: str = ""
    code: int = 0  # status, ruby_away
    error: str = ""  # a router's word in X-Cf-RouterError, or the title of a Cloud Controller's error
    delay: float = 0.0  # seconds: slow, trickle, bbs_away, short_tokens
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

    endpoint: str  # app/0
    present: bool
    step: str = ""


class RotateKey(msgspec.Struct, frozen=True, kw_only=True, tag="rotate_key"):
    """UAA makes a new signing key; Cloud Controllers forget the old one."""

    step: str = ""


class Revoke(msgspec.Struct, frozen=True, kw_only=True, tag="revoke"):
    """All tokens issued so far are good no more."""

    rev_sig: str  # that tokens have from now on
    step: str = ""


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """Which routers does the balancer use?"""


Command = Fault | Mend | Drain | Route | RotateKey | Revoke | Ask


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
