"""The ten weaknesses of the library (reference, §3). Each scenario is run by our way and by the bare library's: the day
that the library mends one, its test here fails and tells."""

import copy
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cloudfoundry_client.client import V3, CloudFoundryClient
from oauth2_client.credentials_manager import OAuthError

from harness.cf.api import Api
from harness.cf.identity import Identity
from harness.cf.performed import Performed
from harness.cf.target import ApiTarget, Asked, Limits
from harness.outcome import Cause, Component
from tests.cf.foundation import (
    CLIENT,
    CLIENT_SECRET,
    PASSWORD,
    USER,
    Foundation,
    closing,
    in_turn,
    of_cloud_controller,
    of_router,
    saying,
    stalling,
    trickling,
    trickling_head,
)
from tests.cf.ways import LIMITS, WATCHER, Run, bare, blamed, hardened, ours, perform, session
from tests.faults.authority import Authority

HURRIED = Limits(connect=0.3, read=0.3, total=0.6)
HTML = saying(200, b"<!DOCTYPE html><html>maintenance</html>", Content_Type="text/html", **of_router())


@pytest.fixture
def foundation() -> Iterator[Foundation]:
    with Foundation() as one:
        yield one


def bare_list(at: Foundation) -> object:
    return list(bare(at).v3.apps.list())


# 1. no timeouts: discovery, tokens, calls; nor would a socket's timeout end a trickle


@pytest.mark.parametrize("path", ["/", "/oauth/token", "/v3/apps"])
@pytest.mark.parametrize("reply", [stalling, trickling, trickling_head], ids=["stalls", "trickles", "trickles a head"])
def test_1_every_request_ends(foundation: Foundation, path: str, reply: Callable[..., None]) -> None:
    foundation.on[path] = reply
    began = time.monotonic()
    with session(foundation, limits=HURRIED) as one:
        performed = perform(one, "list-apps", seconds=HURRIED.total)
    assert time.monotonic() - began < HURRIED.total + 0.2
    assert performed.fault is not None
    assert performed.fault.cause in (Cause.FIRST_BYTE_TIMEOUT, Cause.TOTAL_TIMEOUT)
    run = Run(lambda: bare_list(foundation))
    assert not run.over_within(1.5)
    foundation.over.set()
    assert run.over_within(20)


# 2. tokens


def test_2_a_client_logs_in_again(foundation: Foundation) -> None:
    with session(foundation, WATCHER) as one:
        assert perform(one).fault is None
        foundation.revoke()
        assert perform(one).fault is None
    client = CloudFoundryClient(foundation.url, CLIENT, CLIENT_SECRET)
    client.init_with_client_credentials()
    list(client.v3.apps.list())
    foundation.revoke()
    with pytest.raises(Exception, match="InvalidAuthToken"):
        list(client.v3.apps.list())


def test_2_eight_at_once_with_rotating_refresh_tokens(foundation: Foundation) -> None:
    foundation.rotating = True
    identity = Identity()

    def all_at_once(call: Callable[[], object]) -> list[Run]:
        runs = [Run(call) for _ in range(8)]
        assert all(run.over_within(15) for run in runs)
        return runs

    together, again = threading.Barrier(8), threading.Barrier(8, action=foundation.revoke)

    def by_session() -> Performed:
        with session(foundation, identity=identity) as one:
            assert perform(one).fault is None
            again.wait(10)
            return perform(one)

    for run in all_at_once(by_session):
        assert isinstance(run.result, Performed)
        assert run.result.fault is None
    assert foundation.grants().count("refresh_token") == 8

    client = bare(foundation)
    foundation.revoke()

    def by_library() -> object:
        together.wait(10)
        return list(client.v3.apps.list())

    assert any(run.error is not None for run in all_at_once(by_library))


# 3. a session of one's own, lost with a dead refresh token


def test_3_what_was_set_on_the_session_stays(foundation: Foundation) -> None:
    def keeps(client: CloudFoundryClient) -> bool:
        client.init_with_user_credentials(USER, PASSWORD)
        before = client._session
        foundation.refresh.clear()
        foundation.revoke()
        with pytest.raises(Exception, match=r"unauthorized|Bad credentials"):
            client._refresh_token()
        client.init_with_user_credentials(USER, PASSWORD)
        list(client.v3.apps.list())
        return client._session is before

    with hardened(foundation) as client:
        assert keeps(client)
    assert not keeps(CloudFoundryClient(foundation.url))


# 4. looking at a thing makes requests


def test_4_looking_makes_no_request(foundation: Foundation) -> None:
    def look(thing: object) -> int:
        before = len(foundation.requests)
        bool(thing)
        hasattr(thing, "nothing_of_the_kind")
        copy.copy(thing)
        return len(foundation.requests) - before

    looks: list[int] = []

    def operation(api: Api, asked: Asked) -> tuple[()]:
        api.log_in()
        looks.append(look(api))
        return ()

    with session(foundation) as one:
        assert one.attempt(operation, Asked(operation="look"), time.monotonic() + 4).fault is None
    assert looks == [0]
    assert look(bare(foundation).v3.apps) > 0


def test_4_an_operation_makes_the_calls_it_tells(foundation: Foundation) -> None:
    performed = ours(foundation)
    assert [call.name for call in performed.calls] == ["root", "token", "apps", "processes", "routes"]
    assert foundation.paths() == ["/", "/oauth/token", "/v3/apps", "/v3/processes", "/v3/routes"]


# 5. what is no JSON, and statuses that Python does not know


def test_5_html_where_json_was_due(foundation: Foundation) -> None:
    foundation.on["/v3/apps/app-1/droplets/current"] = HTML
    told = blamed(ours(foundation, Asked(operation="app-stats", app="shop")), Cause.PROTOCOL, Component.TARGET)
    assert "HTML where JSON was due" in told
    assert "droplet" in told
    client = bare(foundation)
    assert client.v3.apps.get("app-1", "droplets", "current") == {"links": {}}
    foundation.on["/v3/apps"] = HTML
    with pytest.raises(KeyError):
        list(client.v3.apps.list())
    assert "HTML" in blamed(ours(foundation), Cause.PROTOCOL, Component.TARGET)


@pytest.mark.parametrize("status", [496, 499, 520, 525, 526])
def test_5_odd_status_codes(foundation: Foundation, status: int) -> None:
    foundation.on["/v3/apps"] = saying(status, b"odd", X_Cf_RouterError="endpoint_failure (x509: who?)", **of_router())
    assert str(status) in blamed(ours(foundation), Cause.ROUTER, Component.ROUTER)
    with pytest.raises(ValueError, match="is not a valid HTTPStatus"):
        bare_list(foundation)


# 6. response headers


def test_6_headers_of_a_failure(foundation: Foundation) -> None:
    foundation.on["/v3/apps"] = saying(404, b"404 Not Found", X_Cf_RouterError="unknown_route", **of_router())
    assert "X-Cf-RouterError: unknown_route" in blamed(ours(foundation), Cause.ROUTER, Component.ROUTER)
    with pytest.raises(Exception, match="NOT_FOUND") as caught:
        bare_list(foundation)
    assert "unknown_route" not in repr(vars(caught.value))


# 7. who is trusted, on all ways


def test_7_one_trust_on_all_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    with Foundation(tls=authority.good()) as foundation:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
        target = ApiTarget(api=foundation.url, ca=str(authority.ca))
        assert ours(foundation, target=target).fault is None
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca))
        client = bare(foundation)  # discovery and the token trust what the environment says
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
            list(client.v3.apps.list())
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        told = blamed(ours(foundation), Cause.TLS_CERTIFICATE, Component.NETWORK)
        assert "unable to get local issuer" in told


# 8. tokens in the log


def test_8_no_token_reaches_a_log(foundation: Foundation, caplog: pytest.LogCaptureFixture) -> None:
    def secrets_logged(call: Callable[[], object]) -> list[str]:
        caplog.clear()
        call()
        secrets = [PASSWORD, "refresh", *foundation.valid]
        return [secret for secret in secrets if secret in caplog.text]

    names = ("cloudfoundry_client", "oauth2_client", "urllib3", "requests")
    levels = {name: logging.getLogger(name).level for name in names}
    with caplog.at_level(logging.DEBUG):
        try:
            for name in names:
                logging.getLogger(name).setLevel(logging.NOTSET)
            assert secrets_logged(lambda: bare_list(foundation))
            assert secrets_logged(lambda: ours(foundation)) == []
            assert secrets_logged(lambda: ours(foundation, credentials=WATCHER)) == []
            assert all(logging.getLogger(f"{name}.client").getEffectiveLevel() >= logging.INFO for name in names)
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


# 9. calls without a wrapper


def test_9_calls_that_the_library_does_not_know(foundation: Foundation) -> None:
    performed = ours(foundation, Asked(operation="app-stats", app="shop"))
    assert performed.fault is None
    assert {"/v3/deployments", "/v3/processes/process-of-app-1/sidecars"} <= set(foundation.paths())
    v3 = V3(f"{foundation.url}/v3", None)
    assert not any(hasattr(v3, name) for name in ("deployments", "sidecars", "info"))


# 10. pages without an end


def test_10_pages_in_a_circle(foundation: Foundation) -> None:
    here = {"href": f"{foundation.url}/v3/apps?page=2"}
    page = {"pagination": {"total_results": 2, "next": here}, "resources": [foundation.apps[0]]}
    foundation.on["/v3/apps"] = saying(200, page, **of_cloud_controller())
    assert "in a circle" in blamed(ours(foundation), Cause.PROTOCOL, Component.CLOUD_CONTROLLER)
    run = Run(lambda: bare_list(foundation))
    until = time.monotonic() + 20
    while foundation.paths().count("/v3/apps") < 200 and time.monotonic() < until:
        assert not run.over_within(0.02)
    foundation.on["/v3/apps"] = closing
    assert run.over_within(20)
    assert foundation.paths().count("/v3/apps") >= 200


def test_10_pages_for_ever(foundation: Foundation) -> None:
    def another(exchange: object) -> None:
        number = len(foundation.requests)
        following = {"href": f"{foundation.url}/v3/apps?page={number}"}
        page = {"pagination": {"total_results": 2, "next": following}, "resources": [foundation.apps[0]]}
        saying(200, page, **of_cloud_controller())(exchange)  # type: ignore[arg-type]

    foundation.on["/v3/apps"] = another
    performed = ours(foundation, Asked(operation="list-apps", max_pages=5))
    assert "more than 5 pages" in blamed(performed, Cause.PROTOCOL, Component.CLOUD_CONTROLLER)
    assert foundation.paths().count("/v3/apps") == 5


def test_the_bare_library_works_where_all_is_well(foundation: Foundation) -> None:
    """Else the scenarios would prove nothing of it."""
    assert len(bare_list(foundation)) == 2  # type: ignore[arg-type]
    assert ours(foundation).fault is None
    assert LIMITS.total > HURRIED.total
    foundation.on["/oauth/token"] = in_turn(saying(401, {"error": "unauthorized"}), None)
    with pytest.raises(OAuthError):
        bare(foundation)
