"""The certificates that a component shows: loads them from the sandbox's folder. `certificates` makes them."""

import ssl
from pathlib import Path

from harness.sandbox.wire import CertificateKind

CA = "ca.pem"


def server_context(folder: Path) -> ssl.SSLContext:
    """A server's context with the good certificate. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    use_certificate(context, folder, "good")
    return context


def use_certificate(context: ssl.SSLContext, folder: Path, kind: CertificateKind) -> None:
    """Show this one from the next handshake on; what was agreed upon before stays."""
    context.load_cert_chain(folder / f"{kind}.pem")
