"""What sockets and the kernel tell: TCP_INFO, unread bytes, and the settings of TLS."""

import socket
import ssl
import sys
from pathlib import Path

import pytest
import trustme

from harness.engine.dial import SocketDialer, client_context, tcp_state
from harness.engine.resolver import Address
from harness.spec import Tls
from tests.worker.process import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO and FIONREAD as Linux has them")


def test_what_the_kernel_knows_of_a_connection() -> None:
    dialer = SocketDialer(secure=False, server_name="", tls=Tls())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = dialer.prepare(Address(listener.getsockname()))
        with wire:
            assert wire.getblocking() is False
            assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
            assert dialer.connected(wire) is False
            wire.connect_ex(listener.getsockname())
            until(lambda: dialer.connected(wire))
            peer, _ = listener.accept()
            with peer:
                assert dialer.unread(wire) == 0
                peer.sendall(b"12345")
                until(lambda: dialer.unread(wire) == 5)
                wire.recv(2)
                assert dialer.unread(wire) == 3
                state = tcp_state(wire)
                assert state is not None
                assert (state.retransmits, state.lost) == (0, 0)
                assert 0 < state.rtt < 10
                assert "the application is silent" in dialer.describe(wire)
        assert (dialer.unread(wire), dialer.connected(wire), dialer.describe(wire)) == (0, False, "")


def test_a_syn_without_an_answer_points_to_the_network() -> None:
    """A listener whose queue is full answers no SYN."""
    dialer = SocketDialer(secure=False, server_name="", tls=Tls())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = Address(listener.getsockname())
        wires = [dialer.prepare(address) for _ in range(5)]
        try:
            for wire in wires:
                wire.connect_ex(tuple(address))
            last = wires[-1]
            until(lambda: "network or host" in dialer.describe(last))
            assert dialer.connected(last) is False
        finally:
            for wire in wires:
                wire.close()


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_families(host: str, family: socket.AddressFamily) -> None:
    with SocketDialer(secure=False, server_name="", tls=Tls()).prepare(Address((host, 1))) as wire:
        assert wire.family is family


def test_tls_is_verified_unless_told_otherwise(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    strict = client_context(Tls(ca=str(tmp_path / "ca.pem")))
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(strict.get_ca_certs()) == 1, "the given one alone"
    lax = client_context(Tls(verify=False))
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)


def test_certificates_that_can_not_be_used(tmp_path: Path) -> None:
    authority = trustme.CA()
    mine, other = authority.issue_cert("me.test"), authority.issue_cert("other.test")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    mine.private_key_pem.write_to_path(tmp_path / "key.pem")
    other.private_key_pem.write_to_path(tmp_path / "other.pem")
    (tmp_path / "empty.pem").touch()

    def path(name: str) -> str:
        return str(tmp_path / name)

    client_context(Tls(client_cert=path("cert.pem"), client_key=path("key.pem")))
    for bad in (
        Tls(ca=path("none.pem")),
        Tls(ca=path("empty.pem")),
        Tls(client_cert=path("cert.pem"), client_key=path("other.pem")),
        Tls(client_cert=path("empty.pem")),
    ):
        with pytest.raises(OSError):  # noqa: PT011  # OpenSSL's own words
            client_context(bad)
