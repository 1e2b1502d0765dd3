"""Who said no: the reference's tables, one row a case, and what holds for every answer there can be."""

import errno
import http.client
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cf.answer import Answer, wait_of, warnings_of
from harness.cf.attribute import Ended, ProxyRefused, Question, Stage, of_answer, of_break, of_shape
from harness.cf.origin import Endpoint
from harness.cf.performed import Fault, one_line
from harness.cf.target import Limits
from harness.outcome import OWN_CAUSES, Cause, Component

LIMITS = Limits(connect=1, read=2, total=3)
ONE = "0d5bbb64-1f3c-4d5c-8f7e-4d2f2d6f8a01"
TWO = f"{ONE}::3f1c1b1e-9d1c-4f0b-a1c5-0c5b7a5f9d02"
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
APPS = Question("apps")
STATS = Question("stats", instances=True, answered=True)
LOG_IN = Question("token", Endpoint.TOKEN)


def error(code: int, title: str) -> bytes:
    return b'{"errors": [{"code": %d, "title": "%s", "detail": "why"}]}' % (code, title.encode())


ROWS = [
    (APPS, 404, {"x-cf-routererror": "unknown_route"}, b"404", Cause.ROUTER, Component.ROUTER, "unknown_route"),
    (APPS, 502, {"x-cf-routererror": "endpoint_failure (EOF)"}, b"", Cause.ROUTER, Component.ROUTER, "(EOF)"),
    (LOG_IN, 404, {"x-cf-routererror": "unknown_route"}, b"", Cause.ROUTER, Component.ROUTER, "unknown_route"),
    (APPS, 200, {"x-cf-routererror": "odd"}, b"{}", Cause.ROUTER, Component.ROUTER, "odd"),
    (
        APPS,
        502,
        {"server": "nginx", "content-type": "text/html", "x-vcap-request-id": ONE},
        HTML,
        Cause.STATUS_5XX,
        Component.NGINX,
        "Server: nginx",
    ),
    (APPS, 504, {"server": "nginx/1.25", "x-vcap-request-id": ONE}, HTML, Cause.STATUS_5XX, Component.NGINX, "HTML"),
    (APPS, 502, {}, HTML, Cause.STATUS_5XX, Component.LOAD_BALANCER, "no X-Cf-RouterError"),
    (APPS, 503, {"server": "awselb/2.0"}, b"", Cause.STATUS_5XX, Component.LOAD_BALANCER, "no X-Vcap-Request-Id"),
    (APPS, 525, {}, b"", Cause.STATUS_5XX, Component.LOAD_BALANCER, "no router"),
    (APPS, 500, {"x-vcap-request-id": TWO}, b"oops", Cause.STATUS_5XX, Component.CLOUD_CONTROLLER, "own"),
    (APPS, 500, {"x-vcap-request-id": ONE}, b"oops", Cause.STATUS_5XX, Component.TARGET, "does not tell"),
    (APPS, 499, {"x-vcap-request-id": ONE}, b"", Cause.STATUS_4XX, Component.TARGET, "does not tell"),
    (APPS, 302, {"location": "https://a.test/"}, b"", Cause.STATUS_UNEXPECTED, Component.TARGET, "does not tell"),
    (APPS, 500, {}, error(10011, "CF-DatabaseError"), Cause.API_ERROR, Component.DATABASE, "10011"),
    (APPS, 503, {}, error(10015, "CF-ServiceUnavailable"), Cause.API_ERROR, Component.DATABASE, "10015"),
    (APPS, 500, {}, error(10001, "UnknownError"), Cause.API_ERROR, Component.CLOUD_CONTROLLER, "does not tell"),
    (STATS, 500, {}, error(10001, "UnknownError"), Cause.API_ERROR, Component.DIEGO, "does not tell"),
    (APPS, 502, {}, error(20004, "CF-UaaUnavailable"), Cause.API_ERROR, Component.UAA, "20004"),
    (APPS, 429, {"retry-after": "7"}, error(20008, "CF-UaaRateLimited"), Cause.THROTTLED, Component.UAA, "20008"),
    (STATS, 503, {}, error(200002, "CF-StatsUnavailable"), Cause.API_ERROR, Component.DIEGO, "200002"),
    (STATS, 503, {}, error(220002, "CF-InstancesUnavailable"), Cause.API_ERROR, Component.DIEGO, "220002"),
    (APPS, 429, {}, error(10013, "CF-RateLimitExceeded"), Cause.THROTTLED, Component.CLOUD_CONTROLLER, "10013"),
    (APPS, 429, {}, error(10014, "CF-IPBasedRateLimit"), Cause.THROTTLED, Component.CLOUD_CONTROLLER, "10014"),
    (APPS, 429, {}, b"slow down", Cause.THROTTLED, Component.TARGET, "does not tell"),
    (APPS, 401, {}, error(1000, "CF-InvalidAuthToken"), Cause.LOGIN, Component.UAA, "does not tell"),
    (APPS, 403, {}, error(10003, "CF-NotAuthorized"), Cause.API_ERROR, Component.CLOUD_CONTROLLER, "10003"),
    (LOG_IN, 401, {}, b'{"error": "unauthorized"}', Cause.LOGIN, Component.UAA, "unauthorized"),
    (LOG_IN, 429, {}, b'{"error": "too_many"}', Cause.THROTTLED, Component.UAA, "too_many"),
    (LOG_IN, 500, {}, b'{"error": "server_error"}', Cause.STATUS_5XX, Component.UAA, "server_error"),
    (LOG_IN, 503, {"x-vcap-request-id": ONE}, b"", Cause.STATUS_5XX, Component.UAA, "router's"),
    (LOG_IN, 502, {}, HTML, Cause.STATUS_5XX, Component.LOAD_BALANCER, "no X-Vcap-Request-Id"),
]


@pytest.mark.parametrize(("question", "status", "headers", "body", "cause", "component", "evidence"), ROWS)
def test_who_answered(
    question: Question,
    status: int,
    headers: dict[str, str],
    body: bytes,
    cause: Cause,
    component: Component,
    evidence: str,
) -> None:
    found = of_answer(question, Answer(status, headers, body))
    assert found is not None
    assert (found.cause, found.component) == (cause, component)
    assert evidence in found.evidence
    assert found.detail.startswith(f"{question.call}: ")


BREAKS = [
    (socket.gaierror(socket.EAI_NONAME, "unknown"), Stage.NAMES, Cause.DNS, Component.DNS),
    (TimeoutError(), Stage.NAMES, Cause.DNS, Component.DNS),
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Stage.CONNECT, Cause.CONNECT_REFUSED, Component.NETWORK),
    (TimeoutError("timed out"), Stage.CONNECT, Cause.CONNECT_TIMEOUT, Component.NETWORK),
    (TimeoutError(errno.ETIMEDOUT, "timed out"), Stage.CONNECT, Cause.CONNECT_TIMEOUT, Component.NETWORK),
    (OSError(errno.EHOSTUNREACH, "no way"), Stage.CONNECT, Cause.CONNECT_UNREACHABLE, Component.NETWORK),
    (ProxyRefused("407 who?"), Stage.CONNECT, Cause.CONNECT_UNREACHABLE, Component.NETWORK),
    (OSError(errno.EMFILE, "files"), Stage.CONNECT, Cause.LOCAL_FILES, Component.HARNESS),
    (OSError(errno.EADDRNOTAVAIL, "ports"), Stage.CONNECT, Cause.LOCAL_PORTS, Component.HARNESS),
    (OSError(errno.ENOMEM, "memory"), Stage.CONNECT, Cause.INTERNAL, Component.HARNESS),
    (ssl.SSLCertVerificationError("expired"), Stage.TLS, Cause.TLS_CERTIFICATE, Component.NETWORK),
    (ssl.SSLError("handshake failure"), Stage.TLS, Cause.TLS_HANDSHAKE, Component.NETWORK),
    (ConnectionResetError(errno.ECONNRESET, "reset"), Stage.TLS, Cause.TLS_HANDSHAKE, Component.NETWORK),
    (TimeoutError("timed out"), Stage.TLS, Cause.TLS_TIMEOUT, Component.NETWORK),
    (TimeoutError("timed out"), Stage.FIRST_BYTE, Cause.FIRST_BYTE_TIMEOUT, Component.DIEGO),
    (http.client.RemoteDisconnected("gone"), Stage.FIRST_BYTE, Cause.CLOSED_EARLY, Component.NETWORK),
    (ConnectionResetError(errno.ECONNRESET, "reset"), Stage.FIRST_BYTE, Cause.RESET, Component.NETWORK),
    (http.client.BadStatusLine("SSH-2.0"), Stage.FIRST_BYTE, Cause.PROTOCOL, Component.TARGET),
    (http.client.IncompleteRead(b"", 9), Stage.BODY, Cause.CLOSED_EARLY, Component.NETWORK),
    (ConnectionResetError(errno.ECONNRESET, "reset"), Stage.BODY, Cause.RESET, Component.NETWORK),
    (TimeoutError("timed out"), Stage.BODY, Cause.TOTAL_TIMEOUT, Component.CLOUD_CONTROLLER),
    (RuntimeError("what"), Stage.BODY, Cause.INTERNAL, Component.HARNESS),
]


@pytest.mark.parametrize(("broke", "stage", "cause", "component"), BREAKS)
def test_why_none_came(broke: Exception, stage: Stage, cause: Cause, component: Component) -> None:
    head = Answer(200, {"x-vcap-request-id": TWO}, b"")
    found = of_break(STATS, broke, stage, limits=LIMITS, ended=None, head=head)
    assert (found.cause, found.component) == (cause, component)


@pytest.mark.parametrize(
    ("question", "component"),
    [
        (Question("apps"), Component.TARGET),
        (Question("routes", answered=True), Component.CLOUD_CONTROLLER),
        (STATS, Component.DIEGO),
        (LOG_IN, Component.UAA),
    ],
)
def test_silence_says_that_it_does_not_tell(question: Question, component: Component) -> None:
    found = of_break(question, OSError(), Stage.FIRST_BYTE, limits=LIMITS, ended=Ended.DEADLINE, head=None)
    assert (found.cause, found.component) == (Cause.TOTAL_TIMEOUT, component)
    assert "silence" in found.evidence


headers = st.dictionaries(
    st.sampled_from(["x-vcap-request-id", "server", "content-type", "retry-after", "location", "x-ratelimit-limit"]),
    st.one_of(st.text(max_size=40), st.sampled_from([ONE, TWO, "nginx", "text/html", "application/json", "7"])),
)
bodies = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([HTML, b"null", b"[]", b'{"errors": []}', b'{"errors": null}', b'{"errors": [null]}', b"[" * 5000]),
    st.builds(error, st.integers(-(2**62), 2**62), st.sampled_from(["", "CF-Odd"])),
)
questions = st.builds(
    Question, st.just("apps"), st.sampled_from(list(Endpoint)), instances=st.booleans(), answered=st.booleans()
)
stages = st.sampled_from(list(Stage))
heads = st.none() | st.builds(Answer, st.integers(100, 999), headers, st.just(b""))
errors = st.sampled_from([broke for broke, _, _, _ in BREAKS]) | st.builds(OSError, st.integers(1, 133), st.text())


def is_told(found: Fault) -> bool:
    return (
        bool(found.evidence)
        and 0 < len(found.detail) <= 300
        and found.detail.isprintable()
        and found.call == "apps"
        and (found.component is Component.HARNESS) == (found.cause in OWN_CAUSES)
    )


@given(questions, st.integers(100, 999), headers, bodies)
def test_every_answer_has_an_author(question: Question, status: int, seen: dict[str, str], body: bytes) -> None:
    found = of_answer(question, Answer(status, seen, body))
    assert (found is None) == (200 <= status < 300)
    if found is not None:
        assert is_told(found)
        assert found.cause not in OWN_CAUSES
        assert (found.cause is Cause.THROTTLED) == (status == 429)
    shape = of_shape(question, Answer(status, seen, body), "no JSON")
    assert is_told(shape)
    assert shape.cause is Cause.PROTOCOL


@given(questions, errors, stages, st.none() | st.sampled_from(list(Ended)), heads)
def test_every_break_has_a_cause(
    question: Question, broke: Exception, stage: Stage, ended: Ended | None, head: Answer | None
) -> None:
    found = of_break(question, broke, stage, limits=LIMITS, ended=ended, head=head)
    assert is_told(found)
    if ended is Ended.CUT:
        assert found.cause is Cause.CUT
    if ended is Ended.DEADLINE:
        assert found.cause is Cause.TOTAL_TIMEOUT


@given(headers, st.floats(0, 4e9))
def test_when_to_come_back(seen: dict[str, str], wall: float) -> None:
    wait = wait_of(seen, wall)
    assert wait is None or wait >= 0


def test_when_to_come_back_is_written_in_three_ways() -> None:
    assert wait_of({"retry-after": "120"}, 1e9) == 120
    assert wait_of({"retry-after": "1800000060"}, 1_800_000_000) == 60  # as Cloud Controller does
    assert wait_of({"retry-after": "Fri, 15 Jan 2027 08:01:00 GMT"}, 1_800_000_000) == 60
    assert wait_of({"retry-after": "soon"}, 1e9) is None
    assert wait_of({}, 1e9) is None


def test_warnings_are_form_encoded() -> None:
    assert warnings_of({"x-cf-warnings": "Stats+are+unavailable%2C+sorry,Another"}) == [
        "Stats are unavailable, sorry",
        "Another",
    ]
    assert warnings_of({"x-cf-warnings": " , "}) == []


@given(st.text(), st.integers(1, 50))
def test_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.isprintable()
