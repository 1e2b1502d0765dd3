"""The open-loop engine of one worker: takes ticks from the metronome, gives each a connection, judges what comes back.

Everything here runs in one event loop, in callbacks: at 100,000 requests a second a task for each would cost more than
the request. Times are seconds after the start unless a name says otherwise.
"""

import asyncio
import math
from collections.abc import Callable

from harness.engine.answer import AnswerError
from harness.engine.blame import Blame, of_loss
from harness.engine.connection import Connection
from harness.engine.dial import Dialer
from harness.engine.dialing import Dial, Ticket
from harness.engine.expiry import Expiry
from harness.engine.metronome import HEARTBEAT, PAUSE, Metronome
from harness.engine.opening import Opening
from harness.engine.peer import Peer, late_by_us
from harness.engine.pool import FREE_GROWTH, GROWTH, Lane
from harness.engine.request import request_bytes, target_of
from harness.engine.resolver import Resolver
from harness.engine.settling import Settling, is_fresh
from harness.engine.timer import MakeTimer
from harness.engine.usual import REMEMBERED, usual_path
from harness.engine.waiting import Waiting
from harness.outcome import Cause, Component
from harness.recorder import Recorder
from harness.schedule import Schedule
from harness.spec import Spec

_SWEEP = 1.0  # seconds between looks at idle connections and at the host's addresses
_LINGER = 1.0  # seconds that a peer gets to close a fresh connection first, so that TIME_WAIT is not on our side


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
        self._resolver = resolver
        self._recorder = recorder
        self._request = request_bytes(spec, user_agent)
        self._peer = Peer(spec)
        self._plain = self._peer.plain
        self._schedule = Schedule(spec.rate, spec.shard, spec.shards)
        self._shard, self._shards, self._rate = spec.shard, spec.shards, spec.rate
        self._total = spec.timeouts.total
        self._expiry = Expiry(spec.timeouts, recorder=recorder, dialer=dialer)
        self._deadlines = self._expiry.total
        self._in_flight = self._deadlines.entries
        self._settling = Settling(recorder=recorder, dialer=dialer)
        self._opening = Opening(
            spec,
            secure=target_of(spec).secure,
            keep_body=self._peer.needs_body,
            start=start,
            clock=clock,
            dialer=dialer,
            resolver=resolver,
            recorder=recorder,
            expiry=self._expiry,
            user=self,
        )
        self._pool = self._opening.pool
        self._lingering: dict[Connection, float] = {}  # answered; the peer may close it until then
        self._waiting = Waiting(spec, schedule=self._schedule, recorder=recorder)
        usual = usual_path(
            self._schedule,
            total=self._total,
            request=self._request,
            recorder=recorder,
            pool=self._pool,
            deadlines=self._deadlines,
            otherwise=self,
        )
        self._has_usual = not spec.fresh and not self._expiry.separate_first
        self.tick: Callable[[int, float], None] = usual.tick if self._has_usual else self._tick
        self.answered_as_usual: Callable[[Connection, float], bool] = usual.answered
        self._done = asyncio.Event()
        self._drain_seconds = spec.drain
        self._drain_until = math.inf
        self._stop_at = -math.inf
        self._next_sweep = 0.0
        self._seen_paused = 0.0
        self._hold_until = -math.inf
        # Deadlines lie a timeout ahead when they are set, so between two looks none can come up that was not known at
        # the first: most wakes, 5,000 a second, need not look.
        shortest = min(spec.timeouts.connect, spec.timeouts.tls, spec.timeouts.first_byte, spec.timeouts.total)
        self._look_every = 0.005 if shortest > 2 * HEARTBEAT + spec.max_lag else 0.0
        self._look_at = -math.inf
        self._known_soonest = math.inf
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
        return self._expiry.in_flight + len(self._opening.bound)

    @property
    def connections(self) -> int:
        """Connections that exist or are being opened."""
        return self._pool.open

    @property
    def waiting(self) -> int:
        """Ticks in line for a connection."""
        return sum(len(lane.line) for lane in self._opening.lanes())

    def open_ordinals(self) -> tuple[list[range], list[int]]:
        """Reached and not settled: ranges in line, and single ones in flight."""
        ranges = [part for lane in self._opening.lanes() for part in lane.line.ordinals()]
        single = [connection.ordinal for connection in self._expiry.flying()]
        single += [dial.ticket.ordinal for dial in self._opening.bound if dial.ticket is not None]
        return ranges, single

    def stop(self, at: float, drain: float) -> None:
        """No tick intended at or after `at`; attempts in flight get `drain` seconds from then on. Said again, it cuts
        short."""
        self._drain_seconds = drain
        self._stop_at = at
        self._metronome.stop_at(at)
        if self._drain_until < math.inf:
            self._drain_until = min(self._drain_until, at + drain)
            self._look_at = -math.inf

    async def run(self) -> None:
        """Resolve, warm up, keep the schedule, drain."""
        async with asyncio.TaskGroup() as group:
            asking: asyncio.Task[None] | None = None
            try:
                asking = await self._opening.prepare(group)
                self._metronome.begin()
                await self._done.wait()
            finally:
                self._metronome.close()
                if asking is not None:
                    asking.cancel()
                self._opening.close()
                for connection in list(self._lingering):
                    self._opening.drop(connection)

    # sending

    def is_short(self) -> bool:
        """The metronome's: more attempts are out than connections are idle."""
        return len(self._in_flight) > sum(len(lane.idle) for lane in self._pool.lanes)

    def _tick(self, ordinal: int, now: float) -> None:
        """The metronome's, where no path is usual."""
        intended = (self._shard + ordinal * self._shards) / self._rate
        self._recorder.reached(intended, now)
        self.tick_otherwise(ordinal, intended, now)

    def tick_otherwise(self, ordinal: int, intended: float, now: float) -> None:
        """A tick that has been recorded as reached: start its attempt, or put it in line."""
        lanes = self._pool.lanes
        if not lanes:
            self._no_address(ordinal, intended, now)
            return
        lane = lanes[ordinal % len(lanes)]
        if self._spec.fresh:
            self._tick_fresh(lane, ordinal, intended, now)
            return
        idle = lane.idle
        while idle:
            connection = idle.popleft()
            if connection.closing:
                continue
            if now >= connection.idle_until:  # the sweep comes once a second only
                self._opening.drop(connection)
                continue
            connection.was_idle = True
            self._send(connection, ordinal, intended, now, self._recorder.paused, now)
            return
        if self._resolver.failure is not None and lane.open == lane.dialing:
            self._no_address(ordinal, intended, now)
            return
        lane.line.join(ordinal, now - intended, self._recorder.paused)
        if lane.open < FREE_GROWTH or now - lane.grown_at > 1 / GROWTH:  # or there is nothing to grow by
            self._opening.fill(lane)

    def _tick_fresh(self, lane: Lane, ordinal: int, intended: float, now: float) -> None:
        if self._resolver.failure is not None:
            self._no_address(ordinal, intended, now)
        elif self._pool.open < self._pool.cap and not len(lane.line):
            self._opening.dial(lane, Ticket(ordinal, intended, now, self._recorder.paused, False))
        else:
            lane.line.join(ordinal, now - intended, self._recorder.paused)

    def _no_address(self, ordinal: int, intended: float, now: float) -> None:
        blame = self._resolver.failure or Blame(Cause.DNS, Component.DNS, "the host has no address")
        ticket = Ticket(ordinal, intended, now, self._recorder.paused, False)
        self._settling.in_line(ticket, now, blame, address="", outstanding=self.is_outstanding())

    def notice_pause(self, now: float) -> None:
        """The loop may have stood still."""
        self._metronome.notice_pause(now)

    def _send(
        self, connection: Connection, ordinal: int, intended: float, reached: float, paused_before: float, now: float
    ) -> None:
        connection.ordinal = ordinal
        connection.intended = intended
        connection.reached = reached
        connection.sent = now
        connection.paused_before = paused_before
        deadlines = self._deadlines
        deadlines.entries[connection] = when = reached + self._total
        if when < deadlines.soonest:
            deadlines.soonest = when
        if self._expiry.separate_first:
            self._expiry.await_first(connection, now)
        connection.write(self._request)

    def _send_waited(self, connection: Connection, ticket: Ticket, now: float) -> None:
        """For a tick that waited in line or for a dial: others that fall due later may have been sent before it."""
        in_flight = self._in_flight
        newest = in_flight[next(reversed(in_flight))] if in_flight else -math.inf
        ordinal, intended, reached, paused_before, _ = ticket
        self._send(connection, ordinal, intended, reached, paused_before, now)
        if reached + self._total < newest:
            self._expiry.appoint(connection)

    def serve(self, connection: Connection, now: float) -> None:
        """A connection is free: the head of its lane's line has it, or it is idle."""
        lane = connection.lane
        if lane.line.length:
            # A router that drains closes each connection as soon as it is idle: between its last answer and this.
            connection.was_idle = connection.served > 0
            self._send_waited(connection, self._waiting.take(lane.line, now), now)
        elif lane.retired or self._spec.fresh:
            self._opening.drop(connection)
        else:
            connection.idle_until = now + connection.idle_limit
            lane.idle.append(connection)

    def _serve_next_fresh(self) -> None:
        """A fresh runner's cap has room again."""
        if not self._spec.fresh:
            return
        for lane in self._opening.lanes():
            while len(lane.line) and self._pool.open < self._pool.cap:
                self._opening.dial(lane, self._waiting.take(lane.line, self._now()))

    # what dials tell

    def opened(self, connection: Connection, ticket: Ticket | None) -> None:
        """A connection is ready."""
        now = self._now()
        if ticket is None:
            self.serve(connection, now)
        else:
            connection.retried = ticket.retried
            self._send_waited(connection, ticket, now)

    def not_opened(self, dial: Dial, blame: Blame, *, bears: bool) -> None:
        """A dial failed: its tick, or the head of the line, bears it."""
        now = self._now()
        self._metronome.notice_pause(now)
        if bears:
            ticket = dial.ticket or self._waiting.take(dial.lane.line, now)
            if not ticket.retried:
                blame = self._waiting.late(blame, dial.began - ticket.reached)
            self._settling.not_opened(dial, ticket, now, blame, outstanding=self.is_outstanding())
        self._serve_next_fresh()

    # what connections tell

    def answered(self, connection: Connection, now: float) -> None:
        """A whole answer to the attempt in flight. First the hot path: kept alive, as expected, in time,
        undisturbed."""
        reader = connection.reader
        recorder = self._recorder
        if now - connection.sent > PAUSE:  # after a pause of ours an answer may be read before the timer tells of it
            self._metronome.notice_pause(now)
        if (
            connection.served
            and reader.status in self._plain
            and now - connection.intended <= self._total
            and recorder.paused == connection.paused_before
            and connection in self._in_flight
            and reader.can_be_reused()
            and not connection.retried
            and not connection.closing
        ):
            del self._in_flight[connection]
            if self._expiry.separate_first:
                self._expiry.settled(connection)
            connection.ordinal = -1
            recorder.count("kept")
            recorder.good(
                connection.intended,
                connection.reached,
                connection.sent,
                connection.first_at,
                now,
                0.0,
                reader.status,
                connection.lane.name,
                True if self._in_flight else self.is_outstanding(),
            )
            connection.served += 1
            head = reader.head  # with the body, if the answer came in one piece
            if (
                self._has_usual
                and reader.repeatable
                and reader.status == recorder.usual_status
                and len(head) <= REMEMBERED
            ):
                connection.usual = head
            reader.reset()
            lane = connection.lane
            if len(lane.line) or lane.retired:
                self.serve(connection, now)
            else:
                connection.idle_until = now + connection.idle_limit
                lane.idle.append(connection)
            return
        self._answered_otherwise(connection, now)

    def _answered_otherwise(self, connection: Connection, now: float) -> None:
        recorder = self._recorder
        reader = connection.reader
        ordinal = connection.ordinal
        connection.ordinal = -1
        self._expiry.settled(connection)
        if connection.served == 0:
            self._peer.learn(connection)
        blame = self._peer.blame(reader)
        if blame is None and now - connection.intended > self._total:
            self._metronome.notice_pause(now)
            blame = late_by_us(connection, now, total=self._total, paused=recorder.paused - connection.paused_before)
        recorder.count("fresh" if is_fresh(connection) else "kept")
        if reader.truncated:
            recorder.count("truncated")
        outstanding = self.is_outstanding()
        if blame is None:
            recorder.good(
                connection.intended,
                connection.reached,
                connection.sent,
                connection.first_at,
                now,
                recorder.paused - connection.paused_before,
                reader.status,
                connection.lane.name,
                outstanding,
            )
        else:
            self._settling.answered(connection, ordinal, now, blame, outstanding=outstanding)
        connection.served += 1
        connection.retried = False
        if self._spec.fresh:
            if not connection.closing:
                self._opening.gone(connection)
            self._lingering[connection] = now + _LINGER
            self._serve_next_fresh()
        elif connection.closing:
            pass
        elif reader.can_be_reused():
            reader.reset()
            self.serve(connection, now)
        else:
            self._opening.drop(connection)
            self._opening.fill(connection.lane)

    def broke(self, connection: Connection, error: AnswerError) -> None:
        """A malformed answer."""
        if not connection.closing and connection.ordinal >= 0:
            self._fail(connection, Blame(Cause.PROTOCOL, Component.TARGET, str(error)[:300]))

    def unasked(self, connection: Connection) -> None:
        """Bytes on an idle connection: it can't be trusted any more."""
        if not connection.closing:
            self._recorder.count("unasked")
            self._opening.drop(connection)

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """The connection ended under us."""
        if connection.closing:
            self._lingering.pop(connection, None)
            return
        if connection.ordinal < 0:
            self._recorder.count("closed_idle")
            self._opening.gone(connection)
            return
        now = self._now()
        self._metronome.notice_pause(now)
        if error is None and connection.reader.eof():
            self._opening.gone(connection)
            self.answered(connection, now)
            self._opening.fill(connection.lane)
        elif self._peer.is_stale(connection, now, paused=self._recorder.paused - connection.paused_before):
            self._recorder.count("retried")
            self._expiry.settled(connection)
            ticket = Ticket(connection.ordinal, connection.intended, connection.reached, connection.paused_before, True)
            connection.ordinal = -1
            self._opening.gone(connection)
            self._opening.dial(connection.lane, ticket)
        else:
            self._fail(connection, of_loss(error, begun=connection.reader.begun))

    def _fail(self, connection: Connection, blame: Blame) -> None:
        """The attempt in flight on a connection failed, and the connection with it."""
        now = self._now()
        self._metronome.notice_pause(now)
        self._expiry.settled(connection)
        ordinal = connection.ordinal
        connection.ordinal = -1
        self._settling.broke(connection, ordinal, now, blame, outstanding=self.is_outstanding())
        self._opening.drop(connection)
        self._opening.fill(connection.lane)
        self._serve_next_fresh()

    def is_outstanding(self) -> bool:
        """Some attempt waits for its answer."""
        if self._expiry.in_flight or self._opening.bound:
            return True
        return any(len(lane.line) for lane in self._pool.lanes)

    # deadlines

    def woken(self, now: float) -> float:
        """The metronome's: expire what is due, sweep, drain; returns the next moment to look."""
        if now < self._look_at and self._recorder.paused == self._seen_paused:
            return self._known_soonest
        if self._recorder.paused != self._seen_paused:
            # after a pause the answers may lie in our buffers: let the loop read once before anything expires
            self._seen_paused = self._recorder.paused
            self._hold_until = now + 0.001
        if now < self._hold_until:
            return self._hold_until
        if now >= self._expiry.soonest:
            for connection, blame in self._expiry.take_attempts(now):
                self._fail(connection, self._waiting.late(blame, connection.sent - connection.reached))
            self._expiry.expire_dials(now)
        soonest = min(self._expiry.soonest, self._look_after_lines(now))
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP
            self._sweep(now)
        if self._drain_until < math.inf:
            if not self.is_outstanding() and not self.waiting:
                self._done.set()
            elif now >= self._drain_until:
                self._cut(now)
            soonest = min(soonest, self._drain_until)
        self._known_soonest = min(soonest, self._next_sweep)
        self._look_at = min(self._known_soonest, now + self._look_every)
        return self._known_soonest

    def _look_after_lines(self, now: float) -> float:
        """Expire the ticks whose whole time passed in line, and let the pool grow for the others."""
        soonest = math.inf
        for lane in self._opening.lanes():
            if len(lane.line) and self._waiting.due(lane.line) <= now:
                self._waiting.expire(lane.line, now, address=lane.name)
            if len(lane.line):
                if not self._spec.fresh:
                    self._opening.fill(lane)
                soonest = min(soonest, self._waiting.due(lane.line))
        return soonest

    def _sweep(self, now: float) -> None:
        self._opening.sweep(now)
        for connection in [one for one, until in self._lingering.items() if until <= now]:
            del self._lingering[connection]
            self._opening.drop(connection)

    # ending

    def finished(self) -> None:
        """The metronome's: the last tick was handed out."""
        self._drain_until = max(self._now(), self._stop_at) + self._drain_seconds
        self._look_at = -math.inf

    def _cut(self, now: float) -> None:
        """The drain is over: what has no answer yet has none."""
        for lane in self._opening.lanes():  # first, or the failures below would open connections for them
            self._waiting.cut(lane.line)
        for connection in self._expiry.flying():
            words = "its answer had begun" if connection.reader.begun else "no byte of an answer"
            self._fail(connection, Blame(Cause.CUT, Component.HARNESS, f"in flight when the drain ended, {words}"))
        for dial in list(self._opening.bound):
            words = f"still opening its connection ({dial.stage}) when the drain ended"
            dial.expire(Blame(Cause.CUT, Component.HARNESS, words))
        self._drain_until = now + 0.01  # the dials end with the loop's next turn

    def _now(self) -> float:
        return self._clock() - self._start
