"""What each operation asks, in what order, and what it makes of the answers."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cf.operations import OPERATIONS, operation_named, operation_names
from harness.cf.sightings import Sightings
from harness.cf.target import Asked
from harness.errors import HarnessError
from harness.outcome import Cause, Component
from tests.cf.foundation import (
    CLIENT_SECRET,
    ORG,
    SPACE,
    USER,
    Foundation,
    error,
    in_turn,
    instance,
    of_cloud_controller,
    saying,
)
from tests.cf.ways import USER_AGENT, blamed, ours, perform, session

STATS = "/v3/processes/process-of-app-1/stats"
SHOP = Asked(operation="app-stats", app="shop", space_guid=SPACE)
WATCHED = Asked(operation="watch-app", app_guid="app-1")


@pytest.fixture
def foundation() -> Iterator[Foundation]:
    with Foundation() as one:
        yield one


def asked_after_log_in(foundation: Foundation) -> list[tuple[str, dict[str, str]]]:
    return [(seen.path, dict(seen.query)) for seen in foundation.requests if seen.path not in ("/", "/oauth/token")]


def test_list_apps_as_the_cli_does(foundation: Foundation) -> None:
    assert ours(foundation, Asked(operation="list-apps", space_guid=SPACE)).fault is None
    space = {"space_guids": SPACE}
    assert asked_after_log_in(foundation) == [
        ("/v3/apps", {"order_by": "name", "per_page": "5000", **space}),
        ("/v3/processes", {"embed": "process_instances", "per_page": "5000", **space}),
        ("/v3/routes", {"app_guids": "app-1,app-2", "per_page": "5000"}),
    ]


@pytest.mark.parametrize("version", ["3.210.9", "3.99.0", "unknown", ""])
def test_list_apps_of_an_older_api(foundation: Foundation, version: str) -> None:
    foundation.version = version
    performed = ours(foundation)
    assert performed.fault is None
    assert [call.name for call in performed.calls[2:]] == ["apps", "processes", "stats", "stats", "routes"]


def test_app_stats_makes_seven_calls(foundation: Foundation) -> None:
    performed = ours(foundation, SHOP)
    assert performed.fault is None
    calls = performed.calls[2:]
    expected = ["apps", "processes", "sidecars", "stats", "routes", "droplet", "deployments"]
    assert [call.name for call in calls] == expected
    assert len(calls) == OPERATIONS["app-stats"].calls
    assert all(call.status == 200 and "::" in call.request_id and call.began <= call.ended for call in calls)
    assert performed.status == 200
    assert performed.request_id == calls[-1].request_id
    assert performed.address == f"127.0.0.1:{foundation.port}"
    assert performed.sent is not None
    assert performed.first_byte is not None
    assert performed.calls[0].began <= performed.sent <= performed.first_byte <= performed.calls[0].ended
    assert asked_after_log_in(foundation)[-1][1]["status_values"] == "ACTIVE"


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/v3/apps", "apps"),
        ("/v3/apps/app-1/processes", "processes"),
        ("/v3/processes/process-of-app-1/sidecars", "sidecars"),
        (STATS, "stats"),
        ("/v3/apps/app-1/routes", "routes"),
        ("/v3/apps/app-1/droplets/current", "droplet"),
        ("/v3/deployments", "deployments"),
    ],
)
def test_one_call_that_fails_fails_the_operation_and_is_named(foundation: Foundation, path: str, call: str) -> None:
    foundation.on[path] = error(500, 10011, "CF-DatabaseError")
    performed = ours(foundation, SHOP)
    assert blamed(performed, Cause.API_ERROR, Component.DATABASE).startswith(f"{call}: 500 10011 CF-DatabaseError")
    assert performed.calls[-1].name == call
    assert performed.request_id == performed.calls[-1].request_id != ""


@pytest.mark.parametrize("operation", ["list-routes", "list-spaces"])
def test_other_lists(foundation: Foundation, operation: str) -> None:
    asked = Asked(operation=operation, space_guid=SPACE, org_guid=ORG)
    assert ours(foundation, asked).fault is None
    assert len(asked_after_log_in(foundation)) == OPERATIONS[operation].calls


def test_all_pages_are_read(foundation: Foundation) -> None:
    performed = ours(foundation, Asked(operation="list-apps", per_page=1))
    assert performed.fault is None
    assert [call.name for call in performed.calls].count("apps") == 2
    assert foundation.requests[-1].query["app_guids"] == "app-1,app-2"


def test_info_needs_nobody(foundation: Foundation) -> None:
    foundation.on["/oauth/token"] = error(500, 10001, "UnknownError")
    performed = ours(foundation, "info")
    assert performed.fault is None
    assert "authorization" not in foundation.requests[-1].headers
    assert foundation.requests[-1].path == "/v3/info"


def test_only_reads_and_log_ins_leave_and_all_say_who_we_are(foundation: Foundation) -> None:
    for name in OPERATIONS:
        assert ours(foundation, Asked(operation=name, app="shop")).fault is None
    sent = {(seen.method, seen.path == "/oauth/token") for seen in foundation.requests}
    assert sent == {("GET", False), ("POST", True)}
    assert {seen.headers["user-agent"] for seen in foundation.requests} == {USER_AGENT}
    assert not [seen for seen in foundation.requests if USER in str(seen.query)]


def test_a_write_is_refused_before_it_leaves(foundation: Foundation) -> None:
    def write(api: object, _: Asked) -> tuple[()]:
        api._client.post(f"{foundation.url}/v3/apps", json={})  # type: ignore[attr-defined]
        return ()

    with session(foundation) as one:
        performed = one.attempt(write, Asked(operation="write"), time.monotonic() + 4)
    assert performed.fault is not None
    assert performed.fault.cause is Cause.INTERNAL
    assert foundation.paths() == ["/"]


# success without the data


def test_usage_that_is_missing(foundation: Foundation) -> None:
    foundation.instances = [instance(0, usage={}), instance(1), instance(2, state="DOWN", usage={})]
    told = blamed(ours(foundation, SHOP), Cause.DEGRADED, Component.LOG_CACHE)
    assert "no usage for instance 0" in told
    del foundation.instances[0]["usage"]
    blamed(ours(foundation, SHOP), Cause.DEGRADED, Component.LOG_CACHE)


def test_warnings(foundation: Foundation) -> None:
    foundation.limit_headers = {"X_Cf_Warnings": "Stats+are+unavailable+for+now"}
    assert "Stats are unavailable" in blamed(ours(foundation), Cause.DEGRADED, Component.LOG_CACHE)
    foundation.limit_headers = {"X_Cf_Warnings": "Old+API"}
    assert "Old API" in blamed(ours(foundation), Cause.DEGRADED, Component.CLOUD_CONTROLLER)


def test_processes_without_their_instances(foundation: Foundation) -> None:
    foundation.on["/v3/processes"] = saying(
        200, {"pagination": {"next": None}, "resources": [{"guid": "p", "type": "web", "instances": 1}]}
    )
    blamed(ours(foundation), Cause.DEGRADED, Component.DIEGO)


@pytest.mark.parametrize(
    ("instances", "component", "words"),
    [
        ([instance(0)], Component.DIEGO, "1 of 2 instances are running (1 RUNNING)"),
        ([instance(0), instance(1, state="DOWN", uptime=0)], Component.DIEGO, "(1 DOWN, 1 RUNNING)"),
        ([instance(0), instance(1, state="CRASHED")], Component.APP, "1 CRASHED"),
        ([instance(0), instance(1), instance(2, state="CRASHED")], Component.APP, "2 of 2"),
        ([instance(0), instance(1, state="STARTING")], Component.DIEGO, "1 STARTING"),
        ([], Component.DIEGO, "(none)"),
    ],
)
def test_watch_app(
    foundation: Foundation, instances: list[dict[str, object]], component: Component, words: str
) -> None:
    assert ours(foundation, WATCHED).fault is None
    foundation.instances = instances
    assert words in blamed(ours(foundation, WATCHED), Cause.DEGRADED, component)


def test_a_restart_is_told_once_by_all_sessions(foundation: Foundation) -> None:
    sightings = Sightings()
    with session(foundation, sightings=sightings) as one, session(foundation, sightings=sightings) as other:
        assert perform(one, WATCHED).fault is None
        assert perform(other, WATCHED).fault is None
        foundation.instances = [instance(0, uptime=101), instance(1, uptime=3)]
        told = blamed(perform(other, WATCHED), Cause.DEGRADED, Component.DIEGO)
        assert "instance 1 restarted 3 s before" in told
        assert perform(one, WATCHED).fault is None


def test_an_app_that_has_gone(foundation: Foundation) -> None:
    asked = Asked(operation="app-stats", app="shop", app_guid="app-1")
    assert ours(foundation, asked).fault is None
    foundation.apps = []
    assert "there is no app shop" in blamed(ours(foundation, asked), Cause.API_ERROR, Component.CLOUD_CONTROLLER)


# wrong shapes


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"{",
        b"",
        b'{"resources": null}',
        b'{"resources": {}}',
        b'{"resources": [null]}',
        b'{"resources": [{"name": "without a guid"}]}',
        b'{"resources": [{"guid": 7, "name": "x"}]}',
        b'{"resources": [], "pagination": []}',
        b'{"resources": [], "pagination": {"next": "x"}}',
        b'{"resources": [], "pagination": {"next": {"href": "no url"}}}',
        b'{"resources": [], "pagination": {"next": {"href": "ftp://127.0.0.1/"}}}',
        b'{"resources": [], "included": 7, "pagination": null}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_wrong_shapes_are_outcomes(foundation: Foundation, body: bytes) -> None:
    foundation.on["/v3/apps"] = saying(200, body, Content_Type="application/json", **of_cloud_controller())
    blamed(ours(foundation), Cause.PROTOCOL, Component.CLOUD_CONTROLLER)


def test_stats_of_a_wrong_shape(foundation: Foundation) -> None:
    for document in ({}, {"resources": None}, {"resources": [{"index": 0}]}, {"resources": [{"state": 1}]}):
        foundation.on[STATS] = saying(200, document, **of_cloud_controller())
        assert blamed(ours(foundation, SHOP), Cause.PROTOCOL, Component.CLOUD_CONTROLLER).startswith("stats: ")


def test_a_token_never_follows_a_link_to_another_host(foundation: Foundation) -> None:
    with Foundation() as stranger:
        page = {"pagination": {"next": {"href": f"{stranger.url}/v3/apps?page=2"}}, "resources": [foundation.apps[0]]}
        foundation.on["/v3/apps"] = saying(200, page, **of_cloud_controller())
        assert "another host" in blamed(ours(foundation), Cause.PROTOCOL, Component.CLOUD_CONTROLLER)
        assert stranger.requests == []


def test_an_answer_beyond_the_limit(foundation: Foundation) -> None:
    asked = Asked(operation="list-apps", body_limit=2000)
    foundation.on["/v3/apps"] = saying(200, b" " * 200_000, **of_cloud_controller())
    assert "larger than 2000 bytes" in blamed(ours(foundation, asked), Cause.PROTOCOL, Component.CLOUD_CONTROLLER)


# too many requests


def test_429_is_kept_to(foundation: Foundation) -> None:
    limit = error(429, 10013, "CF-RateLimitExceeded", Retry_After=str(int(time.time()) + 2), X_RateLimit_Limit="2000")
    foundation.on["/v3/apps"] = in_turn(limit, None)
    with session(foundation) as one:
        assert "10013" in blamed(perform(one), Cause.THROTTLED, Component.CLOUD_CONTROLLER)
        sent = len(foundation.requests)
        held = perform(one)
        blamed(held, Cause.THROTTLED, Component.CLOUD_CONTROLLER)
        assert (held.calls, held.sent) == ((), None)
        assert len(foundation.requests) == sent
        until = time.monotonic() + 10
        while perform(one).fault is not None:
            assert time.monotonic() < until
            time.sleep(0.05)


# those of other packages


def test_what_there_is() -> None:
    assert set(operation_names()) >= {
        "info",
        "login",
        "list-apps",
        "app-stats",
        "list-routes",
        "list-spaces",
        "watch-app",
    }
    with pytest.raises(HarnessError, match="there is no operation 'lst-apps'"):
        operation_named("lst-apps")


PACKAGE = """
from harness.cf.operations import Operation
from harness.cf.shapes import Named

def stacks(api, asked):
    api.resources("stacks", "/v3/spaces", Named)
    return ()

STACKS = Operation(stacks, calls=1)
"""

SCRIPT = """
import sys, time
from harness.cf.operations import operation_named, operation_names
from harness.cf.session import Session
from harness.cf.target import ApiTarget, Asked, Credentials, Limits

assert "list-stacks" in operation_names()
assert operation_named("list-stacks").calls == 1
credentials = Credentials(kind="client", client_id="watcher", client_secret=sys.argv[2], origin="the test")
session = Session(ApiTarget(api=sys.argv[1]), credentials, Limits(connect=2, read=2, total=5), user_agent="x")
for name in ("list-stacks", "broken"):
    fault = session.perform(Asked(operation=name), time.monotonic() + 5).fault
    print(fault.detail if fault else "well")
"""


def test_an_installed_package_adds_an_operation(foundation: Foundation, tmp_path: Path) -> None:
    """As pip leaves one: modules, and beside them a folder of metadata with its entry points."""
    (tmp_path / "their_stacks.py").write_text(PACKAGE)
    metadata = tmp_path / "their_stacks-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-stacks\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[cf_harness.operations]\nlist-stacks = their_stacks:STACKS\nbroken = their_stacks:NOTHING\n"
    )
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = [str(tmp_path), str(Path(__file__).parents[2]), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, str(script), foundation.url, CLIENT_SECRET],
        env={"PYTHONPATH": ":".join(paths)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    well, broken = done.stdout.splitlines()
    assert well == "well"
    assert "operation 'broken' (their_stacks:NOTHING) can't be loaded: AttributeError" in broken
