"""Which ticks are due: the open-loop rule, missing, catching up."""

import math

from hypothesis import given
from hypothesis import strategies as st

from harness.engine.pace import Pacer
from harness.schedule import Schedule

SCHEDULES = st.builds(
    lambda rate, shards, shard: Schedule(rate, shard % shards, shards),
    st.sampled_from([0.5, 10.0, 100.0, 999.9, 20_000.0]),
    st.integers(1, 3),
    st.integers(0, 2),
)
STEPS = st.lists(st.sampled_from([0.0, 0.0001, 0.001, 0.01]) | st.floats(0, 0.3), min_size=1, max_size=40)


@given(SCHEDULES, STEPS, st.sampled_from([0.0, 0.02, 0.1]), st.integers(0, 100), st.none() | st.floats(0, 2))
def test_every_ordinal_once_in_order(
    schedule: Schedule, steps: list[float], max_lag: float, first: int, stop: float | None
) -> None:
    """Missed only when later than `max_lag`, never early, none from the stop on; whatever the moments are."""
    pacer = Pacer(schedule, first=first, max_lag=max_lag)
    if stop is not None:
        pacer.stop_at(stop)
    expected, now = first, schedule.intended(first)
    for step in steps:
        now += step
        missed_from, send_from, send_to = pacer.due(now)
        assert missed_from == expected
        assert missed_from <= send_from <= send_to
        for ordinal in range(missed_from, send_from):
            assert schedule.intended(ordinal) < now - max_lag
        for ordinal in range(send_from, send_to):
            assert now - max_lag <= schedule.intended(ordinal) <= now
        expected = send_to
        assert pacer.next == send_to
        if stop is not None and send_to > missed_from:
            assert schedule.intended(send_to - 1) < stop
    assert pacer.finished is (stop is not None and schedule.intended(pacer.next) >= stop)


@given(SCHEDULES, STEPS)
def test_no_more_than_twice_the_rate(schedule: Schedule, steps: list[float]) -> None:
    """Over any stretch of moments, beside the millisecond's worth (one tick at least) that may be saved."""
    pacer = Pacer(schedule, first=0, max_lag=10.0)
    rate = schedule.rate / schedule.shards
    saved = max(1.0, 2 * rate * 0.001)
    now, sent = 0.0, [(0.0, 0)]
    for step in steps:
        now += step
        due = pacer.due(now)
        sent.append((now, due.send_to - due.send_from))
    for begin in range(1, len(sent)):
        count = sum(amount for _, amount in sent[begin:])
        assert count <= saved + 2 * rate * (now - sent[begin][0]) + 0.01


@given(SCHEDULES, st.integers(1, 200))
def test_on_time_nothing_is_held_back(schedule: Schedule, count: int) -> None:
    pacer = Pacer(schedule, first=0, max_lag=0.1)
    for ordinal in range(count):
        assert pacer.due(schedule.intended(ordinal)) == (ordinal, ordinal, ordinal + 1)


@given(SCHEDULES, st.floats(0, 0.5), st.sampled_from([0.0002, 0.02]))
def test_the_next_wake_is_for_the_next_tick(schedule: Schedule, now: float, gap: float) -> None:
    """Not within the gap; and it takes two wakes at most, the second if the tick before was late and catching up must
    wait."""
    pacer = Pacer(schedule, first=0, max_lag=10.0)
    pacer.due(now)
    at = pacer.wake_at(now, gap)
    assert at >= now + gap
    due = pacer.due(at + 1e-9)
    if due.send_to == due.send_from:
        again = pacer.wake_at(at + 1e-9, gap)
        assert again <= now + max(gap, 0.5 * schedule.spacing) + gap + 1e-6
        due = pacer.due(again + 1e-9)
    assert due.send_to > due.send_from
    pacer.stop_at(0.0)
    assert pacer.wake_at(now, gap) == math.inf


def test_a_long_pause_is_missed_but_for_its_end() -> None:
    pacer = Pacer(Schedule(10.0), first=0, max_lag=0.15)
    assert pacer.due(0.0) == (0, 0, 1)
    assert pacer.due(10.04) == (1, 99, 100)
    assert pacer.due(10.1) == (100, 100, 101)
