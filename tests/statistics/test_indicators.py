"""Every indicator's two readings against all that the unknown ticks may have been, one assignment after another.

This is what makes a verdict honest: nothing that may have happened lies outside the two readings.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.objectives import Indicator, Objective, Tolerance
from harness.statistics.indicators import Measured, attempts_needed, holds, measure
from harness.statistics.ledger import Ledger
from harness.statistics.view import View, view_of
from tests.statistics import naive
from tests.statistics.world import Try, World
from tests.statistics.worlds import spelled, worlds

Truth = Callable[[naive.Reading, Sequence[str]], float]
TRUTHS: dict[Indicator, Truth] = {
    Indicator.SUCCESS: lambda _, kinds: kinds.count("good") / len(kinds),
    Indicator.FAILURES: lambda _, kinds: kinds.count("bad"),
    Indicator.LONGEST_OUTAGE: naive.longest_outage,
    Indicator.TOTAL_OUTAGE: naive.total_outage,
    Indicator.OUTAGES: naive.outage_count,
}
COUNTED = tuple(TRUTHS)
LETTERS = st.text(alphabet="gggbru", min_size=3, max_size=24).filter(lambda letters: letters.count("u") <= 7)


def objective(indicator: Indicator, **more: object) -> Objective:
    """One whose threshold does not matter here."""
    operator = ">=" if indicator is Indicator.SUCCESS else "<"
    return Objective(text=f"{indicator}", runner="app", indicator=indicator, operator=operator, threshold=0.5, **more)  # type: ignore[arg-type]


def view(world: World, ledger: Ledger | None = None) -> View:
    """The judged ticks."""
    ledger = ledger if ledger is not None else world.ledger()
    assert ledger.judged is not None
    return view_of(ledger, "app", *ledger.judged)


def merciless(letters: str, rate: float = 10.0) -> World:
    """Nothing is set aside."""
    return World(**{**spelled(letters, rate).__dict__, "bounds": (0.0, 0.0)})


def assignments(kinds: Sequence[str]) -> Iterator[list[str]]:
    """All that the unknown ticks may have been."""
    unknown = [index for index, kind in enumerate(kinds) if kind == "unknown"]
    for choice in product(("good", "bad"), repeat=len(unknown)):
        chosen = list(kinds)
        for index, kind in zip(unknown, choice, strict=True):
            chosen[index] = kind
        yield chosen


def ends(measured: Measured) -> tuple[float, float]:
    """The lower and the higher reading."""
    assert measured.unknown_good is not None
    assert measured.unknown_bad is not None
    low, high = sorted((measured.unknown_good, measured.unknown_bad))
    return low, high


@given(LETTERS, st.sampled_from(COUNTED), st.sampled_from([2.0, 7.0, 10.0]))
@settings(max_examples=250, deadline=None)
def test_the_readings_are_the_extremes_of_all_assignments(letters: str, indicator: Indicator, rate: float) -> None:
    """Not only bounds: each is reached by some assignment."""
    world = merciless(letters, rate)
    read = naive.reading(world)
    assert read is not None
    values = [TRUTHS[indicator](read, kinds) for kinds in assignments(naive.states(read))]
    if naive.open_end(read) and indicator in (Indicator.LONGEST_OUTAGE, Indicator.TOTAL_OUTAGE):
        values.append(math.inf)
    low, high = ends(measure(view(world), objective(indicator)))
    assert low == pytest.approx(min(values))
    assert high == pytest.approx(max(values))


@given(LETTERS, st.sampled_from([Indicator.SUCCESS, Indicator.FAILURES]), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_the_worst_window_is_the_worst_of_all_windows(letters: str, indicator: Indicator, window: int) -> None:
    """Of whole seconds; a run shorter than the window is the window."""
    world = merciless(letters, 4.0)
    read = naive.reading(world)
    assert read is not None
    seconds = math.ceil(read.end - read.begin - 1e-9)
    begins = range(max(1, seconds - window + 1))

    def worst(kinds: Sequence[str]) -> float:
        found = []
        for begin in begins:
            inside = [kind for one, kind in zip(read.ticks, kinds, strict=True) if begin <= one.at < begin + window]
            if inside:
                found.append(TRUTHS[indicator](read, inside))
        return min(found) if indicator is Indicator.SUCCESS else max(found)

    values = [worst(kinds) for kinds in assignments(naive.states(read))]
    low, high = ends(measure(view(world), objective(indicator, window=float(window))))
    assert low == pytest.approx(min(values))
    assert high == pytest.approx(max(values))


def spread_out(letters: str, latencies: Sequence[float], degraded_is_good: bool) -> World:
    """Each attempt with a latency of its own."""
    world = merciless(letters)
    tries = tuple(
        Try(**{**one.__dict__, "finished": one.finished if one.ending.form == "missed" else one.intended + latency})
        for one, latency in zip(world.tries, latencies, strict=False)
    )
    frames = (tuple(moment / 2 for moment in range(1, 20)),)
    return World(**{**world.__dict__, "tries": tries, "frames": frames, "degraded_is_good": degraded_is_good})


@given(
    st.text(alphabet="ggggbud", min_size=3, max_size=20).filter(lambda letters: letters.count("u") <= 5),
    st.lists(st.integers(1, 3_000_000), min_size=20, max_size=20),
    st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_percentiles_bound_every_assignment(letters: str, micros: list[int], q: float, degraded_is_good: bool) -> None:
    """By nearest rank, within a bucket's width; bad ticks are slower than all, unknown ones are anything. Which of the
    answers were the degraded ones is not known: their latencies may be any of them."""
    world = spread_out(letters, [one / 1e6 for one in micros], degraded_is_good)
    read = naive.reading(world)
    assert read is not None
    indicator = Indicator.MAX if q == 1.0 else Indicator.LATENCY
    measured = measure(view(world), objective(indicator, quantile=None if q == 1.0 else q))
    values: list[float] = []
    for kinds in assignments(naive.states(read)):
        known = [
            math.inf if kind == "bad" else one.upper / 1e6
            for one, kind, before in zip(read.ticks, kinds, naive.states(read), strict=True)
            if before != "unknown"
        ]
        for quick in (0.0, math.inf):
            ours = [
                quick if kind == "good" else math.inf
                for kind, before in zip(kinds, naive.states(read), strict=True)
                if before == "unknown"
            ]
            value = naive.percentile([*known, *ours], q)
            assert value is not None
            values.append(value)
    low, high = measured.unknown_good, measured.unknown_bad
    assert low is not None
    assert high is not None
    assert low <= min(values) * (1 + 1e-9) + 1e-6
    assert high >= max(values) - 1e-6
    if "d" not in letters or degraded_is_good:
        assert low == pytest.approx(min(values), rel=1 / 1000, abs=3e-6)
        assert high == pytest.approx(max(values), rel=1 / 1000, abs=3e-6)


@given(worlds(max_shards=2), st.sampled_from([0.5, 0.95, 0.99]), st.floats(0.005, 2.0), st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_a_latency_window_is_judged_by_the_worst(world: World, q: float, limit: float, window: int) -> None:
    """If any window exceeds the limit, so does the one that is told."""
    ledger = world.ledger()
    if ledger.judged is None:
        return
    seen, read = view(world, ledger), naive.reading(world)
    assert read is not None
    if not read.ticks:
        return
    limited = Objective(
        text="p", runner="app", indicator=Indicator.LATENCY, operator="<", threshold=limit, quantile=q, window=window
    )
    measured = measure(seen, limited)
    aside = naive.blind(read, *world.bounds)
    seconds = max(1, math.ceil(read.end - read.begin - 1e-9))
    kinds = naive.states(read)
    violated = False
    near = False
    for begin in range(max(1, seconds - window + 1)):
        until = begin + window
        values = [
            one.upper / 1e6 if kind == "good" else math.inf
            for index, (one, kind) in enumerate(zip(read.ticks, kinds, strict=True))
            if begin <= one.at - read.begin + 1e-9 < until and index not in aside
        ]
        value = naive.percentile(values, q)
        if value is not None:
            near = near or abs(value - limit) < limit / 500 + 3e-6
            violated = violated or value >= limit
    if measured.unknown_bad is not None and not near and (world.degraded_is_good or "degraded" not in kinds):
        assert holds("<", measured.unknown_bad, limit) == (not violated)


@pytest.mark.parametrize(("slow", "violated"), [(5, False), (6, True)])
def test_a_short_last_window_does_not_hide_a_worse_one(slow: int, violated: bool) -> None:
    """Six of ten a tenth of a millisecond beyond the limit; the last second has one tick, and it is quick."""
    latencies = [0.100_1] * slow + [0.01] * (21 - slow)
    world = spread_out("g" * 21, latencies, degraded_is_good=True)
    limited = Objective(
        text="p50", runner="app", indicator=Indicator.LATENCY, operator="<", threshold=0.1, quantile=0.5, window=1.0
    )
    for value in ends(measure(view(world), limited)):
        assert holds("<", value, 0.1) != violated


@given(worlds(max_shards=2))
@settings(max_examples=100, deadline=None)
def test_blind_time_is_what_lies_between_good_ticks(world: World) -> None:
    """While it is short at a stretch and little in all; then none of it is set aside."""
    ledger = world.ledger()
    if ledger.judged is None:
        return
    read = naive.reading(world)
    assert read is not None
    found = {tick for first, last, *_ in view(world, ledger).blind for tick in range(first, last + 1)}
    assert found == {read.ticks[index].tick for index in naive.blind(read, *world.bounds)}


def test_unknown_ticks_beside_bad_ones_are_never_set_aside() -> None:
    """They may belong to the outage."""
    letters = "g" * 500 + "uu" + "bbbbbbbb" + "uu" + "g" * 500
    seen = view(spelled(letters))
    assert seen.blind == ()
    low, high = ends(measure(seen, objective(Indicator.LONGEST_OUTAGE)))
    assert (low, high) == (pytest.approx(0.9), pytest.approx(1.3))


def test_a_short_freeze_of_ours_does_not_hide_the_rest() -> None:
    """Half a second in two minutes is set aside: success and outage are what was seen."""
    seen = view(spelled("g" * 600 + "uuuuu" + "g" * 600))
    assert measure(seen, objective(Indicator.SUCCESS)).unknown_bad == 1.0
    assert measure(seen, objective(Indicator.LONGEST_OUTAGE)).unknown_bad == 0.0


TOLERANCES = st.builds(
    Tolerance,
    causes=st.sampled_from([(), ("router",), ("connect_refused", "reset")]),
    components=st.sampled_from([(), ("app",), ("router", "load_balancer")]),
    phases=st.sampled_from([(), ("router",), ("cell", "api")]),
)


@given(worlds(max_shards=2, unharmed=True), TOLERANCES)
@settings(max_examples=150, deadline=None)
def test_a_tolerance_forgives_what_it_names_and_nothing_else(world: World, tolerance: Tolerance) -> None:
    """All that it names must apply; without a phase it holds at any time."""
    world = World(**{**world.__dict__, "bounds": (0.0, 0.0)})
    seen, read = view(world), naive.reading(world)
    assert read is not None
    spans = naive.phases(world)
    forgiven, failures, unknown = 0, 0, 0
    for one, kind in zip(read.ticks, naive.states(read), strict=True):
        applies = any((tolerance.causes, tolerance.components, tolerance.phases))
        applies &= not tolerance.causes or one.cause in tolerance.causes
        applies &= not tolerance.components or one.component in tolerance.components
        applies &= not tolerance.phases or any(
            name in tolerance.phases and begin <= one.at + 1e-9 and one.at + 1e-9 < end for name, begin, end in spans
        )
        unknown += kind == "unknown"
        if kind == "bad":
            forgiven += applies
            failures += not applies
    measured = measure(seen, objective(Indicator.FAILURES, tolerate=tolerance))
    assert measured.forgiven == forgiven
    assert (measured.value, measured.unknown_bad) == (failures, failures + unknown)
    assert measured.attempts == seen.succeeded + failures


@pytest.mark.parametrize(
    ("quantile", "needed"), [(None, 10), (0.5, 10), (0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1000), (0.9999, 10_000)]
)
def test_a_percentile_needs_as_many_attempts_as_it_speaks_of(quantile: float | None, needed: int) -> None:
    """And nothing is said of fewer than ten."""
    assert attempts_needed(objective(Indicator.LATENCY, quantile=quantile)) == needed


def test_an_operator_that_is_none_is_refused() -> None:
    """By name."""
    with pytest.raises(ValueError, match="unknown operator '=='"):
        holds("==", 1.0, 1.0)
