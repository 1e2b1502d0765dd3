"""UAA: who gets a token, what it says, how long it is good for."""

import json
import time

import pytest

from harness.sandbox import Sandbox, SandboxConfig, Step
from tests.sandbox.asking import facts, until
from tests.sandbox.calling import (
    ask_uaa,
    by_client,
    by_password,
    call,
    claims_of,
    client_token,
    failed,
    got,
    grant,
    refreshed,
    tokens,
    uaa_url,
    user_token,
)


def refused(answer: object) -> tuple[int, str]:
    status, body = answer.status, json.loads(answer.body)  # type: ignore[attr-defined]
    assert set(body) == {"error", "error_description"}
    return status, body["error"]


def test_a_user(cloud: Sandbox) -> None:
    now = time.time()
    told = tokens(by_password(cloud))
    assert set(told) == {"access_token", "refresh_token", "token_type", "expires_in", "scope", "jti"}
    assert (told["token_type"], told["expires_in"]) == ("bearer", 599)
    claims = claims_of(told["access_token"])
    assert claims["exp"] - claims["iat"] == 599
    assert abs(claims["iat"] - now) <= 2
    assert (claims["user_name"], claims["client_id"], claims["jti"]) == (cloud.username, "cf", told["jti"])
    assert claims["iss"] == f"{uaa_url(cloud)}/oauth/token"
    assert "cloud_controller" in claims["aud"]
    assert "cloud_controller.read" in claims["scope"]
    assert told["scope"].split() == claims["scope"]


def test_a_client(cloud: Sandbox) -> None:
    told = tokens(by_client(cloud))
    assert "refresh_token" not in told
    assert told["scope"] == "cloud_controller.admin_read_only"
    assert "user_name" not in claims_of(told["access_token"])
    form = {"grant_type": "client_credentials", "client_id": cloud.client_id, "client_secret": cloud.client_secret}
    assert grant(cloud, form, basic="").status == 200


def test_a_refresh_token_stays_the_same(cloud: Sandbox) -> None:
    first = tokens(by_password(cloud))
    second = tokens(refreshed(cloud, first["refresh_token"]))
    assert second["refresh_token"] == first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert call(cloud, "/v3/apps", second["access_token"]).status == 200


def test_who_gets_none(cloud: Sandbox) -> None:
    unauthorized = (401, "unauthorized")
    answer = by_password(cloud, password="wrong")
    assert refused(answer) == unauthorized
    assert json.loads(answer.body)["error_description"] == "Bad credentials"
    assert refused(by_password(cloud, user="nobody")) == unauthorized
    form = {"grant_type": "client_credentials"}
    assert refused(grant(cloud, form, f"{cloud.client_id}:wrong")) == unauthorized
    assert refused(grant(cloud, form, "")) == unauthorized
    assert refused(grant(cloud, form)) == (401, "unauthorized_client")
    assert refused(grant(cloud, {"grant_type": "password"})) == unauthorized
    assert refused(refreshed(cloud, "nonsense")) == (401, "invalid_token")
    assert refused(refreshed(cloud, "é.é-r")) == (401, "invalid_token")
    assert refused(grant(cloud, {})) == (400, "invalid_request")
    assert refused(grant(cloud, {"grant_type": "dance"})) == (400, "unsupported_grant_type")
    assert refused(ask_uaa(cloud, uaa_url(cloud), "/oauth/token")) == (405, "method_not_allowed")


def test_wrong_passwords_lock_a_user_out() -> None:
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1)) as made:
        for _ in range(5):
            by_password(made, password="wrong")
        answer = by_password(made)
        assert answer.status == 401
        assert "locked" in json.loads(answer.body)["error_description"]
        assert by_password(made, user=made.stranger).status == 200  # the others are not


def test_pages(cloud: Sandbox) -> None:
    url = uaa_url(cloud)
    (key,) = json.loads(ask_uaa(cloud, url, "/token_keys").body)["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert json.loads(ask_uaa(cloud, url, "/token_key").body) == key
    for path in ("/info", "/login"):
        assert {"app", "links", "prompts", "zone_name"} <= set(json.loads(ask_uaa(cloud, url, path).body))
    assert ask_uaa(cloud, url, "/nothing").status == 404


def test_a_token_ends() -> None:
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1, token_lifetime=1.0)) as made:
        told = tokens(by_password(made))
        until(lambda: call(made, "/v3/apps", told["access_token"]).status == 401)
        assert time.time() >= claims_of(told["access_token"])["exp"]
        assert failed(call(made, "/v3/apps", told["access_token"])) == (401, 1000, "CF-InvalidAuthToken")
        until(
            lambda: call(made, "/v3/apps", tokens(refreshed(made, told["refresh_token"]))["access_token"]).status == 200
        )


def test_short_tokens(cloud: Sandbox) -> None:
    with cloud.during(Step(do="short_tokens", target="uaa", by=3.0)):
        told = tokens(by_password(cloud))
    claims = claims_of(told["access_token"])
    assert (told["expires_in"], claims["exp"] - claims["iat"]) == (3, 3)
    assert tokens(by_password(cloud))["expires_in"] == 599


@pytest.mark.parametrize("by_config", [True, False])
def test_rotating_refresh_tokens(by_config: bool) -> None:
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1, rotate_refresh=by_config)) as made:
        first = tokens(by_password(made))["refresh_token"]
        if by_config:
            second = tokens(refreshed(made, first))["refresh_token"]
        else:
            with made.during(Step(do="rotate_refresh", target="uaa")):
                second = tokens(refreshed(made, first))["refresh_token"]
        assert second != first
        assert refused(refreshed(made, first)) == (401, "invalid_token")
        assert refreshed(made, second).status == 200


def test_another_signing_key(cloud: Sandbox) -> None:
    told = tokens(by_password(cloud))
    cloud.perform(Step(do="rotate_key", target="uaa", name="rotation"))
    for _ in range(4):
        assert failed(call(cloud, "/v3/apps", told["access_token"])) == (401, 1000, "CF-InvalidAuthToken")
    again = tokens(refreshed(cloud, told["refresh_token"]))["access_token"]
    assert {call(cloud, "/v3/apps", again).status for _ in range(4)} == {200}
    assert [fact["step"] for fact in facts(cloud, "key_rotated")] == ["rotation"]


def test_revoked_tokens(cloud: Sandbox) -> None:
    told = tokens(by_password(cloud))
    cloud.perform(Step(do="revoke_tokens", target="uaa", name="revocation"))
    for _ in range(4):
        assert failed(call(cloud, "/v3/apps", told["access_token"])) == (401, 1000, "CF-InvalidAuthToken")
    assert refused(refreshed(cloud, told["refresh_token"])) == (401, "invalid_token")
    token = user_token(cloud)  # in the very same second
    cloud.perform(Step(do="restart", target="apis"))
    assert {call(cloud, "/v3/apps", token).status for _ in range(4)} == {200}
    assert call(cloud, "/v3/apps", told["access_token"]).status == 401
    assert [fact["step"] for fact in facts(cloud, "tokens_revoked")] == ["revocation"]


def test_tokens_outlive_a_restart_of_uaa(cloud: Sandbox) -> None:
    told = tokens(by_password(cloud))
    cloud.perform(Step(do="restart", target="uaa"))
    assert refreshed(cloud, told["refresh_token"]).status == 200
    assert call(cloud, "/v3/apps", told["access_token"]).status == 200


def test_without_uaa_only_what_needs_it_fails() -> None:
    """Keys that are known go on being good; a Cloud Controller that has none yet can't tell."""
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1, health_every=0.02)) as made:
        token = client_token(made)
        assert call(made, "/v3/apps", token).status == 200
        with made.during(Step(do="kill", target="uaa", lasts=1.0)):
            assert call(made, "/v3/apps", token).status == 200
            answer = ask_uaa(made, uaa_url(made), "/info")
            assert (answer.status, answer.headers["x-cf-routererror"][:16]) == (502, "endpoint_failure")
            made.perform(Step(do="restart", target="api/0"))
            answer = call(made, "/v3/apps", token)
            assert failed(answer) == (502, 20004, "CF-UaaUnavailable")
            assert "::" in answer.headers["x-vcap-request-id"]
            assert got(made, "/v3/info")["name"]
        assert call(made, "/v3/apps", token).status == 200
