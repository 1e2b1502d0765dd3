"""Opens a connection to an API: name, TCP, a proxy's way, TLS, each a stage with its own errors."""

import base64
import http.client
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from harness.cf.attribute import ProxyRefused, Stage
from harness.cf.names import Names
from harness.cf.target import ApiTarget, Limits
from harness.cf.watch import Watch
from harness.errors import HarnessError

Notice = Callable[[Stage], None]


class Site(NamedTuple):
    """Where a URL leads."""

    secure: bool
    host: str
    port: int


class Proxy(NamedTuple):
    """An HTTP proxy, and what it wants to hear of us."""

    site: Site
    authorization: str | None


class Dialled(NamedTuple):
    """A connection, and the peer's address."""

    sock: socket.socket
    address: str


def site_of(url: str) -> Site:
    """Raises ValueError if it is no http or https URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an http or https URL: {url[:200]!r}")
    return Site(parts.scheme == "https", parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))


def proxy_of(url: str) -> Proxy:
    """Raises ValueError, without the URL: it may hold a password."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("a proxy is http://[USER:PASSWORD@]HOST:PORT")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(Site(False, parts.hostname, parts.port or 80), authorization)


def client_context(target: ApiTarget) -> ssl.SSLContext:
    """Verified by default, HTTP/1.1 alone. Raises OSError or ssl.SSLError if a file can't be used."""
    context = ssl.create_default_context(cafile=target.ca)
    if not target.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if target.client_cert:
        context.load_cert_chain(target.client_cert, target.client_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Dialer:
    """Opens connections for one session, each bound to the call under way."""

    def __init__(self, target: ApiTarget, limits: Limits, watch: Watch) -> None:
        self._target = target
        self._limits = limits
        self._watch = watch
        self._names = Names()
        self._proxy = proxy_of(target.proxy) if target.proxy else None
        self._context: ssl.SSLContext | None = None

    @property
    def proxy(self) -> Proxy | None:
        """By which all connections go."""
        return self._proxy

    def dial(self, site: Site, notice: Notice) -> Dialled:
        """Connect, shake hands. `notice` hears of every stage. Raises OSError, http.client.HTTPException or
        ProxyRefused."""
        notice(Stage.NAMES)
        near = self._proxy.site if self._proxy is not None else site
        addresses = self._names.addresses(near.host, near.port, self._watch, self._watch.limit(self._limits.connect))
        notice(Stage.CONNECT)
        with ExitStack() as stack:  # closes what does not become a connection
            sock = stack.enter_context(self._connect(addresses))
            if site.secure:
                if self._proxy is not None:
                    self._open_way(sock, site, self._proxy)
                notice(Stage.TLS)
                sock.settimeout(self._watch.limit(self._limits.connect))  # of the whole handshake
                sock = stack.enter_context(self._tls().wrap_socket(sock, server_hostname=site.host))
            sock.settimeout(self._limits.read)
            dialled = Dialled(sock, _peer(sock))
            stack.pop_all()
        return dialled

    def _tls(self) -> ssl.SSLContext:
        """Made late: reading certificates is I/O, and slow. Raises HarnessError."""
        if self._context is None:
            try:
                self._context = client_context(self._target)
            except OSError as error:
                raise HarnessError(f"a certificate file of ours can't be used: {error}") from None
        return self._context

    def _connect(self, addresses: tuple[tuple[str, int], ...]) -> socket.socket:
        """The first that answers; if none does, the first one's error counts, as Go's dialer has it."""
        first: OSError | None = None
        until = self._limits.connect
        for index, address in enumerate(addresses):
            try:
                return self._connect_to(address, until / (len(addresses) - index))
            except OSError as error:
                first = first or error
                if self._watch.ended is not None:
                    break
        raise first or socket.gaierror(socket.EAI_NONAME, "the name has no address")

    def _connect_to(self, address: tuple[str, int], seconds: float) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
        with ExitStack() as stack:
            stack.enter_context(sock)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._watch.bind(sock)
            sock.settimeout(self._watch.limit(seconds))
            sock.connect(address)
            stack.pop_all()
        return sock

    def _open_way(self, sock: socket.socket, site: Site, proxy: Proxy) -> None:
        """CONNECT (RFC 9110 §9.3.6)."""
        there = f"{f'[{site.host}]' if ':' in site.host else site.host}:{site.port}"
        lines = [f"CONNECT {there} HTTP/1.1", f"Host: {there}"]
        if proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        sock.settimeout(self._watch.limit(self._limits.connect))
        sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        answer = http.client.HTTPResponse(sock, method="CONNECT")
        try:
            answer.begin()
        finally:
            answer.close()
        if not 200 <= answer.status < 300:
            raise ProxyRefused(f"{answer.status} {answer.reason}")


def _peer(sock: socket.socket) -> str:
    try:
        host, port = sock.getpeername()[:2]
    except OSError:
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
