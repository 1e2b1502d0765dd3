"""The port: whose it is, how it is named, and what is said where it can't be had."""

import socket
import threading
from pathlib import Path

import pytest
import trustme

from harness.channel.store import ChannelError
from harness.control.bind import listening, tls_context, url_of

_STARTERS = 50


@pytest.mark.parametrize("trial", range(5))
def test_of_fifty_starters_one_gets_the_port(trial: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = threading.Barrier(_STARTERS)
    got: list[socket.socket] = []
    refused: list[str] = []

    def try_it() -> None:
        start.wait()
        try:
            got.append(listening("127.0.0.1", port))
        except ChannelError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=try_it) for _ in range(_STARTERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for listener in got:
        listener.close()
    assert len(got) == 1
    assert len(refused) == _STARTERS - 1
    assert all(f"--listen 127.0.0.1:{port}: that port is taken" in said for said in refused)


def test_where_it_can_not_listen() -> None:
    with pytest.raises(ChannelError, match=r"--listen 192\.0\.2\.1:0: can't listen there: .*assign"):
        listening("192.0.2.1", 0)
    with pytest.raises(ChannelError, match="no such address here"):
        listening("no.such.host.invalid", 0)
    with pytest.raises(ChannelError, match="no such address here"):
        listening("a" * 70, 0)


def test_how_it_is_named() -> None:
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener, "127.0.0.1", tls=False) == f"http://127.0.0.1:{port}"
        assert url_of(listener, "::1", tls=True) == f"https://[::1]:{port}"
        assert url_of(listener, "0.0.0.0", tls=False) == f"http://{socket.gethostname()}:{port}"


def test_certificates_that_are_none(tmp_path: Path) -> None:
    authority = trustme.CA()
    one, other = (authority.issue_cert("localhost") for _ in range(2))
    cert, key, rubbish = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "rubbish.pem"
    one.cert_chain_pems[0].write_to_path(cert)
    other.private_key_pem.write_to_path(key)
    rubbish.write_text("none\n")
    with pytest.raises(ChannelError, match=r"cert\.pem and .*key\.pem can't be used \(KEY_VALUES_MISMATCH\)"):
        tls_context(cert, key)
    with pytest.raises(ChannelError, match=r"rubbish\.pem can't be used"):
        tls_context(cert, rubbish)
    with pytest.raises(ChannelError, match=r"--tls-key .*absent\.pem: No such file"):
        tls_context(cert, tmp_path / "absent.pem")
