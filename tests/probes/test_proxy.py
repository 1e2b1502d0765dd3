"""The `http` probe through a forward proxy, and a proxy that does not let it through."""

import asyncio
import time
from pathlib import Path

import pytest

from harness.outcome import Cause, Component
from harness.probes import make_driver
from harness.recorder import Recorder
from harness.spec import Pool, Spec, Timeouts, Tls
from tests.faults.authority import Authority
from tests.faults.server import OK, FaultyServer, Peer, answering, saying
from tests.faults.trial import TICKS, attempt, spec_of
from tests.probes.h2_server import H2Server
from tests.probes.proxy import Proxy

GOOD = answering(saying(OK))
BOTH = pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("authority")))


@BOTH
def test_https_through_a_tunnel(fresh: bool, authority: Authority) -> None:
    asked = Proxy()
    with FaultyServer(GOOD, tls=authority.good()) as target, FaultyServer(asked) as proxy:
        spec = spec_of(
            "http",
            f"https://127.0.0.1:{target.port}/",
            proxy=f"http://us:secret@127.0.0.1:{proxy.port}",
            tls=Tls(ca=str(authority.ca)),
            fresh=fresh,
            rate=8.0,  # so that one is over before the next, also where a handshake takes long
        )
        trial = attempt(spec, before=asked.forget)
        trial.all_good()
        assert set(asked.asked) == {f"CONNECT 127.0.0.1:{target.port}"}
        assert all(b"Proxy-Authorization: Basic dXM6c2VjcmV0" in head for head in asked.heads)
        addresses = {name for second in trial.frame.seconds.values() for name in second.addresses}
        assert addresses == {f"127.0.0.1:{proxy.port}"}  # the peer that we see
    assert len(asked.asked) == trial.counters["opened"]
    assert (trial.counters["opened"] == TICKS) == fresh
    assert set(trial.frame.stages) >= {"connect", "tls"}


@BOTH
def test_http_by_asking_for_it(fresh: bool) -> None:
    asked = Proxy()
    with FaultyServer(GOOD) as target, FaultyServer(asked) as proxy:
        url = f"http://127.0.0.1:{target.port}/"
        trial = attempt(spec_of("http", url, proxy=f"http://127.0.0.1:{proxy.port}", fresh=fresh))
        trial.all_good()
        assert set(asked.asked) == {f"GET {url}"}


def test_http2_through_a_tunnel(authority: Authority) -> None:
    with (
        H2Server(lambda exchange: exchange.answer(200), authority.good(protocols=("h2",))) as target,
        FaultyServer(Proxy()) as proxy,
    ):
        spec = spec_of("http2", target.url, proxy=f"http://127.0.0.1:{proxy.port}", tls=Tls(ca=str(authority.ca)))
        trial = attempt(spec)
    trial.all_good()
    assert trial.counters["http2"] == TICKS


@BOTH
def test_a_proxy_that_refuses(fresh: bool, authority: Authority) -> None:
    no = saying(b"HTTP/1.1 403 Forbidden by policy\r\nContent-Length: 0\r\n\r\n")
    with FaultyServer(answering(no)) as proxy:
        spec = spec_of("http", "https://app.test/", proxy=f"http://127.0.0.1:{proxy.port}", fresh=fresh)
        trial = attempt(spec)
    trial.all_are(Cause.CONNECT_UNREACHABLE, Component.NETWORK)
    example = trial.example(Cause.CONNECT_UNREACHABLE)
    assert "the proxy answered: 403 Forbidden by policy" in example.detail
    assert example.address == f"127.0.0.1:{proxy.port}"
    assert example.sent is None


def test_a_proxy_that_is_not_there() -> None:
    with FaultyServer(GOOD) as gone:
        port = gone.port
    trial = attempt(spec_of("http", "https://app.test/", proxy=f"http://127.0.0.1:{port}"))
    trial.all_are(Cause.CONNECT_REFUSED, Component.NETWORK)


def test_a_proxy_that_is_silent() -> None:
    limits = Timeouts(connect=0.2, tls=5.0, first_byte=5.0, total=5.0)
    with FaultyServer(Peer.stall) as proxy:
        spec = spec_of("http", "https://app.test/", proxy=f"http://127.0.0.1:{proxy.port}", timeouts=limits)
        attempt(spec).all_are(Cause.CONNECT_TIMEOUT, Component.NETWORK)


def test_tunnels_that_fail_hold_no_place(authority: Authority) -> None:
    """httpcore keeps a tunnel whose handshake failed as if it were in use; more fail than the pool has places."""
    with FaultyServer(GOOD, tls=authority.expired()) as target, FaultyServer(Proxy()) as proxy:
        spec = spec_of(
            "http",
            f"https://127.0.0.1:{target.port}/",
            proxy=f"http://127.0.0.1:{proxy.port}",
            tls=Tls(ca=str(authority.ca)),
            pool=Pool(warm=0, cap=2, handshakes=2),
        )
        attempt(spec).all_are(Cause.TLS_CERTIFICATE, Component.NETWORK)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"proxy": "socks5://127.0.0.1:1"}, "a proxy is http://"),
        ({"proxy": "http://"}, "a proxy is http://"),
        ({"proxy": "http://127.0.0.1:1", "resolve": (("app.test", "127.0.0.1"),)}, "resolves and names"),
        ({"proxy": "http://127.0.0.1:1", "tls": Tls(server_name="other.test")}, "resolves and names"),
        ({"url": "ftp://app.test/"}, "not an http or https URL"),
    ],
)
def test_specs_that_make_no_sense(more: dict[str, object], words: str) -> None:
    async def make(spec: Spec) -> None:
        make_driver(spec, start=0.0, user_agent="a", clock=time.monotonic, recorder=Recorder())

    with pytest.raises(ValueError, match=words):
        asyncio.run(make(spec_of("http", str(more.pop("url", "https://app.test/")), **more)))
