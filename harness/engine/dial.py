"""Opens connections: TCP, then TLS, as two stages with their own errors. The only place that touches sockets.

`Dialer` is the seam of the deterministic oracle: the engine knows no other way to a peer.
"""

import asyncio
import fcntl
import socket
import ssl
import struct
import termios
from typing import NamedTuple, Protocol

from harness.engine.resolver import Address
from harness.spec import Tls

_TCP_INFO = getattr(socket, "TCP_INFO", None)
_TCP_INFO_BYTES = 104


class Wire(Protocol):
    """A TCP connection that has no protocol yet."""

    def close(self) -> None:
        """Give it up."""


class Dialer(Protocol):
    """How connections come to be, and what the kernel knows of them."""

    def prepare(self, address: Address) -> Wire:
        """A socket for this address, not connected yet. Raises OSError (no descriptors, no ports)."""

    async def connect(self, wire: Wire, address: Address) -> None:
        """Connect it. Raises OSError."""

    async def attach(self, wire: Wire, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Shake hands where TLS is wanted, and hand the connection over. Raises OSError or ssl.SSLError."""

    def unread(self, wire: Wire) -> int:
        """Bytes that came from the peer and lie unread in the kernel."""

    def connected(self, wire: Wire) -> bool:
        """The kernel has made the connection already, though we were not told yet."""

    def describe(self, wire: Wire) -> str:
        """What the kernel knows of a connection that failed: network or peer? Empty if nothing."""


class TcpState(NamedTuple):
    """The part of struct tcp_info (linux/tcp.h) that tells a lossy network from a silent peer."""

    state: int
    retransmits: int
    unacked: int
    lost: int
    rtt: float  # seconds


def tcp_state(sock: socket.socket) -> TcpState | None:
    """Read TCP_INFO; None where the system has none."""
    if _TCP_INFO is None:
        return None
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return None
    if len(raw) < _TCP_INFO_BYTES:
        return None
    words = struct.unpack("=8B24I", raw[:_TCP_INFO_BYTES])
    # 8 bytes, then u32: rto ato snd_mss rcv_mss unacked sacked lost retrans fackets (4 times) pmtu rcv_ssthresh rtt …
    return TcpState(state=words[0], retransmits=words[2], unacked=words[12], lost=words[14], rtt=words[23] / 1e6)


_ESTABLISHED = 1


class SocketDialer:
    """Real sockets on the running loop."""

    def __init__(self, *, secure: bool, server_name: str, tls: Tls) -> None:
        """Raises OSError or ssl.SSLError if a certificate file can't be used."""
        self._context = client_context(tls) if secure else None
        self._server_name = server_name

    def prepare(self, address: Address) -> socket.socket:
        """A non-blocking socket with Nagle's algorithm off."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    async def connect(self, wire: Wire, address: Address) -> None:
        """TCP's handshake."""
        assert isinstance(wire, socket.socket)
        await asyncio.get_running_loop().sock_connect(wire, tuple(address))

    async def attach(self, wire: Wire, protocol: asyncio.Protocol) -> asyncio.Transport:
        """TLS's handshake, if any. The engine keeps the deadline, so asyncio's own is set out of the way."""
        assert isinstance(wire, socket.socket)
        loop = asyncio.get_running_loop()
        if self._context is None:
            transport, _ = await loop.create_connection(lambda: protocol, sock=wire)
        else:
            transport, _ = await loop.create_connection(
                lambda: protocol,
                sock=wire,
                ssl=self._context,
                server_hostname=self._server_name,
                ssl_handshake_timeout=3600,
            )
        return transport

    def unread(self, wire: Wire) -> int:
        """FIONREAD (ioctl_list(2))."""
        assert isinstance(wire, socket.socket)
        try:
            return int(struct.unpack("i", fcntl.ioctl(wire.fileno(), termios.FIONREAD, b"\0\0\0\0"))[0])
        except (OSError, ValueError):
            return 0

    def connected(self, wire: Wire) -> bool:
        """TCP_INFO says ESTABLISHED."""
        assert isinstance(wire, socket.socket)
        state = tcp_state(wire)
        return state is not None and state.state == _ESTABLISHED

    def describe(self, wire: Wire) -> str:
        """Retransmissions and unacknowledged segments point to the network; none of them to a silent peer."""
        assert isinstance(wire, socket.socket)
        state = tcp_state(wire)
        if state is None:
            return ""
        if state.unacked or state.retransmits:
            return f"TCP: {state.unacked} segments unacknowledged, {state.retransmits} retransmissions: network or host"
        return "TCP: all acknowledged by the peer's kernel: the application is silent"


def client_context(tls: Tls) -> ssl.SSLContext:
    """The TLS settings of a runner: verified by default, HTTP/1.1 by ALPN. Raises OSError or ssl.SSLError."""
    context = ssl.create_default_context(cafile=tls.ca)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.client_cert:
        context.load_cert_chain(tls.client_cert, tls.client_key)
    context.set_alpn_protocols(["http/1.1"])
    return context
