"""The control API's life: it listens before the run begins, serves in a thread with a loop of its own, and stays until
those who waited for the end have seen it. Why a thread of its own: docs/decisions/0016."""

import asyncio
import contextlib
import ssl
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from harness.background import behind_the_workers
from harness.channel.live import LiveRun
from harness.control.admission import LARGEST_HEAD
from harness.control.answers import Answers
from harness.control.app import app_of
from harness.control.attention import LONGEST, Attention
from harness.control.bind import listening, tls_context, url_of
from harness.control.door import Door
from harness.control.listen import Listen
from harness.stop import RunHandle, signals_kept

_LOOK_EVERY = 0.1  # seconds
_JOIN = 3.0  # seconds that the thread gets to end
_HEADERS = [("connection", "close"), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")]


class ControlServer:
    """A context manager around one run."""

    def __init__(self, live: LiveRun, listen: Listen, runs_dir: Path) -> None:
        """`runs_dir`: where its earlier attempts lie. Raises ChannelError where it can't listen."""
        self._live = live
        self._attention = Attention()
        self._tls: ssl.SSLContext | None = None
        if listen.tls_cert is not None and listen.tls_key is not None:
            self._tls = tls_context(listen.tls_cert, listen.tls_key)
        app = app_of(
            lambda document: Answers(live, runs_dir, self._attention, document),
            live,
            self._attention,
            listen.token,
            time.monotonic,
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=H11Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # it would tell stderr of each client that is no client
                access_log=False,
                proxy_headers=False,
                server_header=False,
                headers=_HEADERS,
                h11_max_incomplete_event_size=LARGEST_HEAD,
                timeout_graceful_shutdown=1,
            )
        )
        self._listener = listening(listen.host, listen.port)
        self.url = url_of(self._listener, listen.host, tls=self._tls is not None)
        self._thread = threading.Thread(target=self._work, name="control", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(_JOIN)

    def linger(self) -> None:
        """Return once those who waited for the run's end have seen it; a signal ends the waiting."""
        ended = time.monotonic()
        by = self._live.pulse().stopped_by
        cut = threading.Event()
        handle = RunHandle()
        handle.attach(lambda _: cut.set())
        with signals_kept(handle):
            while self._attention.is_due(ended, time.monotonic(), signalled=by.startswith("SIG")):
                if cut.wait(_LOOK_EVERY) or time.monotonic() - ended > LONGEST:
                    return

    def _work(self) -> None:
        with behind_the_workers(), asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(self._odd)
        with self._listener:
            door = asyncio.create_task(Door(self._listener, self._tls, self._protocol).keep())
            try:
                await self._server.serve(sockets=[])
            finally:
                door.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await door

    def _protocol(self) -> asyncio.Protocol:
        return H11Protocol(config=self._server.config, server_state=self._server.server_state, app_state={})

    def _odd(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A client that went away, or spoke no TLS, is nothing to tell of."""
        error = context.get("exception")
        if not isinstance(error, OSError):
            self._live.handle.remark(f"the control API: {context.get('message', '')} {error!r}")
