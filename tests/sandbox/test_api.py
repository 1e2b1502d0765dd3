"""Cloud Controller when all is well: the shapes of the reference field by field, lists, errors, who answered."""

import json
import re
import threading
import uuid
from collections.abc import Mapping
from types import NoneType
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.sandbox import Sandbox, SandboxConfig, Step
from tests.sandbox.asking import HOST, Answer, Client, ask, until
from tests.sandbox.calling import call, client_token, failed, got, requests, user_token

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
LINK = {"href": re.compile(r"http://127\.0\.0\.1:\d+/.*")}
TO_ONE = {"data": {"guid": GUID}}
METADATA: dict[str, Any] = {"labels": {}, "annotations": {}}
COMMON = {"guid": GUID, "created_at": TIME, "updated_at": TIME, "metadata": METADATA}
HEALTH = {"timeout": NoneType, "invocation_timeout": NoneType, "interval": NoneType}

APP = {
    **COMMON,
    "name": str,
    "state": re.compile("STARTED|STOPPED"),
    "lifecycle": {"type": "buildpack", "data": {"buildpacks": ["python_buildpack"], "stack": "cflinuxfs4"}},
    "relationships": {"space": TO_ONE, "current_droplet": TO_ONE},
    "links": dict,
}
PROCESS = {
    **COMMON,
    "version": GUID,
    "type": "web",
    "command": str,
    "user": "vcap",
    "instances": int,
    "memory_in_mb": int,
    "disk_in_mb": int,
    "log_rate_limit_in_bytes_per_second": int,
    "health_check": {"type": "port", "data": HEALTH},
    "readiness_health_check": {"type": "process", "data": {"invocation_timeout": NoneType, "interval": NoneType}},
    "relationships": {"app": TO_ONE, "revision": TO_ONE},
    "links": dict,
}
STAT = {
    "type": "web",
    "index": int,
    "instance_guid": GUID,
    "state": "RUNNING",
    "routable": True,
    "usage": {"time": str, "cpu": float, "cpu_entitlement": float, "mem": int, "disk": int, "log_rate": int},
    "host": "127.0.0.1",
    "instance_internal_ip": "127.0.0.1",
    "instance_ports": [
        {"external": NoneType, "internal": int, "external_tls_proxy_port": int, "internal_tls_proxy_port": int}
    ],
    "uptime": int,
    "mem_quota": int,
    "disk_quota": int,
    "log_rate_limit": int,
    "fds_quota": int,
    "isolation_segment": NoneType,
    "details": NoneType,
}
ROUTE = {
    **COMMON,
    "protocol": "http",
    "host": "healthcheck",
    "path": "",
    "port": NoneType,
    "url": "healthcheck.apps.localhost",
    "destinations": [
        {"guid": GUID, "app": {"guid": GUID, "process": {"type": "web"}}, "weight": NoneType, "port": int,
         "protocol": "http1"}
    ],
    "options": {},
    "relationships": {"space": TO_ONE, "domain": TO_ONE},
    "links": dict,
}  # fmt: skip
PAGINATION = {"total_results": int, "total_pages": int, "first": LINK, "last": LINK, "next": NoneType,
              "previous": NoneType}  # fmt: skip


def fits(value: Any, shape: Any, place: str = "") -> None:
    """A shape is a value, a type, a pattern, or a dict or list of shapes; no key may be more or less."""
    if isinstance(shape, Mapping):
        assert set(value) == set(shape), place
        for key, inner in shape.items():
            fits(value[key], inner, f"{place}.{key}")
    elif isinstance(shape, list):
        assert len(value) == len(shape), place
        for index, (one, inner) in enumerate(zip(value, shape, strict=True)):
            fits(one, inner, f"{place}[{index}]")
    elif isinstance(shape, re.Pattern):
        assert shape.fullmatch(value), (place, value)
    elif isinstance(shape, type):
        assert isinstance(value, shape), (place, value)
    else:
        assert value == shape, place


@pytest.fixture(scope="module")
def token(cloud: Sandbox) -> str:
    return client_token(cloud)


@pytest.fixture(scope="module")
def guid(cloud: Sandbox, token: str) -> str:
    (app,) = got(cloud, f"/v3/apps?names={cloud.app_name}", token)["resources"]
    return str(app["guid"])


def test_the_root_leads_on(cloud: Sandbox) -> None:
    links = got(cloud, "/")["links"]
    assert links["self"] == {"href": cloud.api}
    assert links["cloud_controller_v3"] == {"href": f"{cloud.api}/v3", "meta": {"version": "3.211.0"}}
    assert links["cloud_controller_v2"] is None
    assert links["login"] == links["uaa"]
    assert {"log_cache", "log_stream", "app_ssh"} <= set(links)
    for link in got(cloud, "/v3")["links"].values():
        assert call(cloud, link["href"].removeprefix(cloud.api)).status in (200, 401)


def test_info_without_limits(cloud: Sandbox) -> None:
    info = got(cloud, "/v3/info")
    assert {"name", "version", "build", "cli_version", "rate_limits", "links"} <= set(info)
    assert info["rate_limits"] == {"enabled": False, "general_limit": None, "reset_interval_in_minutes": None}


def test_an_app(cloud: Sandbox, token: str, guid: str) -> None:
    fits(got(cloud, f"/v3/apps/{guid}", token), {**APP, "name": "healthcheck", "state": "STARTED"})
    for app in got(cloud, "/v3/apps", token)["resources"]:
        fits(app, APP)


def test_a_process(cloud: Sandbox, token: str, guid: str) -> None:
    (listed,) = got(cloud, f"/v3/apps/{guid}/processes", token)["resources"]
    fits(listed, {**PROCESS, "command": "[PRIVATE DATA HIDDEN IN LISTS]", "instances": 2})
    single = got(cloud, f"/v3/processes/{listed['guid']}", token)
    fits(single, {**PROCESS, "command": "python -m healthcheck"})
    assert single == got(cloud, f"/v3/apps/{guid}/processes/web", token)
    (embedded,) = got(cloud, f"/v3/processes?app_guids={guid}&embed=process_instances", token)["resources"]
    instance = {"index": int, "state": "RUNNING", "since": int}
    fits(embedded, {**PROCESS, "process_instances": [instance, instance]})


def test_stats(cloud: Sandbox, token: str, guid: str) -> None:
    answer = got(cloud, f"/v3/processes/{guid}/stats", token)
    fits(answer, {"resources": [{**STAT, "index": 0}, {**STAT, "index": 1}]})
    by_app = got(cloud, f"/v3/apps/{guid}/processes/web/stats", token)
    assert [one["instance_guid"] for one in by_app["resources"]] == [
        one["instance_guid"] for one in answer["resources"]
    ]


def test_what_else_cf_app_asks_for(cloud: Sandbox, token: str, guid: str) -> None:
    fits(got(cloud, f"/v3/apps/{guid}/routes", token), {"pagination": PAGINATION, "resources": [ROUTE]})
    fits(got(cloud, f"/v3/routes?app_guids={guid}", token)["resources"], [ROUTE])
    assert got(cloud, f"/v3/processes/{guid}/sidecars", token)["resources"] == []
    droplet = got(cloud, f"/v3/apps/{guid}/droplets/current", token)
    assert droplet["state"] == "STAGED"
    assert got(cloud, f"/v3/droplets/{droplet['guid']}", token) == droplet
    (deployment,) = got(cloud, f"/v3/deployments?app_guids={guid}", token)["resources"]
    assert deployment["status"]["value"] == "FINALIZED"
    assert got(cloud, f"/v3/deployments?app_guids={guid}&status_values=ACTIVE", token)["resources"] == []


def test_spaces_organizations_domains(cloud: Sandbox, token: str) -> None:
    (org,) = got(cloud, f"/v3/organizations?names={cloud.org}", token)["resources"]
    shape = {**COMMON, "name": "sandbox", "suspended": False, "relationships": {"quota": TO_ONE}, "links": dict}
    fits(org, shape)
    spaces = got(cloud, f"/v3/spaces?organization_guids={org['guid']}&order_by=name", token)["resources"]
    assert [space["name"] for space in spaces] == [cloud.space, "staging"]
    for space in spaces:
        related = {"organization": TO_ONE, "quota": {"data": NoneType}}
        fits(space, {**COMMON, "name": str, "relationships": related, "links": dict})
        assert got(cloud, f"/v3/spaces/{space['guid']}", token) == space
    (domain,) = got(cloud, "/v3/domains", token)["resources"]
    assert domain["name"] == "apps.localhost"
    assert got(cloud, f"/v3/domains/{domain['guid']}", token) == domain


def test_a_name_that_is_in_both_spaces(cloud: Sandbox, token: str) -> None:
    orders = got(cloud, "/v3/apps?names=orders", token)["resources"]
    assert len({app["relationships"]["space"]["data"]["guid"] for app in orders}) == 2
    hosts = [route["host"] for route in got(cloud, "/v3/routes", token)["resources"]]
    assert len(hosts) == len(set(hosts))


def test_pages(cloud: Sandbox, token: str) -> None:
    names: list[str] = []
    path = "/v3/apps?order_by=-name&per_page=2"
    pages = 0
    while path and pages < 10:
        page = got(cloud, path, token)
        pages += 1
        assert (page["pagination"]["total_results"], page["pagination"]["total_pages"]) == (6, 3)
        assert (page["pagination"]["previous"] is None) == (pages == 1)
        names += [app["name"] for app in page["resources"]]
        following = page["pagination"]["next"]
        path = following["href"].removeprefix(cloud.api) if following else ""
    assert (pages, names) == (3, sorted(names, reverse=True))
    assert len(names) == 6


@pytest.mark.parametrize(
    "query", ["per_page=0", "per_page=5001", "page=0", "page=x", "order_by=colour", "colour=red", "per_page=%D9%A3"]
)
def test_queries_that_are_refused(cloud: Sandbox, token: str, query: str) -> None:
    assert failed(call(cloud, f"/v3/apps?{query}", token)) == (400, 10005, "CF-BadQueryParameter")


def test_who_may_not(cloud: Sandbox, token: str) -> None:
    assert failed(call(cloud, "/v3/apps")) == (401, 10002, "CF-NotAuthenticated")
    assert failed(call(cloud, "/v3/apps", "nonsense")) == (401, 1000, "CF-InvalidAuthToken")
    assert failed(call(cloud, "/v3/apps", token[:-8] + "AAAAAAAA")) == (401, 1000, "CF-InvalidAuthToken")
    assert failed(call(cloud, f"/v3/apps/{uuid.uuid4()}", token)) == (404, 10010, "CF-ResourceNotFound")
    assert failed(call(cloud, "/v3/nothing", token)) == (404, 10000, "CF-NotFound")
    assert failed(call(cloud, "/v3/apps", token, method="POST")) == (403, 10003, "CF-NotAuthorized")


def test_who_sees_what(cloud: Sandbox, token: str) -> None:
    lists = ("apps", "spaces", "organizations", "routes", "processes")
    developer, stranger = user_token(cloud), user_token(cloud, cloud.stranger)
    for name in lists:
        assert got(cloud, f"/v3/{name}", developer)["resources"] == got(cloud, f"/v3/{name}", token)["resources"]
        assert got(cloud, f"/v3/{name}", stranger)["resources"] == []


def test_whose_answer_it_is(cloud: Sandbox, token: str) -> None:
    one = GUID.pattern
    own = call(cloud, "/v3/apps", token)
    assert re.fullmatch(f"{one}::{one}", own.headers["x-vcap-request-id"])
    assert own.headers["content-type"] == "application/json; charset=utf-8"
    assert own.headers["server"] == "nginx"
    assert "x-cf-routererror" not in own.headers
    assert "x-ratelimit-limit" not in own.headers
    assert re.fullmatch(one, ask(cloud).headers["x-vcap-request-id"])


def test_an_answer_is_one_write(cloud: Sandbox, token: str) -> None:
    """A second one would wait for the client's delayed acknowledgement."""
    assert cloud.api is not None
    with Client(cloud.api) as client:
        netloc = urlsplit(cloud.api).netloc
        for _ in range(3):
            client.say(f"GET /v3/apps HTTP/1.1\r\nHost: {netloc}\r\nAuthorization: bearer {token}\r\n\r\n".encode())
            first = client.sock.recv(1 << 20)
            head, _, body = first.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            assert length is not None
            assert len(body) == int(length[1])


def test_the_same_ports_know_each_other_by_host(cloud: Sandbox, token: str) -> None:
    assert b"cloud_controller_v3" in call(cloud, "/", host="api.localhost").body
    for host in ("uaa.localhost", "login.localhost"):
        assert json.loads(call(cloud, "/info", host=host).body)["zone_name"] == "uaa"
    assert call(cloud, "/", host=HOST).body.startswith(b"ok instance")
    assert call(cloud, "/", host="nobody.localhost").headers["x-cf-routererror"] == "unknown_route"
    assert ask(cloud, "/v3/apps", host="api.localhost").status == 401


def test_both_cloud_controllers_answer(cloud: Sandbox) -> None:
    before = len(requests(cloud))
    for _ in range(6):
        got(cloud, "/v3/info")
    assert {line["component"] for line in requests(cloud)[before:]} == {"api/0", "api/1"}


def states(sandbox: Sandbox, guid: str, token: str) -> list[tuple[str, int]]:
    found = got(sandbox, f"/v3/processes/{guid}/stats", token)["resources"]
    return [(one["state"], one["uptime"]) for one in found]


def test_instances_are_the_real_ones(cloud: Sandbox, token: str, guid: str) -> None:
    until(lambda: states(cloud, guid, token)[1][1] >= 1)
    before = got(cloud, f"/v3/processes/{guid}/stats", token)["resources"]
    with cloud.during(Step(do="kill", target="app/0", lasts=1.0)):
        now = got(cloud, f"/v3/processes/{guid}/stats", token)["resources"]
        assert [one["state"] for one in now] == ["CRASHED", "RUNNING"]
        assert now[0]["usage"] == {}
        (process,) = got(cloud, f"/v3/processes?app_guids={guid}&embed=process_instances", token)["resources"]
        assert [one["state"] for one in process["process_instances"]] == ["CRASHED", "RUNNING"]
    after = got(cloud, f"/v3/processes/{guid}/stats", token)["resources"]
    assert [one["state"] for one in after] == ["RUNNING", "RUNNING"]
    assert after[0]["uptime"] <= 1
    assert after[1]["uptime"] >= before[1]["uptime"] >= 1
    assert after[0]["instance_guid"] != before[0]["instance_guid"]
    assert after[1]["instance_guid"] == before[1]["instance_guid"]


def test_an_instance_that_was_told_to_end_is_down(guid: str) -> None:
    seen: set[str] = set()
    with Sandbox(SandboxConfig(api=1, instances=1, routers=1)) as made:
        own = client_token(made)
        worker = threading.Thread(target=made.perform, args=(Step(do="restart", target="app/0", down=0.5),))
        worker.start()
        while worker.is_alive():
            seen.update(state for state, _ in states(made, guid, own))
        worker.join()
        seen.update(state for state, _ in states(made, guid, own))
    assert {"DOWN", "RUNNING"} <= seen
    assert "CRASHED" not in seen


def test_a_rolling_restart_is_noticed_by_nobody(cloud: Sandbox, token: str) -> None:
    worker = threading.Thread(target=cloud.perform, args=(Step(do="rolling_restart", target="apis"),))
    answers: list[Answer] = []
    worker.start()
    while worker.is_alive():
        answers.append(call(cloud, "/v3/apps", token))
    worker.join()
    assert len(answers) > 10
    assert {answer.status for answer in answers} == {200}


def test_the_only_one_restarts() -> None:
    """Out of the routing table first: the routers know nothing of it, and say so."""
    with Sandbox(SandboxConfig(api=1, routers=1, health_every=0.02)) as made:
        token = client_token(made)
        worker = threading.Thread(target=made.perform, args=(Step(do="restart", target="apis", down=0.3),))
        worker.start()
        seen = set()
        while worker.is_alive():
            answer = call(made, "/v3/apps", token)
            seen.add((answer.status, answer.headers.get("x-cf-routererror")))
        worker.join()
        assert seen <= {(200, None), (404, "unknown_route")}
        assert (404, "unknown_route") in seen
        assert call(made, "/v3/apps", token).status == 200  # a token outlives it


def test_one_that_is_killed_is_hidden_by_the_routers(cloud: Sandbox, token: str) -> None:
    with cloud.during(Step(do="kill", target="api/0", lasts=1.0)):
        assert {call(cloud, "/v3/apps", token).status for _ in range(8)} == {200}
    with cloud.during(Step(do="kill", target="apis", lasts=1.0)):
        answer = call(cloud, "/v3/apps", token)
        assert answer.status == 502
        assert answer.headers["x-cf-routererror"].startswith("endpoint_failure (dial tcp")


def test_guids_outlive_all(cloud: Sandbox, guid: str) -> None:
    with Sandbox(SandboxConfig(api=1, instances=1, routers=1)) as made:
        (app,) = got(made, "/v3/apps?names=healthcheck", client_token(made))["resources"]
        assert app["guid"] == guid


def test_with_tls_and_at_layer_7() -> None:
    with Sandbox(SandboxConfig(api=1, tls=True, layer=7, routers=1)) as made:
        assert made.api is not None
        assert made.api.startswith("https://127.0.0.1:")
        assert len(got(made, "/v3/apps", client_token(made))["resources"]) == 6
        with Client(made.api, made.ca, name="api.localhost") as client:
            assert client.ask("/v3/info", "api.localhost").status == 200


def test_without_an_api_there_is_none(sandbox: Sandbox) -> None:
    assert sandbox.api is None
    assert ask(sandbox, host="api.localhost").headers["x-cf-routererror"] == "unknown_route"


def test_the_request_log_knows_what_was_asked_and_no_secret(cloud: Sandbox) -> None:
    before = len(requests(cloud))
    token = user_token(cloud)
    got(cloud, "/v3/apps?names=healthcheck", token)
    lines = requests(cloud)[before:]
    (login,) = [line for line in lines if line["path"] == "/oauth/token"]
    assert (login["method"], login["status"], login["grant_type"]) == ("POST", 200, "password")
    listing = lines[-1]
    assert (listing["path"], listing["query"], listing["status"]) == ("/v3/apps", "names=healthcheck", 200)
    assert re.fullmatch(f"{GUID.pattern}::{GUID.pattern}", listing["request_id"])
    whole = cloud.requests.read_text() + cloud.truth.read_text()
    assert cloud.password not in whole
    assert cloud.client_secret not in whole
    assert token not in whole
