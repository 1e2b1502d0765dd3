"""Faults of the TLS handshake, and of who is who."""

import ssl

import pytest

from harness.outcome import Cause, Component
from harness.spec import Timeouts, Tls
from tests.faults.authority import NAME, Authority
from tests.faults.server import OK, FaultyServer, Peer, answering, said_then_closed, saying
from tests.faults.trial import attempt, spec_of

ALL = pytest.mark.parametrize("probe", ["app", "http", "http2"])
GOOD = answering(saying(OK))


def url_of(server: FaultyServer) -> str:
    return f"https://127.0.0.1:{server.port}/"


@ALL
@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
def test_a_good_server(probe: str, fresh: bool, authority: Authority) -> None:
    with FaultyServer(GOOD, tls=authority.good()) as server:
        trial = attempt(spec_of(probe, url_of(server), tls=Tls(ca=str(authority.ca)), fresh=fresh))
    trial.all_good()
    assert set(trial.frame.stages) >= {"connect", "tls"}


@ALL
@pytest.mark.parametrize(
    ("mistake", "words"),
    [("expired", "expired"), ("other_name", "mismatch"), ("other_authority", "unable to get local issuer")],
)
@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
def test_a_certificate_that_does_not_hold(
    probe: str, mistake: str, words: str, fresh: bool, authority: Authority
) -> None:
    with FaultyServer(GOOD, tls=getattr(authority, mistake)()) as server:
        trial = attempt(spec_of(probe, url_of(server), tls=Tls(ca=str(authority.ca)), fresh=fresh))
    trial.all_are(Cause.TLS_CERTIFICATE, Component.NETWORK)
    assert words in trial.example(Cause.TLS_CERTIFICATE).detail


@ALL
@pytest.mark.parametrize("mistake", ["expired", "other_name", "other_authority"])
def test_nor_is_looked_at(probe: str, mistake: str, authority: Authority) -> None:
    with FaultyServer(GOOD, tls=getattr(authority, mistake)()) as server:
        attempt(spec_of(probe, url_of(server), tls=Tls(verify=False))).all_good()


@ALL
def test_a_name_of_its_own_for_the_certificate(probe: str, authority: Authority) -> None:
    with FaultyServer(GOOD, tls=authority.other_name()) as server:
        tls = Tls(ca=str(authority.ca), server_name="another.test")
        attempt(spec_of(probe, url_of(server), tls=tls)).all_good()


@ALL
def test_a_pinned_name_is_the_certificates(probe: str, authority: Authority) -> None:
    names: list[str | None] = []
    tls = authority.good()
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    hosts: list[bytes] = []

    def behave(peer: Peer) -> None:
        peer.request()
        hosts.append(next(line for line in peer.head.split(b"\r\n") if line.lower().startswith(b"host:")))
        peer.say(OK)

    with FaultyServer(behave, tls=tls) as server:
        url = f"https://{NAME}:{server.port}/"
        spec = spec_of(probe, url, tls=Tls(ca=str(authority.ca)), resolve=((NAME, "127.0.0.1"),), fresh=True)
        attempt(spec).all_good()
        assert set(names) == {NAME}
        assert set(hosts) == {f"Host: {NAME}:{server.port}".encode()}


@ALL
def test_plain_http_on_the_tls_port(probe: str, authority: Authority) -> None:
    def plain(peer: Peer) -> None:
        peer.read()
        peer.say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with FaultyServer(plain) as server:
        trial = attempt(spec_of(probe, url_of(server), tls=Tls(ca=str(authority.ca)), fresh=True))
    trial.all_are(Cause.TLS_HANDSHAKE, Component.NETWORK)


@ALL
@pytest.mark.parametrize("how", [Peer.reset, Peer.close], ids=["reset", "closed"])
def test_ended_in_the_handshake(probe: str, how: "object", authority: Authority) -> None:
    def end(peer: Peer) -> None:
        peer.read()
        assert callable(how)
        how(peer)

    with FaultyServer(end) as server:
        trial = attempt(spec_of(probe, url_of(server), tls=Tls(ca=str(authority.ca)), fresh=True))
    trial.all_are(Cause.TLS_HANDSHAKE, Component.NETWORK)


@ALL
def test_a_handshake_that_stalls(probe: str, authority: Authority) -> None:
    limits = Timeouts(connect=5.0, tls=0.2, first_byte=5.0, total=5.0)
    with FaultyServer(Peer.stall) as server:
        spec = spec_of(probe, url_of(server), tls=Tls(ca=str(authority.ca)), timeouts=limits, fresh=True)
        trial = attempt(spec)
    trial.all_are(Cause.TLS_TIMEOUT, Component.NETWORK)
    example = trial.example(Cause.TLS_TIMEOUT)
    assert example.detail == "TLS handshake not done within 0.2 s"
    assert example.timings.tls is not None
    assert example.timings.tls >= 0.2
    assert example.timings.connect is not None
    assert example.timings.connect < example.timings.tls


@ALL
def test_a_handshake_that_stalls_for_all_the_time_there_is(probe: str, authority: Authority) -> None:
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.2, total=0.2)
    with FaultyServer(Peer.stall) as server:
        spec = spec_of(probe, url_of(server), tls=Tls(ca=str(authority.ca)), timeouts=limits, fresh=True)
        trial = attempt(spec)
    trial.all_are(Cause.TOTAL_TIMEOUT, Component.NETWORK)
    assert trial.example(Cause.TOTAL_TIMEOUT).detail == "not answered within 0.2 s, in the TLS handshake"


@ALL
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_ours_is_demanded(probe: str, version: ssl.TLSVersion, authority: Authority) -> None:
    with FaultyServer(GOOD, tls=authority.demanding(version)) as server:
        without = spec_of(probe, url_of(server), tls=Tls(ca=str(authority.ca)), fresh=True)
        attempt(without).all_are(Cause.TLS_HANDSHAKE, Component.NETWORK)
        ours = Tls(ca=str(authority.ca), client_cert=str(authority.client_cert), client_key=str(authority.client_key))
        attempt(spec_of(probe, url_of(server), tls=ours, fresh=True)).all_good()


@ALL
def test_cut_off_without_a_goodbye(probe: str, authority: Authority) -> None:
    """No close_notify: the length tells that something is missing."""
    cut = said_then_closed(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    with FaultyServer(answering(cut), tls=authority.good()) as server:
        spec = spec_of(probe, url_of(server), tls=Tls(ca=str(authority.ca)), fresh=True)
        attempt(spec).all_are(Cause.CLOSED_EARLY, Component.NETWORK)


@ALL
@pytest.mark.parametrize("begun", [b"", OK[:-1]], ids=["unbegun", "begun"])
def test_reset_after_the_handshake(probe: str, begun: bytes, authority: Authority) -> None:
    def reset(peer: Peer) -> None:
        peer.say(begun)
        peer.reset()

    with FaultyServer(answering(reset), tls=authority.good()) as server:
        spec = spec_of(probe, url_of(server), tls=Tls(ca=str(authority.ca)), fresh=True)
        attempt(spec).all_are(Cause.RESET, Component.NETWORK)
