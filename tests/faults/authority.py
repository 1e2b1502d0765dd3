"""Certificates for the faulty server: good, expired, for another name, of another authority."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

NAME = "app.test"


class Authority:
    """One that the client trusts, and one that it does not."""

    def __init__(self, folder: Path) -> None:
        self._trusted = trustme.CA()
        self._other = trustme.CA()
        self.ca = folder / "ca.pem"
        self._trusted.cert_pem.write_to_path(self.ca)
        client = self._trusted.issue_cert("client@example.org")
        self.client_cert, self.client_key = folder / "client.pem", folder / "client.key"
        client.cert_chain_pems[0].write_to_path(self.client_cert)
        client.private_key_pem.write_to_path(self.client_key)

    def good(self, *, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
        context = self._context(self._trusted.issue_cert(NAME, "127.0.0.1"))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def expired(self) -> ssl.SSLContext:
        now = datetime.now(UTC)
        cert = self._trusted.issue_cert(
            NAME, "127.0.0.1", not_before=now - timedelta(days=9), not_after=now - timedelta(days=2)
        )
        return self._context(cert)

    def other_name(self) -> ssl.SSLContext:
        return self._context(self._trusted.issue_cert("another.test"))

    def other_authority(self) -> ssl.SSLContext:
        return self._context(self._other.issue_cert(NAME, "127.0.0.1"))

    def demanding(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        """Wants a certificate of the client's."""
        context = self.good()
        context.maximum_version = version
        context.verify_mode = ssl.CERT_REQUIRED
        self._trusted.configure_trust(context)
        return context

    @staticmethod
    def _context(cert: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert.configure_cert(context)
        return context
