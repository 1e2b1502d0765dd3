"""The engine on a virtual clock, with a lent network: peers that answer when a function says so, pauses of the harness.

After a pause a real loop runs its timers before it reads sockets; so here bytes that are due lie unread "in the kernel"
for the rest of the loop's turn, and `unread` tells of them.
"""

import asyncio
import functools
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ParamSpec

import msgspec

from harness.engine.blame import Blame
from harness.engine.dial import Wire
from harness.engine.engine import Engine
from harness.engine.resolver import Address
from harness.engine.timer import LoopTimer
from harness.frames import Frame
from harness.outcome import Cause
from harness.recorder import Recorder
from harness.spec import Pool, Spec, Timeouts

TURN = 1e-6  # seconds that a turn of the loop takes: a timer's moment is reached, and left
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ONE = Address(("10.0.0.1", 80))
TWO = Address(("10.0.0.2", 80))
Answer = Callable[[float, Address], float | None]
"""When (seconds after the start) a request came, to whom -> how long its answer takes; None: there will be none."""


Arguments = ParamSpec("Arguments")


class _Selector(selectors.SelectSelector):
    """Never waits: it moves the loop's time on."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen any more")
        self.now += max(0.0, timeout) + TURN
        return []


class StageLoop(asyncio.SelectorEventLoop):
    """A loop whose time is virtual."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def pause(self, seconds: float) -> None:
        """The whole process stands still: time goes on, nothing is done."""
        self._virtual.now += seconds


def in_no_time(test: Callable[Arguments, Coroutine[Any, Any, None]]) -> Callable[Arguments, None]:
    """Make a test of a coroutine, on a stage's loop."""

    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        with asyncio.Runner(loop_factory=StageLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def spec_of(*, rate: float = 100.0, timeout: float = 1.0, cap: int = 200, warm: int = 4, fresh: bool = False) -> Spec:
    return Spec(
        runner="app",
        rate=rate,
        url="http://app.test/",
        timeouts=Timeouts(connect=timeout, tls=timeout, first_byte=timeout, total=timeout),
        pool=Pool(warm=warm, cap=cap, handshakes=64),
        drain=0.5,
        fresh=fresh,
    )


class VirtualWire:
    """A connection of the lent network."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.connected = False
        self.unread = 0
        self.closed = False

    def close(self) -> None:
        self.closed = True


class VirtualTransport(asyncio.Transport):
    """The engine's end of it."""

    def __init__(self, network: "Network", wire: VirtualWire, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._network = network
        self._wire = wire
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        network, wire = self._network, self._wire
        network.requests.append((network.now(), wire.address, id(wire)))
        delay = network.answer(network.now(), wire.address)
        if delay is None:
            return
        network.when_due(delay, lambda: self._arrive(OK), lambda: setattr(wire, "unread", len(OK)))

    def _arrive(self, data: bytes) -> None:
        self._wire.unread = 0
        if not self._wire.closed:
            self._protocol.data_received(data)

    def lose(self, error: Exception | None) -> None:
        """The peer ends the connection now."""
        if not self._wire.closed:
            self._wire.closed = True
            self._protocol.connection_lost(error)

    def abort(self) -> None:
        if not self._wire.closed:
            self._wire.closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def is_closing(self) -> bool:
        return self._wire.closed


class Network:
    """A `Dialer` without sockets."""

    def __init__(self, answer: Answer, *, connect: Callable[[float], float | None] = lambda now: 0.001) -> None:
        """`connect`: how long a connection takes that is begun now; None: it never comes to be."""
        self.loop = asyncio.get_running_loop()
        self.start = self.loop.time() + 0.1
        self.answer = answer
        self._connect = connect
        self.requests: list[tuple[float, Address, int]] = []  # when, to whom, on which connection
        self.transports: list[VirtualTransport] = []
        self.dialed: list[float] = []
        self.dialing = 0
        self.most_dialing = 0

    def now(self) -> float:
        return self.loop.time() - self.start

    def when_due(self, delay: float, tell: Callable[[], None], in_kernel: Callable[[], None]) -> None:
        """After `delay` the kernel knows; the loop is told when it reads, which is after its timers."""
        due = self.loop.time() + delay

        def happen() -> None:
            in_kernel()
            self.loop.call_soon(tell)

        self.loop.call_at(due, happen)

    def prepare(self, address: Address) -> VirtualWire:
        return VirtualWire(address)

    async def connect(self, wire: Wire, address: Address) -> None:
        assert isinstance(wire, VirtualWire)
        self.dialed.append(self.now())
        self.dialing += 1
        self.most_dialing = max(self.most_dialing, self.dialing)
        delay = self._connect(self.now())
        try:
            done = asyncio.Event()
            if delay is not None:
                self.when_due(delay, done.set, lambda: setattr(wire, "connected", True))
            await done.wait()
        finally:
            self.dialing -= 1

    async def attach(self, wire: Wire, protocol: asyncio.Protocol) -> asyncio.Transport:
        assert isinstance(wire, VirtualWire)
        transport = VirtualTransport(self, wire, protocol)
        self.transports.append(transport)
        protocol.connection_made(transport)
        return transport

    def unread(self, wire: Wire) -> int:
        assert isinstance(wire, VirtualWire)
        return wire.unread

    def connected(self, wire: Wire) -> bool:
        assert isinstance(wire, VirtualWire)
        return wire.connected

    def describe(self, wire: Wire) -> str:
        return ""


class Names:
    """A `Resolver` whose answers change as scripted: (seconds after it was first asked, addresses or why none)."""

    def __init__(self, *script: tuple[float, tuple[Address, ...] | Blame]) -> None:
        self.addresses: tuple[Address, ...] = ()
        self.failure: Blame | None = None
        self._script = script or ((0.0, (ONE,)),)

    async def resolve(self) -> None:
        self._tell(self._script[0][1])

    async def keep_asking(self) -> None:
        at = 0.0
        for when, answer in self._script[1:]:
            await asyncio.sleep(when - at)
            at = when
            self._tell(answer)

    def _tell(self, answer: tuple[Address, ...] | Blame) -> None:
        self.failure = answer if isinstance(answer, Blame) else None
        if not isinstance(answer, Blame):
            self.addresses = answer


class Seen:
    """What came of a run, from its frames."""

    def __init__(self, frame: Frame, planned: int, network: Network) -> None:
        self.frame = frame
        self.planned = planned
        self.network = network
        self.good = sum(second.good for second in frame.seconds.values())
        self.causes: Counter[str] = Counter()
        for second in frame.seconds.values():
            self.causes.update(second.causes)

    def ticks(self, cause: Cause) -> list[int]:
        """The ordinals that ended so, in order."""
        runs = [run for run in (*self.frame.bad, *self.frame.unknown) if run.cause is cause]
        return sorted(tick for run in runs for tick in range(run.first, run.last + 1))


async def run_engine(
    spec: Spec,
    network: Network,
    *,
    ticks: int,
    names: Names | None = None,
    pauses: Iterable[tuple[float, float]] = (),
    meanwhile: Callable[[Engine], object] = lambda engine: None,
) -> Seen:
    """So many ticks; `pauses`: (seconds after the start, how long). Every tick must have one end."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StageLoop)
    for at, seconds in pauses:
        loop.call_at(network.start + at, loop.pause, seconds)
    recorder = Recorder()
    engine = Engine(
        spec,
        start=network.start,
        user_agent="stage/1",
        clock=loop.time,
        make_timer=lambda callback: LoopTimer(loop, callback),
        dialer=network,
        resolver=names or Names(),
        recorder=recorder,
    )
    engine.stop((ticks - 0.5) / spec.rate, spec.drain)
    meanwhile(engine)
    async with asyncio.timeout(3600):
        await engine.run()
    assert engine.open_ordinals() == ([], [])
    assert (engine.in_flight, engine.waiting) == (0, 0)
    reached = engine.metronome.reached
    assert reached == ticks
    seen = Seen(recorder.frame(at=ticks / spec.rate, reached=reached, waiting=(), in_flight=()), reached, network)
    assert seen.good + sum(seen.causes.values()) == ticks
    return seen


def with_timeouts(spec: Spec, **limits: float) -> Spec:
    """The same with other limits."""
    return msgspec.structs.replace(spec, timeouts=msgspec.structs.replace(spec.timeouts, **limits))
