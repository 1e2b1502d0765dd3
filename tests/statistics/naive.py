"""A world read in the most naive way: loops over all ticks, sorted lists, no code of the statistics.

This is what the fold and the judge must come to.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from harness.events import Anchored, Closed, Ready, StopRequested, WorkerDied
from harness.frames import Bye, Frame, Hello
from harness.outcome import Cause, Component
from tests.statistics.world import Said, Try, World, steps

OURS = ("missed", "cut", "lost", "tainted", "pool_limit", "local_ports", "local_files", "internal")


@dataclass(frozen=True)
class Known:
    """What is known of one tick. Times on the run's axis; latencies of good ones in whole µs."""

    tick: int
    at: float
    state: str  # good | degraded | bad | unknown
    cause: str = ""
    component: str = ""
    upper: int = 0
    lower: int = 0


@dataclass(frozen=True)
class Reading:
    """The judged ticks [begin, end), in order."""

    ticks: list[Known]
    begin: float
    end: float
    spacing: float


def known(world: World, entries: Sequence[Said]) -> list[Known]:
    """Every tick that was due, by what had been heard. What nobody told of is lost."""
    newest = _newest_frames(entries)
    return [_known(world, one) if _was_told(world, one, newest) else _lost(world, one) for one in world.tries]


def told(world: World, entries: Sequence[Said]) -> list[Known]:
    """The ticks whose end was told, and those that a noted death cost."""
    newest = _newest_frames(entries)
    dead = {said.shard: said.entry.lost_until for said in entries if isinstance(said.entry, WorkerDied)}
    result = []
    for one in world.tries:
        if _was_told(world, one, newest):
            result.append(_known(world, one))
        elif one.tick // world.shards < dead.get(one.tick % world.shards, 0):
            result.append(_lost(world, one))
    return result


def newest_settled(world: World, entries: Sequence[Said]) -> int:
    """The highest tick whose end is known; -1: none."""
    return max((one.tick for one in told(world, entries)), default=-1)


def _newest_frames(entries: Sequence[Said]) -> dict[tuple[int, int], float]:
    return {(said.shard, said.incarnation): said.entry.at for said in entries if isinstance(said.entry, Frame)}


def _was_told(world: World, one: Try, newest: dict[tuple[int, int], float]) -> bool:
    shard, ordinal = one.tick % world.shards, one.tick // world.shards
    death = next((d for d in world.deaths if d.shard == shard), None)
    incarnation = 1 if death is not None and death.successor and ordinal >= death.resumed else 0
    return newest.get((shard, incarnation), -1.0) >= one.finished


def _known(world: World, one: Try) -> Known:
    at = one.tick / world.rate + world.offset
    cause = one.ending.cause
    upper = int((one.finished - one.intended) * 1e6)
    lower = max(0, int((one.finished - one.reached - one.paused) * 1e6))
    if cause is None:
        return Known(one.tick, at, "good", upper=upper, lower=lower)
    component = str(one.ending.component)
    if cause is Cause.DEGRADED:
        return Known(one.tick, at, "degraded", str(cause), component, upper, lower)
    return Known(one.tick, at, "unknown" if str(cause) in OURS else "bad", str(cause), component)


def _lost(world: World, one: Try) -> Known:
    at = one.tick / world.rate + world.offset
    return Known(one.tick, at, "unknown", str(Cause.LOST), str(Component.HARNESS))


def heard_at(world: World, entries: Sequence[Said]) -> float:
    """The newest evidence, on the run's axis."""
    at = 0.0
    for said in entries:
        match said.entry:
            case Frame():
                at = max(at, said.entry.at + world.offset)
            case Hello() | Bye() | Anchored() | Closed():
                pass
            case event:
                at = max(at, event.at)
    return at


def reading(world: World) -> Reading | None:
    """The judged ticks; None if the run is not known to have been ready."""
    entries = world.entries()
    if not any(isinstance(said.entry, Ready) for said in entries):
        return None
    end = heard_at(world, entries)
    for said in entries:
        if isinstance(said.entry, StopRequested):
            end = said.entry.until if world.closed else min(end, said.entry.until)
    end = max(world.ready, end)
    judged = [
        one for one in known(world, entries) if world.ready - world.offset <= one.tick / world.rate < end - world.offset
    ]
    if not world.degraded_is_good:
        judged = [replace(one, state="bad") if one.state == "degraded" else one for one in judged]
    return Reading(judged, world.ready, end, 1 / world.rate)


def states(read: Reading) -> list[str]:
    """Good, bad or unknown, tick by tick."""
    return ["good" if one.state == "degraded" else one.state for one in read.ticks]


# Outages


@dataclass(frozen=True)
class Outage:
    """Ticks `first` … `last` are its first and last bad one; `before` and `after` the good ones around (None: the edge
    of the judged time)."""

    start: float
    end: float | None
    seconds: float
    low: float
    high: float
    last_bad: float
    failures: int
    causes: dict[str, int]
    components: dict[str, int]


def outages(read: Reading) -> list[Outage]:
    """Walk from each good tick to the next."""
    ticks, kinds = read.ticks, states(read)
    found = []
    i = 0
    while i < len(ticks):
        if kinds[i] == "good":
            i += 1
            continue
        j = i
        while j < len(ticks) and kinds[j] != "good":
            j += 1
        bad = [k for k in range(i, j) if kinds[k] == "bad"]
        if bad:
            before = ticks[i - 1].at if i > 0 else read.begin
            after = ticks[j].at if j < len(ticks) else read.end
            longest = 0.0
            for k in bad:  # the longest run of bad ticks alone, from its first to its last
                if k == i or kinds[k - 1] != "bad":
                    m = k
                    while m + 1 < j and kinds[m + 1] == "bad":
                        m += 1
                    longest = max(longest, ticks[m].at - ticks[k].at)
            found.append(
                Outage(
                    start=ticks[bad[0]].at,
                    end=None if j == len(ticks) else after,
                    seconds=after - ticks[bad[0]].at,
                    low=longest,
                    high=after - before,
                    last_bad=ticks[bad[-1]].at,
                    failures=len(bad),
                    causes=dict(Counter(ticks[k].cause for k in bad)),
                    components=dict(Counter(ticks[k].component for k in bad)),
                )
            )
        i = j
    return found


def blind(read: Reading, share: float, stretch: float) -> set[int]:
    """Positions of the unknown ticks that are set aside."""
    kinds = states(read)
    aside: set[int] = set()
    i = 0
    while i < len(kinds):
        if kinds[i] == "good":
            i += 1
            continue
        j = i
        while j < len(kinds) and kinds[j] != "good":
            j += 1
        between_good = i > 0 and j < len(kinds) and all(kind == "unknown" for kind in kinds[i:j])
        between_good = between_good and not any(waited(one) for one in read.ticks[i:j])
        if between_good and (j - i) * read.spacing <= stretch + 1e-9:
            aside |= set(range(i, j))
        i = j
    return aside if len(aside) * read.spacing <= share * (read.end - read.begin) + 1e-9 else set()


def waited(one: Known) -> bool:
    """Unknown, but the target was asked, or would have been."""
    return one.cause in (str(Cause.CUT), str(Cause.POOL_LIMIT))


def open_end(read: Reading) -> bool:
    """Nobody saw the end of what the last tick may have been a part of."""
    return bool(read.ticks) and (states(read)[-1] == "bad" or waited(read.ticks[-1]))


# Indicators of ticks that are all good or bad


def longest_outage(read: Reading, kinds: Sequence[str]) -> float:
    """From the good tick before to the good tick after."""
    return max((high for _, high in _gaps(read, kinds)), default=0.0)


def total_outage(read: Reading, kinds: Sequence[str]) -> float:
    """All of them together."""
    return sum(high for _, high in _gaps(read, kinds))


def outage_count(read: Reading, kinds: Sequence[str]) -> int:
    """How many."""
    return len(_gaps(read, kinds))


def _gaps(read: Reading, kinds: Sequence[str]) -> list[tuple[float, float]]:
    gaps = []
    before, inside = read.begin, False
    for one, kind in zip(read.ticks, kinds, strict=True):
        if kind == "bad":
            inside = True
            continue
        if inside:
            gaps.append((before, one.at - before))
        before, inside = one.at, False
    if inside:
        gaps.append((before, read.end - before))
    return gaps


def percentile(values: Iterable[float], q: float) -> float | None:
    """Nearest rank: the smallest value that at least a share q of all values don't exceed."""
    ordered = sorted(values)
    if not ordered:
        return None
    for index, value in enumerate(ordered, 1):
        if index >= q * len(ordered) - 1e-6:
            return value
    return math.inf


def silences(world: World, entries: Sequence[Said]) -> list[tuple[float, float]]:
    """Times between two good answers while attempts were outstanding, of all shards together, in the worker's time.
    Only for worlds in which no worker dies."""
    found = []
    open_: set[int] = set()
    since: float | None = None
    latest = 0.0  # good answer
    by_tick = {one.tick: one for one in world.tries}
    for step in steps(world, world.tries):
        if step.what == "pause" or by_tick[step.tick].ending.form == "missed":
            continue
        if step.what == "reach":
            open_.add(step.tick)
            if since is None:
                since = max(by_tick[step.tick].intended, latest)
            continue
        open_.discard(step.tick)
        if by_tick[step.tick].ending.cause in (None, Cause.DEGRADED):
            if since is not None:
                found.append((since, step.at))
            since, latest = step.at if open_ else None, step.at
    if since is not None:
        newest = [said.entry.at for said in entries if isinstance(said.entry, Frame)]
        found.append((since, max(newest, default=since)))
    return found


def known_silences(world: World, entries: Sequence[Said]) -> list[tuple[float, float]]:
    """What of them remains if the ticks that say nothing of the target had been answered: not between two of them in a
    row, and from one of them on anew."""
    found = []
    for begin, end in silences(world, entries):
        edges = [(one.intended, one.tick) for one in world.tries if says_nothing(one) and begin <= one.intended < end]
        moments = [(begin, -2), *sorted(edges), (end, -2)]
        for (since, before), (until, after) in pairwise(moments):
            if after != before + 1 and until > since:
                found.append((since, until))
    return found


def says_nothing(one: Try) -> bool:
    """Unknown, and not for waiting for the target."""
    return one.ending.cause in OURS and one.ending.cause not in (Cause.CUT, Cause.POOL_LIMIT)


def phases(world: World) -> list[tuple[str, float, float]]:
    """Name, begin and end of each phase: an end belongs to the newest begin of its name that is still open."""
    found: list[tuple[str, float, float]] = []
    for index, mark in enumerate(world.marks):
        if mark.edge != "begin":
            continue
        depth, end = 1, math.inf
        for later in world.marks[index + 1 :]:
            if later.name == mark.name and later.edge:
                depth += 1 if later.edge == "begin" else -1
                if depth == 0:
                    end = later.at
                    break
        found.append((mark.name, mark.at, end))
    return found
