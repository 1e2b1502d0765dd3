"""Makes the sandbox's own certificate authority and what its components may show: a good certificate, and wrong ones.

Each file holds key and certificate. Only the supervisor makes them: the components merely load (`identity`).
"""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.sandbox.identity import CA

_DAY = timedelta(days=1)


class _Authority:
    """A key that signs."""

    def __init__(self, name: str, now: datetime) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._now = now
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._own = (
            _builder(self._name, self._name, self._key.public_key(), now - _DAY, now + 365 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def own(self) -> bytes:
        """Its certificate, PEM."""
        return self._own.public_bytes(Encoding.PEM)

    def issue(self, names: Sequence[str], until: timedelta = 90 * _DAY) -> bytes:
        """A server's key and certificate, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        end = self._now + until
        certificate = (
            _builder(subject, self._name, key.public_key(), min(self._now, end) - _DAY, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private + certificate.public_bytes(Encoding.PEM)


def make_certificates(folder: Path, names: Sequence[str]) -> Path:
    """Write them all into a folder. Gives the CA's file. Raises OSError."""
    now = datetime.now(UTC)
    authority = _Authority("cf-harness sandbox CA", now)
    stranger = _Authority("a CA that nobody trusts", now)
    for kind, pem in (
        ("good", authority.issue(names)),
        ("wrong_name", authority.issue(["another.example"])),
        ("expired", authority.issue(names, -_DAY)),
        ("unknown_ca", stranger.issue(names)),
    ):
        path = folder / f"{kind}.pem"
        path.touch(0o600)
        path.write_bytes(pem)
    ca = folder / CA
    ca.write_bytes(authority.own())
    return ca


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
