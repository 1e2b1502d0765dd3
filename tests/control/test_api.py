"""Each route over a real socket: what it answers, and what the run is told."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.channel.api import LONGEST_BODY
from harness.channel.runs import RunsPipeline
from harness.stop import Request
from tests.control.serving import ENDED, REPORTS, Api, serving

NOT_YET = {"by": "me", "reason": "known", "attempts": [1], "outcome": "fail"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path) as made:
        yield made


def test_what_is_public(api: Api) -> None:
    assert api.ask("GET", "/healthz").value == {"status": "ok"}
    assert api.ask("GET", "/openapi.json").value["openapi"] == "3.1.0"


def test_by_ipv6(tmp_path: Path) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(tmp_path, host="::1") as api:
        assert api.url.startswith("http://[::1]:")
        assert api.ask("GET", "/v1/run").status == 200


def test_the_run(api: Api) -> None:
    told = api.ask("GET", "/v1/run")
    assert told.status == 200
    assert told.value["owner"] == msgspec.to_builtins(api.live.owner)
    assert told.value["pulse"]["state"] == "preparing"
    assert told.value["stop"] is told.value["ended"] is None
    assert told.value["earlier"] == []
    api.live.end(ENDED, REPORTS)
    assert api.ask("GET", "/v1/run").value["ended"] == msgspec.to_builtins(ENDED)


def test_every_answer_is_fresh_and_its_connections_last(api: Api) -> None:
    for answer in (api.ask("GET", "/v1/run"), api.ask("GET", "/nothing"), api.ask("POST", "/v1/stop", b"x")):
        assert answer.headers["connection"] == "close"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/json"
        assert not any(name.startswith("access-control-") for name in answer.headers)


def test_a_mark_is_placed_by_its_age(api: Api) -> None:
    before = time.monotonic()
    marks = [{"name": "deploy", "edge": "begin", "age": 100.0}, {"name": "deploy", "edge": "end"}]
    answer = api.ask("POST", "/v1/marks", {"marks": marks})
    after = time.monotonic()
    assert answer.status == 202
    assert len(set(answer.value["ids"])) == 2
    begin, end = api.marks
    assert (begin.name, begin.edge, end.edge) == ("deploy", "begin", "end")
    assert before - 100.0 - 0.001 <= begin.monotonic <= after - 100.0 + 0.001
    assert before <= end.monotonic <= after


def test_a_mark_that_is_told_afterwards_keeps_its_time(api: Api) -> None:
    told = {
        "name": "router/0",
        "edge": "begin",
        "afterwards": {"at": time.time() - 50.0, "within": 1.5, "source": "bosh"},
    }
    assert api.ask("POST", "/v1/marks", {"marks": [told]}).status == 202
    (mark,) = api.marks
    assert abs(time.monotonic() - mark.monotonic - 50.0) < 5.0
    assert (mark.within, mark.source) == (1.5, "bosh")


def test_the_same_mark_counts_once(api: Api) -> None:
    mark = {"name": "one", "id": "abc"}
    for _ in range(3):
        assert api.ask("POST", "/v1/marks", {"marks": [mark]}).value == {"ids": ["abc"]}
    assert len(api.marks) == 1


def test_names_command_no_terminal(api: Api) -> None:
    api.ask("POST", "/v1/marks", {"marks": [{"name": "a\x1b[31mb\nc"}]})
    api.ask("POST", "/v1/stop", {"by": "x\x07y"})
    assert api.marks[0].name == "a?[31mb c"
    assert api.stops[0].by == "x?y"


def test_the_first_stop_counts(api: Api) -> None:
    first = api.ask("POST", "/v1/stop", {"by": "one"})
    second = api.ask("POST", "/v1/stop", {"by": "two"})
    assert first.status == second.status == 202
    assert first.value == second.value
    assert api.ask("GET", "/v1/run").value["stop"] == first.value
    assert api.stops == [Request("one", insists=False)]


def test_once_it_is_over_nothing_is_taken(api: Api) -> None:
    api.live.end(ENDED, REPORTS)
    assert api.ask("POST", "/v1/stop", {}).status == 409
    assert api.ask("POST", "/v1/marks", {"marks": [{"name": "late"}]}).status == 409
    assert api.said == []


def test_reports_come_with_the_end(api: Api) -> None:
    assert "goes on" in api.ask("GET", "/v1/reports/report.txt").value["error"]
    api.live.end(ENDED, REPORTS)
    text = api.ask("GET", "/v1/reports/report.txt")
    assert text.body == REPORTS["report.txt"]
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.headers["x-content-type-options"] == "nosniff"
    assert api.ask("GET", "/v1/attempts/1/reports/verdict.json").body == REPORTS["verdict.json"]
    assert api.ask("GET", "/v1/reports/junit.xml").status == 404  # it could not be written
    for odd in ("journal.sqlite", "..%2f..%2fplan.json", "plan.json", "."):
        assert api.ask("GET", f"/v1/reports/{odd}").status == 404


def test_earlier_attempts(tmp_path: Path) -> None:
    for attempt in (1, 2):
        (tmp_path / "r" / str(attempt)).mkdir(parents=True)
    (tmp_path / "r" / "1" / "report.txt").write_text("first\n")
    (tmp_path / "r" / "1" / "journal.sqlite").write_text("secret\n")
    with serving(tmp_path, attempt=3) as api:
        assert api.ask("GET", "/v1/run").value["earlier"] == [
            {"attempt": 1, "ended": None},
            {"attempt": 2, "ended": None},
        ]
        assert api.ask("GET", "/v1/attempts/1/reports/report.txt").body == b"first\n"
        for odd in ("2", "4", "0", "01", "-1", "x", "9" * 7, "9" * 5000, "1%2f..%2f1"):
            assert api.ask("GET", f"/v1/attempts/{odd}/reports/report.txt").status == 404, odd
        assert api.ask("GET", "/v1/attempts/1/reports/journal.sqlite").status == 404


def test_acceptances(tmp_path: Path) -> None:
    (tmp_path / "r" / "1").mkdir(parents=True)
    with serving(tmp_path, attempt=2) as api:
        assert api.ask("GET", "/v1/acceptances").value == []
        first = api.ask("POST", "/v1/acceptances", NOT_YET)
        assert first.status == 201
        again = api.ask("POST", "/v1/acceptances", NOT_YET)
        assert (again.status, again.value) == (200, first.value)
        assert api.ask("GET", "/v1/acceptances").value == [first.value]
        refused = api.ask("POST", "/v1/acceptances", {**NOT_YET, "attempts": [1, 2]})
        assert refused.status == 409
        assert "attempt 2 is not over" in refused.value["error"]
        api.live.end(ENDED, REPORTS)
        assert api.ask("POST", "/v1/acceptances", {**NOT_YET, "attempts": [1, 2]}).status == 201
    kept = RunsPipeline(tmp_path).acceptances("r")
    assert [one.attempts for one in kept] == [[1], [1, 2]]
    assert kept[0].by == "me"


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 400, "that is no JSON"),
        (b"{", 400, "that is no JSON"),
        (b"\xff\xfe", 400, "that is no JSON"),
        (b'{"marks": [{"name": "\xff"}]}', 400, "that is no JSON"),
        (b'{"marks": [{"name": "\\ud800"}]}', 400, "that is no JSON"),
        (b"[" * 60_000, 422, "Expected `object`"),
        (b"[]", 422, "Expected `object`"),
        ({}, 422, "missing required field `marks`"),
        ({"marks": []}, 422, "length >= 1"),
        ({"marks": [{"name": "a"}] * 501}, 422, "length <= 500"),
        ({"marks": [{"name": " \t"}]}, 422, "matching regex"),
        ({"marks": [{"name": "x" * 201}]}, 422, "length <= 200"),
        ({"marks": [{"name": "a", "edge": "middle"}]}, 422, "Invalid enum value"),
        ({"marks": [{"name": "a", "age": -1}]}, 422, ">= 0"),
        ({"marks": [{"name": "a", "age": 1e9}]}, 422, "<= 86400"),
        ({"marks": [{"name": "a", "at": 5}]}, 422, "unknown field `at`"),
        ({"marks": [{"name": "a", "id": "../../x"}]}, 422, "matching regex"),
        ({"marks": [{"name": "a", "afterwards": {"at": 1e300, "within": 1}}]}, 422, "<= 4102444800"),
        (b'{"marks": [{"name": "a", "age": NaN}]}', 400, "that is no JSON"),
        (b"x" * (LONGEST_BODY + 1), 413, "at most 65536 bytes"),
    ],
)
def test_a_bad_body_is_one_clear_message(api: Api, body: Any, status: int, why: str) -> None:
    answer = api.ask("POST", "/v1/marks", body)
    assert answer.status == status
    assert why in answer.value["error"]
    assert api.said == []


def test_what_is_no_json_is_not_read(api: Api) -> None:
    for headers in (
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-encoding": "gzip"},
    ):
        assert api.ask("POST", "/v1/stop", b"{}", **headers).status == 415
    assert api.raw(b"POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}").startswith(
        b"HTTP/1.1 415"
    )
    assert api.said == []


def test_what_it_can_not_give(api: Api) -> None:
    assert api.ask("GET", "/v1/run", accept="text/html").status == 406
    assert api.ask("GET", "/v1/run", accept="text/html, */*;q=0.1").status == 200
    assert api.ask("POST", "/v1/stop", {}, accept="image/png").status == 406
    assert api.said == []


def test_methods(api: Api) -> None:
    for method, path, allowed in (
        ("DELETE", "/v1/run", "GET, HEAD"),
        ("GET", "/v1/stop", "POST"),
        ("PUT", "/v1/acceptances", "GET, HEAD, POST"),
        ("OPTIONS", "/v1/marks", "POST"),
        ("TRACE", "/healthz", "GET, HEAD"),
        ("BREW", "/v1/stop", "POST"),
    ):
        answer = api.ask(method, path)
        assert answer.status == 405, (method, path)
        assert sorted(answer.headers["allow"].split(", ")) == allowed.split(", ")
    head = api.ask("HEAD", "/v1/run")
    assert (head.status, head.body) == (200, b"")
    for path in ("/", "/v1", "/v1/run/", "/V1/run", "//v1/run", "/v1/%72un/x", "/v1/marks/1"):
        assert api.ask("GET", path).status == 404, path


def test_no_page_may_write(api: Api) -> None:
    for origin in ("https://evil.example", "null"):
        assert api.ask("POST", "/v1/stop", {}, origin=origin).status == 403
        preflight = api.ask("OPTIONS", "/v1/stop", origin=origin, access_control_request_method="POST")
        assert preflight.status == 403
        assert not any(name.startswith("access-control-") for name in preflight.headers)
    assert api.ask("POST", "/v1/stop", {}, host="evil.example:80").status == 403
    assert api.said == []
    assert api.ask("POST", "/v1/stop", {}, origin=api.url).status == 202


def test_nothing_is_done_without_the_token(tmp_path: Path) -> None:
    with serving(tmp_path, token="s3same") as api:
        bodies = {"/v1/marks": {"marks": [{"name": "a"}]}, "/v1/stop": {}, "/v1/acceptances": NOT_YET}
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic czNzYW1l"}):
            for path, body in bodies.items():
                answer = api.ask("POST", path, body, **headers)
                assert answer.status == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert "token" in answer.value["error"]
            assert api.ask("GET", "/v1/run", **headers).status == 401
            assert api.ask("GET", "/v1/nothing", **headers).status == 401
            assert api.ask("GET", "/healthz", **headers).status == 200
        assert api.said == []
        assert not (tmp_path / "r").exists()
        assert api.ask("POST", "/v1/stop", {}, authorization="Bearer s3same").status == 202
        assert api.ask("GET", "/v1/run", authorization="Bearer s3same", host="run.example:1").status == 200


def test_a_folder_of_runs_that_is_a_file(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "r").write_text("no folder\n")
    with serving(runs) as api:
        api.live.end(ENDED, REPORTS)
        answer = api.ask("POST", "/v1/acceptances", NOT_YET)
        assert answer.status == 503
        assert "can write to" in answer.value["error"]
