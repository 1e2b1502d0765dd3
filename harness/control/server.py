"""Serves the control API from a thread with a loop of its own, so that no request can hold up the conductor."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from harness.channel.live import LiveRun
from harness.channel.store import ChannelError
from harness.control.api import Visits, routes
from harness.control.connections import bounded
from harness.control.guard import Guard
from harness.control.listen import Listen

_BEGIN_WITHIN = 10.0  # seconds
_LINGER = 15.0  # seconds that a verdict is kept for whoever stopped the run …
_QUIET = 1.0  # … until so long nobody has asked any more, once it was fetched
_LARGEST_HEAD = 32 * 1024  # bytes


class ControlServer:
    """A context manager: listens from its beginning to its end."""

    def __init__(self, live: LiveRun, listen: Listen, runs_dir: Path) -> None:
        """`live`: the run that is told of. Raises ChannelError where the address or the certificate can't be used."""
        self._live = live
        self._asked = time.monotonic()
        self._stopped_here = False
        self._fetched: set[str] = set()
        self._socket = _listening(listen)
        host, port = self._socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http{'s' if listen.tls_cert else ''}://{shown}:{port}"
        visits = Visits(self._ask, self._stop, self._fetched.add)
        config = uvicorn.Config(
            Guard(routes(live, runs_dir, visits), listen.token),
            http=bounded(),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_LARGEST_HEAD,
            ssl_certfile=listen.tls_cert,
            ssl_keyfile=listen.tls_key,
        )
        try:
            config.load()
        except (OSError, ValueError) as error:
            self._socket.close()
            raise ChannelError(f"--tls-cert {listen.tls_cert}, --tls-key {listen.tls_key}: {error}") from None
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="control", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        end = time.monotonic() + _BEGIN_WITHIN
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > end:
                raise ChannelError(f"the control API could not begin to serve at {self.url}")
            time.sleep(0.01)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(3.0)
        self._socket.close()

    def linger(self, cut: Callable[[], bool]) -> None:
        """Serve on until whoever stopped the run has its verdict, at most fifteen seconds, or until `cut`."""
        end = time.monotonic() + _LINGER
        while self._stopped_here and not cut() and time.monotonic() < end:
            fetched = not self._live.reports or "verdict.json" in self._fetched
            if fetched and time.monotonic() - self._asked > _QUIET:
                return
            time.sleep(0.05)

    def _ask(self) -> None:
        self._asked = time.monotonic()

    def _stop(self) -> None:
        self._stopped_here = True


def _listening(listen: Listen) -> socket.socket:
    """Bound at once, so that of several runs at one port the first one has it."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listen.host, listen.port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        why = error.strerror or str(error)
        raise ChannelError(
            f"--listen {listen.host}:{listen.port}: {why}; is another run there? Choose another port (0: any free one)"
        ) from None
    return sock
