"""An API with its UAA on one port of loopback: answers well, unless told otherwise for a path. Real sockets, plain or
TLS; a thread for each connection."""

import base64
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

LONGEST = 20.0  # seconds that anything here waits

USER, PASSWORD = "maud", "s3cret+Pass word"
CLIENT, CLIENT_SECRET = "watcher", "cl1ent&s3cret"
ORG, SPACE, OTHER_SPACE, APP, OTHER_APP = "org-1", "space-1", "space-2", "app-1", "app-2"


class Seen(NamedTuple):
    """A request that came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]
    connection: int  # the port that it came from


class Exchange(BaseHTTPRequestHandler):
    """One connection's requests."""

    protocol_version = "HTTP/1.1"
    timeout = LONGEST
    disable_nagle_algorithm = True
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        self.server.foundation.live.add(self.connection)

    def do_GET(self) -> None:
        self.server.foundation.serve(self)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what came is in `requests`."""

    def head(self, status: int, length: int | None, headers: Mapping[str, str]) -> bytes:
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode()

    def say(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.raw(self.head(status, len(body), headers) + body)

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def wait(self, seconds: float) -> bool:
        """False once the test is over."""
        return not self.server.foundation.over.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64
    foundation: "Foundation"

    def shutdown_request(self, request: Any) -> None:
        """A FIN first, unless it shall be a reset."""
        self.foundation.live.discard(request)
        if request not in self.foundation.to_reset:
            super().shutdown_request(request)
            return
        request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients go away as they like."""


Reply = Callable[[Exchange], None]


def saying(status: int, body: object = b"", **headers: str) -> Reply:
    """An answer; anything but bytes goes as JSON. Underscores in names stand for dashes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json; charset=utf-8"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.say(status, data, {**kind, **named})


def of_cloud_controller() -> dict[str, str]:
    return {"X_Vcap_Request_Id": f"{uuid.uuid4()}::{uuid.uuid4()}"}


def of_router() -> dict[str, str]:
    return {"X_Vcap_Request_Id": str(uuid.uuid4())}


def error(status: int, code: int, title: str, **headers: str) -> Reply:
    """One of Cloud Controller's."""
    body = {"errors": [{"code": code, "title": title, "detail": "so it is"}]}
    return saying(status, body, **{**of_cloud_controller(), **headers})


def stalling(exchange: Exchange) -> None:
    """Silence, until the client goes or the test ends."""
    exchange.connection.settimeout(0.05)
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and exchange.wait(0):
        try:
            if not exchange.connection.recv(4096):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    exchange.close_connection = True


def trickling(exchange: Exchange) -> None:
    """A body, a byte each 50 ms, for ever."""
    exchange.raw(exchange.head(200, 1_000_000, {"Content-Type": "application/json"}) + b"{")
    with contextlib.suppress(OSError):
        while exchange.wait(0.05):
            exchange.raw(b" ")
    exchange.close_connection = True


def trickling_head(exchange: Exchange) -> None:
    """A status line and one endless header, a byte each 50 ms."""
    exchange.raw(b"HTTP/1.1 200 OK\r\nX-Long: ")
    with contextlib.suppress(OSError):
        while exchange.wait(0.05):
            exchange.raw(b"x")
    exchange.close_connection = True


def trickling_to_the_end(exchange: Exchange) -> None:
    """As `trickling`, of a body that ends with its connection."""
    exchange.raw(exchange.head(200, None, {"Connection": "close"}) + b"{}")
    with contextlib.suppress(OSError):
        while exchange.wait(0.05):
            exchange.raw(b" ")
    exchange.close_connection = True


def resetting(exchange: Exchange) -> None:
    exchange.server.foundation.to_reset.add(exchange.connection)
    exchange.close_connection = True


def closing(exchange: Exchange) -> None:
    exchange.close_connection = True


def writing(data: bytes) -> Reply:
    """These bytes, whatever they are, and the end."""

    def reply(exchange: Exchange) -> None:
        exchange.raw(data)
        exchange.close_connection = True

    return reply


def in_turn(*replies: Reply | None) -> Reply:
    """One after the other, the last for ever; None is the good answer."""
    waiting = list(replies)
    lock = threading.Lock()

    def reply(exchange: Exchange) -> None:
        with lock:
            now = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        (now or exchange.server.foundation.good)(exchange)

    return reply


def jwt(**claims: object) -> str:
    """Shaped like UAA's, signed by nobody."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "RS256"}, claims)]
    return b".".join([*parts, b"c2lnbmF0dXJl"]).decode()


class Foundation:
    """While it is entered. Change its attributes, or `on[path]`, to make it another."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._lock = threading.Lock()
        self.over = threading.Event()
        self.live: set[socket.socket] = set()
        self.to_reset: set[socket.socket] = set()
        self.on: dict[str, Reply] = {}
        self.requests: list[Seen] = []
        self.version = "3.211.0"
        self.life = 599.0  # seconds of an access token
        self.rotating = False  # each refresh token can be used once
        self.password = PASSWORD
        self.rate_limits: dict[str, object] = {"enabled": False}
        self.limit_headers: dict[str, str] = {}
        self.anonymous_headers: dict[str, str] = {}
        self.instances = [instance(0), instance(1)]
        self.wanted = 2
        self.apps = [app("app-1", "shop", SPACE), app("app-2", "blog", SPACE)]
        self.spaces = [{"guid": SPACE, "name": "live"}, {"guid": OTHER_SPACE, "name": "test"}]
        self.valid: dict[str, float] = {}  # access token: monotonic end
        self.refresh: set[str] = set()
        self.issued = 0

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), Exchange, bind_and_activate=True)
        self._server.foundation = self
        self.port = int(self._server.server_address[1])
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join(LONGEST)
        for sock in list(self.live):  # the library keeps its connections
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls is not None else 'http'}://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [seen.path for seen in self.requests]

    def grants(self) -> list[str]:
        return [seen.form["grant_type"] for seen in self.requests if seen.path == "/oauth/token"]

    def revoke(self) -> None:
        """Every access token; refresh tokens stay good."""
        self.valid.clear()

    def serve(self, exchange: Exchange) -> None:
        parts = urlsplit(exchange.path)
        body = exchange.rfile.read(int(exchange.headers.get("Content-Length") or 0)).decode()
        seen = Seen(
            exchange.command,
            parts.path,
            {name: values[0] for name, values in parse_qs(parts.query).items()},
            {name.lower(): value for name, value in exchange.headers.items()},
            {name: values[0] for name, values in parse_qs(body).items()},
            exchange.client_address[1],
        )
        exchange.seen = seen  # type: ignore[attr-defined]
        with self._lock:
            self.requests.append(seen)
        self.on.get(parts.path, self.good)(exchange)

    def good(self, exchange: Exchange) -> None:
        """What a foundation that is well answers."""
        seen: Seen = exchange.seen  # type: ignore[attr-defined]
        if seen.path == "/oauth/token":
            self._token(exchange, seen)
        elif seen.path == "/":
            saying(200, self._root(), **of_cloud_controller())(exchange)
        elif seen.path == "/v3/info":
            document = {"name": "test", "rate_limits": self.rate_limits}
            headers = self.limit_headers if "authorization" in seen.headers else self.anonymous_headers
            saying(200, document, **of_cloud_controller(), **headers)(exchange)
        elif self.valid.get(seen.headers.get("authorization", "").removeprefix("Bearer "), 0.0) <= time.monotonic():
            error(401, 1000, "CF-InvalidAuthToken")(exchange)
        else:
            document = self._resource(seen)
            reply = saying(200, document, **of_cloud_controller(), **self.limit_headers)
            (reply if document is not None else error(404, 10010, "CF-ResourceNotFound"))(exchange)

    def _root(self) -> dict[str, Any]:
        links = {
            "self": {"href": self.url},
            "cloud_controller_v2": None,
            "cloud_controller_v3": {"href": f"{self.url}/v3", "meta": {"version": self.version}},
            "login": {"href": self.url},
            "uaa": {"href": self.url},
        }
        return {"links": links}

    def _token(self, exchange: Exchange, seen: Seen) -> None:
        form = seen.form
        with self._lock:
            match form.get("grant_type"):
                case "password":
                    good = (form.get("username"), form.get("password")) == (USER, self.password)
                case "client_credentials":
                    pair = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
                    good = seen.headers.get("authorization") == f"Basic {pair}"
                case "refresh_token":
                    good = form.get("refresh_token") in self.refresh
                    if self.rotating:
                        self.refresh.discard(form.get("refresh_token", ""))
                case _:
                    good = False
            if good:
                self.issued += 1
                access = jwt(jti=str(self.issued), exp=int(time.time() + self.life))
                self.valid[access] = time.monotonic() + self.life
                issued = {"access_token": access, "token_type": "bearer", "expires_in": self.life, "jti": "x"}
                if form["grant_type"] != "client_credentials":
                    issued["refresh_token"] = f"refresh-{self.issued}" if self.rotating else "refresh"
                    self.refresh.add(str(issued["refresh_token"]))
        if good:
            saying(200, issued, **of_router())(exchange)
        else:
            document = {"error": "unauthorized", "error_description": "Bad credentials"}
            saying(401, document, **of_router())(exchange)

    def _resource(self, seen: Seen) -> dict[str, Any] | None:
        parts = seen.path.strip("/").split("/")
        match parts:
            case ["v3", "apps"]:
                return self._list(seen, self.apps)
            case ["v3", "apps", guid]:
                return next((app for app in self.apps if app["guid"] == guid), None)
            case ["v3", "apps", guid, "processes"]:
                return self._list(seen, [self._process(guid)])
            case ["v3", "processes"]:
                processes = [self._process(str(app["guid"])) for app in self.apps]
                if seen.query.get("embed") == "process_instances":
                    embedded = [{"index": 0, "state": "RUNNING", "since": 9}]
                    processes = [{**process, "process_instances": embedded} for process in processes]
                return self._list(seen, processes)
            case ["v3", "processes", _, "stats"]:
                return {"resources": self.instances}
            case ["v3", "apps", _, "droplets", "current"]:
                return {"guid": "droplet-1", "state": "STAGED", "links": {}}
            case ["v3", "spaces"]:
                return self._list(seen, self.spaces)
            case ["v3", "organizations"]:
                return self._list(seen, [{"guid": ORG, "name": "acme"}])
            case ["v3", "routes"] | ["v3", "apps", _, "routes"]:
                return self._list(seen, [{"guid": "route-1", "links": {"self": {"href": self.url}}}])
            case ["v3", "deployments"] | ["v3", "processes", _, "sidecars"]:
                return self._list(seen, [])
            case _:
                return None

    def _process(self, app: str) -> dict[str, Any]:
        return {"guid": f"process-of-{app}", "type": "web", "instances": self.wanted, "links": {"scale": None}}

    def _list(self, seen: Seen, resources: list[dict[str, Any]]) -> dict[str, Any]:
        chosen = [one for one in resources if _chosen(one, seen.query)]
        per_page, page = int(seen.query.get("per_page", 50)), int(seen.query.get("page", 1))
        rest = chosen[page * per_page :]
        query = "&".join(f"{name}={value}" for name, value in {**seen.query, "page": page + 1}.items())
        following = {"href": f"{self.url}{seen.path}?{query}"} if rest else None
        pagination = {"total_results": len(chosen), "total_pages": 1, "next": following, "previous": None}
        return {"pagination": pagination, "resources": chosen[(page - 1) * per_page : page * per_page]}


def _chosen(resource: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    space = ((resource.get("relationships") or {}).get("space") or {}).get("data", {}).get("guid")
    for name, value in (("names", resource.get("name")), ("guids", resource.get("guid")), ("space_guids", space)):
        if name in query and value is not None and value not in query[name].split(","):
            return False
    return True


def app(guid: str, name: str, space: str) -> dict[str, Any]:
    return {
        "guid": guid,
        "name": name,
        "state": "STARTED",
        "relationships": {"space": {"data": {"guid": space}}},
        "links": {"self": {"href": "http://127.0.0.1/x"}},
    }


def instance(index: int, **changes: object) -> dict[str, Any]:
    usage = {"time": "2026-01-01T00:00:00Z", "cpu": 0.01, "mem": 1000, "disk": 1000, "log_rate": 0}
    return {"type": "web", "index": index, "state": "RUNNING", "usage": usage, "uptime": 100, **changes}
