"""The open-loop engine of one worker: takes ticks from the metronome, gives each a connection, judges what comes back.

It decides with the pool's and the judge's pure rules and does the I/O through the dialer. Everything here runs in one
event loop, in callbacks: at 100,000 requests a second a task for each would cost more than the request. Times are
seconds after the start unless a name says otherwise.
"""

import asyncio
import math
from collections.abc import Callable, Iterator

from harness.engine.answer import AnswerError, AnswerReader
from harness.engine.blame import Blame, Judge, of_loss
from harness.engine.connection import Connection
from harness.engine.dial import Dialer, Wire
from harness.engine.dialing import Dial, Opened, Ticket, open_connection
from harness.engine.expiry import Expiry
from harness.engine.metronome import Metronome
from harness.engine.pool import Lane, Pool
from harness.engine.request import IDEMPOTENT, request_bytes, target_of
from harness.engine.resolver import Address, Resolver, families_of
from harness.engine.timer import MakeTimer
from harness.outcome import Cause, Component, Outcome, Timings
from harness.recorder import Recorder
from harness.schedule import Schedule
from harness.spec import Spec

_SWEEP = 1.0  # seconds between looks at idle connections and at the host's addresses
_LINGER = 1.0  # seconds that a peer gets to close a fresh connection first, so that TIME_WAIT is not on our side
_STALE_SLACK = 0.01  # seconds beside the round trips within which a stale connection shows
_KEEP_ALIVE_MARGIN = 0.8  # of the server's own keep-alive timeout


class Engine:
    """Drives one shard of one `app` runner. `run` returns when it was told to stop and every attempt is settled."""

    def __init__(
        self,
        spec: Spec,
        *,
        start: float,
        user_agent: str,
        clock: Callable[[], float],
        make_timer: MakeTimer,
        dialer: Dialer,
        resolver: Resolver,
        recorder: Recorder,
    ) -> None:
        """`start` is on the monotonic clock. Raises ValueError on a URL that is none."""
        self._spec = spec
        self._clock = clock
        self._start = start
        self._dialer = dialer
        self._resolver = resolver
        self._recorder = recorder
        self._secure = target_of(spec).secure
        self._request = request_bytes(spec, user_agent)
        self._judge = Judge(spec.expect)
        self._schedule = Schedule(spec.rate, spec.shard, spec.shards)
        self._shard, self._shards, self._rate = spec.shard, spec.shards, spec.rate
        self._total = spec.timeouts.total
        self._pool = Pool(cap=spec.pool.cap, handshakes=spec.pool.handshakes)
        self._retired: list[Lane] = []
        self._expiry = Expiry(spec.timeouts, recorder=recorder, dialer=dialer)
        self._bound: set[Dial] = set()
        self._lingering: list[tuple[float, Connection]] = []
        self._next_sweep = 0.0
        self._seen_paused = 0.0
        self._hold_until = -math.inf
        self._drain_seconds = spec.drain
        self._drain_until = math.inf
        self._platform = False
        self._warming = 0
        self._family: bool | None = None
        self._done = asyncio.Event()
        self._warm = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._retry_allowed = spec.method in IDEMPOTENT and not spec.fresh
        self._patient = spec.pool.cap >= spec.rate / spec.shards * spec.timeouts.total
        self._metronome = Metronome(
            self._schedule,
            first=spec.first,
            max_lag=spec.max_lag,
            start=start,
            clock=clock,
            make_timer=make_timer,
            recorder=recorder,
            driven=self,
        )

    # what the worker asks

    @property
    def metronome(self) -> Metronome:
        """The beat, with what it knows of our own lateness."""
        return self._metronome

    @property
    def in_flight(self) -> int:
        """Attempts begun and not settled, without those in line."""
        return self._expiry.in_flight + len(self._bound)

    @property
    def connections(self) -> int:
        """Connections that exist or are being opened."""
        return self._pool.open

    @property
    def waiting(self) -> int:
        """Ticks in line for a connection."""
        return sum(len(lane.line) for lane in self._all_lanes())

    def open_ordinals(self) -> tuple[list[range], list[int]]:
        """Reached and not settled: ranges in line, and single ones in flight."""
        ranges = [part for lane in self._all_lanes() for part in lane.line.ordinals()]
        single = [connection.ordinal for connection in self._expiry.flying()]
        single += [dial.ticket.ordinal for dial in self._bound if dial.ticket is not None]
        return ranges, single

    def stop(self, at: float, drain: float) -> None:
        """No tick intended at or after `at`; attempts in flight get `drain` seconds more. Said again, it cuts short."""
        self._drain_seconds = drain
        self._metronome.stop_at(at)
        if self._drain_until < math.inf:
            self._drain_until = min(self._drain_until, self._now() + drain)

    async def run(self) -> None:
        """Resolve, warm up, keep the schedule, drain."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            asking = None
            try:
                await self._resolver.resolve()
                await self._choose_family()
                self._set_lanes()
                asking = group.create_task(self._resolver.keep_asking())
                await self._warm_up()
                self._metronome.begin()
                await self._done.wait()
            finally:
                self._metronome.close()
                if asking is not None:
                    asking.cancel()
                for dial in list(self._bound):
                    if dial.task is not None:
                        dial.task.cancel()
                self._close_all()

    # opening connections

    async def _choose_family(self) -> None:
        """A host with addresses of both families is one host: use the first family that connects (RFC 8305), or a
        target that listens on 127.0.0.1 alone would fail every second attempt on `localhost`."""
        groups = families_of(self._resolver.addresses)
        if len(groups) < 2:
            return
        for group in groups:
            try:
                wire = self._dialer.prepare(group[0])
            except OSError:
                continue
            try:
                async with asyncio.timeout(min(1.0, self._spec.timeouts.connect)):
                    await self._dialer.connect(wire, group[0])
            except (OSError, TimeoutError):
                continue
            finally:
                wire.close()
            self._family = ":" in group[0][0]
            return

    def _wanted_addresses(self) -> tuple[Address, ...]:
        addresses = self._resolver.addresses
        if self._family is None:
            groups = families_of(addresses)
            return groups[0] if groups else ()
        return tuple(a for a in addresses if (":" in a[0]) == self._family) or addresses

    def _set_lanes(self) -> None:
        wanted = self._wanted_addresses()
        if [lane.address for lane in self._pool.lanes] == list(wanted):
            return
        known = {lane.address: lane for lane in (*self._pool.lanes, *self._retired)}
        lanes = []
        for address in wanted:
            lane = known.get(address) or Lane(address, self._recorder.address(str(address)), len(wanted))
            lane.retired = False
            lanes.append(lane)
        for lane in self._pool.replace_lanes(lanes):
            self._retired.append(lane)
            while lane.idle:
                self._drop(lane.idle.popleft())
        self._retired = [lane for lane in self._retired if lane.retired and (lane.open or len(lane.line))]

    async def _warm_up(self) -> None:
        """Open the pool before the first tick; what is not open by then goes on opening."""
        if self._spec.fresh or not self._pool.lanes:
            return
        self._warming = min(self._spec.pool.warm, self._spec.pool.cap)
        for lane in self._pool.lanes:
            self._fill(lane)
        left = self._start - self._clock()
        if self._warming and left > 0:
            try:
                async with asyncio.timeout(left):
                    await self._warm.wait()
            except TimeoutError:
                self._recorder.problem("the warm-up was not over when the first tick was due")

    def _fill(self, lane: Lane) -> None:
        """Begin as many dials as the lane's line asks for, and the warm-up."""
        pool = self._pool
        wanted = pool.dials_wanted(lane)
        if self._warming:
            share = -(-self._warming // max(1, len(pool.lanes)))
            wanted = max(wanted, min(share - lane.open, pool.cap - pool.open, pool.handshakes - pool.dialing))
        for _ in range(wanted):
            self._dial(lane, None)

    def _dial(self, lane: Lane, ticket: Ticket | None) -> None:
        assert self._group is not None
        now = self._now()
        dial = Dial(lane, ticket, began=now, paused_before=self._recorder.paused)
        self._pool.opening(lane)
        self._expiry.connecting(dial)
        if ticket is not None:
            self._bound.add(dial)
        dial.task = self._group.create_task(self._open(dial))

    async def _open(self, dial: Dial) -> None:
        connection: Connection | None = None

        def make(wire: Wire) -> Connection:
            nonlocal connection
            connection = Connection(
                listener=self,
                lane=dial.lane,
                tally=dial.lane.tally,
                reader=AnswerReader(
                    bodyless=self._spec.method == "HEAD",
                    body_limit=self._spec.body_limit,
                    keep_body=self._judge.needs_body,
                ),
                wire=wire,
                clock=self._clock,
                start=self._start,
            )
            return connection

        try:
            opened = await open_connection(
                dial, self._dialer, make, secure=self._secure, now=self._now, securing=self._expiry.securing
            )
        finally:
            self._expiry.dial_ended(dial)
            self._bound.discard(dial)
        if isinstance(opened, Opened):
            assert connection is not None
            self._opened(dial, connection, opened)
        else:
            if connection is not None and connection.transport is not None:
                connection.closing = True  # it was opened in the instant in which it expired
                connection.transport.abort()
            self._dial_failed(dial, opened)

    def _opened(self, dial: Dial, connection: Connection, opened: Opened) -> None:
        lane = dial.lane
        self._pool.opened(lane)
        recorder = self._recorder
        recorder.count("opened")
        recorder.stage("connect", opened.connect_seconds)
        if opened.tls_seconds is not None:
            recorder.stage("tls", opened.tls_seconds)
        connection.connect_seconds = opened.connect_seconds
        connection.tls_seconds = opened.tls_seconds
        connection.idle_limit = self._spec.pool.idle
        if connection.closing:  # lost while the handshake's last step was delivered
            self._after_dial(dial, Blame(Cause.CLOSED_EARLY, Component.NETWORK, "closed by the peer when opened"))
            return
        if self._warming and self._pool.open - self._pool.dialing >= self._warming:
            self._end_warming()
        ticket = dial.ticket
        if ticket is not None:
            self._send(connection, ticket.ordinal, ticket.intended, ticket.reached, ticket.paused_before, self._now())
            connection.retried = ticket.retried
        else:
            self._serve(connection, self._now())
        self._fill(lane)

    def _end_warming(self) -> None:
        self._warming = 0
        self._warm.set()

    def _dial_failed(self, dial: Dial, blame: Blame) -> None:
        bears = self._pool.failed(dial.lane)
        if dial.ticket is None:
            self._recorder.count("dials_failed")
            if self._warming:
                self._end_warming()  # whatever is wrong, the first ticks will tell it
            if bears:
                self._fail_head(dial, blame)
        else:
            self._fail_ticket(dial, dial.ticket, blame)
        self._fill(dial.lane)

    def _after_dial(self, dial: Dial, blame: Blame) -> None:
        """The connection was lost between opening and use; its place in the pool was given back already."""
        if dial.ticket is not None:
            self._fail_ticket(dial, dial.ticket, blame)
        elif len(dial.lane.line) > dial.lane.dialing:
            self._fail_head(dial, blame)
        self._fill(dial.lane)

    def _fail_head(self, dial: Dial, blame: Blame) -> None:
        ordinal, lag, paused = dial.lane.line.leave()
        intended = self._schedule.intended(ordinal)
        self._fail_ticket(dial, Ticket(ordinal, intended, intended + lag, paused, False), blame)

    def _fail_ticket(self, dial: Dial, ticket: Ticket, blame: Blame) -> None:
        now = self._now()
        self._metronome.notice_pause(now)
        paused = self._recorder.paused - ticket.paused_before
        timings = Timings(
            queue=max(0.0, dial.began - ticket.reached),
            connect=dial.connect_seconds or now - dial.began,
            tls=now - dial.began - dial.connect_seconds if dial.stage == "tls" else None,
        )
        self._bad(
            ticket.ordinal,
            ticket.intended,
            ticket.reached,
            now,
            self._tainted_or(blame, self._recorder.paused - dial.paused_before),
            address=dial.lane.name,
            fresh=True,
            retried=ticket.retried,
            paused=paused,
            timings=timings,
        )
        self._serve_next_fresh()

    # sending

    def _now(self) -> float:
        return self._clock() - self._start

    def tick(self, ordinal: int, now: float) -> None:
        """The metronome's: start an attempt."""
        intended = (self._shard + ordinal * self._shards) / self._rate
        recorder = self._recorder
        recorder.reached(intended, now)
        lanes = self._pool.lanes
        if not lanes:
            self._no_address(ordinal, intended, now)
            return
        lane = lanes[0] if len(lanes) == 1 else lanes[ordinal % len(lanes)]
        if self._spec.fresh:
            self._tick_fresh(lane, ordinal, intended, now)
            return
        idle = lane.idle
        while idle:
            connection = idle.popleft()
            if not connection.closing:
                connection.was_idle = True
                self._send(connection, ordinal, intended, now, recorder.paused, now)
                return
        if self._resolver.failure is not None and lane.open == lane.dialing:
            self._no_address(ordinal, intended, now)
            return
        lane.line.join(ordinal, now - intended, recorder.paused)
        self._fill(lane)

    def _tick_fresh(self, lane: Lane, ordinal: int, intended: float, now: float) -> None:
        if self._resolver.failure is not None:
            self._no_address(ordinal, intended, now)
        elif self._pool.open < self._pool.cap and not len(lane.line):
            self._dial(lane, Ticket(ordinal, intended, now, self._recorder.paused, False))
        else:
            lane.line.join(ordinal, now - intended, self._recorder.paused)

    def _no_address(self, ordinal: int, intended: float, now: float) -> None:
        blame = self._resolver.failure or Blame(Cause.DNS, Component.DNS, "the host has no address")
        self._bad(ordinal, intended, now, now, blame)

    def _send(
        self, connection: Connection, ordinal: int, intended: float, reached: float, paused_before: float, now: float
    ) -> None:
        connection.ordinal = ordinal
        connection.intended = intended
        connection.reached = reached
        connection.sent = now
        connection.paused_before = paused_before
        self._expiry.sent(connection, now)
        connection.transport.write(self._request)  # type: ignore[union-attr]  # it was made before it was lent

    def _serve(self, connection: Connection, now: float) -> None:
        """A connection is free: the head of its lane's line has it, or it is idle."""
        lane = connection.lane
        if len(lane.line):
            ordinal, lag, paused = lane.line.leave()
            intended = self._schedule.intended(ordinal)
            connection.was_idle = False
            self._recorder.stage("queue", max(0.0, now - intended - lag))
            self._send(connection, ordinal, intended, intended + lag, paused, now)
        elif lane.retired or self._spec.fresh:
            self._drop(connection)
        else:
            connection.idle_since = now
            lane.idle.append(connection)

    def _serve_next_fresh(self) -> None:
        """A fresh runner's cap has room again."""
        if not self._spec.fresh:
            return
        for lane in self._all_lanes():
            while len(lane.line) and self._pool.open < self._pool.cap:
                ordinal, lag, paused = lane.line.leave()
                intended = self._schedule.intended(ordinal)
                self._recorder.stage("queue", max(0.0, self._now() - intended - lag))
                self._dial(lane, Ticket(ordinal, intended, intended + lag, paused, False))

    # what connections tell

    def answered(self, connection: Connection) -> None:
        """A whole answer to the attempt in flight."""
        now = self._clock() - self._start
        recorder = self._recorder
        reader = connection.reader
        ordinal = connection.ordinal
        intended = connection.intended
        self._expiry.settled(connection)
        paused = recorder.paused - connection.paused_before
        blame: Blame | None = None
        if connection.served == 0:
            self._learn(connection)
        if reader.status not in self._judge.plain:
            blame = self._judge.blame(reader.status, reader.headers(), reader.body, platform=self._platform)
        if blame is None and now - intended > self._total:
            self._metronome.notice_pause(now)
            paused = recorder.paused - connection.paused_before
            if paused > 0:
                blame = Blame(Cause.TAINTED, Component.HARNESS, f"answered past its deadline; we were paused {paused:.3f} s")
        recorder.count("fresh" if connection.served == 0 and not connection.was_idle else "kept")
        if reader.truncated:
            recorder.count("truncated")
        connection.ordinal = -1
        if blame is None:
            recorder.good(
                intended=intended,
                reached=connection.reached,
                sent=connection.sent,
                first=now if connection.first_at >= now - 2e-5 else connection.first_at,
                now=now,
                paused=paused,
                status=reader.status,
                address=connection.tally,
                outstanding=self._outstanding(),
            )
        else:
            self._bad(
                ordinal,
                intended,
                connection.reached,
                now,
                blame,
                sent=connection.sent,
                status=reader.status,
                address=connection.lane.name,
                fresh=connection.served == 0 and not connection.was_idle,
                retried=connection.retried,
                request_id=reader.headers().get("x-vcap-request-id", "")[:200],
                paused=paused,
                timings=self._timings(connection, now),
            )
        connection.served += 1
        connection.retried = False
        if self._spec.fresh:
            self._linger(connection, now)
            self._serve_next_fresh()
        elif connection.closing:
            pass
        elif reader.can_be_reused():
            reader.reset()
            self._serve(connection, now)
        else:
            lane = connection.lane
            self._drop(connection)
            self._fill(lane)

    def _learn(self, connection: Connection) -> None:
        """From a connection's first answer: is a Cloud Foundry router there, and how long does it keep connections?"""
        headers = connection.reader.headers()
        if "x-vcap-request-id" in headers or "x-cf-routererror" in headers:
            self._platform = True
        for part in headers.get("keep-alive", "").split(","):
            name, _, value = part.strip().partition("=")
            if name.lower() == "timeout" and value.isdigit() and len(value) < 6:
                connection.idle_limit = min(connection.idle_limit, int(value) * _KEEP_ALIVE_MARGIN)

    def broke(self, connection: Connection, error: AnswerError) -> None:
        """A malformed answer."""
        if connection.closing or connection.ordinal < 0:
            return
        self._fail(connection, Blame(Cause.PROTOCOL, Component.TARGET, str(error)[:300]))

    def unasked(self, connection: Connection) -> None:
        """Bytes on an idle connection: it can't be trusted any more."""
        if not connection.closing:
            self._recorder.count("unasked")
            self._drop(connection)

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """The connection ended under us."""
        if connection.closing:
            return
        if connection.ordinal < 0:
            self._recorder.count("closed_idle")
            self._gone(connection)
            return
        now = self._now()
        self._metronome.notice_pause(now)
        if error is None and connection.reader.eof():
            self._gone(connection)
            self.answered(connection)
            self._fill(connection.lane)
            return
        if self._is_stale(connection, now):
            self._recorder.count("retried")
            self._expiry.settled(connection)
            ticket = Ticket(
                connection.ordinal, connection.intended, connection.reached, connection.paused_before, True
            )
            connection.ordinal = -1
            self._gone(connection)
            self._dial(connection.lane, ticket)
            return
        self._fail(connection, of_loss(error, begun=connection.reader.begun))

    def _is_stale(self, connection: Connection, now: float) -> bool:
        """The peer had closed the idle connection before our request reached it: not one byte of an answer, and the
        end came within a few round trips of the write. Sent again once, for idempotent methods (RFC 9110 §9.2.2)."""
        paused = self._recorder.paused - connection.paused_before
        return (
            self._retry_allowed
            and connection.was_idle
            and connection.served > 0
            and not connection.retried
            and not connection.reader.begun
            and now - connection.sent - paused <= 4 * connection.connect_seconds + _STALE_SLACK
        )

    # failures

    def _fail(self, connection: Connection, blame: Blame) -> None:
        """The attempt in flight on a connection failed, and the connection with it."""
        now = self._now()
        self._metronome.notice_pause(now)
        self._expiry.settled(connection)
        paused = self._recorder.paused - connection.paused_before
        evidence = self._dialer.describe(connection.wire)
        detail = f"{blame.detail}; {evidence}" if evidence else blame.detail
        ordinal = connection.ordinal
        connection.ordinal = -1
        reader = connection.reader
        self._bad(
            ordinal,
            connection.intended,
            connection.reached,
            now,
            self._tainted_or(blame._replace(detail=detail), paused),
            sent=connection.sent,
            status=reader.status if reader.head_done else None,
            address=connection.lane.name,
            fresh=connection.served == 0 and not connection.was_idle,
            retried=connection.retried,
            request_id=reader.headers().get("x-vcap-request-id", "")[:200] if reader.head_done else "",
            paused=paused,
            timings=self._timings(connection, now),
        )
        lane = connection.lane
        self._drop(connection)
        self._fill(lane)
        self._serve_next_fresh()

    @staticmethod
    def _tainted_or(blame: Blame, paused: float) -> Blame:
        """What broke while we stood still may have broken because of that. What the peer or its kernel said outright,
        and a timeout that was extended by our pauses, stands."""
        if paused > 0 and blame.cause in (Cause.RESET, Cause.CLOSED_EARLY, Cause.TLS_HANDSHAKE):
            return Blame(Cause.TAINTED, Component.HARNESS, f"{blame.cause} while we were paused {paused:.3f} s: {blame.detail}")
        return blame

    def _bad(
        self,
        ordinal: int,
        intended: float,
        reached: float,
        now: float,
        blame: Blame,
        *,
        sent: float | None = None,
        status: int | None = None,
        address: str = "",
        fresh: bool = False,
        retried: bool = False,
        request_id: str = "",
        paused: float = 0.0,
        timings: Timings = Timings(),  # noqa: B008  (immutable)
    ) -> None:
        outcome = Outcome(
            tick=ordinal,
            intended=intended,
            reached=reached,
            finished=now,
            sent=sent,
            cause=blame.cause,
            component=blame.component,
            status=status,
            address=address,
            fresh=fresh,
            retried=retried,
            request_id=request_id,
            detail=blame.detail,
            timings=timings,
            paused=paused,
        )
        self._recorder.outcome(outcome, outstanding=self._outstanding())

    @staticmethod
    def _timings(connection: Connection, now: float) -> Timings:
        begun = connection.reader.begun
        fresh = connection.served == 0 and not connection.was_idle
        return Timings(
            queue=max(0.0, connection.sent - connection.reached) or None,
            connect=connection.connect_seconds if fresh else None,
            tls=connection.tls_seconds if fresh else None,
            first_byte=(connection.first_at if begun else now) - connection.sent,
            body=now - connection.first_at if begun else None,
        )

    def _outstanding(self) -> bool:
        if self._expiry.in_flight or self._bound:
            return True
        return any(len(lane.line) for lane in self._pool.lanes)

    # deadlines

    def woken(self, now: float) -> float:
        """The metronome's: expire what is due, sweep, drain; returns the next moment to look."""
        if self._recorder.paused != self._seen_paused:
            # after a pause the answers may lie in our buffers: let the loop read once before anything expires
            self._seen_paused = self._recorder.paused
            self._hold_until = now + 0.001
        if now < self._hold_until:
            return self._hold_until
        expiry = self._expiry
        if now >= expiry.soonest:
            for connection, blame in expiry.take_attempts(now):
                self._fail(connection, blame)
            expiry.expire_dials(now)
        soonest = min(expiry.soonest, self._expire_lines(now))
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP
            self._sweep(now)
        if self._drain_until < math.inf:
            if not self._outstanding() and not self.waiting:
                self._done.set()
            elif now >= self._drain_until:
                self._cut(now)
            soonest = min(soonest, self._drain_until)
        return min(soonest, self._next_sweep)

    def _expire_lines(self, now: float) -> float:
        """Ticks whose whole time passed in line. Whose fault: the target's if we had enough connections for its stall."""
        soonest = math.inf
        for lane in self._all_lanes():
            line = lane.line
            if not len(line):
                continue
            if self._schedule.intended(line.head) + self._total <= now:
                self._expire_line(lane, now)
            if len(line):
                soonest = min(soonest, self._schedule.intended(line.head) + self._total)
        return soonest

    def _expire_line(self, lane: Lane, now: float) -> None:
        line = lane.line
        if self._patient:
            blame = Blame(Cause.STALLED, Component.TARGET, "no connection came free: every one waits for the target")
        else:
            blame = Blame(
                Cause.POOL_LIMIT,
                Component.HARNESS,
                f"all {self._pool.cap} connections wait; rate x timeout asks for more (`pool: {{max: …}}`)",
            )
        first = True
        while len(line) and self._schedule.intended(line.head) + self._total <= now:
            ordinal, lag, paused = line.leave()
            intended = self._schedule.intended(ordinal)
            if first:
                first = False
                self._bad(ordinal, intended, intended + lag, now, blame, address=lane.name,
                          paused=self._recorder.paused - paused, timings=Timings(queue=now - intended - lag))
            else:
                self._recorder.unsent(ordinal, ordinal, blame.cause, blame.component, [(int(intended), 1)])

    def _sweep(self, now: float) -> None:
        self._set_lanes()
        for lane in self._pool.lanes:
            while (connection := self._pool.next_expired_idle(lane, now)) is not None:
                if not connection.closing:
                    self._drop(connection)
        while self._lingering and self._lingering[0][0] <= now:
            _, connection = self._lingering.pop(0)
            if connection.transport is not None:
                connection.transport.close()

    # ending

    def finished(self) -> None:
        """The metronome's: the last tick was handed out."""
        self._drain_until = self._now() + self._drain_seconds

    def _cut(self, now: float) -> None:
        """The drain is over: what has no answer yet has none."""
        self._metronome.notice_pause(now)
        for lane in self._all_lanes():  # first, or the failures below would open connections for them
            while len(lane.line):
                ordinal, _, _ = lane.line.leave()
                second = int(self._schedule.intended(ordinal))
                self._recorder.unsent(ordinal, ordinal, Cause.CUT, Component.HARNESS, [(second, 1)])
        for connection in self._expiry.flying():
            begun = connection.reader.begun
            self._fail(connection, Blame(Cause.CUT, Component.HARNESS, "in flight when the drain ended" +
                                         (", its answer had begun" if begun else "")))
        for dial in list(self._bound):
            dial.expire(Blame(Cause.CUT, Component.HARNESS, f"still opening its connection ({dial.stage}) when the drain ended"))
        self._drain_until = now + 0.01

    def _all_lanes(self) -> Iterator[Lane]:
        yield from self._pool.lanes
        yield from self._retired

    def _gone(self, connection: Connection) -> None:
        connection.closing = True
        self._pool.gone(connection.lane)

    def _drop(self, connection: Connection) -> None:
        """Close a connection and give its place in the pool back."""
        if not connection.closing:
            self._gone(connection)
        if connection.transport is not None:
            connection.transport.abort()

    def _linger(self, connection: Connection, now: float) -> None:
        if not connection.closing:
            self._gone(connection)
        self._lingering.append((now + _LINGER, connection))

    def _close_all(self) -> None:
        for lane in self._all_lanes():
            while lane.idle:
                self._drop(lane.idle.popleft())
        for _, connection in self._lingering:
            if connection.transport is not None:
                connection.transport.abort()

