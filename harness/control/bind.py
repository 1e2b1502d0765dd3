"""The socket that the control API listens at, and its certificate. Whoever gets the socket has the port alone."""

import errno
import ipaddress
import socket
import ssl
from pathlib import Path

from harness.channel.store import ChannelError

BACKLOG = 128  # connections that the system keeps until they are let in


def listening(host: str, port: int) -> socket.socket:
    """Listen at once, before the run begins: of many that want one port one gets it. Raises ChannelError."""
    where = f"--listen {host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ChannelError(f"{where}: no such address here: {getattr(error, 'strerror', None) or error}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a run before left in TIME_WAIT
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ChannelError(
                f"{where}: that port is taken, perhaps by another run: stop that one, or give port 0 for any free one"
            ) from error
        raise ChannelError(f"{where}: can't listen there: {error.strerror or error}") from error
    return listener


def url_of(listener: socket.socket, host: str, *, tls: bool) -> str:
    """How tasks name it; where it listens at every address, by this machine's name."""
    try:
        if ipaddress.ip_address(host).is_unspecified:
            host = socket.gethostname()
    except ValueError:
        pass
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{name}:{listener.getsockname()[1]}"


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or later. Raises ChannelError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for option, path in (("--tls-cert", cert), ("--tls-key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ChannelError(f"{option} {path}: {error.strerror or error}") from error
    try:
        context.load_cert_chain(cert, key, password=_none)
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or str(error)
        raise ChannelError(
            f"--tls-cert {cert} and --tls-key {key} can't be used ({why}): give a PEM certificate and its own key, "
            "without a passphrase"
        ) from error
    return context


def _none() -> str:
    """No passphrase; OpenSSL would ask the terminal for it."""
    return ""
