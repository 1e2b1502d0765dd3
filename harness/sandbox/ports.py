"""Ports of loopback that stay ours while nothing listens on them.

A bound socket that never listens holds each: connections are refused, no other program is given the port, and a
component may bind it too (SO_REUSEADDR) and listen as often as it restarts.
"""

import socket
import sys
from contextlib import ExitStack


class Ports:
    """What was reserved; closed by who made it."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def reserve(self, port: int = 0) -> int:
        """A port, or the one that is wanted. Raises OSError where it is taken."""
        with ExitStack() as unless_it_is_held:
            sock = unless_it_is_held.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            found = int(sock.getsockname()[1])
            if sys.platform == "linux":  # elsewhere two sockets can't be bound to one port: it is found, not held
                unless_it_is_held.pop_all()
                self._held.append(sock)
        return found

    def close(self) -> None:
        """Give them back."""
        for sock in self._held:
            sock.close()
        self._held.clear()
