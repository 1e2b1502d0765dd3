"""What came of every tick, by second, by cause and as outages: the fold of frames against the raw outcomes."""

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.frames import Frame
from harness.statistics.kinds import UNKNOWN, cause_of, component_of
from harness.statistics.ledger import Ledger
from harness.statistics.outages import outages
from harness.statistics.view import View, view_of
from tests.statistics import naive
from tests.statistics.world import World, tell
from tests.statistics.worlds import spelled, worlds


def view(world: World, ledger: Ledger) -> View | None:
    """The judged ticks, as the judge sees them."""
    judged = ledger.judged
    return None if judged is None else view_of(ledger, "app", *judged)


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_every_tick_is_what_it_was(world: World) -> None:
    """Tick by tick: state, cause and component; for deaths, pauses, several shards and an abrupt end."""
    seen, read = view(world, world.ledger()), naive.reading(world)
    if seen is None or read is None:
        assert (seen, read) == (None, None)
        return
    assert (seen.axis.begin, seen.axis.end) == (read.begin, read.end)
    told = {}
    for first, last, kind, _ in seen.all_stretches:
        for tick in range(first, last + 1):
            assert tick not in told
            told[tick] = (str(cause_of(kind)), str(component_of(kind)))
    assert list(range(seen.axis.first, seen.axis.stop)) == [one.tick for one in read.ticks]
    assert told == {one.tick: (one.cause, one.component) for one in read.ticks if one.cause}


@given(worlds())
@settings(max_examples=100, deadline=None)
def test_counts_in_all_and_by_second(world: World) -> None:
    """Succeeded, failed, degraded, unknown by cause; and each second's good, bad and unknown ones."""
    seen, read = view(world, world.ledger()), naive.reading(world)
    if seen is None or read is None:
        return
    kinds = naive.states(read)
    assert (seen.succeeded, seen.failed) == (kinds.count("good"), kinds.count("bad"))
    assert seen.planned == len(kinds)
    assert seen.unknown == Counter(one.cause for one in read.ticks if one.state == "unknown")
    assert seen.degraded == sum(one.cause == "degraded" for one in read.ticks)
    counts = seen.counts(seen.stretches)
    for state, by_second in (("good", counts.good), ("bad", counts.bad), ("unknown", counts.unknown)):
        expected = Counter(
            int(one.at - read.begin + 1e-9) for one, kind in zip(read.ticks, kinds, strict=True) if kind == state
        )
        assert {second: n for second, n in enumerate(by_second) if n} == expected, state


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_outages_are_those_of_the_raw_ticks(world: World) -> None:
    """Start, end, length and both bounds, failures and causes."""
    seen, read = view(world, world.ledger()), naive.reading(world)
    if seen is None or read is None:
        return
    found = outages(seen.axis, seen.stretches)
    expected = naive.outages(read)
    assert len(found) == len(expected)
    for spell, outage in zip(found, expected, strict=True):
        assert abs(spell.start - outage.start) < 1e-9
        assert (spell.end is None) == (outage.end is None)
        assert abs((spell.end or 0.0) - (outage.end or 0.0)) < 1e-9
        assert abs(spell.seconds - outage.seconds) < 1e-9
        assert abs(spell.low - outage.low) < 1e-9
        assert abs(spell.high - outage.high) < 1e-9
        assert spell.failures == outage.failures
        causes: Counter[str] = Counter()
        for first, last, kind, _ in spell.parts:
            if kind not in UNKNOWN:
                causes[str(cause_of(kind))] += last - first + 1
        assert causes == outage.causes


@given(st.integers(0, 20), st.integers(1, 40), st.integers(1, 20), st.sampled_from([2.0, 7.0, 10.0, 333.0]))
def test_n_bad_ticks_mean_between_n_less_one_and_n_more_one_spacings(
    before: int, n: int, after: int, rate: float
) -> None:
    """Whatever moments within a spacing the fault began and ended at; unknown ticks beside it may belong to it."""
    world = spelled("g" * (before + 1) + "b" * n + "g" * after, rate)
    seen = view(world, world.ledger())
    assert seen is not None
    (spell,) = outages(seen.axis, seen.stretches)
    assert abs(spell.low - (n - 1) / rate) < 1e-9
    assert abs(spell.high - (n + 1) / rate) < 1e-9
    assert abs(spell.seconds - n / rate) < 1e-9


@given(worlds(unharmed=True), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_what_is_heard_twice_counts_once(world: World, chance: Random) -> None:
    """A frame that was heard before changes nothing, whenever it comes again."""
    entries = world.entries()
    doubled = []
    frames = []
    for said in entries:
        doubled.append(said)
        if isinstance(said.entry, Frame):
            frames.append(said)
        if frames and chance.random() < 0.3:
            doubled.append(chance.choice(frames))
    ledger = Ledger(world.brief)
    tell(ledger, doubled)
    once, twice = view(world, world.ledger()), view(world, ledger)
    assert once is not None
    assert twice is not None
    assert twice.all_stretches == once.all_stretches
    assert twice.latency == once.latency
    assert twice.silences == once.silences
    assert ledger.problems == []
    assert ledger.runners["app"].good_told == ledger.runners["app"].good_by_ticks()


@given(worlds(unharmed=True))
@settings(max_examples=60, deadline=None)
def test_frames_may_be_few_or_many(world: World) -> None:
    """A worker whose pipe was full all the time says the same in one frame as others in many."""
    few = World(**{**world.__dict__, "frames": ((),) * world.shards})
    one, other = view(world, world.ledger()), view(few, few.ledger())
    assert one is not None
    assert other is not None
    assert other.all_stretches == one.all_stretches
    assert other.latency == one.latency
    assert other.latency_low == one.latency_low


@given(worlds(), st.data())
@settings(max_examples=80, deadline=None)
def test_live_outages_are_those_of_what_was_heard(world: World, data: st.DataObject) -> None:
    """At any moment, the outages among the ticks up to the newest settled one; the first from its very beginning."""
    entries = world.entries()
    heard = World(**{**world.__dict__, "heard": data.draw(st.integers(0, len(entries))), "closed": False})
    ledger = heard.ledger()
    since = data.draw(st.sampled_from([None, 0.0, 3.0]))
    found = ledger.outages("app", since)
    known = naive.known(heard, heard.entries())
    newest = naive.newest_settled(heard, heard.entries())
    floor = heard.ready if ledger.ready is not None else 0.0
    judged = [one for one in known if one.at >= floor and one.tick <= newest]
    if not world.degraded_is_good:
        judged = [replace(one, state="bad") if one.state == "degraded" else one for one in judged]
    expected = naive.outages(naive.Reading(judged, floor, floor, 1 / world.rate))
    begin = floor if since is None else max(floor, min(since, ledger.heard_at))
    expected = [one for one in expected if one.last_bad >= begin - 1e-9]
    assert [(spell.failures, spell.end is None) for spell in found] == [(o.failures, o.end is None) for o in expected]
    assert all(abs(spell.start - o.start) < 1e-9 for spell, o in zip(found, expected, strict=True))


@given(worlds())
@settings(max_examples=80, deadline=None)
def test_live_tallies_count_what_was_told(world: World) -> None:
    """Second by second; ticks that are still open are not counted yet."""
    ledger, entries = world.ledger(), world.entries()
    if ledger.ready is None:
        return
    told = naive.told(world, entries)
    for second in range(int(world.until) + 1):
        begin = world.ready + second
        tally = ledger.tally("app", begin, begin + 1)
        here = [one for one in told if begin <= one.at + 1e-9 < begin + 1]
        if not world.degraded_is_good:
            here = [replace(one, state="bad") if one.state == "degraded" else one for one in here]
        states = Counter("good" if one.state == "degraded" else one.state for one in here)
        assert (tally.good, tally.bad, tally.unknown) == (states["good"], states["bad"], states["unknown"])
        assert tally.causes == Counter(one.cause for one in here if one.cause)
