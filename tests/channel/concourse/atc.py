"""A Concourse of our own: builds of one job, whose states, steps and moods a test sets while it serves."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

JOB = "/api/v1/teams/main/pipelines/cf/jobs/deploy"
PLAN = {
    "schema": "exec.v2",
    "plan": {
        "id": "1",
        "do": [
            {"id": "2", "get": {"name": "version", "type": "semver", "resource": "version"}},
            {
                "id": "3",
                "ensure": {
                    "step": {"id": "4", "task": {"name": "deploy-router", "privileged": False}},
                    "ensure": {"id": "5", "put": {"name": "lock", "type": "pool"}},
                },
            },
        ],
    },
}


@dataclass
class Atc:
    """Its state; a test changes it, and the handler tells it."""

    builds: dict[int, dict[str, Any]] = field(default_factory=dict)
    versions: dict[int, dict[str, str]] = field(default_factory=dict)
    events: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)  # good ones; empty: everybody may ask
    user: tuple[str, str] = ("ci", "secret")
    issued: int = 0
    mood: str = ""  # 502 | truncated | html | silent
    hides_events: bool = False
    archived: bool = False
    exists: bool = True
    asked: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""
    gone: bool = False

    @property
    def channel(self) -> str:
        """To watch version 7 of it."""
        return f"concourse+{self.url}/teams/main/pipelines/cf/jobs/deploy?version=number:7"

    def start(self, id_: int, version: str = "7", status: str = "started") -> None:
        """A build begins."""
        now = int(time.time())
        self.builds[id_] = {
            "id": id_,
            "name": str(id_),
            "status": status,
            "job_name": "deploy",
            "pipeline_name": "cf",
            "team_name": "main",
            "api_url": f"/api/v1/builds/{id_}",
            "start_time": now,
        }
        self.versions[id_] = {"number": version}
        self.events.setdefault(id_, [])

    def say(self, id_: int, event: str, step: str) -> None:
        """An event of a step."""
        with self.changed:
            data = {"time": int(time.time()), "origin": {"id": step}}
            self.events[id_].append({"event": event, "version": "4.0", "data": data})
            self.changed.notify_all()

    def end(self, id_: int, status: str) -> None:
        """A build is over."""
        with self.changed:
            self.builds[id_] |= {"status": status, "end_time": int(time.time())}
            self.changed.notify_all()

    def over(self, id_: int) -> bool:
        return "end_time" in self.builds[id_]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    atc: Atc

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if (form["username"][0], form["password"][0]) != self.atc.user:
            self._answer(401, {"error": "access_denied"})
            return
        self.atc.issued += 1
        token = f"token-{self.atc.issued}"
        self.atc.tokens.add(token)
        self._answer(200, {"access_token": token, "token_type": "bearer", "expires_in": 60})

    def do_GET(self) -> None:
        atc = self.atc
        path = urlsplit(self.path).path
        atc.asked.append(self.path)
        if atc.gone:
            self.close_connection = True
            return
        if atc.mood == "502":
            self._raw(502, b"<html>bad gateway</html>", "text/html")
        elif atc.mood == "html":
            self._raw(200, b"<html>maintenance</html>", "text/html")
        elif atc.mood == "truncated":
            self._raw(200, b'[{"id": 1, "na', "application/json")
        elif atc.tokens and self.headers.get("Authorization", "").removeprefix("Bearer ") not in atc.tokens:
            self._raw(401, b"not authorized", "text/plain")
        elif path == f"{JOB}/builds" and atc.exists:
            self._answer(200, sorted(atc.builds.values(), key=lambda build: -build["id"]))
        elif path == JOB.rpartition("/jobs/")[0]:
            self._answer(200, {"name": "cf", "archived": atc.archived})
        elif path.startswith("/api/v1/builds/") and int(path.split("/")[4]) in atc.builds:
            self._build(int(path.split("/")[4]), path.split("/")[5:])
        else:
            self._raw(404, b"", "text/plain")

    def _build(self, id_: int, rest: list[str]) -> None:
        match rest:
            case []:
                self._answer(200, self.atc.builds[id_])
            case ["resources"]:
                one = {"name": "version", "version": self.atc.versions[id_], "pipeline_id": 1, "first_occurrence": True}
                pending = self.atc.builds[id_]["status"] == "pending"
                self._answer(200, {"inputs": [] if pending else [one], "outputs": []})
            case ["plan"]:
                self._answer(200, PLAN)
            case ["events"] if not self.atc.hides_events:
                self._events(id_)
            case _:
                self._raw(403, b"forbidden", "text/plain")

    def _events(self, id_: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        told = 0
        while not self.atc.gone:
            with self.atc.changed:
                new = self.atc.events[id_][told:]
                over = self.atc.over(id_)
                if not new and not over:
                    self.atc.changed.wait(0.1)
            for event in new:
                self.wfile.write(f"id: {told}\nevent: event\ndata: {json.dumps(event)}\n\n".encode())
                told += 1
            if over and not new:
                self.wfile.write(b"event: end\ndata\n\n")
                self.close_connection = True
                return
            self.wfile.flush()

    def _answer(self, status: int, value: Any) -> None:
        self._raw(status, json.dumps(value).encode(), "application/json")

    def _raw(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(atc: Atc, port: int = 0) -> Iterator[Atc]:
    """Let it answer."""

    class Handler(_Handler):
        pass

    Handler.atc = atc
    atc.gone = False
    ThreadingHTTPServer.allow_reuse_address = True
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    atc.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield atc
    finally:
        atc.gone = True
        server.shutdown()
        thread.join()
        server.server_close()
