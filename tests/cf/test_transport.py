"""The way to the API: TLS, proxies, addresses, connections kept and lost."""

import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.cf.session import Session
from harness.cf.target import ApiTarget
from harness.errors import HarnessError
from harness.outcome import Cause, Component
from tests.cf.foundation import Foundation, closing, in_turn, resetting, saying, writing
from tests.cf.ways import LIMITS, MAUD, blamed, ours, perform, session
from tests.faults.authority import Authority
from tests.faults.server import FaultyServer, Peer


@pytest.fixture
def foundation() -> Iterator[Foundation]:
    with Foundation() as one:
        yield one


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


# connections


def test_an_operation_keeps_its_connection_and_the_next_has_another(foundation: Foundation) -> None:
    with session(foundation) as one:
        perform(one)
        perform(one)
        perform(one)
    reads = [seen.connection for seen in foundation.requests if seen.path.startswith("/v3")]
    assert [reads[0:3], reads[3:6], reads[6:9]] == [[reads[0]] * 3, [reads[3]] * 3, [reads[6]] * 3]
    assert len({reads[0], reads[3], reads[6]}) == 3


def test_a_stale_connection_is_retried_once_and_counted(foundation: Foundation) -> None:
    for lost in (closing, resetting):
        foundation.on["/v3/processes"] = in_turn(lost, None)
        performed = ours(foundation)
        assert performed.fault is None
        assert performed.retried == 1
    foundation.on["/v3/processes"] = closing
    performed = ours(foundation)
    blamed(performed, Cause.CLOSED_EARLY, Component.NETWORK)
    assert performed.retried == 1


def test_a_fresh_connection_that_is_lost_is_a_failure(foundation: Foundation) -> None:
    for lost, cause in ((closing, Cause.CLOSED_EARLY), (resetting, Cause.RESET)):
        foundation.on["/"] = in_turn(lost, None)
        performed = ours(foundation)
        blamed(performed, cause, Component.NETWORK)
        assert performed.retried == 0


def test_a_log_in_is_never_sent_twice(foundation: Foundation) -> None:
    foundation.on["/oauth/token"] = closing
    blamed(ours(foundation), Cause.CLOSED_EARLY, Component.NETWORK)
    assert foundation.grants() == ["password"]


@pytest.mark.parametrize(
    ("answer", "cause", "component"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", Cause.CLOSED_EARLY, Component.TARGET),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", Cause.CLOSED_EARLY, Component.TARGET),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", Cause.CLOSED_EARLY, Component.TARGET),
        (b"SSH-2.0-OpenSSH\r\n", Cause.PROTOCOL, Component.TARGET),
        (b"HTTP/1.1 abc\r\n\r\n", Cause.PROTOCOL, Component.TARGET),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", Cause.PROTOCOL, Component.TARGET),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", Cause.PROTOCOL, Component.TARGET),
        (b"HTTP/1.1 200 OK\r\n", Cause.CLOSED_EARLY, Component.NETWORK),
        (b"HTTP/1.1 200 OK\r\nContent-Ty", Cause.CLOSED_EARLY, Component.NETWORK),
        (b"HTTP/1.1 2", Cause.CLOSED_EARLY, Component.NETWORK),
        (b"", Cause.CLOSED_EARLY, Component.NETWORK),
    ],
)
def test_what_is_no_http(foundation: Foundation, answer: bytes, cause: Cause, component: Component) -> None:
    foundation.on["/"] = writing(answer)
    performed = ours(foundation)
    assert performed.fault is not None
    assert performed.fault.cause is cause, performed.fault
    assert performed.fault.component in (component, Component.NETWORK)


def test_refused() -> None:
    with FaultyServer(Peer.close) as server:
        url = f"http://127.0.0.1:{server.port}"
    performed = ours(url)
    blamed(performed, Cause.CONNECT_REFUSED, Component.NETWORK)
    assert performed.calls[0].name == "root"
    assert performed.calls[0].status is None


def test_the_second_address_is_tried(foundation: Foundation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two addresses for one name, of which one refuses."""
    real = socket.getaddrinfo

    def two(host: str, port: int, **how: object) -> object:
        assert host == "api.test"
        first = real("127.0.0.2", port, type=socket.SOCK_STREAM)
        return [*first, *real("127.0.0.1", port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    foundation.on["/"] = saying(404, b"", X_Cf_RouterError="unknown_route")
    performed = ours(f"http://api.test:{foundation.port}")
    blamed(performed, Cause.ROUTER, Component.ROUTER)
    assert performed.address == f"127.0.0.1:{foundation.port}"


def test_a_name_that_is_none() -> None:
    for host in ("nobody.invalid", "x" * 64 + ".invalid"):
        blamed(ours(f"http://{host}"), Cause.DNS, Component.DNS)


# TLS


@pytest.mark.parametrize(
    ("mistake", "words"),
    [("expired", "expired"), ("other_name", "mismatch"), ("other_authority", "unable to get local issuer")],
)
def test_a_certificate_that_does_not_hold(authority: Authority, mistake: str, words: str) -> None:
    with Foundation(tls=getattr(authority, mistake)()) as foundation:
        target = ApiTarget(api=foundation.url, ca=str(authority.ca))
        assert words in blamed(ours(foundation, target=target), Cause.TLS_CERTIFICATE, Component.NETWORK)
        assert ours(foundation, target=ApiTarget(api=foundation.url, verify=False)).fault is None


def test_a_certificate_of_ours(authority: Authority) -> None:
    with Foundation(tls=authority.demanding(ssl.TLSVersion.TLSv1_2)) as foundation:
        bare = ApiTarget(api=foundation.url, ca=str(authority.ca))
        blamed(ours(foundation, target=bare), Cause.TLS_HANDSHAKE, Component.NETWORK)
        with_ours = ApiTarget(
            api=foundation.url,
            ca=str(authority.ca),
            client_cert=str(authority.client_cert),
            client_key=str(authority.client_key),
        )
        assert ours(foundation, target=with_ours).fault is None


def test_plain_http_where_tls_was_due(foundation: Foundation) -> None:
    url = f"https://127.0.0.1:{foundation.port}"
    blamed(ours(url), Cause.TLS_HANDSHAKE, Component.NETWORK)


def test_a_password_never_goes_out_in_clear(authority: Authority) -> None:
    with Foundation() as clear, Foundation(tls=authority.good()) as foundation:
        links = {"cloud_controller_v3": {"href": f"{foundation.url}/v3"}, "login": {"href": clear.url}}
        foundation.on["/"] = saying(200, {"links": links})
        performed = ours(foundation, target=ApiTarget(api=foundation.url, ca=str(authority.ca)))
        assert "in clear" in blamed(performed, Cause.PROTOCOL, Component.CLOUD_CONTROLLER)
        assert clear.requests == []


def test_certificates_that_can_not_be_read_are_ours(authority: Authority, tmp_path: Path) -> None:
    with Foundation(tls=authority.good()) as foundation:
        target = ApiTarget(api=foundation.url, ca=str(tmp_path / "none.pem"))
        blamed(ours(foundation, target=target), Cause.INTERNAL, Component.HARNESS)


@pytest.mark.parametrize("api", ["api.example.org", "ftp://x", "", "http://x:port"])
def test_what_is_no_url(api: str) -> None:
    with pytest.raises(HarnessError):
        Session(ApiTarget(api=api), MAUD, LIMITS, user_agent="x")


# proxies


class Proxy:
    """CONNECT, and whole URLs for plain http; remembers what it was asked."""

    def __init__(self, refuse: bool = False) -> None:
        self.heads: list[bytes] = []
        self._refuse = refuse

    def __call__(self, peer: Peer) -> None:
        peer.request()
        self.heads.append(peer.head)
        method, where = peer.head.split(b" ", 2)[:2]
        if self._refuse:
            peer.say(b"HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n")
            peer.close()
        there = urlsplit(where if method != b"CONNECT" else b"//" + where)
        with socket.create_connection((there.hostname.decode(), there.port or 80)) as onward:  # type: ignore[union-attr]
            if method == b"CONNECT":
                peer.say(b"HTTP/1.1 200 Go on\r\n\r\n")
            else:
                onward.sendall(peer.head + b"\r\n\r\n" + peer._buffer)
            between(peer.sock, onward)


def between(one: socket.socket, other: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([one, other], [], [], 10)
        for sock in ready:
            data = sock.recv(65536)
            if not data:
                return
            (other if sock is one else one).sendall(data)


@pytest.mark.parametrize("secure", [False, True])
def test_a_proxy(authority: Authority, secure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    proxy = Proxy()
    with Foundation(tls=authority.good() if secure else None) as foundation, FaultyServer(proxy) as server:
        target = ApiTarget(
            api=foundation.url,
            ca=str(authority.ca) if secure else None,
            proxy=f"http://me:pass%20word@127.0.0.1:{server.port}",
        )
        assert ours(foundation, target=target).fault is None
        assert "pass" not in repr(target)
        assert ours(foundation, target=ApiTarget(api=foundation.url, ca=str(authority.ca))).fault is None
    assert proxy.heads
    assert all(b"Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk" in head for head in proxy.heads)
    assert proxy.heads[0].startswith(b"CONNECT 127.0.0.1:" if secure else b"GET http://127.0.0.1:")
    if secure:
        assert b"Authorization: Bearer" not in b"".join(proxy.heads)


def test_a_proxy_that_refuses(authority: Authority) -> None:
    with Foundation(tls=authority.good()) as foundation, FaultyServer(Proxy(refuse=True)) as server:
        target = ApiTarget(api=foundation.url, ca=str(authority.ca), proxy=f"http://127.0.0.1:{server.port}")
        told = blamed(ours(foundation, target=target), Cause.CONNECT_UNREACHABLE, Component.NETWORK)
        assert "the proxy answered 407" in told
    for proxy in ("https://x", "socks5://x:1", "x:3128"):
        with pytest.raises(HarnessError, match="a proxy is http://"):
            Session(ApiTarget(api="http://x", proxy=proxy), MAUD, LIMITS, user_agent="x")
