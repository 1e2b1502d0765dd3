"""What a platform can suffer, and what each operation tells of it: a table. The matrix plays it, `docs/api-faults.md`
shows it, and the trials of attribution are held against it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.cf.target import OPERATION_NAMES
from harness.outcome import Cause, Component
from harness.sandbox.script import Step

TIMEOUT = 2.0  # seconds that an operation may take
LENGTH = 3.0  # seconds of a fault
OPERATIONS = OPERATION_NAMES


class Sign(NamedTuple):
    """What an operation tells."""

    cause: Cause
    component: Component


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row: something that happens, and whom it harms. An operation without a sign is unharmed."""

    name: str
    step: Step
    words: str  # what a client sees of it
    signs: Mapping[str, Sign]
    midway: frozenset[Sign] = frozenset()  # also right where it strikes an operation under way
    guesses: frozenset[str] = frozenset()
    """Operations whose sign names the likeliest component, and here that is wrong. No trial passes so."""
    length: float = LENGTH
    takes: float = 0.0  # seconds until it is in force everywhere
    over: tuple[float, float] = (0.0, 0.0)
    """Seconds after its end at which all is well again, at the earliest and at the latest. Before it where what stalls
    is answered in time as it ends; after it where we were asked to hold back."""

    def right(self, operation: str) -> frozenset[Sign | None]:
        """What is rightly told of an operation inside the fault; None: it went well. Empty for a guess."""
        return frozenset() if operation in self.guesses else frozenset({self.signs.get(operation)})

    def right_midway(self, operation: str) -> frozenset[Sign | None]:
        """What is rightly told of one under way as the fault begins or ends."""
        return self.right(operation) | {None} | (self.midway if operation in self.signs else frozenset())


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A sandbox and what befalls it, one thing after the other."""

    title: str
    faults: tuple[Fault, ...]
    shape: Mapping[str, object] = field(default_factory=dict)  # of the sandbox, besides its API


READERS = ("list-apps", "app-stats", "list-routes", "list-spaces", "watch-app")
"""Operations that show a token to Cloud Controller."""
API = ("info", *READERS)
INSTANCES = ("list-apps", "app-stats", "watch-app")
"""Operations that need Diego."""
STATS = ("app-stats", "watch-app")
LOGIN = ("login",)


def _all(operations: tuple[str, ...], cause: Cause, component: Component) -> dict[str, Sign]:
    return dict.fromkeys(operations, Sign(cause, component))


# A runner has one call slot here, so that ticks wait for it: those that wait as a stall ends are answered in time …
_STALLED = (-TIMEOUT, -TIMEOUT + 0.5)
# … and those that have not begun by then never meet what trickles
_TRICKLED = (-TIMEOUT + 0.5, -TIMEOUT + 1.0)
_SYN_AGAIN = (-TIMEOUT, 0.0)  # the kernel tries again after 1 s
_STRUCK = frozenset(
    {
        Sign(Cause.RESET, Component.NETWORK),
        Sign(Cause.CLOSED_EARLY, Component.NETWORK),
        Sign(Cause.CONNECT_REFUSED, Component.NETWORK),
    }
)
_SILENT = frozenset({Sign(Cause.TOTAL_TIMEOUT, Component.TARGET)})

CLOUD_CONTROLLER = Platform(
    title="Cloud Controller",
    faults=(
        Fault(
            name="Cloud Controller not registered",
            step=Step(do="unregister", target="apis"),
            words="404 `unknown_route` by the router",
            signs=_all(API, Cause.ROUTER, Component.ROUTER),
        ),
        Fault(
            name="one Cloud Controller of two not registered",
            step=Step(do="unregister", target="api/0"),
            words="nothing: the router asks the other one",
            signs={},
        ),
        Fault(
            name="Ruby restarts",
            step=Step(do="ruby_away", target="apis"),
            words="502, HTML, `Server: nginx`",
            signs=_all(API, Cause.STATUS_5XX, Component.NGINX),
        ),
        Fault(
            name="Ruby hangs",
            step=Step(do="ruby_away", target="apis", code=504),
            words="504, HTML, `Server: nginx`",
            signs=_all(API, Cause.STATUS_5XX, Component.NGINX),
        ),
        Fault(
            name="odd status by nginx",
            step=Step(do="status", target="apis", code=499),
            words="499, HTML, `Server: nginx`",
            signs=_all(API, Cause.STATUS_4XX, Component.NGINX),
        ),
        Fault(
            name="maintenance page",
            step=Step(do="html_page", target="apis"),
            words="200 with HTML, `Server: nginx`",
            signs=_all(API, Cause.PROTOCOL, Component.NGINX),
        ),
        Fault(
            name="database away",
            step=Step(do="database_away", target="apis"),
            words="500 `10011 CF-DatabaseError`",
            signs=_all(READERS, Cause.API_ERROR, Component.DATABASE),
        ),
        Fault(
            name="no connection to the database",
            step=Step(do="database_away", target="apis", error="CF-ServiceUnavailable"),
            words="503 `10015 CF-ServiceUnavailable`",
            signs=_all(READERS, Cause.API_ERROR, Component.DATABASE),
        ),
        Fault(
            name="database away, not told",
            step=Step(do="database_away", target="apis", error="UnknownError"),
            words="500 `10001 UnknownError`: it does not tell Cloud Controller from its database",
            signs=_all(READERS, Cause.API_ERROR, Component.CLOUD_CONTROLLER),
        ),
        Fault(
            name="endless pages",
            step=Step(do="endless_pages", target="apis"),
            words="lists whose next page is themselves",
            signs=_all(READERS, Cause.PROTOCOL, Component.CLOUD_CONTROLLER),
        ),
        Fault(
            name="trickling answers",
            step=Step(do="trickle", target="apis"),
            words="the head, then a byte of the body every 0.1 s",
            signs=_all(API, Cause.TOTAL_TIMEOUT, Component.CLOUD_CONTROLLER),
            over=_TRICKLED,
        ),
        Fault(
            name="slow answers",
            step=Step(do="slow", target="apis", by=0.1),
            words="each 0.1 s later, within the timeout",
            signs={},
        ),
        Fault(
            name="Cloud Controller silent",
            step=Step(do="stall", target="apis"),
            words="no answer: silence does not tell load balancer, router and Cloud Controller",
            signs=_all(API, Cause.TOTAL_TIMEOUT, Component.TARGET),
            midway=frozenset({Sign(Cause.TOTAL_TIMEOUT, Component.CLOUD_CONTROLLER)}),
            length=5.0,
            over=_STALLED,
        ),
        Fault(
            name="Cloud Controller killed",
            step=Step(do="kill", target="apis", lasts=LENGTH),
            words="502 `endpoint_failure` by the router",
            signs=_all(API, Cause.ROUTER, Component.ROUTER),
            over=(-5.0, 0.0),  # one of the two is back before the other
        ),
    ),
)

UAA = Platform(
    title="UAA",
    faults=(
        Fault(
            name="UAA away for Cloud Controller",
            step=Step(do="uaa_away", target="apis"),
            words="502 `20004 CF-UaaUnavailable`",
            signs=_all(READERS, Cause.API_ERROR, Component.UAA),
        ),
        Fault(
            name="UAA limits Cloud Controller",
            step=Step(do="uaa_limited", target="apis"),
            words="429 `20008 CF-UaaRateLimited`, `Retry-After`",
            signs=_all(READERS, Cause.THROTTLED, Component.UAA),
            over=(0.0, 5.0),
        ),
        Fault(
            name="UAA limits log-ins",
            step=Step(do="uaa_limited", target="uaa"),
            words="429, `Retry-After`",
            signs=_all(LOGIN, Cause.THROTTLED, Component.UAA),
            over=(0.0, 5.0),
        ),
        Fault(
            name="UAA fails",
            step=Step(do="status", target="uaa"),
            words="503, HTML",
            signs=_all(LOGIN, Cause.STATUS_5XX, Component.UAA),
        ),
        Fault(
            name="UAA's maintenance page",
            step=Step(do="html_page", target="uaa"),
            words="200 with HTML",
            signs=_all(LOGIN, Cause.PROTOCOL, Component.UAA),
        ),
        Fault(
            name="UAA silent",
            step=Step(do="stall", target="uaa"),
            words="no answer to a log-in",
            signs=_all(LOGIN, Cause.TOTAL_TIMEOUT, Component.UAA),
            length=5.0,
            over=_STALLED,
        ),
        Fault(
            name="UAA trickles",
            step=Step(do="trickle", target="uaa"),
            words="the head, then a byte of the token every 0.1 s",
            signs=_all(LOGIN, Cause.TOTAL_TIMEOUT, Component.UAA),
            over=_TRICKLED,
        ),
        Fault(
            name="UAA killed",
            step=Step(do="kill", target="uaa", lasts=LENGTH),
            words="502 `endpoint_failure` by the router",
            signs=_all(LOGIN, Cause.ROUTER, Component.ROUTER),
        ),
        Fault(
            name="UAA not registered",
            step=Step(do="unregister", target="uaa"),
            words="404 `unknown_route` by the router",
            signs=_all(LOGIN, Cause.ROUTER, Component.ROUTER),
        ),
    ),
)

BEHIND = Platform(
    title="Tokens, Diego, log-cache, limits",
    shape={"rate_interval": 4.0},  # seconds that a limit asks to hold back for
    faults=(
        Fault(
            name="tokens refused",
            step=Step(do="tokens_refused", target="apis"),
            words="401 `1000 CF-InvalidAuthToken`, for a new token too",
            signs=_all(READERS, Cause.API_ERROR, Component.CLOUD_CONTROLLER),
        ),
        Fault(
            name="signing key rotated",
            step=Step(do="rotate_key", target="uaa"),
            words="401 once; another token does",
            signs={},
        ),
        Fault(
            name="tokens revoked",
            step=Step(do="revoke_tokens", target="uaa"),
            words="401 once; another token does",
            signs={},
        ),
        Fault(
            name="Diego's BBS silent",
            step=Step(do="bbs_away", target="apis"),
            words="calls that need instances stall for 60 s, others don't",
            signs=_all(INSTANCES, Cause.TOTAL_TIMEOUT, Component.DIEGO),
            length=8.0,
            over=_STALLED,
        ),
        Fault(
            name="Diego's BBS away",
            step=Step(do="bbs_away", target="apis", by=0.2),
            words="503 `200002 CF-StatsUnavailable`; with `embed=process_instances` 500 `10001`",
            signs=_all(INSTANCES, Cause.API_ERROR, Component.DIEGO),
        ),
        Fault(
            name="Diego's BBS away, instances",
            step=Step(do="bbs_away", target="apis", by=0.2, error="CF-InstancesUnavailable"),
            words="503 `220002 CF-InstancesUnavailable`; with `embed=process_instances` 500 `10001`",
            signs=_all(INSTANCES, Cause.API_ERROR, Component.DIEGO),
        ),
        Fault(
            name="log-cache away",
            step=Step(do="log_cache_away", target="apis"),
            words="200 with `usage: {}` and `X-Cf-Warnings`",
            signs=_all(STATS, Cause.DEGRADED, Component.LOG_CACHE),
        ),
        Fault(
            name="too many requests",
            step=Step(do="throttle", target="apis"),
            words="429 `10013 CF-RateLimitExceeded`, `Retry-After`",
            signs=_all(API, Cause.THROTTLED, Component.CLOUD_CONTROLLER),
            over=(0.0, 4.0),
        ),
    ),
)

WAY = Platform(
    title="The way there",
    faults=(
        Fault(
            name="routing table empty",
            step=Step(do="unknown_route", target="routers"),
            words="404 `unknown_route` by the router",
            signs=_all(OPERATIONS, Cause.ROUTER, Component.ROUTER),
        ),
        Fault(
            name="odd status by the router",
            step=Step(do="status", target="routers", code=525),
            words="525 `endpoint_failure` by the router",
            signs=_all(OPERATIONS, Cause.ROUTER, Component.ROUTER),
        ),
        Fault(
            name="Cloud Controller resets",
            step=Step(do="reset", target="apis"),
            words="502 `endpoint_failure` by the router",
            signs=_all(API, Cause.ROUTER, Component.ROUTER),
        ),
        Fault(
            name="answers end in their midst",
            step=Step(do="close_early", target="apis"),
            words="the connection ends before the body does",
            signs=_all(API, Cause.CLOSED_EARLY, Component.NETWORK),
        ),
        Fault(
            name="load balancer refuses",
            step=Step(do="refuse", target="balancer"),
            words="connection refused",
            signs=_all(OPERATIONS, Cause.CONNECT_REFUSED, Component.NETWORK),
            midway=_STRUCK,
        ),
        Fault(
            name="load balancer resets",
            step=Step(do="reset", target="balancer"),
            words="connection reset",
            signs=_all(OPERATIONS, Cause.RESET, Component.NETWORK),
            midway=_STRUCK,
        ),
        Fault(
            name="load balancer gone without a word",
            step=Step(do="black_hole", target="balancer"),
            words="no answer to a SYN",
            signs=_all(OPERATIONS, Cause.TOTAL_TIMEOUT, Component.NETWORK),
            midway=_SILENT,
            length=5.0,
            over=_SYN_AGAIN,
        ),
        Fault(
            name="routers silent",
            step=Step(do="stall", target="routers"),
            words="no answer: silence does not tell load balancer, router and Cloud Controller",
            signs={
                **_all(API, Cause.TOTAL_TIMEOUT, Component.TARGET),
                **_all(LOGIN, Cause.TOTAL_TIMEOUT, Component.UAA),
            },
            guesses=frozenset(LOGIN),
            length=5.0,
            over=_STALLED,
        ),
    ),
)

SECURE = Platform(
    title="The way there, with TLS that ends at the load balancer",
    shape={"tls": True, "layer": 7},
    faults=(
        Fault(
            name="load balancer fails",
            step=Step(do="status", target="balancer"),
            words="502 without `X-Cf-RouterError` and `X-Vcap-Request-Id`",
            signs=_all(OPERATIONS, Cause.STATUS_5XX, Component.LOAD_BALANCER),
        ),
        Fault(
            name="wrong certificate",
            step=Step(do="wrong_certificate", target="balancer"),
            words="another host's",
            signs=_all(OPERATIONS, Cause.TLS_CERTIFICATE, Component.NETWORK),
        ),
        Fault(
            name="expired certificate",
            step=Step(do="wrong_certificate", target="balancer", certificate="expired"),
            words="expired",
            signs=_all(OPERATIONS, Cause.TLS_CERTIFICATE, Component.NETWORK),
        ),
        Fault(
            name="load balancer frozen",
            step=Step(do="freeze", target="balancer"),
            words="connected by its kernel, and no TLS handshake",
            signs=_all(OPERATIONS, Cause.TOTAL_TIMEOUT, Component.NETWORK),
            midway=_SILENT,
            length=5.0,
            over=_STALLED,
        ),
        Fault(
            name="all routers out of rotation",
            step=Step(do="unhealthy", target="routers"),
            words="503 without `X-Cf-RouterError` and `X-Vcap-Request-Id`",
            signs=_all(OPERATIONS, Cause.STATUS_5XX, Component.LOAD_BALANCER),
            takes=0.2,  # the load balancer finds out by its health checks
        ),
    ),
)

PLATFORMS = (CLOUD_CONTROLLER, UAA, BEHIND, WAY, SECURE)
