"""What the answer itself can have wrong, one answer among good ones: its neighbours stay good on every probe."""

import gzip
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from harness.outcome import Cause, Component
from harness.spec import Expect
from tests.faults.server import OK, Behaviour, FaultyServer, Peer, answering, said_then_closed, saying
from tests.faults.trial import PROBES, TICKS, attempt, spec_of

THIRD = range(3, 4)
APP = b"HTTP/1.1 200 OK\r\nX-Vcap-Request-Id: abc-1\r\nContent-Length: 2\r\n\r\nok"


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def said_then_reset(data: bytes) -> Behaviour:
    def behave(peer: Peer) -> None:
        peer.say(data)
        peer.reset()

    return behave


class Fault(NamedTuple):
    """One row: what the server does at the third request, and what it should be called."""

    name: str
    behave: Behaviour
    cause: Cause
    component: Component
    detail: str
    expect: Expect = Expect()
    otherwise: bytes = OK
    fresh: bool = False  # or the fault would be taken for a stale connection


ROUTER_ERROR = "X-Cf-RouterError: no_endpoints"
FAULTS = [
    Fault(
        "404 by the app",
        saying(answer("404 Not Found", "X-Vcap-Request-Id: abc-2")),
        Cause.STATUS_4XX,
        Component.APP,
        "status 404",
    ),
    Fault(
        "404 by who knows",
        saying(answer("404 Not Found", "Server: nginx", body=b"nothing here")),
        Cause.STATUS_4XX,
        Component.TARGET,
        "status 404, server nginx",
    ),
    Fault(
        "429",
        saying(answer("429 Too Many Requests", "Retry-After: 7", "X-Vcap-Request-Id: abc-2")),
        Cause.THROTTLED,
        Component.APP,
        "status 429, retry after 7",
    ),
    Fault(
        "500 by the app",
        saying(answer("500 Internal Server Error", "X-Vcap-Request-Id: abc-2")),
        Cause.STATUS_5XX,
        Component.APP,
        "status 500",
    ),
    Fault(
        "502 by the router",
        saying(answer("502 Bad Gateway", ROUTER_ERROR, "X-Vcap-Request-Id: abc-2")),
        Cause.ROUTER,
        Component.ROUTER,
        "502 by the router: no_endpoints",
    ),
    Fault(
        "404 by the router",
        saying(answer("404 Not Found", "X-Cf-RouterError: unknown_route")),
        Cause.ROUTER,
        Component.ROUTER,
        "404 by the router: unknown_route",
    ),
    Fault(
        "502 by the load balancer",
        saying(answer("502 Bad Gateway")),
        Cause.STATUS_5XX,
        Component.LOAD_BALANCER,
        "status 502",
        otherwise=APP,
    ),
    Fault(
        "502 by who knows",
        saying(answer("502 Bad Gateway")),
        Cause.STATUS_5XX,
        Component.TARGET,
        "status 502",
    ),
    Fault(
        "redirect",
        saying(answer("302 Found", "Location: https://maintenance.example.org/")),
        Cause.STATUS_UNEXPECTED,
        Component.TARGET,
        "status 302, to https://maintenance.example.org/",
    ),
    Fault(
        "header that is missing",
        saying(OK),
        Cause.HEADER_MISMATCH,
        Component.TARGET,
        "header strict-transport-security is missing",
        expect=Expect(headers=(("strict-transport-security", r"max-age=\d+"),)),
        otherwise=answer("200 OK", "Strict-Transport-Security: max-age=1"),
    ),
    Fault(
        "header that differs",
        saying(answer("200 OK", "X-Version: 1", "X-Version: 1b")),
        Cause.HEADER_MISMATCH,
        Component.TARGET,
        "header x-version is '1, 1b', expected /2/",
        expect=Expect(headers=(("x-version", "2"),)),
        otherwise=answer("200 OK", "X-Version: 2"),
    ),
    Fault(
        "body that differs",
        saying(answer("200 OK", body=b"sorry")),
        Cause.BODY_MISMATCH,
        Component.TARGET,
        "body 'sorry' does not match /^ok$/",
        expect=Expect(body="^ok$"),
    ),
    Fault("no HTTP", saying(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), Cause.PROTOCOL, Component.TARGET, "malformed answer"),
    Fault(
        "no status",
        saying(b"HTTP/1.1 banana\r\nContent-Length: 0\r\n\r\n"),
        Cause.PROTOCOL,
        Component.TARGET,
        "malformed answer",
    ),
    Fault(
        "two lengths",
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
        Cause.PROTOCOL,
        Component.TARGET,
        "malformed answer",
    ),
    Fault(
        "a chunk without a size",
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"),
        Cause.PROTOCOL,
        Component.TARGET,
        "malformed answer",
    ),
    Fault(
        "101 unasked",
        saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n"),
        Cause.PROTOCOL,
        Component.TARGET,
        "",
    ),
    Fault(
        "headers of 70 kB",
        saying(answer("200 OK", *(f"X-{number}: {'a' * 1000}" for number in range(70)))),
        Cause.PROTOCOL,
        Component.TARGET,
        "headers larger than 65536 bytes",
    ),
    Fault(
        "headers of 300 kB",
        saying(answer("200 OK", *(f"X-{number}: {'a' * 3000}" for number in range(100)))),
        Cause.PROTOCOL,
        Component.TARGET,
        "",
    ),
    Fault(
        "closed before it answers",
        Peer.close,
        Cause.CLOSED_EARLY,
        Component.NETWORK,
        "closed by the peer while waiting for the first byte",
        fresh=True,
    ),
    Fault(
        "reset before it answers",
        Peer.reset,
        Cause.RESET,
        Component.NETWORK,
        "while waiting for the first byte",
        fresh=True,
    ),
    Fault(
        "closed in the body",
        said_then_closed(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
        Cause.CLOSED_EARLY,
        Component.NETWORK,
        "closed by the peer while reading the body",
    ),
    Fault(
        "closed in a chunk",
        said_then_closed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello"),
        Cause.CLOSED_EARLY,
        Component.NETWORK,
        "closed by the peer while reading the body",
    ),
    Fault(
        "closed between chunks",
        said_then_closed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
        Cause.CLOSED_EARLY,
        Component.NETWORK,
        "closed by the peer while reading the body",
    ),
    Fault(
        "reset in the body",
        said_then_reset(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
        Cause.RESET,
        Component.NETWORK,
        "",
        fresh=True,  # or, where the reset overtakes the five bytes, it would be taken for a stale connection
    ),
]


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name.replace(" ", "-") for fault in FAULTS])
def test_one_bad_answer(probe: str, fault: Fault) -> None:
    with FaultyServer(answering(fault.behave, requests=THIRD, otherwise=fault.otherwise)) as server:
        spec = spec_of(probe, f"http://127.0.0.1:{server.port}/", expect=fault.expect, fresh=fault.fresh)
        example = attempt(spec, before=server.forget).one_is(fault.cause, fault.component)
    assert fault.detail in example.detail
    assert example.address == f"127.0.0.1:{server.port}"
    assert example.fresh or not fault.fresh  # a busy machine may have needed one more connection for the third
    assert example.sent is not None


class Fine(NamedTuple):
    """One row: an answer that is unusual, and good."""

    name: str
    behave: Behaviour
    more: Mapping[str, Any] = MappingProxyType({})
    counter: str = ""


ZIPPED = gzip.compress(b"hello" * 100)
FINE = [
    Fine("100 first", saying(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)),
    Fine("103 first", saying(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + OK)),
    Fine("two interim ones", saying(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK)),
    Fine("204", saying(b"HTTP/1.1 204 No Content\r\n\r\n")),
    Fine("ends with the connection", said_then_closed(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")),
    Fine("HTTP/1.0", said_then_closed(b"HTTP/1.0 200 OK\r\n\r\nhello")),
    Fine("says close", said_then_closed(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")),
    Fine(
        "chunked with a trailer",
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"),
    ),
    Fine(
        "HEAD",
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        {"method": "HEAD"},
    ),
    Fine(
        "zipped, and left so",
        saying(answer("200 OK", "Content-Encoding: gzip", body=ZIPPED)),
        {"expect": Expect(body=r"^\x1f\x8b")},
    ),
    Fine(
        "redirect that is expected",
        saying(answer("301 Moved", "Location: /a")),
        {"expect": Expect(statuses=((301, 301),))},
    ),
    Fine("a long body", saying(answer("200 OK", body=b"a" * 300_000)), {"body_limit": 1000}, "truncated"),
    Fine(
        "a long body, looked at",
        saying(answer("200 OK", body=b"ok" + b"a" * 300_000)),
        {"body_limit": 1000, "expect": Expect(body="^ok")},
        "truncated",
    ),
]


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("fine", FINE, ids=[fine.name.replace(" ", "-") for fine in FINE])
def test_good_answers(probe: str, fine: Fine) -> None:
    with FaultyServer(answering(fine.behave)) as server:
        trial = attempt(spec_of(probe, f"http://127.0.0.1:{server.port}/", **fine.more))
    trial.all_good()
    if fine.counter:
        assert trial.counters[fine.counter] == TICKS


@pytest.mark.parametrize("probe", PROBES)
def test_what_is_sent(probe: str) -> None:
    heads: list[bytes] = []

    def behave(peer: Peer) -> None:
        while True:
            peer.request()
            heads.append(peer.head)
            peer.say(OK)

    with FaultyServer(behave) as server:
        url = f"http://127.0.0.1:{server.port}/a/b?c=%20d"
        attempt(spec_of(probe, url, headers=(("X-Own", "1"), ("user-agent", "another")))).all_good()
        port = server.port
    lines = set(heads[0].decode().split("\r\n"))
    assert lines == {
        "GET /a/b?c=%20d HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "user-agent: another",
        "Accept: */*",
        "X-Own: 1",
    }
    assert set(heads) == {heads[0]}


@pytest.mark.parametrize(
    ("probe", "found"),
    [
        ("app", True),
        ("http", False),  # h11 keeps what lies behind an answer, and httpcore takes it for the next
    ],
)
def test_more_than_one_answer(probe: str, found: bool) -> None:
    with FaultyServer(answering(saying(OK + OK), requests=THIRD)) as server:
        trial = attempt(spec_of(probe, f"http://127.0.0.1:{server.port}/"), before=server.forget)
    if found:
        trial.one_is(Cause.PROTOCOL, Component.TARGET)
    else:
        trial.all_good()
