"""Runs in arrays, sealed seconds, and the sweep over shards: each against a plain dictionary of ticks."""

import pickle
import subprocess
import sys
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.frames import Address, Second, merge_second
from harness.histogram import index_of, merge_into
from harness.outcome import Cause, Component
from harness.statistics.kinds import GOOD, UNKNOWN, cause_of, component_of, kind_of
from harness.statistics.outages import (
    Axis,
    by_cause,
    gaps_joined,
    gaps_with_unknown_bad,
    gaps_with_unknown_good,
    ticks_in,
)
from harness.statistics.runlog import RunLog
from harness.statistics.seconds import OPEN_FOR, SecondLog
from harness.statistics.sweep import Stretch, ordinals_of, sweep

KINDS = (
    kind_of(Cause.RESET, Component.APP),
    kind_of(Cause.ROUTER, Component.ROUTER),
    kind_of(Cause.MISSED, Component.HARNESS),
    kind_of(Cause.POOL_LIMIT, Component.HARNESS),
)


def test_every_cause_and_component_has_a_number_of_its_own() -> None:
    """And finds back from it; all of ours, and no other, are unknown."""
    found = {kind_of(cause, component): (cause, component) for cause in Cause for component in Component}
    assert len(found) == len(Cause) * len(Component)
    assert GOOD not in found
    assert all((cause_of(kind), component_of(kind)) == pair for kind, pair in found.items())
    throttled = kind_of(Cause.THROTTLED, Component.HARNESS)  # too many requests to an API are our mistake
    assert throttled in UNKNOWN
    assert {cause_of(kind) for kind in UNKNOWN - {throttled}} == {
        Cause.MISSED, Cause.CUT, Cause.LOST, Cause.TAINTED, Cause.POOL_LIMIT, Cause.LOCAL_PORTS, Cause.LOCAL_FILES,
        Cause.INTERNAL,
    }  # fmt: skip


@given(st.integers(0, 1 << 32), st.integers(1, 4000), st.integers(0, 300))
@settings(max_examples=40, deadline=None)
def test_a_run_log_is_a_dictionary_of_ticks(seed: int, runs: int, late: int) -> None:
    """Runs come roughly in order, some late; any stretch of them reads as the dictionary does."""
    chance = Random(seed)
    told: list[tuple[int, int, int]] = []
    position = 0
    for _ in range(runs):
        position += chance.choice((0, 0, 1, 5))
        length = chance.choice((1, 1, 2, 30))
        told.append((position, position + length - 1, chance.choice(KINDS)))
        position += length
    for _ in range(late):
        i = chance.randrange(len(told))
        j = min(len(told) - 1, i + chance.randrange(20))
        told[i], told[j] = told[j], told[i]
    log, ticks = RunLog(), {}
    for first, last, kind in told:
        log.add(first, last, kind)
        ticks.update(dict.fromkeys(range(first, last + 1), kind))
    for _ in range(5):
        begin, end = sorted((chance.randint(0, position), chance.randint(0, position + 5)))
        found = log.between(begin, end)
        read = {tick: kind for first, last, kind in found for tick in range(first, last + 1)}
        assert read == {tick: kind for tick, kind in ticks.items() if begin <= tick < end}
        assert all(
            before[1] < after[0] and not (before[1] + 1 == after[0] and before[2] == after[2])
            for before, after in pairwise(found)
        )


def test_an_endless_outage_is_one_run() -> None:
    """However many frames tell of it."""
    log = RunLog()
    for first in range(0, 500_000, 5):
        log.add(first, first + 4, KINDS[0])
    assert len(log) == 1
    assert log.between(0, 1 << 40) == [(0, 499_999, KINDS[0])]


@given(st.integers(1, 5), st.integers(0, 1 << 32), st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_a_sweep_puts_the_shards_ticks_in_order(shards: int, seed: int, first: int, length: int) -> None:
    """Shard s of K owns tick s + j K."""
    chance = Random(seed)
    ticks: dict[int, int] = {}
    kind = GOOD
    for tick in range(150):
        if chance.random() < 0.2:
            kind = chance.choice((GOOD, GOOD, *KINDS))
        if kind != GOOD:
            ticks[tick] = kind
    logs = [RunLog() for _ in range(shards)]
    for tick, of_tick in ticks.items():
        logs[tick % shards].add(tick // shards, tick // shards, of_tick)
    stop = first + length
    runs = [log.between(*ordinals_of(first, stop, shard, shards)) for shard, log in enumerate(logs)]
    found = sweep(runs, first, stop)
    read = {tick: stretch.kind for stretch in found for tick in range(stretch.first, stretch.last + 1)}
    assert read == {tick: kind for tick, kind in ticks.items() if first <= tick < stop}
    assert list(read) == sorted(read)
    assert all(a.last + 1 < b.first or a.kind != b.kind for a, b in pairwise(found))


@given(st.integers(1, 4), st.integers(0, 1 << 32), st.integers(0, 400), st.integers(0, 400), st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_too_many_stretches_become_few(shards: int, seed: int, first: int, length: int, most: int) -> None:
    """What is bad stays as it is; ticks that nobody looked at take the good ones between them in, and each is counted
    as what it was. So outages get no shorter where unknown ones are read as bad, and stay the same where as good."""
    chance = Random(seed)
    logs = [RunLog() for _ in range(shards)]
    for log in logs:
        weights = [chance.choice((0, 0, 1, 8)) for _ in KINDS]
        ordinal = chance.randrange(5)
        while ordinal < 200:
            last = ordinal + chance.choice((0, 0, 1, 5, 20))
            log.add(ordinal, last, chance.choices(KINDS, [weight + 0.1 for weight in weights])[0])
            ordinal = last + 1 + chance.choice((0, 1, 1, 3, 20))
    stop = first + length
    runs = [log.between(*ordinals_of(first, stop, shard, shards)) for shard, log in enumerate(logs)]
    exact, few = sweep(runs, first, stop, most=1 << 40), sweep(runs, first, stop, most=most)
    assert by_cause(few) == by_cause(exact)
    assert all(a.last < b.first for a, b in pairwise(few))
    assert all(first <= stretch.first <= stretch.last < stop for stretch in few)
    kinds = {tick: stretch.kind for stretch in few for tick in range(stretch.first, stretch.last + 1)}
    truth = {tick: stretch.kind for stretch in exact for tick in range(stretch.first, stretch.last + 1)}
    assert kinds.keys() >= truth.keys()
    assert all(kinds[tick] == kind for tick, kind in truth.items() if kind not in UNKNOWN)
    assert all(kind in UNKNOWN for tick, kind in kinds.items() if truth.get(tick) != kind)
    axis = Axis(rate=10, first=first, stop=stop, begin=first / 10, end=stop / 10)
    assert gaps_with_unknown_good(axis, few) == gaps_with_unknown_good(axis, exact)
    assert len(gaps_joined(axis, few)) <= len(gaps_joined(axis, exact))
    longest = [max((gap.seconds for gap in gaps_with_unknown_bad(axis, found)), default=0.0) for found in (few, exact)]
    assert longest[0] >= longest[1]


@given(st.integers(0, 100), st.integers(1, 300), st.integers(0, 300), st.lists(st.integers(0, 300), max_size=5))
def test_the_parts_of_a_stretch_are_all_of_it(first: int, length: int, good: int, cuts: list[int]) -> None:
    """Wherever it is cut, and however many good ticks are among them."""
    stretch = Stretch(first, first + length - 1, KINDS[2], min(good, length - 1))
    edges = sorted({0, length, *(cut for cut in cuts if cut < length)})
    parts = [stretch.within(first + begin, first + end - 1) for begin, end in pairwise(edges)]
    assert sum(parts) == stretch.ticks
    assert all(0 <= part <= end - begin for part, (begin, end) in zip(parts, pairwise(edges), strict=True))


@pytest.mark.parametrize("shards", [1, 2, 8])
def test_ten_times_too_much_for_a_while_is_a_handful_of_stretches(shards: int) -> None:
    """Each shard sends a burst and misses the rest or lets it wait, over and over, out of step with the others."""
    chance = Random(shards)
    runs = []
    for _ in range(shards):
        ordinal, of_shard = chance.randrange(1000), []
        while ordinal < 400_000:
            missed = chance.randint(300, 900)
            of_shard.append((ordinal, ordinal + missed - 1, KINDS[2]))
            ordinal += missed + chance.randint(20, 100)
            if chance.random() < 0.01:
                of_shard.append((ordinal, ordinal + 9_999, KINDS[3]))
                ordinal += 10_000
        runs.append(of_shard)
    stop = (max(of_shard[-1][1] for of_shard in runs) + 1) * shards
    found = sweep(runs, 0, stop, most=100)
    assert len(found) < 3_000
    assert ticks_in(found) == sum(last - first + 1 for of_shard in runs for first, last, _ in of_shard)


def delta(chance: Random) -> Second:
    """What a frame may tell of one second."""
    second = Second(sent=10, good=9, causes={Cause.RESET: 1}, statuses={200: 9}, degraded=chance.randint(0, 1))
    address = second.addresses["192.0.2.1:443"] = Address(good=9, causes={Cause.RESET: 1})
    for _ in range(9):
        index = index_of(int(chance.lognormvariate(9.5, 1)))
        merge_into(address.latency if chance.random() < 0.9 else second.latency, {index: 1})
        if chance.random() < 0.5:
            merge_into(second.alike, {index: 1})
        else:
            merge_into(second.latency_low, {max(0, index - 1): 1})
            merge_into(second.service, {max(0, index - 2): 1})
    second.lag[chance.randint(0, 300)] = 10
    return second


@given(st.integers(0, 1 << 32), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_sealed_seconds_are_as_they_were(seed: int, begin: int) -> None:
    """Those told late, too. What is kept as totals alone is complete in the totals."""
    chance = Random(seed)
    log, plain = SecondLog(), {}
    log.begin_at(begin)
    for key in range(4 * OPEN_FOR):
        for late in {key, max(0, key - chance.choice((0, 1, 5, 2 * OPEN_FOR)))}:
            told = delta(chance)
            log.add(late, told)
            if late >= begin:
                merge_second(plain.setdefault(late, Second()), told)
    assert len(log) == len(plain)
    assert [key for key, _ in log.within(0, 10_000)] == sorted(plain)
    totals = Second()
    for key, expected in plain.items():
        found = log.get(key)
        assert found is not None
        for name in ("sent", "good", "degraded", "causes"):
            assert getattr(found, name) == getattr(expected, name), name
        assert found.whole_latency() == expected.whole_latency()
        assert found.whole_latency_low() == expected.whole_latency_low()
        merge_second(totals, expected)
    assert log.totals().whole_service() == totals.whole_service()
    for name in ("lag", "statuses", "addresses"):
        assert getattr(log.totals(), name) == getattr(totals, name), name
    assert log.get(10_000) is None


def test_reading_a_second_does_not_change_it() -> None:
    """Sealed and open ones alike; a log survives being looked at while it is written."""
    log, chance = SecondLog(), Random(3)
    for key in range(2 * OPEN_FOR):
        log.add(key, delta(chance))
    before = pickle.dumps((list(log.within(0, 100)), log.totals()))
    assert pickle.dumps((list(log.within(0, 100)), log.totals())) == before


_SEAL = """
import sys, resource
from random import Random
from harness.frames import Second
from harness.statistics.seconds import SecondLog

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

chance = Random(5)
wide = [{chance.randrange(1, 30_000): 1 for _ in range(2_000)} for _ in range(20)]
log, before = SecondLog(), 0
for key in range(4_000):
    log.add(key, Second(sent=key, good=2_000, latency=wide[key % 20], latency_low=wide[key % 19]))
    if key == 200:
        before = resident()
        if len(sys.argv) > 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
grown = resident() - before
for key, second in log.within(0, 10_000):
    assert second.sent == key and second.latency == wide[key % 20] and second.latency_low == wide[key % 19], key
print(len(log), grown)
"""


def sealed(*arguments: str) -> tuple[int, int]:
    done = subprocess.run([sys.executable, "-c", _SEAL, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, grown = done.stdout.split()
    return int(count), int(grown)


def test_sealed_seconds_are_out_of_memory() -> None:
    """Twelve hours of them must fit into an ordinary pod: 4,000 of 8 kB each, where nothing is alike."""
    count, grown = sealed()
    assert count == 4_000
    assert grown < 8_000_000


def test_what_a_full_disk_does_not_take_stays_in_memory() -> None:
    """All of it is read again. Files that must not grow stand for the disk."""
    count, grown = sealed("4000000")
    assert count == 4_000
    assert grown > 8_000_000
