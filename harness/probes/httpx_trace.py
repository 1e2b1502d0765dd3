"""What httpcore's trace tells of one exchange, as a flight's evidence and stages. Used by the `http` probe."""

from typing import Any
from weakref import WeakKeyDictionary

from harness.engine.blame import Blame, Stage
from harness.engine.resolver import Address
from harness.outcome import Cause, Component
from harness.probes.flight import Flight
from harness.recorder import Recorder
from harness.spec import Timeouts


def peer_of(stream: Any) -> str:
    """Whom a network stream of httpcore leads to: through a proxy, the proxy. Empty if the socket is gone."""
    try:
        host, port = stream.get_extra_info("server_addr")[:2]
    except AttributeError:  # anyio's, which does not expect that
        return ""
    return str(Address((str(host), int(port))))


class Connections:
    """What is known of a probe's connections beyond one exchange."""

    def __init__(self, timeouts: Timeouts, recorder: Recorder) -> None:
        self.timeouts = timeouts
        self.recorder = recorder
        self.round_trips: dict[str, float] = {}
        """Address -> seconds that the last connect took."""
        self._streams: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        # httpcore does not tell when it closes an idle connection, but lets go of its stream

    def __len__(self) -> int:
        return len(self._streams)

    def reach(self, address: str) -> bool:
        """Some connection leads there."""
        return address in self._streams.values()

    def hold(self, stream: Any, address: str) -> None:
        """One was opened."""
        self._streams[stream] = address


class Trace:
    """Of one exchange: httpcore calls it at every step, through the request's `trace` extension."""

    def __init__(self, flight: Flight, connections: Connections) -> None:
        self._flight = flight
        self._connections = connections
        self._began = 0.0
        self._opening = False
        self._stream: Any = None  # what was connected, until the request is written
        self.sent = 0  # times that the request was written

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        """`event`: httpcore's part, step and state, as "connection.connect_tcp.started"."""
        flight, limits = self._flight, self._connections.timeouts
        match event.split(".")[1:]:
            case ["connect_tcp", "started"]:
                self._opening = flight.fresh = True
                self._began = flight.now()
                flight.connect = flight.tls = None
                self._connect_within(limits.connect)
            case ["connect_tcp", state]:
                flight.connect = flight.now() - self._began
                if state == "complete":
                    self._connected(info["return_value"], flight.connect)
                else:
                    self._connections.recorder.count("dials_failed")
            case ["start_tls", "started"]:
                self._began = flight.now()
                words = f"TLS handshake not done within {limits.tls:g} s"
                flight.enter(Stage.TLS, limits.tls, Blame(Cause.TLS_TIMEOUT, Component.NETWORK, words))
            case ["start_tls", state]:
                flight.tls = flight.now() - self._began
                if state == "complete":
                    self._hold(info["return_value"])
                else:
                    self._connections.recorder.count("dials_failed")
                    await self._stream.aclose()  # httpcore leaves it open if it is cancelled here
            case ["send_request_headers", "started"] if info["request"].method == b"CONNECT":
                self._connect_within(limits.connect)
            case ["send_request_headers", "started"]:
                self._sending()
            case _:
                pass  # the answer's steps: the probe sees for itself

    def _connect_within(self, limit: float) -> None:
        words = f"not connected within {limit:g} s"
        self._flight.enter(Stage.CONNECT, limit, Blame(Cause.CONNECT_TIMEOUT, Component.NETWORK, words))

    def _connected(self, stream: Any, seconds: float) -> None:
        if not self._flight.address:
            self._flight.address = peer_of(stream)
        self._connections.round_trips[self._flight.address] = seconds
        self._hold(stream)

    def _hold(self, stream: Any) -> None:
        self._stream = stream
        self._connections.hold(stream, self._flight.address)

    def _sending(self) -> None:
        flight, recorder = self._flight, self._connections.recorder
        self._stream = None
        if self._opening:
            self._opening = False
            recorder.count("opened")
            if flight.connect is not None:
                recorder.stage("connect", flight.connect)
            if flight.tls is not None:
                recorder.stage("tls", flight.tls)
        self.sent += 1
        if self.sent > 1:  # httpcore does so for what a GOAWAY left out (RFC 9113 §6.8)
            flight.retried = True
            recorder.count("retried")
        flight.is_sent()
        limits = self._connections.timeouts
        if limits.first_byte < limits.total:
            words = f"no first byte within {limits.first_byte:g} s of the request"
            blame = Blame(Cause.FIRST_BYTE_TIMEOUT, Component.TARGET, words)
            flight.enter(Stage.FIRST_BYTE, limits.first_byte, blame)
        else:
            flight.enter(Stage.FIRST_BYTE)
