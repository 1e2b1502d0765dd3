"""What app instances, routers and a balancer answer: reference shapes of status, headers and bodies."""

import json
import re

import httpx
import pytest

from harness.sandbox import Sandbox, SandboxConfig
from tests.sandbox.asking import HOST, Client, Early, ask, until

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_instances_take_turns(sandbox: Sandbox) -> None:
    bodies = {ask(sandbox).body for _ in range(8)}
    assert bodies == {b"ok instance 0\n", b"ok instance 1\n"}


def test_a_request_id_on_all_that_a_router_serves(sandbox: Sandbox) -> None:
    ids = set()
    with Client(sandbox.url) as client:
        for path in ("/", "/status/503", "/nothing"):
            headers = client.ask(path).headers
            assert UUID.fullmatch(headers["x-vcap-request-id"])
            assert "x-cf-routererror" not in headers
            ids.add(headers["x-vcap-request-id"])
    assert len(ids) == 3


@pytest.mark.parametrize("host", [HOST, "127.0.0.1", "127.0.0.1:80", "localhost", HOST.upper()])
def test_hosts_that_lead_to_the_app(sandbox: Sandbox, host: str) -> None:
    assert ask(sandbox, host=host).status == 200


def test_another_host_is_an_unknown_route(sandbox: Sandbox) -> None:
    answer = ask(sandbox, host="nobody.apps.localhost:1234")
    assert answer.status == 404
    assert answer.headers["x-cf-routererror"] == "unknown_route"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert UUID.fullmatch(answer.headers["x-vcap-request-id"])
    assert answer.body == b"404 Not Found: Requested route ('nobody.apps.localhost') does not exist.\n"


def test_no_host_is_a_bad_request(sandbox: Sandbox) -> None:
    with Client(sandbox.url) as client:
        client.say(b"GET / HTTP/1.0\r\n\r\n")
        answer = client.answer()
        assert (answer.status, answer.headers["x-cf-routererror"]) == (400, "empty_host")
        assert client.closed()


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/status/204", 204, b""),
        ("/status/503", 503, b"status 503\n"),
        ("/slow/10ms", 200, b"ok instance"),
        ("/size/10kB", 200, b"x" * 10_000),
        ("/chunked/3", 200, b"ok instance"),
        ("/unframed", 200, b"ok instance"),
        ("/nothing/here", 404, b"no such page: nothing\n"),
        ("/status/abc", 404, b"no such page: "),
        ("/status/99", 404, b"no such page: "),
        ("/size/100GB", 404, b"no such page: "),
    ],
)
def test_pages(sandbox: Sandbox, path: str, status: int, body: bytes) -> None:
    answer = ask(sandbox, path)
    assert answer.status == status
    assert answer.body.startswith(body)
    assert bool(answer.body) == bool(body)


def test_an_answer_is_one_piece(sandbox: Sandbox) -> None:
    with Client(sandbox.url) as client:
        for _ in range(20):
            client.say(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            piece = client.sock.recv(65536)
            assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
            assert re.search(rb"\r\n\r\nok instance \d\n$", piece)


def test_what_an_app_is_told(sandbox: Sandbox) -> None:
    with Client(sandbox.url) as client:
        answer = client.ask("/headers?a=b", more="X-Forwarded-For: 1.2.3.4\r\nX-Mine: yes\r\n")
    told = json.loads(answer.body)
    headers = {name.lower(): value for name, value in told["headers"]}
    assert (told["method"], told["target"]) == ("GET", "/headers?a=b")
    assert headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-vcap-request-id"] == answer.headers["x-vcap-request-id"]
    assert (headers["host"], headers["x-mine"]) == (HOST, "yes")
    assert len(told["headers"]) == len(headers)


def test_bodies_go_there_and_back(sandbox: Sandbox) -> None:
    with Client(sandbox.url) as client:
        assert client.ask("/echo", method="POST", body=b"abc" * 5000).body == b"abc" * 5000
        chunked = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        client.say(chunked)
        assert client.answer().body == b"abc"
        assert client.ask("/size/5B", method="HEAD").headers["content-length"] == "5"
        assert client.ask("/chunked/2", method="HEAD").status == 200
        assert client.ask().status == 200


def test_pipelined_requests_are_answered_in_order(sandbox: Sandbox) -> None:
    with Client(sandbox.url) as client:
        count = 300
        client.say(b"".join(b"GET /size/%dB HTTP/1.1\r\nHost: localhost\r\n\r\n" % size for size in range(count)))
        assert [len(client.answer().body) for _ in range(count)] == list(range(count))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000, 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 501),
        (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000, 413),
    ],
    ids=["malformed", "head", "upgrade", "body"],
)
def test_what_a_router_refuses_to_read(sandbox: Sandbox, data: bytes, status: int) -> None:
    with Client(sandbox.url) as client:
        try:
            client.say(data)
            assert client.answer().status == status
        except (ConnectionResetError, BrokenPipeError):  # what was not read was reset: RFC 9112 §9.6
            assert status in (413, 431)
    assert ask(sandbox).status == 200


def test_a_client_that_wants_no_more_gets_no_more(sandbox: Sandbox) -> None:
    with Client(sandbox.url) as client:
        assert client.ask(more="Connection: close\r\n").headers["connection"] == "close"
        assert client.closed()


def test_an_app_that_resets_is_tried_three_times_and_becomes_the_routers_error(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "/reset")
    assert answer.status == 502
    assert re.fullmatch(
        r"endpoint_failure \(read tcp 127\.0\.0\.1:\d+: read: connection reset by peer\)",
        answer.headers["x-cf-routererror"],
    )
    assert answer.body == b"502 Bad Gateway: Registered endpoint failed to handle the request.\n"


def test_what_is_not_replayable_is_tried_once(sandbox: Sandbox) -> None:
    with Client(sandbox.url) as client:
        assert client.ask("/reset", method="POST", body=b"x").status == 502


def test_an_answer_that_breaks_off_breaks_off_for_the_client(sandbox: Sandbox) -> None:
    with pytest.raises(Early, match="ok instance"):
        ask(sandbox, "/early")


def test_a_client_that_leaves_is_forgotten(sandbox: Sandbox) -> None:
    for _ in range(5):
        with Client(sandbox.url) as client:
            client.say(f"GET /slow/5s HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert ask(sandbox).status == 200


def test_httpx_works_against_it(sandbox: Sandbox) -> None:
    with httpx.Client(base_url=sandbox.url, trust_env=False) as client:
        assert [client.get("/").status_code for _ in range(3)] == [200] * 3
        assert client.get("/size/1MB").content == b"x" * 10**6
        assert client.get("/", headers={"Host": "nope.apps.localhost"}).headers["X-Cf-RouterError"] == "unknown_route"


def test_layer_7_passes_requests_and_what_routers_say(layer7: Sandbox) -> None:
    with Client(layer7.url) as client:
        assert UUID.fullmatch(client.ask().headers["x-vcap-request-id"])
        assert client.ask(host="nobody.apps.localhost").headers["x-cf-routererror"] == "unknown_route"
        told = json.loads(client.ask("/headers").body)["headers"]
        assert ["X-Forwarded-For", "127.0.0.1, 127.0.0.1"] in told
        assert client.ask("/chunked/2").body.count(b"ok") == 2


def test_layer_7_has_a_504_of_its_own(layer7: Sandbox) -> None:
    answer = ask(layer7, "/slow/5s")
    assert (answer.status, answer.headers["server"]) == (504, "sandbox-balancer")
    assert answer.headers["content-type"] == "text/html"
    assert not {"x-vcap-request-id", "x-cf-routererror"} & set(answer.headers)


def test_a_router_gives_up_on_a_slow_instance() -> None:
    with Sandbox(SandboxConfig(routers=1, instances=1, router_timeout=0.1)) as made:
        answer = ask(made, "/slow/5s")
    assert answer.status == 502
    assert answer.headers["x-cf-routererror"] == "endpoint_failure (context deadline exceeded)"


def test_a_cap_on_an_instances_connections() -> None:
    with Sandbox(SandboxConfig(routers=1, instances=1, app_connections=1)) as made, Client(made.url) as first:
        first.say(f"GET /slow/400ms HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        until(lambda: ask(made).status == 503)
        answer = ask(made)
        assert answer.headers["x-cf-routererror"] == "Connection Limit Reached"
        assert answer.body.startswith(b"503 Service Unavailable: Requested route ('healthcheck.apps.localhost') has ")
        assert first.answer().status == 200
        assert ask(made).status == 200
