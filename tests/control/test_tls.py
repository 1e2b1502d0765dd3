"""TLS: the run's certificate is served, and checked by its tasks."""

from pathlib import Path

import pytest
import trustme

from harness.channel.http import HttpPipeline
from harness.channel.store import ChannelError, SilentError
from tests.control.serving import serving


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def served(authority: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    issued = authority.issue_cert("127.0.0.1", "localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return cert, key


@pytest.mark.parametrize("variable", ["CF_HARNESS_CA", "SSL_CERT_FILE"])
def test_a_ca_that_is_named(authority: trustme.CA, served: tuple[Path, Path], tmp_path: Path, variable: str) -> None:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    with serving(tmp_path, token="t", cert=served[0], key=served[1]) as api:
        assert api.url.startswith("https://127.0.0.1:")
        pipeline = HttpPipeline(api.url, {variable: str(ca), "CF_HARNESS_TOKEN": "t"})
        assert pipeline.newest() == "r"
        assert pipeline.name == api.url


def test_a_certificate_that_nobody_vouches_for(served: tuple[Path, Path], tmp_path: Path) -> None:
    with serving(tmp_path, cert=served[0], key=served[1]) as api:
        with pytest.raises(ChannelError, match=r"is not trusted \(.*\): name its CA's file in CF_HARNESS_CA") as caught:
            HttpPipeline(api.url, {}).newest()
        assert not isinstance(caught.value, SilentError)  # asking again does not help
        with pytest.raises(ChannelError, match=r"CF_HARNESS_CA=.*absent: .*: name a file"):
            HttpPipeline(api.url, {"CF_HARNESS_CA": str(tmp_path / "absent")})


def test_the_other_scheme(served: tuple[Path, Path], tmp_path: Path) -> None:
    with serving(tmp_path) as plain, serving(tmp_path, cert=served[0], key=served[1]) as tls:
        with pytest.raises(ChannelError, match="it speaks no TLS: is it http://"):
            HttpPipeline(plain.url.replace("http:", "https:"), {}).newest()
        with pytest.raises(SilentError, match="http://127"):
            HttpPipeline(tls.url.replace("https:", "http:"), {}).newest()
