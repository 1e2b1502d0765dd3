"""The sandbox in the foreground, for the command line: says where it serves, plays its script, ends with TERM or
INT."""

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import FrameType
from typing import TextIO

from harness.sandbox.config import SandboxConfig
from harness.sandbox.member import SandboxError
from harness.sandbox.sandbox import Edge, Sandbox

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(
    config: SandboxConfig,
    out: TextIO = sys.stdout,
    as_json: bool = False,
    script_after: float = 0.0,
    exit_after_script: bool = False,
) -> int:
    """Serve until a signal, or the script's end if that is wished. Returns 0; 1 if a step could not be done.

    With `as_json` the first line of `out` is one object, and the steps are told on standard error. Raises HarnessError
    if it can't start.
    """
    news = sys.stderr if as_json else out

    def tell(name: str, edge: Edge, monotonic: float) -> None:
        verb = "begins" if edge == "begin" else "has ended"
        _say(news, f"{datetime.now(UTC):%H:%M:%S.%f}"[:-3] + f" UTC  {name} {verb}")

    with _signals() as wait, Sandbox(config, tell) as sandbox:
        _say(out, _object(sandbox) if as_json else _welcome(sandbox))
        if config.script is None:
            wait(None, lambda: False)
            return 0
        if wait(script_after, lambda: False):
            return 0
        sandbox.run_script()
        over = _Watch(sandbox)
        with over:
            wait(None, lambda: over.told(news) and exit_after_script)
        return 1 if over.problem else 0


class _Watch:
    """Waits for the script's end in a thread, so that a signal is heard meanwhile."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.problem = ""
        self._sandbox = sandbox
        self._over = threading.Event()
        self._said = False
        self._thread = threading.Thread(target=self._wait, name="sandbox script's end")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._sandbox.stop_script()
        self._thread.join()

    def told(self, news: TextIO) -> bool:
        """Whether it is over; the first time this is said."""
        if self._over.is_set() and not self._said:
            self._said = True
            _say(news, self.problem or "the script is over")
        return self._said

    def _wait(self) -> None:
        try:
            self._sandbox.wait_script()
        except SandboxError as error:
            self.problem = str(error)
        self._over.set()


@contextmanager
def _signals() -> Iterator[Callable[[float | None, Callable[[], bool]], bool]]:
    """TERM and INT end the wait. Lends a function: seconds, and a condition -> whether a signal came."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)  # the byte that wakes `select` is written by set_wakeup_fd

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    woken = signal.set_wakeup_fd(writer)

    def wait(seconds: float | None, until: Callable[[], bool]) -> bool:
        if seconds is not None:
            if seconds > 0 and not came:
                select.select([reader], [], [], seconds)
            return bool(came)
        while not came and not until():
            select.select([reader], [], [], 0.1)
        return bool(came)

    try:
        yield wait
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _object(sandbox: Sandbox) -> str:
    return json.dumps(
        {
            "apps": [{"name": sandbox.config.app, "url": sandbox.url}],
            "ca": str(sandbox.ca) if sandbox.ca else None,
            "truth": str(sandbox.truth),
            "pid": sandbox.pid,
            **_access(sandbox),
        }
    )


def _access(sandbox: Sandbox) -> dict[str, str]:
    """To the API; nothing where there is none."""
    if sandbox.api is None:
        return {}
    return {
        "api": sandbox.api,
        "username": sandbox.username,
        "password": sandbox.password,
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
    }


def _welcome(sandbox: Sandbox) -> str:
    config = sandbox.config
    secure = f"--cacert {sandbox.ca} " if sandbox.ca else ""
    run = f"cf-harness run {sandbox.url}"
    return "\n".join(
        [
            f"The app {config.app} is served at {sandbox.url}",
            f"  a balancer of layer {config.layer}, {_count(config.routers, 'router')}, "
            f"{_count(config.instances, 'app instance')}{', TLS' if config.tls else ''}",
            f"  the truth: {sandbox.truth}",
            "Try:",
            f"  curl -i {secure}{sandbox.url}",
            f"  {run}" + (f"  (its plan: tls: {{ca: {sandbox.ca}}})" if sandbox.ca else ""),
            *_api_lines(sandbox, secure),
            "Ctrl-C ends it.",
        ]
    )


def _api_lines(sandbox: Sandbox, secure: str) -> list[str]:
    """For people: the sandbox's secrets are worth nothing outside of it."""
    if sandbox.api is None:
        return []
    trust = f", tls: {{ca: {sandbox.ca}}}" if sandbox.ca else ""
    return [
        f"The API is at {sandbox.api}, with {_count(sandbox.config.api, 'Cloud Controller')} and UAA",
        f"  a space developer: {sandbox.username}, password {sandbox.password}",
        f"  a client that reads all: {sandbox.client_id}, secret {sandbox.client_secret}",
        f"  what it was asked: {sandbox.requests}",
        f"  curl -i {secure}{sandbox.api}/v3/info",
        f"  export CF_CLIENT_ID={sandbox.client_id} CF_CLIENT_SECRET={sandbox.client_secret}",
        f"  echo 'runners: [{{name: list-apps, probe: cf-api, operation: list-apps{trust}}}]' >api.yml",
        f"  cf-harness run api.yml --api {sandbox.api}",
    ]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _say(out: TextIO, text: str) -> None:
    """A reader that has gone is no reason to stop serving."""
    with suppress(BrokenPipeError):
        print(text, file=out, flush=True)
