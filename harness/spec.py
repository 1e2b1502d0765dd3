"""What a worker is told: everything about one runner's shard, and nothing about objectives, disks or reports.

A spec is read by `harness.worker` as one line of JSON on standard input. It may carry secrets (resolved headers), so it
is never written anywhere else.
"""

import msgspec

from harness.cf.target import ApiTarget, Asked, Credentials, Limits


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Limits in seconds. `total` runs from the intended start, `first_byte` from the send."""

    connect: float
    tls: float
    first_byte: float
    total: float


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """How the server is verified and how we present ourselves. Paths are absolute."""

    verify: bool = True
    ca: str | None = None
    server_name: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


class Expect(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer must be. Status ranges are inclusive; header and body patterns are searched, not matched."""

    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    headers: tuple[tuple[str, str], ...] = ()  # lower-case name, regular expression
    body: str | None = None  # regular expression


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Connections of one worker: opened before the first tick, at most, and handshakes under way at once."""

    warm: int
    cap: int
    handshakes: int
    idle: float = 30.0  # seconds after which an idle connection is closed, before the server would


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What the `cf-api` probe does at each tick, where, and as whom."""

    target: ApiTarget
    credentials: Credentials
    asked: Asked
    limits: Limits
    run: str = ""  # which one, for the User-Agent


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One shard of one runner. Worker s of K takes the ticks k = s (mod K); its ordinal j stands for tick s + j K."""

    runner: str
    probe: str = "app"
    start: float | None = None  # CLOCK_MONOTONIC, seconds; None: as soon as the pool is warm
    until: float | None = None  # seconds after the start; None: until told to stop, or standard input ends
    rate: float  # ticks per second of the whole runner
    shard: int = 0
    shards: int = 1
    first: int = 0  # first ordinal: a restarted worker goes on where time has got to
    incarnation: int = 0
    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    fresh: bool = False  # a connection for each attempt, closed after it
    timeouts: Timeouts
    tls: Tls = Tls()
    expect: Expect = Expect()
    pool: Pool
    body_limit: int = 10 * 1024 * 1024  # bytes read of one answer
    max_lag: float = 0.1  # seconds a tick may be late through us before it is missed
    drain: float = 3.0  # seconds that attempts in flight get after the stop
    resolve: tuple[tuple[str, str], ...] = ()  # host, address: as curl's --resolve
    resolve_every: float = 10.0  # seconds between look-ups
    http2: bool = False  # the `http` probe alone
    proxy: str | None = None  # the `http` probe alone
    operation: Operation | None = None  # the `cf-api` probe alone
    beside: tuple["Spec", ...] = ()  # runners that the same process serves: those of one foundation's API
    canary: bool = True
    frame_every: float = 0.25  # seconds


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    """A line to a running worker: no tick intended at or after `at` (seconds after the start); drain for `drain`
    seconds."""

    at: float
    drain: float


def decode_spec(line: bytes) -> Spec:
    """Read a spec. Raises msgspec.ValidationError or DecodeError with the place of the mistake."""
    return msgspec.json.decode(line, type=Spec)
