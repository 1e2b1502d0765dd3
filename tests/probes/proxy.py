"""A small forward proxy: CONNECT for https, absolute requests for http (RFC 9110 §9.3.6, RFC 9112 §3.2.2)."""

import select
import socket
from urllib.parse import urlsplit

from tests.faults.server import LONGEST, Over, Peer


class Proxy:
    """A behaviour of the faulty server; it remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heads: list[bytes] = []

    def forget(self) -> None:
        self.asked.clear()
        self.heads.clear()

    def __call__(self, peer: Peer) -> None:
        peer.request()
        self.heads.append(peer.head)
        method, target, _ = peer.head.split(b"\r\n", 1)[0].decode().split(" ")
        self.asked.append(f"{method} {target}")
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        with socket.create_connection((parts.hostname, parts.port), timeout=LONGEST) as onward:
            if method == "CONNECT":
                peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                onward.sendall(peer.head.replace(target.encode(), b"/", 1) + b"\r\n\r\n")
            relay(peer, onward)


def relay(peer: Peer, onward: socket.socket) -> None:
    """Both ways, until either end is over."""
    ends = {peer.sock: onward, onward: peer.sock}
    while True:
        ready, _, _ = select.select(list(ends), [], [], 0.05)
        if not ready:
            peer.wait(0)
        for source in ready:
            try:
                data = source.recv(65536)
                if not data:
                    raise Over
                ends[source].sendall(data)
            except OSError:
                raise Over from None
