"""The sandbox: starts a platform, performs steps on it, by hand or by a script, and takes all of it away again."""

import contextlib
import os
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from harness.sandbox.config import SandboxConfig
from harness.sandbox.identity import CA
from harness.sandbox.member import SandboxError
from harness.sandbox.perform import performing
from harness.sandbox.platform import REQUESTS, STRANGER, Ended, Platform
from harness.sandbox.ports import Ports
from harness.sandbox.resources import ORG, SPACE
from harness.sandbox.script import Script, ScriptError, Step, check
from harness.sandbox.truth import Truth

TRUTH = "truth.jsonl"
_SERVED_TIMEOUT = 10.0  # seconds
_POLL = 0.01

Edge = Literal["begin", "end"]
OnStep = Callable[[str, Edge, float], None]


class Sandbox:
    """A small Cloud Foundry on loopback, for the length of a `with` block.

    `on_step(name, edge, monotonic)` is told of each step's begin, before it takes effect, and of its end; by whichever
    thread performs it.
    """

    def __init__(self, config: SandboxConfig | None = None, on_step: OnStep | None = None) -> None:
        config = config or SandboxConfig()
        if config.script is not None:
            check(config.script, config.shape)
        self.config = config
        self._on_step = on_step
        self._stack = contextlib.ExitStack()
        self._platform: Platform | None = None
        self._folder = Path()
        self._script: threading.Thread | None = None
        self._problems: list[str] = []

    def __enter__(self) -> Self:
        """Returns when the app is served through balancer and routers. Raises SandboxError."""
        with self._stack as stack:
            try:
                self._start(stack)
            except OSError as error:
                raise SandboxError(f"the sandbox can't start: {error.strerror or error}") from error
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Of the app."""
        return f"{self._running.urls[0]}/"

    @property
    def host(self) -> str:
        """The app's name, by which a Host header may call it too."""
        return self.config.host

    @property
    def api(self) -> str | None:
        """The Cloud Foundry API's URL, no slash at its end; None where the configuration has no API."""
        return self._running.urls[1] if self.config.api else None

    @property
    def username(self) -> str:
        """A space developer of both spaces."""
        return self.config.username

    @property
    def stranger(self) -> str:
        """A user who may log in, with the same password, and has no role anywhere."""
        return STRANGER

    @property
    def password(self) -> str:
        """Of the users."""
        return self._running.password

    @property
    def client_id(self) -> str:
        """A UAA client with cloud_controller.admin_read_only."""
        return self.config.client_id

    @property
    def client_secret(self) -> str:
        """Of the client."""
        return self._running.client_secret

    @property
    def app_name(self) -> str:
        """The app, as the API calls it."""
        return self.config.app

    @property
    def org(self) -> str:
        """The organization's name."""
        return ORG

    @property
    def space(self) -> str:
        """Name of the space that the app is in."""
        return SPACE

    @property
    def requests(self) -> Path:
        """What the API and UAA were asked: the request log. It lives as long as the truth log."""
        return self._folder / REQUESTS

    @property
    def ca(self) -> Path | None:
        """The platform's CA, where it speaks TLS."""
        return self._folder / CA if self.config.tls else None

    @property
    def truth(self) -> Path:
        """The truth log. It lives as long as the sandbox, unless the configuration names a folder."""
        return self._folder / TRUTH

    @property
    def pid(self) -> int:
        """Of the process that owns all others: this one."""
        return os.getpid()

    def pid_of(self, name: str) -> int | None:
        """Of a component, such as router/0; None while it has no process."""
        return self._running.members[name].pid

    def perform(self, step: Step) -> None:
        """Do it now; returns when it is over. Raises SandboxError or ScriptError."""
        with self.during(step):
            if step.lasts is not None:
                self._running.pause(step.lasts)

    @contextlib.contextmanager
    def during(self, step: Step) -> Iterator[None]:
        """Its effect lasts as long as the block. A restart or a start is over when the block begins."""
        platform = self._running
        check(Script((step,)), self.config.shape, by_hand=True)
        self._tell(step, "begin", platform.truth.note("begin", step.target, step.label, **_details(step)))
        try:
            with performing(platform, step):
                yield
        except SandboxError as error:
            platform.truth.note("failed", step.target, step.label, why=str(error))
            raise
        self._tell(step, "end", platform.truth.note("end", step.target, step.label, do=step.do))

    def run_script(self) -> None:
        """Begin the configuration's script now, in the background. Raises SandboxError where there is none."""
        script = self.config.script
        if script is None:
            raise SandboxError("there is no script to run")
        if self._script is not None:
            raise SandboxError("the script has begun already")
        self._script = threading.Thread(target=self._play, args=(script, time.monotonic()), name="sandbox script")
        self._script.start()

    def wait_script(self, timeout: float | None = None) -> bool:
        """Until the script is over; False if it is not by then. Raises SandboxError if a step could not be done."""
        if self._script is not None:
            self._script.join(timeout)
            if self._script.is_alive():
                return False
        if self._problems:
            raise SandboxError("\n".join(self._problems))
        return True

    def stop_script(self) -> None:
        """Leave what has not begun, and what is under way as it stands; the platform serves on, but no more steps."""
        if self._platform is not None:
            self._platform.ending.set()
        if self._script is not None:
            self._script.join()

    @property
    def _running(self) -> Platform:
        if self._platform is None:
            raise SandboxError("the sandbox is not running: use it as `with Sandbox(…) as sandbox:`")
        return self._platform

    def _start(self, stack: contextlib.ExitStack) -> None:
        config = self.config
        if config.folder is None:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cf-sandbox-")))
        else:
            config.folder.mkdir(parents=True, exist_ok=True)
            self._folder = config.folder.absolute()
        truth = Truth(self.truth)
        stack.callback(truth.close)
        ports = Ports()
        stack.callback(ports.close)
        nursery = ThreadPoolExecutor(1, "sandbox nursery")
        stack.callback(nursery.shutdown)
        if config.tls:
            from harness.sandbox.certificates import make_certificates  # slow to import, and seldom wanted

            make_certificates(self._folder, _names(config))
        platform = Platform(config, self._folder, truth, ports, nursery, config.tls)
        stack.callback(self._end, platform)
        platform.start()
        self._platform = platform
        self._await_served()
        truth.note("serving", "sandbox", url=self.url, pid=self.pid)

    def _end(self, platform: Platform) -> None:
        self.stop_script()
        platform.close()
        self._platform = None

    def _await_served(self) -> None:
        end = time.monotonic() + _SERVED_TIMEOUT
        while (answer := self._ask()) != b"HTTP/1.1 200":
            if time.monotonic() > end:
                raise SandboxError(f"the app is not served: the answer was {answer.decode('latin-1') or 'none'!r}")
            time.sleep(_POLL)

    def _ask(self) -> bytes:
        """The beginning of the app's answer; empty where there is none."""
        try:
            with contextlib.ExitStack() as stack:
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", self._running.ports[0]), timeout=5))
                if self.ca is not None:
                    context = ssl.create_default_context(cafile=str(self.ca))
                    sock = stack.enter_context(context.wrap_socket(sock, server_hostname="127.0.0.1"))
                sock.sendall(f"GET / HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
                return sock.recv(4096)[:12]
        except OSError:
            return b""

    def _tell(self, step: Step, edge: Edge, monotonic: float) -> None:
        if self._on_step is not None:
            self._on_step(step.label, edge, monotonic)

    def _play(self, script: Script, start: float) -> None:
        """Each step has a thread of its own: they may overlap."""
        threads: list[threading.Thread] = []
        try:
            for step in sorted(script.steps, key=lambda step: step.at):
                self._running.pause(max(0.0, start + step.at - time.monotonic()))
                thread = threading.Thread(target=self._play_step, args=(step,), name=f"sandbox {step.label}")
                thread.start()
                threads.append(thread)
        except Ended:
            pass
        for thread in threads:
            thread.join()

    def _play_step(self, step: Step) -> None:
        try:
            self.perform(step)
        except Ended:
            pass
        except (SandboxError, ScriptError) as error:
            self._problems.append(f"step {step.label!r}: {error}")


def _details(step: Step) -> dict[str, object]:
    """What the log says of a step besides."""
    told: dict[str, object] = {"do": step.do}
    if step.lasts is not None:
        told["for"] = step.lasts
    return told


def _names(config: SandboxConfig) -> tuple[str, ...]:
    """What the platform's certificate is good for."""
    return (config.host, "*.apps.localhost", "localhost", "127.0.0.1", *config.api_hosts, *config.uaa_hosts)
