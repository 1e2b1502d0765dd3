"""Where moments of a run lie in UTC, and between which marks."""

from hypothesis import given
from hypothesis import strategies as st

from harness.events import Anchored, Marked
from harness.statistics.phases import Phase, phases_of
from harness.statistics.placement import Placement

STEPS = st.lists(st.tuples(st.floats(1.0, 500.0), st.floats(-3600.0, 3600.0)), max_size=6)


def readings(steps: list[tuple[float, float]]) -> list[Anchored]:
    """Pairs of clock readings: the wall clock stepped by so much, so long after the one before."""
    at, stepped = 0.0, 0.0
    pairs = [Anchored(at=0.0, monotonic=700.0, boottime=700.0, utc=1e9)]
    for after, step in steps:
        at, stepped = at + after, stepped + step
        pairs.append(Anchored(at=at, monotonic=700.0 + at, boottime=700.0 + at, utc=1e9 + at + stepped))
    return pairs


@given(STEPS, st.floats(-10.0, 4000.0))
def test_a_moment_is_placed_by_the_clock_that_was_in_force(steps: list[tuple[float, float]], at: float) -> None:
    """Not by one that was set later; before the first pair the first one holds."""
    pairs = readings(steps)
    stepped = 0.0
    for pair, (_, step) in zip(pairs[1:], steps, strict=True):
        if pair.at <= at:
            stepped += step
    assert abs(Placement(pairs).seconds(at) - (1e9 + at + stepped)) < 1e-5


@given(STEPS, st.floats(0.0, 4000.0), st.floats(0.0, 10.0))
def test_durations_survive_clock_steps(steps: list[tuple[float, float]], at: float, length: float) -> None:
    """Within the reign of one pair a second is a second, whatever was stepped before."""
    pairs = readings(steps)
    placement = Placement(pairs)
    if any(at < pair.at <= at + length for pair in pairs):
        return
    assert abs(placement.seconds(at + length) - placement.seconds(at) - length) < 1e-5


@given(STEPS)
def test_drift_is_the_furthest_that_utc_went(steps: list[tuple[float, float]]) -> None:
    """With its sign."""
    sums = [0.0]
    for _, step in steps:
        sums.append(sums[-1] + step)
    furthest = max(abs(one) for one in sums)
    drift = Placement(readings(steps)).drift()
    assert abs(abs(drift) - furthest) < 1e-4


def test_times_are_written_in_utc_to_the_millisecond() -> None:
    """As ISO 8601, and as a time of day for sentences."""
    placement = Placement([Anchored(at=0.0, monotonic=5.0, boottime=5.0, utc=1_750_000_000.0)])
    assert placement.iso(1.25) == "2025-06-15T15:06:41.250Z"
    assert placement.clock(1.25) == "15:06:41.250 UTC"
    assert Placement([]).iso(0.0) == "1970-01-01T00:00:00.000Z"
    assert Placement([]).drift() == 0.0


def test_phases_overlap_and_end_with_the_run() -> None:
    """One deployment updates several groups at a time; a task that is retried says the same begin again."""

    def mark(at: float, name: str, edge: str) -> Marked:
        return Marked(at=at, name=name, edge=edge)

    found = phases_of(
        [
            mark(1.0, "router", "begin"),
            mark(2.0, "cell", "begin"),
            mark(3.0, "router", "end"),
            mark(4.0, "router", "end"),  # without a begin
            mark(5.0, "cell", "begin"),
            mark(6.0, "cell", "end"),
            mark(7.0, "note", ""),
            mark(7.5, "router", "begin"),  # another one
            mark(7.6, "router", "end"),
            mark(8.0, "api", "begin"),
        ]
    )
    assert found == [
        Phase("router", 1.0, 3.0),
        Phase("cell", 2.0, 6.0),
        Phase("router", 7.5, 7.6),
        Phase("api", 8.0, None),
    ]


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.booleans())
def test_touching_is_sharing_a_moment(a: float, b: float, c: float, d: float, open_: bool) -> None:
    """[begin, end) of the phase and [begin, end] of what may touch it."""
    begin, end = min(a, b), max(a, b) + 0.001
    since, until = sorted((c, d))
    phase = Phase("p", begin, None if open_ else end)
    inside = [moment for moment in (begin, since) if since <= moment <= until and begin <= moment]
    expected = any(open_ or moment < end for moment in inside)
    assert phase.touches(since, until) == expected


def test_phases_of_two_sources_are_kept_apart_and_uncertain_ones_may_touch() -> None:
    told = [
        Marked(at=1.0, name="router/0", edge="begin", within=1.0, source="bosh"),
        Marked(at=2.0, name="router/0", edge="begin"),
        Marked(at=5.0, name="router/0", edge="end", within=2.0, source="bosh"),
    ]
    bosh, own = phases_of(told)
    assert (bosh, own) == (Phase("router/0", 1.0, 5.0, 2.0, "bosh"), Phase("router/0", 2.0, None))
    assert bosh.touches(6.5, 7.0)
    assert not bosh.touches(7.0, 8.0)
