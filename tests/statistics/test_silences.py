"""Silence: from one good answer to the next while attempts were outstanding, against the raw moments of the answers."""

import math

import pytest
from hypothesis import given, settings

from harness.frames import Silence
from harness.outcome import Cause, Component
from harness.recorder import SILENCE_FROM
from harness.statistics.silences import SilenceLog, clipped, common, joined
from harness.statistics.view import View, view_of
from tests.statistics import naive
from tests.statistics.world import Death, Ending, Try, World
from tests.statistics.worlds import LATEST, RATES, spelled, worlds

CUT = Ending("outcome", Cause.CUT, Component.HARNESS)


def view(world: World) -> View:
    """The judged ticks."""
    ledger = world.ledger()
    assert ledger.judged is not None
    return view_of(ledger, "app", *ledger.judged)


def cut_out(begin: float, end: float, rows: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """What of [begin, end] lies outside the rows."""
    parts = [(begin, end)]
    for first, last in rows:
        apart = [(b, min(e, first)) for b, e in parts] + [(max(b, last), e) for b, e in parts]
        parts = [(b, e) for b, e in dict.fromkeys(apart) if b < e]
    return parts


def told(world: World) -> list[tuple[float, float]]:
    """Silences by the raw answers, from readiness on; unknown ticks in a row may have been answered well."""
    rows: list[tuple[float, float]] = []
    read = naive.reading(world)
    assert read is not None
    before = None
    for one in read.ticks:
        at = one.tick / world.rate
        if one.state == "unknown" and one.cause not in ("cut", "pool_limit"):
            rows = [*rows[:-1], (rows[-1][0], at)] if before == one.tick - 1 and rows else [*rows, (at, at)]
            before = one.tick
    ready = world.ready - world.offset
    last = read.end - world.offset
    spells = [(max(b, ready), min(e, last)) for b, e in naive.silences(world, world.entries()) if e > ready]
    return [part for spell in spells if spell[1] - spell[0] > 0 for part in cut_out(*spell, rows)]


def longest(world: World, before: float = math.inf) -> float:
    """Of those that began before that."""
    return max((end - begin for begin, end in told(world) if begin < before), default=0.0)


@given(worlds(max_shards=1, unharmed=True))
@settings(max_examples=150, deadline=None)
def test_the_longest_silence_is_that_of_the_answers(world: World) -> None:
    """Where the harness never stood still. Short ones are not told."""
    low, high = view(world).silences
    expected = longest(world)
    assert (low.seconds if low else 0.0) == pytest.approx(
        expected if expected > SILENCE_FROM else 0.0, abs=SILENCE_FROM
    )
    if expected > 2 * SILENCE_FROM:
        assert low is not None
        assert expected - LATEST - 1e-6 <= low.seconds <= expected + 1e-6
        if low.seconds < expected - 1e-6:
            return  # of two nearly alike the one that our own lateness shortens less is known for longer
        read = naive.reading(world)
        assert read is not None
        assert high == low or any(map(naive.says_nothing, world.tries)) or (high and high.end > read.end)
        spells = [
            (max(b + world.offset, world.ready), min(e + world.offset, read.end))
            for b, e in naive.known_silences(world, world.entries())
        ]
        assert any(low.begin == pytest.approx(b) and low.end == pytest.approx(e) for b, e in spells)


@given(worlds(max_shards=4, unharmed=True))
@settings(max_examples=100, deadline=None)
def test_several_shards_see_their_common_silence(world: World) -> None:
    """Never longer than it was, and short of it by one tick of the slowest shard at most: that long one of them may
    have had nothing to wait for. One that begins when a shard has sent its last tick is the others' alone."""
    low, _ = view(world).silences
    seen = low.seconds if low is not None else 0.0
    assert seen <= longest(world) + 1e-6
    spacing = world.shards / world.rate
    assert seen >= longest(world, world.until - spacing) - spacing - 2 * SILENCE_FROM


@given(worlds(max_shards=1))
@settings(max_examples=100, deadline=None)
def test_what_is_known_never_exceeds_what_may_have_been(world: World) -> None:
    """Whatever dies or pauses. Pauses and late starts are taken off the lower reading alone."""
    ledger = world.ledger()
    if ledger.judged is None:
        return
    low, high = view_of(ledger, "app", *ledger.judged).silences
    if low is not None:
        assert high is not None
        assert 0.0 <= low.seconds_low <= high.seconds + 1e-5
        paused = sum(end - begin for begin, end in world.pauses)
        assert low.seconds_low >= low.seconds - paused - LATEST - 1e-9


def test_a_stall_that_ends_in_late_successes_is_a_silence() -> None:
    """Not one attempt fails, and yet nothing came for three seconds."""
    world = spelled("g" * 100)
    late = tuple(
        one if not 3.0 <= one.intended < 6.0 else type(one)(**{**one.__dict__, "finished": 6.0 + one.tick / 1e5})
        for one in world.tries
    )
    world = World(**{**world.__dict__, "tries": late})
    seen = view(world)
    low, _ = seen.silences
    assert seen.failed == 0
    assert low is not None
    assert (low.begin, low.end) == (pytest.approx(3.0), pytest.approx(6.0003))


@pytest.mark.parametrize("rate", RATES)
def test_nothing_outstanding_is_no_silence(rate: float) -> None:
    """The time between two slow ticks is not the target's."""
    low, high = view(spelled("g" * 20, rate)).silences
    assert low is None
    assert high is None


def test_a_pause_of_ours_within_a_silence_is_not_held_against_the_target() -> None:
    """A frozen harness hears nothing; what of it is left is the lower reading."""
    world = spelled("g" * 40)
    pause = (1.05, 2.65)
    tries = []
    for one in world.tries:
        moved = {
            "reached": pause[1] if pause[0] <= one.reached < pause[1] else one.reached,
            "finished": pause[1] + 0.001 + one.tick / 1e5 if pause[0] <= one.finished < 2.7 else one.finished,
        }
        tries.append(type(one)(**{**one.__dict__, **moved}))
    world = World(**{**world.__dict__, "tries": tuple(tries), "pauses": (pause,)})
    low, high = view(world).silences
    assert high is not None
    assert high.seconds == pytest.approx(1.6, abs=0.1)
    assert low is None or low.seconds_low < 0.1


def test_what_nobody_watched_may_have_been_silent() -> None:
    """The worker died at 3 s and had no successor: nothing says that the target answered until the end."""
    world = spelled("g" * 60)
    death = Death(shard=0, at=3.003, noted=3.1, resumed=60, successor=False)
    low, high = view(World(**{**world.__dict__, "deaths": (death,)})).silences
    assert low is None or low.seconds < 0.3
    assert high is not None
    assert (high.begin, high.end) == (pytest.approx(3.0, abs=0.3), pytest.approx(6.0, abs=0.01))


def test_a_shard_that_ended_early_ends_no_silence_of_the_others() -> None:
    """One worker's attempts were refused at once, so that it could end at the stop; the other's waited for three
    seconds more."""
    world = spelled("g" * 20 + "b" * 20, shards=2)
    tries = tuple(
        Try(**{**one.__dict__, "finished": 7.0, "ending": CUT}) if one.tick >= 20 and one.tick % 2 else one
        for one in world.tries
    )
    low, high = view(World(**{**world.__dict__, "tries": tries, "cut_at": 7.0})).silences
    assert low is not None
    assert high is not None
    assert (low.begin, low.end) == (pytest.approx(2.1), pytest.approx(4.0))
    assert (high.begin, high.end) == (pytest.approx(2.1), pytest.approx(7.0, abs=0.01))


def test_a_silence_is_known_until_the_last_tick_and_possible_until_the_drain_is_over() -> None:
    """Afterwards nothing was sent that could have been answered: one slow attempt must not make a silence."""
    world = spelled("g" * 30 + "b" * 30)
    low, high = view(world).silences
    assert low is not None
    assert (low.begin, low.end) == (pytest.approx(3.0), pytest.approx(6.0))
    tries = tuple(
        Try(**{**one.__dict__, "finished": 9.0, "ending": CUT}) if one.tick >= 58 else one for one in world.tries
    )
    low, high = view(World(**{**world.__dict__, "tries": tries, "cut_at": 9.0})).silences
    assert low is not None
    assert high is not None
    assert (low.end, high.end) == (pytest.approx(6.0), pytest.approx(9.0, abs=0.01))


def test_thousands_of_silences_keep_the_longest() -> None:
    """Memory stays bounded; the longest of those that were dropped is remembered."""
    log = SilenceLog()
    for index in range(20_000):
        log.add(Silence(index * 10.0, index * 10.0 + 0.1 + (index * 7919 % 20_000) / 5000, 0.0))
    assert len(log) < 5000
    lengths = sorted((end - begin for begin, end, _ in log), reverse=True)
    assert lengths[0] == pytest.approx(4.0998, abs=1e-6)
    every = sorted((0.1 + n / 5000 for n in range(20_000)), reverse=True)
    assert lengths[:1000] == pytest.approx(every[:1000], abs=1e-6)
    assert log.dropped <= lengths[999] + 1e-9
    assert log.dropped >= every[len(log)] - 1e-6


def test_spells_clip_join_and_meet() -> None:
    """Two that only touch have a good answer between them, and stay two."""
    assert clipped([(0.0, 5.0, 2.0), (6.0, 7.0, 0.0), (9.0, 9.5, 0.0)], 4.0, 6.5) == [(4.0, 5.0, 1.0), (6.0, 6.5, 0.0)]
    assert joined([(0.0, 1.0, 0.0), (1.0, 2.0, 0.0), (1.5, 3.0, 0.25)]) == [(0.0, 1.0, 0.0), (1.0, 3.0, 0.25)]
    first, second = [(0.0, 4.0, 0.0), (5.0, 9.0, 1.0)], [(1.0, 2.0, 0.0), (3.0, 6.0, 0.5)]
    assert common([first, second]) == [(1.0, 2.0, 0.0), (3.0, 4.0, 0.5), (5.0, 6.0, 1.0)]
