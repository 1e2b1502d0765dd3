"""Each fault of the API's as a client sees it, and that the rest is unharmed; the errors table of the reference."""

import json
import re
import time
from collections.abc import Iterator

import pytest

from harness.sandbox import Sandbox, SandboxConfig, SandboxError, Step
from tests.sandbox.asking import Answer, Client, ask, facts, until
from tests.sandbox.calling import (
    ask_uaa,
    by_password,
    call,
    client_token,
    failed,
    got,
    grant,
    tokens,
    uaa_url,
    user_token,
)

UUID = "[0-9a-f-]{36}"


@pytest.fixture(scope="module")
def token(cloud: Sandbox) -> str:
    return client_token(cloud)


@pytest.fixture(scope="module")
def stats(cloud: Sandbox, token: str) -> str:
    """The path of the app's stats."""
    (app,) = got(cloud, f"/v3/apps?names={cloud.app_name}", token)["resources"]
    return f"/v3/processes/{app['guid']}/stats"


@pytest.fixture
def healthy(cloud: Sandbox, token: str) -> Iterator[Sandbox]:
    """Whatever a test does to it, it serves afterwards."""
    yield cloud
    until(lambda: [call(cloud, "/v3/apps", token).status for _ in range(4)] == [200] * 4)
    assert by_password(cloud).status == 200


def own(answer: Answer) -> Answer:
    """Cloud Controller's own word."""
    assert re.fullmatch(f"{UUID}::{UUID}", answer.headers["x-vcap-request-id"])
    assert answer.headers["server"] == "nginx"
    return answer


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (Step(do="database_away", target="apis"), (500, 10011, "CF-DatabaseError")),
        (Step(do="database_away", target="apis", error="CF-ServiceUnavailable"), (503, 10015, "CF-ServiceUnavailable")),
        (Step(do="database_away", target="apis", error="UnknownError"), (500, 10001, "UnknownError")),
        (Step(do="uaa_away", target="apis"), (502, 20004, "CF-UaaUnavailable")),
        (Step(do="uaa_limited", target="apis"), (429, 20008, "CF-UaaRateLimited")),
        (Step(do="tokens_refused", target="apis"), (401, 1000, "CF-InvalidAuthToken")),
    ],
)
def test_errors_wherever_a_token_is_needed(
    healthy: Sandbox, token: str, step: Step, error: tuple[int, int, str]
) -> None:
    with healthy.during(step):
        answer = own(call(healthy, "/v3/apps", token))
        assert failed(answer) == error
        assert answer.headers["content-type"].startswith("application/json")
        assert ("retry-after" in answer.headers) == (error[0] == 429)
        assert call(healthy, "/v3/info").status == 200
        assert ask(healthy).status == 200  # apps don't mind
    (began, ended) = facts(healthy, "fault_began")[-1], facts(healthy, "fault_ended")[-1]
    assert began["fault"] == ended["fault"] == step.do


def test_ruby_restarts_under_nginx(healthy: Sandbox, token: str) -> None:
    for code in (None, 504):
        with healthy.during(Step(do="ruby_away", target="apis", code=code)):
            answer = call(healthy, "/v3/apps", token)
        assert answer.status == (code or 502)
        assert answer.headers["server"] == "nginx"
        assert answer.headers["content-type"].startswith("text/html")
        assert re.fullmatch(UUID, answer.headers["x-vcap-request-id"])
        assert "x-cf-routererror" not in answer.headers


def test_only_one_of_two(healthy: Sandbox, token: str) -> None:
    with healthy.during(Step(do="ruby_away", target="api/0")):
        assert {call(healthy, "/v3/apps", token).status for _ in range(8)} == {200, 502}


@pytest.mark.parametrize("code", [499, 520, 525, 526])
def test_odd_statuses(healthy: Sandbox, token: str, code: int) -> None:
    for target in ("apis", "routers"):
        with healthy.during(Step(do="status", target=target, code=code)):
            assert call(healthy, "/v3/apps", token).status == code


def test_not_registered(healthy: Sandbox, token: str) -> None:
    url = uaa_url(healthy)

    def asked(target: str) -> Answer:
        return call(healthy, "/v3/apps", token) if target == "apis" else ask_uaa(healthy, url, "/info")

    for target in ("apis", "uaa"):
        with healthy.during(Step(do="unregister", target=target, name="lost")):
            answer = asked(target)
            assert (answer.status, answer.headers["x-cf-routererror"]) == (404, "unknown_route")
            assert answer.body.startswith(b"404 Not Found: Requested route")
        assert asked(target).status == 200
    left = {fact["app"] for fact in facts(healthy, "unregistered") if fact["step"] == "lost"}
    assert left == {"api/0", "api/1", "uaa/0"}


def test_an_app_that_is_not_registered(healthy: Sandbox) -> None:
    with healthy.during(Step(do="unregister", target="apps")):
        assert ask(healthy).headers["x-cf-routererror"] == "no_endpoints"
    until(lambda: ask(healthy).status == 200)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("", (503, 200002, "CF-StatsUnavailable")),
        ("CF-InstancesUnavailable", (503, 220002, "CF-InstancesUnavailable")),
    ],
)
def test_the_bbs_fails_over(healthy: Sandbox, token: str, stats: str, error: str, said: tuple[int, int, str]) -> None:
    with healthy.during(Step(do="bbs_away", target="apis", by=0.3, error=error)):
        for path, expected in ((stats, said), ("/v3/processes?embed=process_instances", (500, 10001, "UnknownError"))):
            begin = time.monotonic()
            assert failed(own(call(healthy, path, token))) == expected
            assert time.monotonic() - begin >= 0.3
        for path in ("/v3/apps", "/v3/processes"):
            begin = time.monotonic()
            assert call(healthy, path, token).status == 200
            assert time.monotonic() - begin < 0.3


def test_what_stalls_is_answered_when_the_bbs_is_back(healthy: Sandbox, token: str, stats: str) -> None:
    assert healthy.api is not None
    with Client(healthy.api, timeout=5) as client:
        with healthy.during(Step(do="bbs_away", target="apis")):  # a minute
            netloc = healthy.api.removeprefix("http://")
            client.say(f"GET {stats} HTTP/1.1\r\nHost: {netloc}\r\nAuthorization: bearer {token}\r\n\r\n".encode())
            client.sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                client.answer()
            client.sock.settimeout(5)
        assert client.answer().status == 200


def test_log_cache_is_away(healthy: Sandbox, token: str, stats: str) -> None:
    with healthy.during(Step(do="log_cache_away", target="apis")):
        answer = call(healthy, stats, token)
        assert answer.status == 200
        assert answer.headers["x-cf-warnings"].startswith("Stats+are+unavailable")
        assert [(one["state"], one["usage"]) for one in json.loads(answer.body)["resources"]] == [("RUNNING", {})] * 2
        assert "x-cf-warnings" not in call(healthy, "/v3/apps", token).headers
    assert "x-cf-warnings" not in call(healthy, stats, token).headers


def test_a_page_for_people(healthy: Sandbox, token: str) -> None:
    with healthy.during(Step(do="html_page", target="apis")):
        for path in ("/", "/v3/info", "/v3/apps"):
            answer = call(healthy, path, token)
            assert answer.status == 200
            assert answer.headers["content-type"].startswith("text/html")
            assert answer.body.startswith(b"<!DOCTYPE html>")
    with healthy.during(Step(do="html_page", target="uaa")):
        answer = by_password(healthy)
        assert (answer.status, answer.body[:9]) == (200, b"<!DOCTYPE")


def test_endless_pages(healthy: Sandbox, token: str) -> None:
    with healthy.during(Step(do="endless_pages", target="apis")):
        page = got(healthy, "/v3/apps?per_page=2", token)
        path = page["pagination"]["next"]["href"].removeprefix(healthy.api)
        assert got(healthy, path, token) == page


@pytest.mark.parametrize("target", ["apis", "uaa"])
def test_a_body_that_trickles(healthy: Sandbox, token: str, target: str) -> None:
    url = uaa_url(healthy) if target == "uaa" else healthy.api
    assert url is not None
    with healthy.during(Step(do="trickle", target=target, by=0.02)), Client(url) as client:
        client.say(f"GET /info HTTP/1.1\r\nHost: {url.removeprefix('http://')}\r\n\r\n".encode())
        begin = time.monotonic()
        answer = client.answer()
        assert len(answer.body) > 10
        assert time.monotonic() - begin >= len(answer.body) * 0.02


def test_the_token_endpoint_stalls(healthy: Sandbox, token: str) -> None:
    url = uaa_url(healthy)
    assert call(healthy, "/v3/apps", token).status == 200
    with healthy.during(Step(do="stall", target="uaa")):
        with pytest.raises(TimeoutError):
            grant(healthy, {"grant_type": "client_credentials"}, timeout=0.3)
        assert call(healthy, "/v3/apps", token).status == 200
    assert ask_uaa(healthy, url, "/info").status == 200


def test_uaa_itself(healthy: Sandbox) -> None:
    with healthy.during(Step(do="status", target="uaa")):
        answer = by_password(healthy)
        assert (answer.status, "x-cf-routererror" in answer.headers) == (503, False)
        assert re.fullmatch(UUID, answer.headers["x-vcap-request-id"])
    with healthy.during(Step(do="uaa_limited", target="uaa")):
        answer = by_password(healthy)
        assert (answer.status, answer.headers["retry-after"]) == (429, "5")


def test_throttle(healthy: Sandbox, token: str) -> None:
    for error, code in (("", 10013), ("CF-IPBasedRateLimitExceeded", 10014)):
        with healthy.during(Step(do="throttle", target="apis", error=error)):
            answer = own(call(healthy, "/v3/apps", token))
            assert failed(answer)[:2] == (429, code)
            assert answer.headers["content-type"].startswith("text/plain")
            assert answer.headers["retry-after"] == answer.headers["x-ratelimit-reset"]
            assert int(answer.headers["retry-after"]) > time.time()  # a moment
            assert call(healthy, "/").status == 200


def test_rate_limits_are_counted_by_each_cloud_controller() -> None:
    config = SandboxConfig(api=2, routers=1, instances=1, rate_limit=10, ip_rate_limit=3, health_every=0.02)
    with Sandbox(config) as made:
        assert got(made, "/v3/info")["rate_limits"] == {
            "enabled": True,
            "general_limit": 10,
            "reset_interval_in_minutes": 60,
        }
        user, client = user_token(made), client_token(made)
        answers = [call(made, "/v3/spaces", user) for _ in range(24)]
        good = [answer for answer in answers if answer.status == 200]
        assert len(good) == 20  # ten at each
        assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"10"}
        remaining = [int(answer.headers["x-ratelimit-remaining"]) for answer in good]
        assert (remaining[0], min(remaining), remaining.count(9)) == (9, 0, 2)
        assert failed(answers[-1]) == (429, 10013, "CF-RateLimitExceeded")
        assert 3590 <= int(answers[-1].headers["x-ratelimit-reset"]) - time.time() <= 3600
        assert {call(made, "/v3/spaces", client).status for _ in range(12)} == {200}
        assert "x-ratelimit-limit" not in call(made, "/v3/spaces", client).headers
        strangers = [call(made, "/v3/info") for _ in range(8)]
        assert failed(strangers[-1]) == (429, 10014, "CF-IPBasedRateLimitExceeded")
        assert {call(made, "/").status for _ in range(8)} == {200}
        made.perform(Step(do="restart", target="apis"))  # counts are in memory
        assert call(made, "/v3/spaces", user).status == 200


@pytest.mark.parametrize("target", ["apis", "uaa"])
def test_what_may_befall_any_component(healthy: Sandbox, token: str, target: str) -> None:
    def seen() -> object:
        try:
            answer = (
                call(healthy, "/v3/apps", token, timeout=0.4)
                if target == "apis"
                else ask_uaa(healthy, url, "/info", timeout=0.4)
            )
        except OSError as error:
            return type(error).__name__
        return answer.status

    url = uaa_url(healthy)
    for do, outcome in (("refuse", 502), ("reset", 502), ("freeze", "TimeoutError"), ("black_hole", "TimeoutError")):
        with healthy.during(Step(do=do, target=target)):  # type: ignore[arg-type]
            assert seen() == outcome, do
    with healthy.during(Step(do="slow", target=target, by=0.2)):
        begin = time.monotonic()
        assert seen() == 200
        assert time.monotonic() - begin >= 0.195
    until(lambda: seen() == 200)


def test_the_balancer_takes_all_its_ports_along(healthy: Sandbox) -> None:
    url_of_uaa = uaa_url(healthy)
    with healthy.during(Step(do="refuse", target="balancer")):
        with pytest.raises(ConnectionRefusedError):
            ask(healthy)
        for url in (healthy.api, url_of_uaa):
            assert url is not None
            with pytest.raises(ConnectionRefusedError):
                Client(url)


def test_a_component_bears_one_fault_at_a_time(healthy: Sandbox) -> None:
    with (
        healthy.during(Step(do="log_cache_away", target="api/0", name="first")),
        pytest.raises(SandboxError, match=r"api/0: log_cache_away of step 'first' is still going on"),
        healthy.during(Step(do="bbs_away", target="api/0")),
    ):
        pass


def test_a_client_that_goes_leaves_a_line_without_a_status(healthy: Sandbox, token: str, stats: str) -> None:
    with healthy.during(Step(do="bbs_away", target="apis")), pytest.raises(TimeoutError):
        call(healthy, stats, token, timeout=0.2)
    until(
        lambda: [
            line for line in healthy.requests.read_text().splitlines() if stats in line and '"status":null' in line
        ]
    )
    assert tokens(by_password(healthy))["jti"]
