"""The usual request, out and back: an idle connection when its tick comes, and the last good answer once more.

Nearly all of a run is this, 100,000 times a second, so it is written for speed: two closures, whose names are bound
once, which count in the recorder's lists themselves. Whatever is not usual they leave to the engine, untouched. Times
are seconds after the start.
"""

from collections.abc import Callable
from math import floor
from typing import NamedTuple, Protocol

from harness.engine.connection import Connection
from harness.engine.deadlines import Deadlines
from harness.engine.metronome import PAUSE
from harness.engine.pool import Pool
from harness.recorder import DIRECT, SILENCE_FROM, Recorder
from harness.schedule import Schedule

REMEMBERED = 8192  # bytes of an answer that a connection keeps to know the next one by


class Otherwise(Protocol):
    """Who does what is not usual."""

    def tick_otherwise(self, ordinal: int, intended: float, now: float) -> None:
        """A tick that has been recorded as reached, and no idle connection for it."""

    def serve(self, connection: Connection, now: float) -> None:
        """A connection is free, and its lane has ticks in line or is retired."""

    def is_outstanding(self) -> bool:
        """Some attempt waits for its answer."""

    def notice_pause(self, now: float) -> None:
        """The loop may have stood still."""


class UsualPath(NamedTuple):
    """What the metronome and the connections call."""

    tick: Callable[[int, float], None]
    answered: Callable[[Connection, float], bool]
    """An answer equal to `connection.usual`; False: it has to be read like any other."""


def usual_path(
    schedule: Schedule,
    *,
    total: float,
    request: bytes,
    recorder: Recorder,
    pool: Pool,
    deadlines: Deadlines[Connection],
    otherwise: Otherwise,
) -> UsualPath:
    """For connections that are kept, and whose attempts have no deadline but the total."""
    rate, shard, shards = schedule
    in_flight = deadlines.entries
    tick_otherwise, serve = otherwise.tick_otherwise, otherwise.serve
    is_outstanding, notice_pause = otherwise.is_outstanding, otherwise.notice_pause

    def tick(ordinal: int, now: float) -> None:
        intended = (shard + ordinal * shards) / rate
        tally = recorder.tally
        if not tally.begin <= intended < tally.end:
            tally = recorder.turn_to(int(intended))
        value = floor((now - intended) * 1e6)
        if 0 <= value < DIRECT:
            tally.lag.direct[value] += 1
        else:
            tally.lag.add(value)
        if recorder.quiet_since is None:
            recorder.begin_silence(intended, now)
        lanes = pool.lanes
        if lanes:
            idle = lanes[ordinal % len(lanes)].idle
            if idle:
                connection = idle.popleft()
                if now < connection.idle_until:
                    connection.was_idle = True
                    connection.ordinal = ordinal
                    connection.intended = intended
                    connection.reached = connection.sent = now
                    connection.paused_before = recorder.paused
                    in_flight[connection] = due = now + total
                    if due < deadlines.soonest:
                        deadlines.soonest = due
                    connection.write(request)
                    return
                idle.appendleft(connection)
        tick_otherwise(ordinal, intended, now)

    def answered(connection: Connection, now: float) -> bool:
        intended = connection.intended
        sent = connection.sent
        if now - sent > PAUSE:  # after a pause of ours an answer may be read before the timer tells of it
            notice_pause(now)
        if recorder.paused != connection.paused_before or now - intended > total or connection.closing:
            return False
        try:
            del in_flight[connection]
        except KeyError:
            return False
        connection.ordinal = -1
        lane = connection.lane
        if sent == connection.reached:
            tally = recorder.tally
            if not tally.begin <= intended < tally.end:
                tally = recorder.turn_to(int(intended))
            tally.kept += 1
            value = floor((now - intended) * 1e6)
            counts = tally.latency[lane.name]
            if value < DIRECT:
                counts.direct[value] += 1
            else:
                counts.add(value)
            value = floor((now - sent) * 1e6)
            if value < DIRECT:
                tally.alike.direct[value] += 1
            else:
                tally.alike.add(value)
            since = recorder.quiet_since
            if since is not None and now - since > SILENCE_FROM:
                recorder.end_silence(now)
            if in_flight or is_outstanding():
                recorder.quiet_since = now
                recorder.quiet_paused = recorder.paused
            else:
                recorder.quiet_since = None
            recorder.last_good = now
        else:
            recorder.count("kept")
            status = recorder.usual_status
            outstanding = is_outstanding()
            recorder.good(intended, connection.reached, sent, now, now, 0.0, status, lane.name, outstanding)
        if lane.line.length or lane.retired:
            serve(connection, now)
        else:
            connection.idle_until = now + connection.idle_limit
            lane.idle.append(connection)
        return True

    return UsualPath(tick, answered)
