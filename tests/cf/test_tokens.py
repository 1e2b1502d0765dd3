"""Tokens: renewed before they expire and when they are refused, once; a wrong password is never sent twice."""

import time
from collections.abc import Iterator

import pytest

from harness.cf.identity import Identity
from harness.cf.jwt import claims
from harness.cf.performed import Performed
from harness.cf.target import Credentials, Limits
from harness.outcome import Cause, Component
from tests.cf.foundation import USER, Foundation, error, in_turn, jwt, of_router, saying, stalling
from tests.cf.ways import MAUD, WATCHER, Run, blamed, ours, perform, session

WRONG = Credentials(kind="password", username=USER, password="wrong", origin="CF_USERNAME and CF_PASSWORD")


@pytest.fixture
def foundation() -> Iterator[Foundation]:
    with Foundation() as one:
        yield one


def left_by_cli(foundation: Foundation, *, life: float = 600, refresh: str = "") -> Credentials:
    access = jwt(exp=int(time.time() + life), jti="cli")
    foundation.valid[access] = time.monotonic() + life
    if refresh:
        foundation.refresh.add(refresh)
    return Credentials(kind="token", access_token=access, refresh_token=refresh, origin="~/.cf/config.json")


@pytest.mark.parametrize("rotating", [False, True])
def test_a_refused_token_is_refreshed_once(foundation: Foundation, rotating: bool) -> None:
    foundation.rotating = rotating
    with session(foundation) as one:
        assert perform(one).fault is None
        for _ in range(3):
            foundation.revoke()
            performed = perform(one)
            assert performed.fault is None
            assert performed.retried == 1
            assert [call.name for call in performed.calls] == ["apps", "token", "apps", "processes", "routes"]
            assert [call.status for call in performed.calls] == [401, 200, 200, 200, 200]
    assert foundation.grants() == ["password", *["refresh_token"] * 3]


def test_a_dead_refresh_token_means_a_new_log_in(foundation: Foundation) -> None:
    with session(foundation) as one:
        assert perform(one).fault is None
        foundation.revoke()
        foundation.refresh.clear()
        assert perform(one).fault is None
    assert foundation.grants() == ["password", "refresh_token", "password"]


@pytest.mark.parametrize("credentials", [MAUD, WATCHER])
def test_a_second_refusal_is_a_failure(foundation: Foundation, credentials: Credentials) -> None:
    foundation.on["/v3/apps"] = error(401, 1000, "CF-InvalidAuthToken")
    performed = ours(foundation, credentials=credentials)
    assert "again" in blamed(performed, Cause.API_ERROR, Component.CLOUD_CONTROLLER)
    assert foundation.paths().count("/v3/apps") == 2


@pytest.mark.parametrize("credentials", [MAUD, WATCHER])
def test_renewed_before_it_expires(foundation: Foundation, credentials: Credentials) -> None:
    foundation.life = 1.0
    until = time.monotonic() + 3.2
    with session(foundation, credentials) as one:
        while time.monotonic() < until:
            performed = perform(one)
            assert performed.fault is None
            assert all(call.status == 200 for call in performed.calls)
    assert 3 <= len(foundation.grants()) <= 5


def test_while_uaa_is_away_a_token_that_holds_is_used(foundation: Foundation) -> None:
    foundation.life = 2.0
    with session(foundation, WATCHER) as one:
        assert perform(one).fault is None
        began = time.monotonic()
        foundation.on["/oauth/token"] = saying(503, b"", **of_router())
        while time.monotonic() < began + 1.9:
            assert perform(one).fault is None
        assert foundation.grants().count("client_credentials") == 2  # asked ahead once, not at every operation
        while (performed := perform(one)).fault is None:
            assert time.monotonic() < began + 5
        blamed(performed, Cause.STATUS_5XX, Component.UAA)
        foundation.on.clear()
        assert perform(one).fault is None


def test_renewing_ahead_never_holds_an_operation_up_for_long(foundation: Foundation) -> None:
    foundation.life = 20.0
    with session(foundation, WATCHER, limits=Limits(connect=1, read=5, total=8)) as one:
        assert perform(one).fault is None
        assert one._tokens is not None
        one._tokens._due = 0.0
        foundation.on["/oauth/token"] = stalling
        began = time.monotonic()
        assert perform(one, seconds=8).fault is None
        assert time.monotonic() - began < 1.5
        began = time.monotonic()
        assert perform(one, seconds=8).fault is None
        assert time.monotonic() - began < 1.0


def test_a_wrong_password_is_sent_once_by_all_sessions(foundation: Foundation) -> None:
    identity = Identity()

    def several() -> list[Performed]:
        with session(foundation, WRONG, identity=identity) as one:
            return [perform(one), perform(one, "login"), perform(one)]

    runs = [Run(several) for _ in range(8)]
    assert all(run.over_within(15) for run in runs)
    told = []
    for run in runs:
        assert run.error is None
        told += [performed.fault for performed in run.result]  # type: ignore[attr-defined]
    refused = [fault for fault in told if fault.cause is Cause.LOGIN]
    assert [fault.component for fault in refused] == [Component.UAA]
    # what was not sent says nothing about the platform
    assert {(f.cause, f.component) for f in told if f not in refused} == {(Cause.INTERNAL, Component.HARNESS)}
    assert not any("wrong" in fault.detail for fault in told)
    assert foundation.grants() == ["password"]


def test_others_wait_for_the_first_log_in_no_longer_than_they_may(foundation: Foundation) -> None:
    identity = Identity()
    foundation.on["/oauth/token"] = stalling

    def call(seconds: float) -> Performed:
        with session(foundation, identity=identity, limits=Limits(connect=1, read=9, total=9)) as one:
            return perform(one, seconds=seconds)

    first = Run(lambda: call(2.0))
    while not foundation.grants():
        assert not first.over_within(0.01)
    began = time.monotonic()
    told = blamed(call(0.5), Cause.TOTAL_TIMEOUT, Component.UAA)
    assert time.monotonic() - began < 0.7
    assert "waiting for another log-in" in told
    assert first.over_within(5)
    foundation.on.clear()
    assert call(2.0).fault is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_json_is_final_as_well(foundation: Foundation, status: int) -> None:
    foundation.on["/oauth/token"] = saying(status, b"no", **of_router())
    with session(foundation) as one:
        blamed(perform(one), Cause.LOGIN, Component.UAA)
        for _ in range(2):
            blamed(perform(one), Cause.INTERNAL, Component.HARNESS)
    assert foundation.grants() == ["password"]


def test_a_page_in_between_proves_nothing_against_a_password_that_was_right(foundation: Foundation) -> None:
    """One answer by somebody in front of UAA is one failure, not hours of them."""
    foundation.on["/oauth/token"] = in_turn(None, saying(403, b"<html>no</html>"), None)
    with session(foundation) as one:
        assert perform(one, "login").fault is None
        blamed(perform(one, "login"), Cause.LOGIN, Component.TARGET)
        assert perform(one, "login").fault is None
    assert foundation.grants() == ["password"] * 3


def test_a_failure_of_uaa_is_no_refusal(foundation: Foundation) -> None:
    foundation.on["/oauth/token"] = in_turn(saying(503, b"", **of_router()), None)
    with session(foundation) as one:
        blamed(perform(one), Cause.STATUS_5XX, Component.UAA)
        assert perform(one).fault is None


def test_every_log_in_is_fresh(foundation: Foundation) -> None:
    with session(foundation, WATCHER) as one:
        for _ in range(3):
            assert perform(one, "login").fault is None
    tokens = [seen for seen in foundation.requests if seen.path == "/oauth/token"]
    assert len({seen.connection for seen in tokens}) == 3
    assert foundation.paths() == ["/", *["/oauth/token"] * 3]
    assert foundation.requests[0].connection != foundation.requests[1].connection


def test_a_token_of_the_cli(foundation: Foundation) -> None:
    with session(foundation, left_by_cli(foundation)) as one:
        assert perform(one).fault is None
        foundation.revoke()
        told = blamed(perform(one), Cause.LOGIN, Component.UAA)
        assert "an access token alone can't be renewed" in told
    assert foundation.grants() == []


def test_a_token_of_the_cli_that_ran_out_is_our_doing(foundation: Foundation) -> None:
    performed = ours(foundation, credentials=left_by_cli(foundation, life=-5))
    assert "expired" in blamed(performed, Cause.INTERNAL, Component.HARNESS)
    with session(foundation, left_by_cli(foundation)) as one:
        blamed(perform(one, "login"), Cause.INTERNAL, Component.HARNESS)
    assert foundation.grants() == []


def test_the_clis_refresh_token_where_it_is_allowed(foundation: Foundation) -> None:
    with session(foundation, left_by_cli(foundation, refresh="left")) as one:
        assert perform(one).fault is None
        foundation.revoke()
        assert perform(one).fault is None
        assert perform(one, "login").fault is None
    assert foundation.grants() == ["refresh_token", "refresh_token"]


def test_nothing_secret_in_what_is_told(foundation: Foundation) -> None:
    """An answer that echoes the request, as some error pages do."""

    def echo(exchange: object) -> None:
        seen = exchange.seen  # type: ignore[attr-defined]
        words = [
            seen.headers.get("authorization"),
            seen.form.get("password", "").replace(" ", "+"),
            seen.headers,
            seen.form,
        ]
        body = " ".join(map(str, words)).encode()
        saying(500, body, **of_router())(exchange)  # type: ignore[arg-type]

    def told(performed: Performed) -> str:
        assert performed.fault is not None
        return repr(performed)

    foundation.on["/v3/apps"] = echo
    with session(foundation) as one:
        shown = told(perform(one))
    assert "removed" in shown
    assert not [secret for secret in foundation.valid if secret[:20] in shown]
    foundation.on["/oauth/token"] = echo
    for credentials in (MAUD, WATCHER):
        shown = told(ours(foundation, credentials=credentials))
        assert not [secret for secret in credentials.secrets if secret in shown]
        assert credentials.secrets[0] not in repr(credentials)


def test_claims() -> None:
    assert claims(jwt(exp=5, scope=["a.b"])) == (5.0, {"a.b"})
    assert claims("opaque") == claims("a.b.c") == claims(jwt(exp="soon")) == (None, frozenset())
