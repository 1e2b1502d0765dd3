"""The cloudfoundry-client package, unmodified, works against the sandbox."""

import importlib.util
import os
from typing import Any

import pytest

from harness.sandbox import Sandbox, SandboxConfig, Step
from tests.sandbox.asking import facts
from tests.sandbox.calling import requests

if importlib.util.find_spec("cloudfoundry_client") is None:
    if os.environ.get("CI") == "true":
        pytest.fail("cloudfoundry-client is missing, and CI has to try it", pytrace=False)
    pytest.skip("cloudfoundry-client is not installed", allow_module_level=True)

from cloudfoundry_client.client import CloudFoundryClient
from cloudfoundry_client.errors import InvalidStatusCode
from oauth2_client.credentials_manager import OAuthError


def by_client(sandbox: Sandbox) -> Any:
    client = CloudFoundryClient(sandbox.api, client_id=sandbox.client_id, client_secret=sandbox.client_secret)
    client.init_with_client_credentials()
    return client


def by_user(sandbox: Sandbox, user: str = "") -> Any:
    client = CloudFoundryClient(sandbox.api, user_agent="the library")
    client.init_with_user_credentials(user or sandbox.username, sandbox.password)
    return client


@pytest.fixture
def client(cloud: Sandbox) -> Any:
    return by_client(cloud)


@pytest.fixture
def app(cloud: Sandbox, client: Any) -> Any:
    return client.v3.apps.get_first(names=cloud.app_name)


def test_lists(client: Any) -> None:
    counts = {"apps": 6, "processes": 6, "routes": 6, "spaces": 2, "organizations": 1, "domains": 1}
    for name, count in counts.items():
        manager = getattr(client.v3, name)
        assert manager.len() == count
        found = list(manager.list())
        assert len({one["guid"] for one in found}) == count
        assert manager[found[0]["guid"]]["guid"] == found[0]["guid"]


def test_it_turns_pages(client: Any) -> None:
    names = [app["name"] for app in client.v3.apps.list(per_page=4, order_by="name")]
    assert (names, len(names)) == (sorted(names), 6)


def test_links_of_an_app(client: Any, app: Any) -> None:
    assert app.space()["name"] == "dev"
    assert app.current_droplet()["state"] == "STAGED"
    (process,) = list(app.processes())
    assert process["type"] == "web"
    assert [one["state"] for one in process.stats()] == ["RUNNING", "RUNNING"]
    assert process.app()["guid"] == app["guid"]
    (route,) = list(client.v3.apps.list_routes(app["guid"]))
    assert route.domain()["name"] == "apps.localhost"
    assert app.space().organization()["name"] == "sandbox"


def test_what_it_has_no_wrapper_for(cloud: Sandbox, client: Any, app: Any) -> None:
    answer = client.get(f"{cloud.api}/v3/processes?embed=process_instances&app_guids={app['guid']}").json()
    assert len(answer["resources"][0]["process_instances"]) == 2
    assert client.v3.apps.get(app["guid"], "processes", "web", "stats")["resources"][0]["state"] == "RUNNING"
    assert client.get(f"{cloud.api}/v3/info").json()["name"]
    deployments = client.get(f"{cloud.api}/v3/deployments", params={"status_values": "ACTIVE"}).json()
    assert deployments["resources"] == []


def test_it_refreshes_by_itself(cloud: Sandbox) -> None:
    client = by_user(cloud)
    before = len([line for line in requests(cloud) if line.get("grant_type") == "refresh_token"])
    cloud.perform(Step(do="rotate_key", target="uaa"))
    assert len(list(client.v3.apps.list())) == 6
    after = [line for line in requests(cloud) if line.get("grant_type") == "refresh_token"]
    assert len(after) == before + 1
    assert facts(cloud, "key_rotated")
    agents = {line["user_agent"] for line in requests(cloud) if line["path"] == "/v3/apps"}
    assert "the library" in agents


def test_it_goes_on_with_a_refresh_token(cloud: Sandbox) -> None:
    client = CloudFoundryClient(cloud.api)
    client.init_with_token(by_user(cloud).refresh_token)
    assert client.v3.organizations.len() == 1


def test_what_is_refused(cloud: Sandbox, client: Any) -> None:
    with pytest.raises(OAuthError) as wrong:
        CloudFoundryClient(cloud.api).init_with_user_credentials(cloud.username, "wrong")
    assert (wrong.value.status_code, wrong.value.error) == (401, "unauthorized")
    with pytest.raises(InvalidStatusCode) as absent:
        client.v3.apps.get("nothing")
    assert absent.value.body["errors"][0]["code"] == 10010
    assert "::" in absent.value.request_id
    assert by_user(cloud, cloud.stranger).v3.apps.len() == 0


def test_over_tls() -> None:
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1, tls=True)) as made:
        client = CloudFoundryClient(made.api, verify=str(made.ca))
        client.init_with_user_credentials(made.username, made.password)
        assert client.v3.apps.len() == 6
