"""A Concourse for tests: what its API shows of one pipeline, as far as it is read, and the ways in which it fails. Its
answers have the shapes of concourse/concourse (atc/routes.go, atc/build.go, atc/api/buildserver/eventhandler.go)."""

import base64
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

USERNAME, PASSWORD = "robot", "hunter2-of-the-robot"
PLAN = {
    "id": "root",
    "do": [
        {"id": "a", "get": {"type": "git", "name": "cf-deployment", "resource": "cf-deployment"}},
        {"id": "b", "task": {"name": "deploy-router", "privileged": False}},
        {"id": "c", "task": {"name": "deploy-cell", "privileged": False}},
    ],
}
"""Of every build here."""

_BUILDS = re.compile(r"/api/v1/builds/(\d+)(?:/(\w+))?")


@dataclass
class FakeBuild:
    """One build of the job. Its inputs are seen once it has started."""

    id: int
    name: str
    inputs: list[dict[str, Any]]
    status: str = "pending"
    start_time: int = 0
    end_time: int = 0
    rerun_of: "FakeBuild | None" = None
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def shown(self) -> dict[str, Any]:
        times = {"start_time": self.start_time, "end_time": self.end_time}
        rerun = {"rerun_of": {"id": self.rerun_of.id, "name": self.rerun_of.name}} if self.rerun_of else {}
        return {
            "id": self.id,
            "team_name": "main",
            "name": self.name,
            "status": self.status,
            "api_url": f"/api/v1/builds/{self.id}",
            "job_name": "deploy",
            "pipeline_id": 7,
            "pipeline_name": "cf",
            **{key: value for key, value in times.items() if value},
            **rerun,
        }

    @property
    def order(self) -> tuple[int, int]:
        """As Concourse lists them: a rerun beside what was run again."""
        return (self.rerun_of.id if self.rerun_of else self.id, self.id)


class FakeAtc:
    """It goes on between `start` and `stop`, each time on the same port."""

    def __init__(self, *, instance: Mapping[str, str] | None = None) -> None:
        self.lock = threading.Condition()
        self.port = 0
        self.instance = dict(instance or {})
        self.builds: list[FakeBuild] = []
        self.tokens: set[str] | None = None  # None: the pipeline is public
        self.granted = 0
        self.skew = 0.0  # of its clock, seconds
        self.fault = ""  # bad_gateway | truncated | html | slow | router
        self.archived = self.paused = False
        self.job = True
        self.events_status = 200
        self.cut_after = 0  # events of one stream
        self.asked: list[tuple[str, str]] = []  # method and path with its query
        self.last_ids: list[str | None] = []
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    # What it is asked

    def url(self, query: str = "version=ref:abc", job: str = "deploy") -> str:
        return f"concourse+http://127.0.0.1:{self.port}/teams/main/pipelines/cf/jobs/{job}?{query}"

    def until_asked(self, more: int = 1, what: str = "", seconds: float = 20.0) -> None:
        """Wait until so many more questions with `what` in them came."""
        with self.lock:
            until = self._count(what) + more
            assert self.lock.wait_for(lambda: self._count(what) >= until, seconds), self.asked

    def _count(self, what: str) -> int:
        return sum(what in path for _, path in self.asked)

    # What happens there

    @property
    def now(self) -> float:
        return time.time() + self.skew

    def create(
        self, version: Mapping[str, str], *, name: str = "cf-deployment", of: FakeBuild | None = None
    ) -> FakeBuild:
        with self.lock:
            number = len(self.builds) + 1
            inputs = [{"name": name, "version": dict(version), "pipeline_id": 7, "first_occurrence": True}]
            again = sum(build.rerun_of is of for build in self.builds) + 1 if of else 0
            build = FakeBuild(100 + number, f"{of.name}.{again}" if of else str(number), inputs, rerun_of=of)
            self.builds.append(build)
            return build

    def begin(self, build: FakeBuild) -> FakeBuild:
        with self.lock:
            build.status, build.start_time = "started", int(self.now)
        return build

    def started(self, version: Mapping[str, str], *, of: FakeBuild | None = None) -> FakeBuild:
        return self.begin(self.create(version, of=of))

    def tell(self, build: FakeBuild, event: str, step: str, **more: Any) -> None:
        data = {"time": int(self.now), "origin": {"id": step}, **more}
        with self.lock:
            build.events.append({"data": data, "event": event, "version": "1.0", "event_id": str(len(build.events))})
            self.lock.notify_all()

    def finish(self, build: FakeBuild, status: str) -> None:
        with self.lock:
            build.status, build.end_time = status, int(self.now)
            self.lock.notify_all()

    # Whether it is there

    def start(self) -> None:
        server = _Server(("127.0.0.1", self.port), self)
        self.port = server.server_address[1]
        self._server, self._thread = server, threading.Thread(target=server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = None
        server.shutdown()
        thread.join()
        with self.lock:
            server.over = True
            self.lock.notify_all()
        server.cut()
        server.server_close()  # waits for the threads of its connections


@contextlib.contextmanager
def atc(*, instance: Mapping[str, str] | None = None) -> Iterator[FakeAtc]:
    """One that is there."""
    fake = FakeAtc(instance=instance)
    fake.start()
    try:
        yield fake
    finally:
        fake.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], atc: FakeAtc) -> None:
        self.atc = atc
        self.over = False
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def cut(self) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.atc.now, usegmt=True)

    def do_POST(self) -> None:
        atc = self.server.atc
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        if self._noted(atc):
            return None
        client = "Basic " + base64.b64encode(b"fly:Zmx5").decode()
        if self.path != "/sky/issuer/token" or self.headers["authorization"] != client:
            return self._answer(404)
        if form.get("grant_type") != ["password"] or form["username"] != [USERNAME] or form["password"] != [PASSWORD]:
            return self._answer(401, {"error": "access_denied", "error_description": "Invalid username or password"})
        with atc.lock:
            atc.granted += 1
            token = f"granted-token-{atc.granted}"
            if atc.tokens is not None:
                atc.tokens.add(token)
        return self._answer(200, {"access_token": token, "token_type": "bearer", "expires_in": 86399})

    def do_GET(self) -> None:
        atc = self.server.atc
        if self._noted(atc):
            return None
        parts = urlsplit(self.path)
        if atc.tokens is not None and self.headers.get("authorization", "").removeprefix("Bearer ") not in atc.tokens:
            return self._answer(401)
        pipeline = "/api/v1/teams/main/pipelines/cf"
        query = dict(parse_qsl(parts.query))
        if parts.path.startswith("/api/v1/teams/"):
            asked = {key: value for key, value in query.items() if key.startswith("vars")}
            if parts.path == pipeline and asked == atc.instance:
                shown = {"id": 7, "name": "cf", "paused": atc.paused, "public": True, "archived": atc.archived}
                return self._answer(200, {**shown, "team_name": "main"})
            if (
                parts.path == f"{pipeline}/jobs/deploy/builds"
                and asked == atc.instance
                and atc.job
                and not atc.archived
            ):
                return self._page(atc, int(query.get("limit", 100)), query.get("to"))
            return self._answer(404)
        found = _BUILDS.fullmatch(parts.path)
        build = next((one for one in atc.builds if found and one.id == int(found[1])), None)
        if found is None or build is None:
            return self._answer(404)
        match found[2]:
            case None:
                return self._answer(200, build.shown)
            case "resources":
                return self._answer(200, {"inputs": build.inputs if build.start_time else [], "outputs": []})
            case "plan" if build.start_time and atc.events_status == 200:
                return self._answer(200, {"schema": "exec.v2", "plan": PLAN})
            case "events" if atc.events_status == 200:
                return self._events(atc, build)
            case "plan" | "events":
                return self._answer(atc.events_status if atc.events_status != 200 else 404)
            case _:
                return self._answer(404)

    def _noted(self, atc: FakeAtc) -> bool:
        """Whether a fault took the answer's place."""
        with atc.lock:
            atc.asked.append((self.command, self.path))
            fault = atc.fault
            atc.lock.notify_all()
        match fault:
            case "bad_gateway":
                self._raw(502, b"<html><body>502 Bad Gateway</body></html>", "text/html")
            case "html":
                self._raw(200, b"<html><body>Sign in</body></html>", "text/html")
            case "router":
                self._raw(
                    404,
                    b"404 Not Found: Requested route does not exist.",
                    "text/plain",
                    x_cf_routererror="unknown_route",
                )
            case "slow":
                with atc.lock:
                    atc.lock.wait_for(lambda: self.server.over or atc.fault != "slow", 30.0)
                self.close_connection = True
            case _:
                return False
        return True

    def _page(self, atc: FakeAtc, limit: int, to: str | None) -> None:
        builds = sorted(atc.builds, key=lambda build: build.order, reverse=True)
        if to is not None:
            builds = [build for build in builds if build.order[0] <= int(to)]
        page, rest = builds[:limit], builds[limit:]
        links = {}
        if rest:  # the ATC names itself by its external URL, which may not be the one that it was asked at
            href = f"https://ci.invalid/api/v1/teams/main/pipelines/cf/jobs/deploy/builds?to={rest[0].order[0]}&limit={limit}"
            links = {"link": f'<{href}>; rel="next"'}
        self._answer(200, [build.shown for build in page], **links)

    def _events(self, atc: FakeAtc, build: FakeBuild) -> None:
        last = self.headers.get("last-event-id")
        with atc.lock:
            atc.last_ids.append(last)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        first = 0 if last is None else int(last) + 1
        at = first
        while (event := self._next(atc, build, at)) is not None:
            if atc.cut_after and at - first >= atc.cut_after:
                return
            self._write(at, "event", json.dumps(event, separators=(",", ":")).encode())
            at += 1
        if not self.server.over:
            self._write(at, "end", b"")
            with contextlib.suppress(OSError):
                self.connection.recv(1)  # as Concourse does: until the client goes

    def _next(self, atc: FakeAtc, build: FakeBuild, at: int) -> dict[str, Any] | None:
        with atc.lock:
            atc.lock.wait_for(lambda: self.server.over or len(build.events) > at or build.end_time, 50.0)
            return build.events[at] if len(build.events) > at and not self.server.over else None

    def _write(self, number: int, name: str, data: bytes) -> None:
        line = b"data: " + data if data else b"data"
        self.wfile.write(b"id: %d\nevent: %s\n%s\n\n" % (number, name.encode(), line))

    def _answer(self, status: int, value: Any = None, **headers: str) -> None:
        data = b"" if value is None else json.dumps(value).encode()
        if self.server.atc.fault == "truncated":
            data = data[: len(data) // 2]
        self._raw(status, data, "application/json", **headers)

    def _raw(self, status: int, data: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)
