"""Two ways to the same foundation: our session, and the bare library as its documents show it."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import requests
from cloudfoundry_client.client import CloudFoundryClient

from harness.cf.client import Client, session_of
from harness.cf.dial import Dialer
from harness.cf.identity import Identity
from harness.cf.performed import Performed
from harness.cf.session import Session
from harness.cf.sightings import Sightings
from harness.cf.target import ApiTarget, Asked, Credentials, Limits
from harness.cf.trail import Trail
from harness.cf.watch import Watch
from harness.cf.wire import Wire
from harness.outcome import Cause, Component
from tests.cf.foundation import CLIENT, CLIENT_SECRET, PASSWORD, USER, Foundation

LIMITS = Limits(connect=2.0, read=2.0, total=4.0)
USER_AGENT = "cf-harness/test (run 7)"
MAUD = Credentials(kind="password", username=USER, password=PASSWORD, origin="the test")
WATCHER = Credentials(kind="client", client_id=CLIENT, client_secret=CLIENT_SECRET, origin="the test")


@contextlib.contextmanager
def session(
    at: Foundation | str,
    credentials: Credentials = MAUD,
    *,
    limits: Limits = LIMITS,
    target: ApiTarget | None = None,
    identity: Identity | None = None,
    sightings: Sightings | None = None,
) -> Iterator[Session]:
    url = at if isinstance(at, str) else at.url
    target = target or ApiTarget(api=url)
    one = Session(target, credentials, limits, user_agent=USER_AGENT, identity=identity, sightings=sightings)
    try:
        yield one
    finally:
        one.close()


def perform(one: Session, asked: Asked | str = "list-apps", seconds: float = LIMITS.total) -> Performed:
    asked = Asked(operation=asked) if isinstance(asked, str) else asked
    return one.perform(asked, time.monotonic() + seconds)


def ours(at: Foundation | str, asked: Asked | str = "list-apps", **how: object) -> Performed:
    """One operation of a new session."""
    with session(at, **how) as one:  # type: ignore[arg-type]
        return perform(one, asked)


def blamed(performed: Performed, cause: Cause, component: Component) -> str:
    """Sees that it was this one's fault; returns detail and evidence for a closer look."""
    assert performed.fault is not None, performed
    assert (performed.fault.cause, performed.fault.component) == (cause, component), performed.fault
    assert performed.fault.evidence
    assert performed.fault.detail.startswith(f"{performed.fault.call}: "), performed.fault
    assert len(performed.fault.detail) <= 300
    assert "\n" not in performed.fault.detail
    return f"{performed.fault.detail} | {performed.fault.evidence}"


def bare(at: Foundation, **how: object) -> CloudFoundryClient:
    """The library's own client, logged in as its README shows."""
    client = CloudFoundryClient(at.url, **how)
    client.init_with_user_credentials(USER, PASSWORD)
    return client


@contextlib.contextmanager
def hardened(at: Foundation) -> Iterator[Client]:
    """Our client alone, within a call."""
    watch = Watch(time.monotonic)
    wire = Wire(Dialer(ApiTarget(api=at.url), LIMITS, watch), LIMITS, watch, time.monotonic)
    wire.trail = Trail(body_limit=1024 * 1024, max_pages=20)
    http: requests.Session = session_of(wire, USER_AGENT)
    with watch.call(time.monotonic() + 10):
        try:
            yield Client(at.url, http, wire, client_id="cf", client_secret="", token_url=None)
        finally:
            http.close()


class Run:
    """Something in a thread of its own, which may never end by itself."""

    def __init__(self, what: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self.result: object = None
        self._what = what
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._what()
        except BaseException as error:  # looked at by the test
            self.error = error

    def over_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()
