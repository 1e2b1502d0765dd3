"""Before any traffic: each mistake has one message, which says what to do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cf.preflight import Checked, check
from harness.cf.target import ApiTarget, Asked, Credentials, Limits
from tests.cf.foundation import ORG, OTHER_SPACE, SPACE, USER, Foundation, app, closing, error, saying, stalling
from tests.cf.ways import MAUD, USER_AGENT, WATCHER
from tests.faults.authority import Authority
from tests.faults.server import FaultyServer, Peer

LIMITS = Limits(connect=1.0, read=0.5, total=2.0)
APPS = Asked(operation="list-apps")


@pytest.fixture
def foundation() -> Iterator[Foundation]:
    with Foundation() as one:
        yield one


def checked(
    at: Foundation | str, *asked: Asked, credentials: Credentials = MAUD, target: ApiTarget | None = None
) -> Checked:
    url = at if isinstance(at, str) else at.url
    target = target or ApiTarget(api=url)
    return check(target, credentials, asked or (APPS,), limits=LIMITS, user_agent=USER_AGENT)


def problem(
    at: Foundation | str, *asked: Asked, credentials: Credentials = MAUD, target: ApiTarget | None = None
) -> str:
    found = checked(at, *asked, credentials=credentials, target=target)
    (only,) = found.problems
    assert "\n" not in only
    for secret in credentials.secrets:
        assert secret not in only
    return only


def test_all_is_well_and_names_have_guids(foundation: Foundation) -> None:
    by_name = {"app": "shop", "org": "acme", "space": "live"}
    found = checked(
        foundation,
        Asked(operation="watch-app", **by_name),
        Asked(operation="app-stats", app="shop"),
        Asked(operation="list-spaces", org="acme"),
        APPS,
        Asked(operation="info"),
    )
    assert found.problems == ()
    watch, stats, spaces, apps, _ = found.asked
    assert (watch.app_guid, watch.org_guid, watch.space_guid) == ("app-1", ORG, SPACE)
    assert (stats.app_guid, stats.space_guid, spaces.org_guid, apps) == ("app-1", SPACE, ORG, APPS)
    assert found.calls == (2, 7, 1, 3, 0)
    assert found.version == (3, 211, 0)
    assert foundation.grants() == ["password"]


def test_calls_of_an_older_api(foundation: Foundation) -> None:
    foundation.version = "3.150.0"
    assert checked(foundation).calls == (5,)


@pytest.mark.parametrize("exempt", [False, True])
def test_limits(foundation: Foundation, exempt: bool) -> None:
    foundation.rate_limits = {"enabled": True, "general_limit": 2000, "reset_interval_in_minutes": 60}
    foundation.anonymous_headers = {"X_RateLimit_Limit": "1000"}
    if not exempt:
        foundation.limit_headers = {"X_RateLimit_Limit": "2000"}
    limits = checked(foundation, credentials=WATCHER).limits
    assert (limits.user, limits.address, limits.exempt) == (None if exempt else 2000, 1000, exempt)


def test_info_alone_needs_no_log_in(foundation: Foundation) -> None:
    assert checked(foundation, Asked(operation="info")).problems == ()
    assert foundation.paths() == ["/", "/v3/info"]


def test_an_address_where_nobody_is() -> None:
    with FaultyServer(Peer.close) as server:
        url = f"http://127.0.0.1:{server.port}"
    assert "can't be reached" in problem(url)
    assert "can't be reached" in problem("http://nobody.invalid")


def test_a_silent_address(foundation: Foundation) -> None:
    foundation.on["/"] = stalling
    assert "can't be reached" in problem(foundation)


def test_http_instead_of_https(foundation: Foundation, tmp_path: Path) -> None:
    foundation.on["/"] = saying(301, b"", Location=foundation.url.replace("http:", "https:"))
    assert f"write https://127.0.0.1:{foundation.port}" in problem(foundation)
    with Foundation(tls=Authority(tmp_path).good()) as secure:
        assert f"write https://127.0.0.1:{secure.port}" in problem(secure.url.replace("https:", "http:"))


def test_https_instead_of_http(foundation: Foundation) -> None:
    assert "is it http" in problem(foundation.url.replace("http:", "https:"))


def test_a_certificate_of_nobody(tmp_path: Path) -> None:
    with Foundation(tls=Authority(tmp_path).good()) as foundation:
        assert "give its authority (`ca`)" in problem(foundation)


@pytest.mark.parametrize(
    "reply",
    [
        saying(200, b"<html>hello</html>", Content_Type="text/html"),
        saying(200, {"hello": "world"}),
        saying(200, {"links": {"self": {"href": "x"}}}),
        saying(404, b"no"),
    ],
)
def test_another_server(foundation: Foundation, reply: object) -> None:
    foundation.on["/"] = reply  # type: ignore[assignment]
    text = problem(foundation)
    assert "is no Cloud Foundry API" in text or "write https" in text


def test_a_router_without_an_api(foundation: Foundation) -> None:
    foundation.on["/"] = saying(404, b"404 Not Found", X_Cf_RouterError="unknown_route")
    assert "knows no API" in problem(foundation)


def test_a_wrong_password(foundation: Foundation) -> None:
    wrong = Credentials(kind="password", username=USER, password="wr0ng", origin="CF_USERNAME and CF_PASSWORD")
    text = problem(foundation, APPS, Asked(operation="login"), credentials=wrong)
    assert "UAA refused the user 'maud'" in text
    assert "mend CF_USERNAME and CF_PASSWORD" in text
    assert foundation.grants() == ["password"]


def test_uaa_is_away(foundation: Foundation) -> None:
    foundation.on["/oauth/token"] = closing
    assert "before any traffic" in problem(foundation) or "could not log in" in problem(foundation)


def test_no_role(foundation: Foundation) -> None:
    foundation.spaces = []
    text = problem(foundation)
    assert "sees no space" in text
    assert "cf set-space-role" in text


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"app": "shpo"}, "there is no app 'shpo' that this identity can see: did you mean 'shop'?"),
        ({"app": "zzz", "space": "live"}, "there is no app 'zzz' in the space 'live'"),
        ({"app": "zzz"}, "there are 'blog', 'shop'"),
        ({"app": "shop", "space": "liev"}, "there is no space 'liev' that this identity can see: did you mean 'live'?"),
        ({"app": "shop", "org": "acmee"}, "there is no organization 'acmee'"),
        ({}, "needs the name of an app"),
        ({"app_guid": "app-1"}, "looks its app up by name"),
    ],
)
def test_names_that_stand_for_nothing(foundation: Foundation, asked: dict[str, str], words: str) -> None:
    foundation.spaces = [{"guid": SPACE, "name": "live"}]
    assert words in problem(foundation, Asked(operation="app-stats", **asked))


def test_an_app_in_several_spaces(foundation: Foundation) -> None:
    foundation.apps.append(app("app-3", "shop", OTHER_SPACE))
    text = problem(foundation, Asked(operation="app-stats", app="shop"))
    assert "the app 'shop' is in several spaces (live, test): say which (`space`)" in text
    assert checked(foundation, Asked(operation="app-stats", app="shop", space="test")).asked[0].app_guid == "app-3"


def test_an_operation_that_there_is_not(foundation: Foundation) -> None:
    assert "there is no operation 'push'" in problem(foundation, Asked(operation="push"))
    assert foundation.requests == []


def test_a_log_in_needs_more_than_an_access_token(foundation: Foundation) -> None:
    token = Credentials(kind="token", access_token="a.b.c", origin="~/.cf/config.json")
    assert "an access token alone" in problem(foundation, Asked(operation="login"), credentials=token)
    assert "`cf login` again" in problem(foundation, credentials=token)


def test_an_api_that_is_broken_already(foundation: Foundation) -> None:
    foundation.on["/v3/spaces"] = error(500, 10011, "CF-DatabaseError")
    assert "does not work as it is" in problem(foundation)
