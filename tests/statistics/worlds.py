"""Random worlds: bursts of good, slow, bad and unknown ticks, pauses of the harness, deaths, and an abrupt end."""

from random import Random

from hypothesis import strategies as st

from harness.events import Marked
from harness.outcome import Cause, Component
from harness.schedule import Schedule
from tests.statistics.world import Death, Ending, Try, World, shuffled_moments

BEHAVIOURS: dict[str, Ending] = {
    "good": Ending("answer"),
    "slow": Ending("answer"),
    "degraded": Ending("outcome", Cause.DEGRADED, Component.CLOUD_CONTROLLER),
    "refused": Ending("outcome", Cause.CONNECT_REFUSED, Component.LOAD_BALANCER),
    "router": Ending("outcome", Cause.ROUTER, Component.ROUTER),
    "app": Ending("outcome", Cause.STATUS_5XX, Component.APP),
    "reset": Ending("outcome", Cause.RESET, Component.APP),
    "timeout": Ending("outcome", Cause.FIRST_BYTE_TIMEOUT, Component.TARGET),
    "stalled": Ending("unsent", Cause.STALLED, Component.TARGET),
    "pool": Ending("unsent", Cause.POOL_LIMIT, Component.HARNESS),
    "tainted": Ending("outcome", Cause.TAINTED, Component.HARNESS),
    "ports": Ending("outcome", Cause.LOCAL_PORTS, Component.HARNESS),
    "missed": Ending("missed", Cause.MISSED, Component.HARNESS),
}
_LATENCIES = {
    "good": (0.001, 0.08),
    "slow": (0.2, 2.5),
    "degraded": (0.005, 0.3),
    "refused": (0.0005, 0.01),
    "timeout": (1.0, 1.0),
    "stalled": (1.5, 1.5),
    "pool": (0.5, 0.5),
}
_DRAIN = 1.0
LATEST = 0.003  # seconds that the loop comes to a tick late, but for pauses and restarts
RATES = (2.0, 3.0, 7.0, 10.0, 23.0)


@st.composite
def segments(draw: st.DrawFn, ticks: int) -> list[str]:
    """What the ticks come to, in bursts; mostly good."""
    names = st.sampled_from(["good", "good", "good", *BEHAVIOURS])
    found: list[str] = []
    for name, length in draw(st.lists(st.tuples(names, st.integers(1, 25)), min_size=1, max_size=12)):
        found += [name] * length
    return (found + ["good"] * ticks)[:ticks]


@st.composite
def worlds(draw: st.DrawFn, max_shards: int = 3, max_seconds: int = 14, *, unharmed: bool = False) -> World:
    """Any world; `unharmed`: no deaths, no pauses, and it ends in order."""
    rate = draw(st.sampled_from(RATES))
    shards = draw(st.integers(1, max_shards))
    offset = float(draw(st.integers(0, 2)))
    until = draw(st.integers(3, max_seconds)) + draw(st.sampled_from([0.0, 0.25, 0.731]))
    chance = Random(draw(st.integers(0, 1 << 32)))
    ticks = Schedule(rate).first_from(until)
    pauses = () if unharmed else draw(_pauses(until))
    cut_at = until + _DRAIN
    deaths = () if unharmed else draw(_deaths(rate, shards, until))
    behaviours = draw(segments(ticks))
    tries = []
    latest = [0.0] * shards
    for tick, name in enumerate(behaviours):
        death = next((one for one in deaths if one.shard == tick % shards), None)
        born = death.noted if death is not None and death.successor and tick // shards >= death.resumed else 0.0
        one = _attempt(tick, name, tick / rate, max(born, latest[tick % shards]), pauses, cut_at, chance)
        latest[tick % shards] = one.reached
        tries.append(one)
    ready = draw(st.integers(0, 2))
    world = World(
        rate=rate,
        shards=shards,
        until=until,
        tries=tuple(tries),
        frames=tuple(shuffled_moments(chance, cut_at + 0.2, 0.25) for _ in range(shards)),
        offset=offset,
        ready=offset + ready,
        ready_noted=offset + ready + round(chance.uniform(0, 0.4), 3),
        cut_at=cut_at,
        pauses=pauses,
        deaths=deaths,
        marks=draw(marks(offset, until)),
        closed=unharmed or draw(st.sampled_from([True, True, False])),
        degraded_is_good=draw(st.booleans()),
        bounds=draw(st.sampled_from([(0.01, 5.0), (0.2, 1.0), (0.0, 5.0), (1.0, 0.3)])),
    )
    if world.closed:
        return world
    entries = len(world.entries())
    return World(**{**world.__dict__, "heard": draw(st.integers(entries // 2, entries))})


def _attempt(
    tick: int, name: str, intended: float, not_before: float, pauses: tuple[tuple[float, float], ...], cut_at: float,
    chance: Random,
) -> Try:  # fmt: skip
    ending = BEHAVIOURS[name]
    reached = max(intended + chance.choice((0.0, 0.0001, 0.0004, LATEST)), not_before)
    reached = _after_pauses(reached, pauses)
    if ending.form == "missed":
        return Try(tick, intended, reached, reached, reached, ending)
    wait = chance.choice((0.0, 0.0, 0.0, 0.0123))
    low, high = _LATENCIES.get(name, (0.001, 0.4))
    finished = _after_pauses(max(intended, reached) + wait + round(chance.uniform(low, high), 6), pauses)
    finished = max(finished, reached + 0.000_1)
    if finished > cut_at:
        ending = Ending("unsent" if ending.form == "unsent" else "outcome", Cause.CUT, Component.HARNESS)
        finished = max(cut_at, reached + 0.000_1)
    sent = min(finished, reached + wait)
    paused = sum(end - begin for begin, end in pauses if reached < end <= finished)
    return Try(tick, intended, reached, sent, finished, ending, paused)


def _after_pauses(at: float, pauses: tuple[tuple[float, float], ...]) -> float:
    """What falls into a pause happens at its end."""
    return next((end for begin, end in pauses if begin <= at < end), at)


@st.composite
def _pauses(draw: st.DrawFn, until: float) -> tuple[tuple[float, float], ...]:
    begins = draw(st.lists(st.integers(1, max(1, int(until) - 1)), max_size=2, unique=True))
    return tuple((begin + 0.1, begin + 0.1 + draw(st.sampled_from([0.03, 0.2, 0.6]))) for begin in sorted(begins))


@st.composite
def _deaths(draw: st.DrawFn, rate: float, shards: int, until: float) -> tuple[Death, ...]:
    found = []
    for shard in range(shards):
        if draw(st.integers(0, 3)) != 3:
            continue
        at = draw(st.integers(0, int(until * 100))) / 100 + 0.003
        noted = at + draw(st.sampled_from([0.01, 0.3, 1.2]))
        schedule = Schedule(rate, shard, shards)
        successor = noted < until and draw(st.booleans())
        resumed = schedule.count_until(noted) if successor else schedule.first_from(until)
        found.append(Death(shard, at, noted, resumed, successor))
    return tuple(found)


@st.composite
def marks(draw: st.DrawFn, begin: float, until: float) -> tuple[Marked, ...]:
    """Begins, ends and moments of three steps, in order of time."""
    kinds = st.tuples(
        st.integers(0, int(until * 10)),
        st.sampled_from(["router", "cell", "api"]),
        st.sampled_from(["begin", "end", ""]),
    )
    found = sorted(draw(st.lists(kinds, max_size=8)), key=lambda one: one[0])
    return tuple(Marked(at=begin + tenths / 10, name=name, edge=edge) for tenths, name, edge in found)


LETTERS = {"g": "good", "d": "degraded", "b": "refused", "r": "router", "a": "app", "u": "missed", "t": "tainted"}


def spelled(letters: str, rate: float = 10.0, shards: int = 1, latency: float = 0.02) -> World:
    """A world whose ticks are told by letters, every attempt as quick as the other, judged from its start to its
    last tick."""
    tries = []
    for tick, letter in enumerate(letters):
        at, ending = tick / rate, BEHAVIOURS[LETTERS[letter]]
        tries.append(Try(tick, at, at, at, at if ending.form == "missed" else at + latency, ending))
    until = len(letters) / rate
    moments = tuple(quarter / 4 for quarter in range(1, int(until * 4) + 5))
    return World(rate=rate, shards=shards, until=until, tries=tuple(tries), frames=(moments,) * shards)
