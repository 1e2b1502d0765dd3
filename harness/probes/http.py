"""The `http` probe: one request by httpx, for what the engine does not do: HTTP/2 and proxies. Same outcomes.

httpx's transport is used without its client, whose cookies, redirects, decoding and environment an outside observer
must not have. All deadlines are the driver's. What httpx does not tell: the first byte is known only when the answer's
headers are whole, connections can't be opened ahead, of several idle ones it takes the oldest, and keeps them for the
plan's time whatever a server's Keep-Alive says. Bytes behind an answer are taken for the next answer of the connection.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from harness.engine.answer import HEAD_LIMIT
from harness.engine.blame import Blame, Judge, Stage
from harness.engine.dial import SocketDialer, client_context
from harness.engine.families import in_family, preferred_family
from harness.engine.request import IDEMPOTENT, request_headers, target_of
from harness.engine.resolver import Address, SystemResolver
from harness.engine.timer import best_timer
from harness.outcome import Cause, Component
from harness.probes.drive import Driver
from harness.probes.flight import Flight
from harness.probes.httpx_errors import blame_of, is_loss
from harness.probes.httpx_trace import Connections, Trace, peer_of
from harness.recorder import Recorder
from harness.spec import Spec, Tls

_STALE_SLACK = 0.01  # seconds beside the round trips within which a stale connection shows


def make(spec: Spec, *, start: float, user_agent: str, clock: Callable[[], float], recorder: Recorder) -> Driver:
    """A driver for a spec. Raises ValueError on a bad URL or proxy, OSError or ssl.SSLError on unusable
    certificates."""
    return Driver(
        spec,
        start=start,
        clock=clock,
        make_timer=best_timer(asyncio.get_running_loop()),
        recorder=recorder,
        probe=HttpProbe(spec, user_agent=user_agent, recorder=recorder),
    )


class HttpProbe:
    """Requests to one target; `attempt` is what the driver calls at every tick."""

    def __init__(self, spec: Spec, *, user_agent: str, recorder: Recorder) -> None:
        self._spec = spec
        self._recorder = recorder
        self._target = target_of(spec)
        pinned = dict(spec.resolve).get(self._target.host)
        if spec.proxy is not None and (pinned or spec.tls.server_name):
            raise ValueError("a proxy resolves and names the target itself: `resolve` and `server_name` need no proxy")
        self._url = _url(spec)
        self._tls = client_context(spec.tls) if self._target.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._proxy = _proxy(spec)
        self._headers = _headers(spec, user_agent)
        self._judge = Judge(spec.expect)
        self._resolver = SystemResolver(self._target.host, self._target.port, every=spec.resolve_every, pinned=pinned)
        self._six: bool | None = None
        self._platform = False
        self._connections = Connections(spec.timeouts, recorder)
        self._users: dict[httpx.AsyncHTTPTransport, int] = {}  # how many exchanges each carries
        self._kept = self._transport()

    @property
    def connections(self) -> int:
        """Connections held now."""
        return len(self._connections)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Resolve, now and on the interval; a proxy does so by itself."""
        async with asyncio.TaskGroup() as group:
            asking: asyncio.Task[None] | None = None
            if self._proxy is None:
                await self._resolver.resolve()
                dialer = SocketDialer(secure=False, server_name="", tls=self._spec.tls)
                self._six = await preferred_family(self._resolver.addresses, dialer, self._spec.timeouts.connect)
                asking = group.create_task(self._resolver.keep_asking())
            try:
                yield
            finally:
                if asking is not None:
                    asking.cancel()
                await self._kept.aclose()

    async def attempt(self, flight: Flight) -> Blame | None:
        """One request, and once more if its kept connection was stale."""
        url = self._url
        if self._proxy is None:
            addresses = in_family(self._resolver.addresses, self._six)
            address = addresses[flight.ordinal % len(addresses)] if addresses else None
            blame = self._without_names(address)
            if address is None or blame is not None:
                return blame
            flight.address = str(address)
            url = url.copy_with(host=address[0])
        blame = await self._on_a_transport(flight, url, alone=self._spec.fresh)
        if blame is not None and self._was_stale(flight, blame):
            self._recorder.count("retried")
            flight.retried = True
            blame = await self._on_a_transport(flight, url, alone=True)
        return blame

    def _without_names(self, address: Address | None) -> Blame | None:
        """Why there is nowhere to connect to. A connection that exists needs no name."""
        if address is None:
            return self._resolver.failure or Blame(Cause.DNS, Component.DNS, "the host has no address")
        if self._spec.fresh or not self._connections.reach(str(address)):
            return self._resolver.failure
        return None

    def _was_stale(self, flight: Flight, blame: Blame) -> bool:
        """As the engine's `_is_stale`; httpcore lends only connections that were idle, if for an instant."""
        if self._spec.fresh or self._spec.method not in IDEMPOTENT or not is_loss(blame):
            return False
        if flight.fresh or flight.retried or flight.sent is None or flight.first_at is not None:
            return False
        paused = self._recorder.paused - flight.paused_before
        round_trip = self._connections.round_trips.get(flight.address, 0.0)
        return flight.now() - flight.sent - paused <= 4 * round_trip + _STALE_SLACK

    # transports

    def _transport(self) -> httpx.AsyncHTTPTransport:
        pool = self._spec.pool
        return httpx.AsyncHTTPTransport(
            verify=self._tls,
            trust_env=False,
            http2=self._spec.http2,
            proxy=self._proxy,
            limits=httpx.Limits(
                max_connections=pool.cap, max_keepalive_connections=pool.cap, keepalive_expiry=pool.idle
            ),
        )

    async def _on_a_transport(self, flight: Flight, url: httpx.URL, *, alone: bool) -> Blame | None:
        """One exchange; `alone`: on a connection opened for it, closed after it."""
        transport = self._transport() if alone else self._kept
        self._users[transport] = self._users.get(transport, 0) + 1
        in_order = False
        try:
            blame, in_order = await self._exchange(transport, flight, url)
            return blame
        finally:
            if not in_order and transport is self._kept and (self._spec.http2 or self._proxy is not None):
                # httpcore would keep what is left of it: an HTTP/2 stream that goes on, a tunnel that holds its place
                self._kept = self._transport()
            self._users[transport] -= 1
            if transport is not self._kept and not self._users[transport]:
                del self._users[transport]
                await transport.aclose()

    async def _exchange(
        self, transport: httpx.AsyncHTTPTransport, flight: Flight, url: httpx.URL
    ) -> tuple[Blame | None, bool]:
        """What came of it, and whether the answer was read to its end."""
        if self._spec.http2 and self._connections.reach(flight.address):
            flight.enter(Stage.FIRST_BYTE)  # it may wait for a stream
        request = httpx.Request(
            self._spec.method,
            url,
            headers=self._headers,
            stream=httpx.ByteStream(self._spec.body),
            extensions={"trace": Trace(flight, self._connections), "sni_hostname": self._target.server_name},
        )
        try:
            response = await transport.handle_async_request(request)
            flight.has_begun()
            flight.status = response.status_code
            try:
                return await self._read(flight, response)
            finally:
                await response.aclose()
        except (
            Exception
        ) as error:  # httpcore lets through what anyio, h2 and hpack raise; what nobody knows is internal
            return blame_of(error, stage=flight.stage, begun=flight.first_at is not None), False

    async def _read(self, flight: Flight, response: httpx.Response) -> tuple[Blame | None, bool]:
        """Judge an answer whose head has come."""
        headers = _by_name(response)
        flight.request_id = headers.get("x-vcap-request-id", "")
        if self._proxy is not None and not flight.address:
            flight.address = peer_of(response.extensions["network_stream"])
        if response.status_code == 101:
            words = "answered 101: switched to another protocol unasked"
            return Blame(Cause.PROTOCOL, Component.TARGET, words), False
        if sum(len(name) + len(value) + 4 for name, value in response.headers.raw) > HEAD_LIMIT:
            return Blame(Cause.PROTOCOL, Component.TARGET, f"headers larger than {HEAD_LIMIT} bytes"), False
        if response.extensions.get("http_version") == b"HTTP/2":
            self._recorder.count("http2")
        body, whole = await self._body(response)
        if "x-vcap-request-id" in headers or "x-cf-routererror" in headers:
            self._platform = True
        return self._judge.blame(response.status_code, headers, body, platform=self._platform), whole

    async def _body(self, response: httpx.Response) -> tuple[bytes, bool]:
        """As much of it as a check needs, read and counted to the limit; and whether that was all."""
        assert isinstance(response.stream, httpx.AsyncByteStream)
        limit = self._spec.body_limit
        read = 0
        kept = bytearray()
        async for piece in response.stream:
            read += len(piece)
            if self._judge.needs_body and len(kept) < limit:
                kept += piece[: limit - len(kept)]
            if read > limit:
                self._recorder.count("truncated")
                return bytes(kept), False
        return bytes(kept), True


def _url(spec: Spec) -> httpx.URL:
    try:
        return httpx.URL(spec.url)
    except httpx.InvalidURL as error:
        raise ValueError(f"not an http or https URL: {spec.url}: {error}") from None


def _proxy(spec: Spec) -> httpx.Proxy | None:
    """Its own TLS, if any, is verified as the target's, without our client certificate."""
    if spec.proxy is None:
        return None
    try:
        url = httpx.URL(spec.proxy)
    except httpx.InvalidURL as error:
        raise ValueError(f"not a proxy's URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("a proxy is http://HOST:PORT or https://HOST:PORT")  # without it: it may hold a password
    tls = client_context(Tls(verify=spec.tls.verify, ca=spec.tls.ca)) if url.scheme == "https" else None
    return httpx.Proxy(url, ssl_context=tls)


def _headers(spec: Spec, user_agent: str) -> list[tuple[bytes, bytes]]:
    """The engine's. HTTP/2 knows no Connection (RFC 9113 §8.2.2)."""
    return [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in request_headers(spec, user_agent)
        if not (spec.http2 and name.lower() == "connection")
    ]


def _by_name(response: httpx.Response) -> dict[str, str]:
    """As the engine reads headers: names in lower case, repeated ones joined by commas (RFC 9110 §5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
