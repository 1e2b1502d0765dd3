"""Causes told from their neighbours, and whose they are."""

import errno
import socket
import ssl

import pytest

from harness.engine.blame import Blame, Judge, of_connect, of_loss, of_names, of_tls
from harness.engine.settling import tainted_or
from harness.outcome import OWN_CAUSES, Cause, Component
from harness.spec import Expect


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ECONNREFUSED, Cause.CONNECT_REFUSED),
        (errno.EHOSTUNREACH, Cause.CONNECT_UNREACHABLE),
        (errno.ENETUNREACH, Cause.CONNECT_UNREACHABLE),
        (errno.EPERM, Cause.CONNECT_UNREACHABLE),
        (errno.ETIMEDOUT, Cause.CONNECT_TIMEOUT),
        (errno.ECONNRESET, Cause.RESET),
        (errno.EMFILE, Cause.LOCAL_FILES),
        (errno.ENFILE, Cause.LOCAL_FILES),
        (errno.EADDRNOTAVAIL, Cause.LOCAL_PORTS),
        (errno.ENOBUFS, Cause.INTERNAL),
        (errno.EPROTO, Cause.CONNECT_UNREACHABLE),
    ],
)
def test_connecting(number: int, cause: Cause) -> None:
    blame = of_connect(OSError(number, "words of the kernel"))
    assert blame.cause is cause
    assert "words of the kernel" in blame.detail
    assert (blame.component is Component.HARNESS) is (cause in OWN_CAUSES)


def test_tls() -> None:
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed")
    refused.verify_message = "certificate has expired"  # as the ssl module does
    assert of_tls(refused)[:3] == (Cause.TLS_CERTIFICATE, Component.NETWORK, "certificate has expired")
    assert of_tls(ssl.SSLError(1, "alert")).cause is Cause.TLS_HANDSHAKE
    assert of_tls(ConnectionResetError("reset")).cause is Cause.TLS_HANDSHAKE


def test_names() -> None:
    again = of_names(socket.gaierror(socket.EAI_AGAIN, "try again"))
    unknown = of_names(socket.gaierror(socket.EAI_NONAME, "not known"))
    assert {again[:2], unknown[:2]} == {(Cause.DNS, Component.DNS)}
    assert "did not answer" in again.detail
    assert "did not answer" not in unknown.detail


def test_losses() -> None:
    assert of_loss(None, begun=False)[:2] == (Cause.CLOSED_EARLY, Component.NETWORK)
    assert of_loss(ConnectionResetError("x"), begun=True).cause is Cause.RESET
    assert of_loss(OSError(errno.ETIMEDOUT, "x"), begun=True).cause is Cause.TOTAL_TIMEOUT
    assert of_loss(ssl.SSLError(1, "alert"), begun=False).cause is Cause.TLS_HANDSHAKE
    assert of_loss(None, begun=False).detail != of_loss(None, begun=True).detail


@pytest.mark.parametrize("cause", list(Cause))
def test_what_a_pause_of_ours_excuses(cause: Cause) -> None:
    """What breaks while nobody listens may have broken because of that; what the peer said outright stands."""
    blame = Blame(cause, Component.NETWORK, "evidence")
    assert tainted_or(blame, 0.0) is blame
    excused = tainted_or(blame, 1.2)
    if cause in (Cause.RESET, Cause.CLOSED_EARLY, Cause.TLS_HANDSHAKE):
        assert excused[:2] == (Cause.TAINTED, Component.HARNESS)
        assert cause in excused.detail
        assert "evidence" in excused.detail
    else:
        assert excused is blame


ROUTED = {"x-vcap-request-id": "1"}
UNKNOWN_ROUTE = {"x-cf-routererror": "unknown_route"}


@pytest.mark.parametrize(
    ("status", "headers", "platform", "cause", "component"),
    [
        (502, {"x-cf-routererror": "endpoint_failure"} | ROUTED, True, Cause.ROUTER, Component.ROUTER),
        (404, UNKNOWN_ROUTE, False, Cause.ROUTER, Component.ROUTER),
        (200, UNKNOWN_ROUTE, False, Cause.ROUTER, Component.ROUTER),
        (503, ROUTED, True, Cause.STATUS_5XX, Component.APP),
        (503, {}, True, Cause.STATUS_5XX, Component.LOAD_BALANCER),
        (503, {}, False, Cause.STATUS_5XX, Component.TARGET),
        (500, {}, True, Cause.STATUS_5XX, Component.TARGET),
        (404, ROUTED, True, Cause.STATUS_4XX, Component.APP),
        (429, ROUTED, True, Cause.THROTTLED, Component.APP),
        (302, {"location": "https://sorry"}, False, Cause.STATUS_UNEXPECTED, Component.TARGET),
        (600, {}, False, Cause.STATUS_UNEXPECTED, Component.TARGET),
    ],
)
def test_answers(status: int, headers: dict[str, str], platform: bool, cause: Cause, component: Component) -> None:
    judge = Judge(Expect())
    assert status not in judge.plain or "x-cf-routererror" in headers
    blame = judge.blame(status, headers, b"", platform=platform)
    assert blame is not None
    assert blame[:2] == (cause, component)
    assert str(status) in blame.detail


def test_evidence_is_told_and_bounded() -> None:
    headers = {"server": "s" * 999, "location": "l" * 999, "retry-after": "7"}
    judge = Judge(Expect())
    for status in (302, 404, 429, 500):
        blame = judge.blame(status, headers, b"\xff" * 9999, platform=False)
        assert blame is not None
        assert len(blame.detail) < 400
    throttled = judge.blame(429, headers, b"", platform=False)
    assert throttled is not None
    assert "retry after 7" in throttled.detail


def test_headers_and_body() -> None:
    judge = Judge(Expect(headers=(("strict-transport-security", r"max-age=\d+"),), body="^o"))
    assert judge.plain == frozenset()
    assert judge.needs_body
    fine = {"strict-transport-security": "max-age=31536000; preload"}
    assert judge.blame(204, fine, b"ok", platform=False) is None
    missing = judge.blame(200, {}, b"ok", platform=False)
    other = judge.blame(200, {"strict-transport-security": "max-age=x"}, b"ok", platform=False)
    body = judge.blame(200, fine, b"no", platform=False)
    assert missing is not None
    assert other is not None
    assert body is not None
    assert (missing.cause, other.cause, body.cause) == (*[Cause.HEADER_MISMATCH] * 2, Cause.BODY_MISMATCH)
    assert "is missing" in missing.detail
    assert "max-age=x" in other.detail


def test_an_expected_error_is_ok_yet_looked_at() -> None:
    """A plan may expect 404; a router's own 404 is none of the app's."""
    judge = Judge(Expect(statuses=((200, 204), (404, 404))))
    assert judge.plain == {200, 201, 202, 203, 204}
    assert judge.blame(404, ROUTED, b"", platform=True) is None
    assert judge.blame(404, UNKNOWN_ROUTE, b"", platform=True) is not None
    assert judge.blame(205, {}, b"", platform=True) is not None
