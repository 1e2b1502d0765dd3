"""Verdicts of random worlds against a brute-force reading of all that their unknown ticks may have been."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge import judge
from harness.objectives import Gate, Indicator, Objective
from harness.report import REPORTS
from harness.verdict import Decision, State, Verdict
from tests.statistics import naive
from tests.statistics.world import UTC, World
from tests.statistics.worlds import spelled, worlds


def objective(text: str, indicator: Indicator, limit: float, **more: object) -> Objective:
    """One of the app."""
    operator = text.split()[1]
    return Objective(text=text, runner="app", indicator=indicator, operator=operator, threshold=limit, **more)  # type: ignore[arg-type]


SUCCESS = objective("success >= 95%", Indicator.SUCCESS, 0.95)
OUTAGE = objective("longest_outage < 1s", Indicator.LONGEST_OUTAGE, 1.0)
TOTAL = objective("total_outage < 2s", Indicator.TOTAL_OUTAGE, 2.0)
OUTAGES = objective("outages <= 1", Indicator.OUTAGES, 1)
FAILURES = objective("failures <= 3", Indicator.FAILURES, 3)
MEDIAN = objective("p50 < 100ms", Indicator.LATENCY, 0.1, quantile=0.5)
ALL = (SUCCESS, OUTAGE, TOTAL, OUTAGES, FAILURES, MEDIAN)


def judged(world: World, *objectives: Objective) -> Verdict:
    """The real judge's word."""
    asked = World(**{**world.__dict__, "objectives": objectives})
    return judge(asked.brief, asked.ledger())


def holds(asked: Objective, read: naive.Reading, kinds: Sequence[str], latencies: Sequence[float]) -> bool:
    """Whether it held, if every tick had been what `kinds` says."""
    match asked.indicator:
        case Indicator.SUCCESS:
            return kinds.count("good") / len(kinds) >= asked.threshold
        case Indicator.LONGEST_OUTAGE:
            return round(naive.longest_outage(read, kinds), 9) < asked.threshold
        case Indicator.TOTAL_OUTAGE:
            return round(naive.total_outage(read, kinds), 9) < asked.threshold
        case Indicator.OUTAGES:
            return naive.outage_count(read, kinds) <= asked.threshold
        case Indicator.FAILURES:
            return kinds.count("bad") <= asked.threshold
        case _:
            slow = [one if kind == "good" else math.inf for one, kind in zip(latencies, kinds, strict=True)]
            value = naive.percentile(slow, asked.quantile or 1.0)
            return value is not None and value < asked.threshold


def possible(asked: Objective, read: naive.Reading) -> set[bool]:
    """Whether it held, by all that the unknown ticks may have been."""
    known = naive.states(read)
    unknown = [index for index, kind in enumerate(known) if kind == "unknown"]
    found = set()
    latencies = [one.upper / 1e6 for one in read.ticks]
    choices: Iterator[tuple[str, ...]] = product(("good", "bad"), repeat=len(unknown))
    for choice in choices:
        kinds = list(known)
        for index, kind in zip(unknown, choice, strict=True):
            kinds[index] = kind
        found.add(holds(asked, read, kinds, latencies))
    if naive.open_end(read) and asked.indicator in (Indicator.LONGEST_OUTAGE, Indicator.TOTAL_OUTAGE):
        found.add(False)  # it may have lasted for ever
    return found


def merciless(letters: str, rate: float) -> World:
    """Nothing is set aside."""
    return World(**{**spelled(letters, rate).__dict__, "bounds": (0.0, 0.0)})


@given(
    st.text(alphabet="ggggggbru", min_size=10, max_size=40).filter(lambda text: text.count("u") <= 5),
    st.sampled_from([2.0, 5.0, 10.0]),
    st.sampled_from(ALL),
)
@settings(max_examples=250, deadline=None)
def test_an_objective_is_what_all_assignments_say(letters: str, rate: float, asked: Objective) -> None:
    """Met if it held in each, violated if in none, else unknown: then nobody can say."""
    world = merciless(letters, rate)
    read = naive.reading(world)
    assert read is not None
    verdict = judged(world, asked)
    (one,) = verdict.objectives
    states = {frozenset({True}): State.MET, frozenset({False}): State.VIOLATED}
    expected = states.get(frozenset(possible(asked, read)), State.UNKNOWN)
    ended = sum(kind != "unknown" for kind in naive.states(read))
    if ended < 10:  # too few to say anything of a share or a percentile; what was violated by count is
        assert one.state in ({State.UNKNOWN} if asked.quantile else {State.UNKNOWN, expected} - {State.MET})
        assert verdict.verdict in (Decision.INCONCLUSIVE, Decision.FAIL)
        return
    assert one.state is expected
    words = {State.MET: Decision.PASS, State.VIOLATED: Decision.FAIL, State.UNKNOWN: Decision.INCONCLUSIVE}
    half = sum(kind == "unknown" for kind in naive.states(read)) > len(letters) / 2
    assert verdict.verdict is words[expected] or half


@given(worlds(), st.lists(st.sampled_from(ALL), min_size=1, max_size=3, unique=True))
@settings(max_examples=150, deadline=None)
def test_no_world_passes_what_it_violated_nor_fails_what_it_met(world: World, asked: list[Objective]) -> None:
    """Deaths, pauses, an abrupt end: whatever mercy sets aside, neither extreme may be contradicted."""
    verdict, read = judged(world, *asked), naive.reading(world)
    if read is None:
        assert (verdict.verdict, verdict.exit_code) == (Decision.INCONCLUSIVE, 4)
        return
    kinds = naive.states(read)
    aside = naive.blind(read, *world.bounds)
    latencies = [one.upper / 1e6 for one in read.ticks]
    for one, of in zip(verdict.objectives, asked, strict=True):
        if not kinds:
            assert one.state is not State.MET
            continue
        kindest = ["good" if kind == "unknown" else kind for kind in kinds]
        harshest = ["bad" if kind == "unknown" and i not in aside else kind for i, kind in enumerate(kinds)]
        harshest = ["good" if kind == "unknown" else kind for kind in harshest]
        if one.state is State.VIOLATED and of.indicator not in (Indicator.OUTAGES, Indicator.LATENCY):
            assert not holds(of, read, kindest, latencies)
        if one.state is State.MET and of.indicator is not Indicator.LATENCY:
            assert holds(of, read, harshest, [0.0] * len(kinds))
    if verdict.verdict is Decision.PASS:
        assert world.closed
        assert all(one.state is State.MET for one in verdict.objectives)
        assert sum(kind != "unknown" for kind in kinds) >= 10
    if verdict.verdict is Decision.FAIL:
        assert any(one.state is State.VIOLATED for one in verdict.objectives)
    assert verdict.exit_code == {"pass": 0, "fail": 1, "inconclusive": 3}[verdict.verdict]


@given(worlds())
@settings(max_examples=100, deadline=None)
def test_the_report_s_figures_are_those_of_the_raw_ticks(world: World) -> None:
    """Counts, causes, outages placed in UTC with the phases that they touch; and every report can be written."""
    verdict, read = judged(world, *ALL), naive.reading(world)
    for render in REPORTS.values():
        assert render(verdict)
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
    if read is None:
        return
    (runner,) = verdict.runners
    kinds = naive.states(read)
    assert (runner.planned, runner.succeeded, runner.failed) == (len(kinds), kinds.count("good"), kinds.count("bad"))
    assert runner.succeeded + runner.failed + sum(runner.unknown.values()) == runner.planned
    assert runner.causes == Counter(one.cause for one, kind in zip(read.ticks, kinds, strict=True) if kind == "bad")
    assert runner.components == Counter(
        one.component for one, kind in zip(read.ticks, kinds, strict=True) if kind == "bad"
    )
    assert sum(cell.good for cell in runner.strip) == kinds.count("good")
    assert all(cell.p50 is not None and cell.p99 is not None for cell in runner.strip if cell.good)
    expected = naive.outages(read)
    assert runner.outages_total == len(expected)
    spans = naive.phases(world)
    for told, outage in zip(runner.outages, expected, strict=True):
        assert told.offset == pytest.approx(outage.start - read.begin)
        assert utc(told.start) == pytest.approx(UTC + outage.start, abs=0.002)
        assert (told.end is None) == (outage.end is None)
        assert (told.seconds_low, told.seconds_high) == (pytest.approx(outage.low), pytest.approx(outage.high))
        assert told.causes == outage.causes
        assert told.components == outage.components
        until = read.end if outage.end is None else outage.end
        since = until - outage.high
        touched = {name for name, begin, end in spans if begin < until + 1e-9 and end > since - 1e-9}
        certain = {name for name, begin, end in spans if begin + 1e-6 < until and end - 1e-6 > since}
        assert certain <= set(told.phases) <= touched


def utc(iso: str) -> float:
    """Seconds since the epoch."""
    return datetime.fromisoformat(iso).timestamp()


@pytest.mark.parametrize("before", range(1, 60, 7))
def test_an_outage_as_long_as_the_limit_violates_it_wherever_it_lies(before: int) -> None:
    """Nine bad ticks at 10/s may have been a whole second; in floats the difference is at times a hair less."""
    verdict = judged(spelled("g" * before + "b" * 9 + "g" * 20), OUTAGE)
    assert verdict.objectives[0].state is State.VIOLATED
    assert verdict.objectives[0].value == 1.0


@given(worlds(unharmed=True))
@settings(max_examples=40, deadline=None)
def test_judging_twice_says_the_same_and_changes_nothing(world: World) -> None:
    """A report that is made again is the same, seeds of the bootstrap included."""
    asked = World(**{**world.__dict__, "objectives": ALL})
    ledger = asked.ledger()
    first = judge(asked.brief, ledger)
    assert judge(asked.brief, ledger) == first
    assert judge(asked.brief, asked.ledger()) == first


def test_a_violation_that_only_warns_passes() -> None:
    """And is told."""
    warned = objective("failures <= 3", Indicator.FAILURES, 3, gate=Gate.WARN)
    verdict = judged(spelled("g" * 100 + "bbbbb" + "g" * 100), warned)
    assert verdict.verdict is Decision.PASS
    assert any("warns only" in warning for warning in verdict.warnings)
