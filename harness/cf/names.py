"""Looks names up in threads of its own: getaddrinfo can't be interrupted, but need not be waited for."""

import ipaddress
import socket
import threading
from concurrent.futures import Future

from harness.cf.watch import Watch

Addresses = tuple[tuple[str, int], ...]


class Names:
    """Never more than one look-up under way: while it hangs, whoever asks for the same waits for the same."""

    def __init__(self) -> None:
        self._asked: tuple[str, int] | None = None
        self._found: Future[object] = Future()

    def addresses(self, host: str, port: int, watch: Watch, seconds: float) -> Addresses:
        """In the system's order. Raises OSError (TimeoutError past so many seconds, Over if the call ends before)."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            return ((host, port),)
        if self._asked != (host, port) or self._found.done():
            self._asked = (host, port)
            self._found = found = Future[object]()
            threading.Thread(target=_look_up, args=(host, port, found), daemon=True, name="look-up").start()
        watch.await_either(self._found, seconds)
        addresses = self._found.result()
        assert isinstance(addresses, tuple)
        return addresses


def _look_up(host: str, port: int, found: "Future[object]") -> None:
    try:
        # AI_ADDRCONFIG: no IPv6 addresses on a machine without IPv6
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except (OSError, UnicodeError) as error:  # a label beyond 63 characters fails in IDNA
        found.set_exception(error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, str(error)))
    else:
        found.set_result(tuple(dict.fromkeys((str(entry[4][0]), int(entry[4][1])) for entry in entries)))
