"""Opens connections: which addresses, how many ahead of the first tick, how fast the pool grows, and what became of
each dial. Whoever uses the connections is told; nothing here knows a request."""

import asyncio
import math
from collections.abc import Callable, Iterator
from typing import Protocol

from harness.engine.answer import AnswerReader
from harness.engine.blame import Blame
from harness.engine.connection import Connection, Listener
from harness.engine.dial import Dialer, Wire
from harness.engine.dialing import Dial, Opened, Ticket, open_connection
from harness.engine.expiry import Expiry
from harness.engine.families import in_family, preferred_family
from harness.engine.pool import Lane, Pool
from harness.engine.resolver import Resolver
from harness.outcome import Cause, Component
from harness.recorder import Recorder
from harness.spec import Spec


class User(Listener, Protocol):
    """Who wants the connections."""

    def opened(self, connection: Connection, ticket: Ticket | None) -> None:
        """A connection is ready, for this tick or for whoever is next."""

    def not_opened(self, dial: Dial, blame: Blame, *, bears: bool) -> None:
        """A dial failed. `bears`: the tick it was made for, or else the head of the lane's line, fails with it."""


class Opening:
    """The lanes of one engine, and the dials under way."""

    def __init__(
        self,
        spec: Spec,
        *,
        secure: bool,
        keep_body: bool,
        start: float,
        clock: Callable[[], float],
        dialer: Dialer,
        resolver: Resolver,
        recorder: Recorder,
        expiry: Expiry,
        user: User,
    ) -> None:
        self._spec = spec
        self._secure = secure
        self._keep_body = keep_body
        self._start = start
        self._clock = clock
        self._dialer = dialer
        self._resolver = resolver
        self._recorder = recorder
        self._expiry = expiry
        self._user = user
        self._retired: list[Lane] = []
        self._warming = 0
        self._warm = asyncio.Event()
        self._prefers_six: bool | None = None
        self._group: asyncio.TaskGroup | None = None
        self.pool = Pool(cap=spec.pool.cap, handshakes=spec.pool.handshakes)
        self._dials: set[Dial] = set()
        self.bound: set[Dial] = set()  # those made for one tick

    async def prepare(self, group: asyncio.TaskGroup) -> asyncio.Task[None]:
        """Resolve, choose, warm up; `group` owns the dials. Returns the task that goes on resolving."""
        self._group = group
        await self._resolver.resolve()
        self._prefers_six = await preferred_family(self._resolver.addresses, self._dialer, self._spec.timeouts.connect)
        self.set_lanes()
        asking = group.create_task(self._resolver.keep_asking())
        await self._warm_up()
        return asking

    def lanes(self) -> Iterator[Lane]:
        """Every lane that may hold ticks or connections."""
        yield from self.pool.lanes
        yield from self._retired

    # addresses

    def set_lanes(self) -> None:
        """Follow the host's addresses. A lane whose address is gone serves out its line and takes no more ticks."""
        wanted = in_family(self._resolver.addresses, self._prefers_six)
        if [lane.address for lane in self.pool.lanes] == list(wanted):
            return
        known = {lane.address: lane for lane in self.lanes()}
        lanes = []
        for address in wanted:
            lane = known.get(address) or Lane(address, len(wanted))
            lane.retired = False
            lanes.append(lane)
        for lane in self.pool.replace_lanes(lanes):
            self._retired.append(lane)
            self._drop_idle(lane)
        self._retired = [lane for lane in self._retired if lane.retired and (lane.open or len(lane.line))]

    # opening

    async def _warm_up(self) -> None:
        """Open the pool before the first tick; what is not open by then goes on opening."""
        if self._spec.fresh or not self.pool.lanes:
            return
        self._warming = min(self._spec.pool.warm, self._spec.pool.cap)
        for lane in self.pool.lanes:
            self.fill(lane)
        left = self._start - self._clock()
        if self._warming and left > 0:
            try:
                async with asyncio.timeout(left):
                    await self._warm.wait()
            except TimeoutError:
                self._recorder.problem("the warm-up was not over when the first tick was due")

    def _end_warming(self) -> None:
        self._warming = 0
        self._warm.set()

    def fill(self, lane: Lane) -> None:
        """Begin as many dials as the lane's line asks for, and the warm-up."""
        pool = self.pool
        if self._warming:
            share = -(-self._warming // max(1, len(pool.lanes)))
            wanted = min(share - lane.open, pool.cap - pool.open, pool.handshakes - pool.dialing)
        elif len(lane.line) > lane.dialing:
            wanted = pool.take_growth(lane, self._now())
        else:
            return
        for _ in range(wanted):
            self.dial(lane, None)

    def dial(self, lane: Lane, ticket: Ticket | None) -> None:
        """Begin to open a connection, for one tick or for whoever is next."""
        assert self._group is not None
        dial = Dial(lane, ticket, began=self._now(), paused_before=self._recorder.paused)
        self.pool.opening(lane)
        self._dials.add(dial)
        self._expiry.connecting(dial)
        if ticket is not None:
            self.bound.add(dial)
        dial.task = self._group.create_task(self._open(dial))

    async def _open(self, dial: Dial) -> None:
        connection: Connection | None = None

        def make(wire: Wire) -> Connection:
            nonlocal connection
            reader = AnswerReader(
                bodyless=self._spec.method == "HEAD", body_limit=self._spec.body_limit, keep_body=self._keep_body
            )
            connection = Connection(
                listener=self._user,
                lane=dial.lane,
                reader=reader,
                wire=wire,
                clock=self._clock,
                start=self._start,
            )
            return connection

        try:
            result = await open_connection(
                dial, self._dialer, make, secure=self._secure, now=self._now, securing=self._expiry.securing
            )
        finally:
            self._expiry.dial_ended(dial)
            self._dials.discard(dial)
            self.bound.discard(dial)
        if isinstance(result, Blame):
            if connection is not None and connection.transport is not None:
                connection.closing = True  # it was opened in the instant in which it expired
                connection.transport.abort()
            self._failed(dial, result)
        else:
            assert connection is not None
            self._succeeded(dial, connection, result)

    def _succeeded(self, dial: Dial, connection: Connection, opened: Opened) -> None:
        lane = dial.lane
        self.pool.opened(lane)
        self._recorder.count("opened")
        self._recorder.stage("connect", opened.connect_seconds)
        if opened.tls_seconds is not None:
            self._recorder.stage("tls", opened.tls_seconds)
        connection.connect_seconds = opened.connect_seconds
        connection.tls_seconds = opened.tls_seconds
        connection.idle_limit = self._spec.pool.idle
        if self._warming and self.pool.open - self.pool.dialing >= self._warming:
            self._end_warming()
        if connection.closing:  # lost while its handshake's end was delivered; its place was given back then
            blame = Blame(Cause.CLOSED_EARLY, Component.NETWORK, "closed by the peer as soon as it was open")
            self._user.not_opened(dial, blame, bears=dial.ticket is not None or len(lane.line) > lane.dialing)
        else:
            self._user.opened(connection, dial.ticket)
        self.fill(lane)

    def _failed(self, dial: Dial, blame: Blame) -> None:
        bears = self.pool.failed(dial.lane)
        if self._warming:
            self._end_warming()  # whatever is wrong, the first ticks will tell it
        self._recorder.count("dials_failed")
        self._user.not_opened(dial, blame, bears=bears or dial.ticket is not None)
        self.fill(dial.lane)

    # closing

    def gone(self, connection: Connection) -> None:
        """A connection is no longer of use: give its place back."""
        connection.closing = True
        connection.idle_until = -math.inf  # nobody may take it any more
        self.pool.gone(connection.lane)

    def drop(self, connection: Connection) -> None:
        """Close a connection."""
        if not connection.closing:
            self.gone(connection)
        if connection.transport is not None:
            connection.transport.abort()

    def _drop_idle(self, lane: Lane) -> None:
        while lane.idle:
            connection = lane.idle.popleft()
            if not connection.closing:
                self.drop(connection)

    def sweep(self, now: float) -> None:
        """Follow the addresses, and close what was idle too long."""
        self.set_lanes()
        for lane in self.pool.lanes:
            while (connection := self.pool.next_expired_idle(lane, now)) is not None:
                if not connection.closing:
                    self.drop(connection)

    def close(self) -> None:
        """End every dial and every idle connection. No deadline ends a dial any more, and the kernel's take minutes."""
        for dial in list(self._dials):
            if dial.task is not None:
                dial.task.cancel()
        for lane in self.lanes():
            self._drop_idle(lane)

    def _now(self) -> float:
        return self._clock() - self._start
