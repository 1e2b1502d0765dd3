"""Intended times: computed, even over shards, and found again from a moment."""

from hypothesis import given
from hypothesis import strategies as st

from harness.schedule import Schedule

RATES = st.sampled_from([1 / 3600, 0.1, 1.0, 3.0, 7.3, 10.0, 100.0, 1e5 / 3, 1e6]) | st.floats(1 / 3600, 1e6)
SCHEDULES = st.builds(
    lambda rate, shards, shard: Schedule(rate, shard % shards, shards), RATES, st.integers(1, 8), st.integers(0, 7)
)


@given(SCHEDULES, st.integers(0, 10**6))
def test_times_are_computed(schedule: Schedule, ordinal: int) -> None:
    assert schedule.intended(ordinal) == schedule.tick(ordinal) / schedule.rate
    assert schedule.spacing == schedule.shards / schedule.rate


@given(RATES, st.integers(1, 6), st.integers(1, 50))
def test_shards_deal_out_every_tick_once(rate: float, shards: int, rounds: int) -> None:
    dealt = sorted(Schedule(rate, shard, shards).tick(j) for shard in range(shards) for j in range(rounds))
    assert dealt == list(range(shards * rounds))


@given(SCHEDULES, st.integers(0, 10**5), st.floats(-1.5, 1.5))
def test_moments_find_their_ordinals(schedule: Schedule, ordinal: int, off: float) -> None:
    """`count_until` counts what is intended at or before a moment, `first_from` finds the first at or after it."""
    when = schedule.intended(ordinal) + off * schedule.spacing
    count = schedule.count_until(when)
    assert count >= 0
    assert count == 0 or schedule.intended(count - 1) <= when
    assert schedule.intended(count) > when
    first = schedule.first_from(when)
    assert first >= 0
    assert schedule.intended(first) >= when
    assert first == 0 or schedule.intended(first - 1) < when


@given(SCHEDULES, st.integers(0, 10**6))
def test_a_ticks_own_moment_finds_it(schedule: Schedule, ordinal: int) -> None:
    """Also where a float lies on the edge."""
    when = schedule.intended(ordinal)
    assert schedule.first_from(when) == ordinal
    assert schedule.count_until(when) == ordinal + 1


def test_ten_seconds_at_ten_a_second_are_a_hundred_ticks() -> None:
    assert Schedule(10.0).first_from(10.0) == 100
    assert Schedule(10.0, 3, 4).first_from(10.0) == 25
