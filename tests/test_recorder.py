"""What the recorder gathers: frames add up to a plain reading of what befell it, and what it tells of silences."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.frames import RUNS_BEFORE_BITMAP, Frame, Run, Second, merge_second, runs_of
from harness.histogram import Histogram, merge_into, record
from harness.outcome import OWN_CAUSES, Cause, Component, Outcome
from harness.recorder import EXAMPLES_IN_A_FRAME, EXAMPLES_PER_CAUSE_AND_SECOND, Recorder


def test_lateness_of_ours_at_a_silence_s_beginning_is_ours() -> None:
    """The loop came to the tick four seconds late; the target then took half a second."""
    recorder = Recorder()
    recorder.pause(1.01, 5.0)
    recorder.reached(1.0, 5.0)
    recorder.good(1.0, 5.0, 5.0, 5.5, 5.5, 0.0, 200, "192.0.2.1:443", False)
    frame = recorder.frame(at=6.0, reached=1, waiting=[], in_flight=[])
    (silence,) = frame.silences
    assert (silence.begin, silence.end) == (1.0, 5.5)
    assert silence.paused == pytest.approx(4.0)


def test_a_silence_begins_no_earlier_than_the_answer_before_it() -> None:
    """The next tick was due while the last answer was still awaited, and was reached after it: two silences that only
    touch, however often that happens."""
    recorder = Recorder()
    for tick in range(30):
        intended = tick / 10
        recorder.reached(intended, intended + 0.002)
        recorder.good(intended, intended, intended, 0.0, intended + 0.101, 0.0, 200, "192.0.2.1:443", False)
    silences = recorder.frame(at=6.0, reached=30, waiting=[], in_flight=[]).silences
    assert len(silences) == 30
    assert all(after.begin >= before.end for before, after in pairwise(silences))


PEERS = ("192.0.2.1:80", "192.0.2.2:80")
ENDS = st.sampled_from(
    [None, None, Cause.RESET, Cause.STATUS_5XX, Cause.STALLED, Cause.MISSED, Cause.CUT, Cause.TAINTED, Cause.DEGRADED]
)
ATTEMPTS = st.lists(
    st.tuples(
        ENDS,
        st.integers(0, 3000),  # µs that the loop was late
        st.sampled_from([0, 700, 40_000]),  # µs in line
        st.sampled_from([200, 3000, 2_000_000]),  # µs to the first byte
        st.sampled_from([0, 0, 5000]),  # µs to the last
        st.sampled_from([0.0, 0.0, 0.0001]),  # seconds of a pause of ours
        st.integers(0, 1),  # peer
        st.booleans(),  # whether a frame is taken after it
    ),
    max_size=60,
)


def summed(frames: list[Frame]) -> dict[int, Second]:
    total: dict[int, Second] = {}
    for frame in frames:
        for second, delta in frame.seconds.items():
            merge_second(total.setdefault(second, Second()), delta)
    return total


def runs_in(frames: list[Frame]) -> list[Run]:
    packed = [run for frame in frames for bitmap in frame.bitmaps for run in runs_of(bitmap)]
    return [run for frame in frames for run in (*frame.bad, *frame.unknown, *frame.degraded)] + packed


@given(ATTEMPTS)
@settings(max_examples=150)
def test_frames_add_up_whenever_they_are_taken(
    attempts: list[tuple[Cause | None, int, int, int, int, float, int, bool]],
) -> None:
    recorder = Recorder()
    frames: list[Frame] = []
    expected: dict[int, Second] = {}
    first_bytes: Histogram = {}
    ends: dict[int, Cause] = {}
    for tick, (cause, late, queued, waited, dribbled, paused, which, take) in enumerate(attempts):
        intended = tick / 20
        second = expected.setdefault(int(intended), Second())
        reached = intended + late / 1e6
        sent = reached + queued / 1e6
        first = sent + waited / 1e6
        now = first + dribbled / 1e6
        if cause is not None:
            ends[tick] = cause
            second.causes[cause] = second.causes.get(cause, 0) + 1
        if cause is Cause.MISSED:
            recorder.missed(tick, tick, [(int(intended), 1)])
        else:
            recorder.reached(intended, reached)
            second.sent += 1
            record(second.lag, int((reached - intended) * 1e6))
        if cause in (None, Cause.DEGRADED):
            second.good += 1
            record(second.latency, int((now - intended) * 1e6))
            record(second.latency_low, int((now - reached - paused) * 1e6))
            record(second.service, int((now - sent) * 1e6))
            second.statuses[200] = second.statuses.get(200, 0) + 1
        if cause is None:
            recorder.good(intended, reached, sent, first, now, paused, 200, PEERS[which], False)
            record(first_bytes, int((first - sent) * 1e6))
        elif cause is Cause.DEGRADED:
            second.degraded += 1
            recorder.outcome(
                Outcome(
                    tick=tick,
                    intended=intended,
                    reached=reached,
                    sent=sent,
                    finished=now,
                    cause=cause,
                    status=200,
                    paused=paused,
                ),
                outstanding=False,
            )
            record(first_bytes, int((now - sent) * 1e6))
        elif cause is Cause.STALLED:
            recorder.unsent(tick, tick, cause, Component.TARGET, [(int(intended), 1)])
        elif cause is not Cause.MISSED:
            outcome = Outcome(
                tick=tick, intended=intended, reached=reached, finished=now, cause=cause, address=PEERS[0]
            )
            recorder.outcome(outcome, outstanding=False)
        if take:
            frames.append(recorder.frame(at=now, reached=tick + 1, waiting=(), in_flight=()))
    frames.append(recorder.frame(at=99.0, reached=len(attempts), waiting=(), in_flight=()))

    total = summed(frames)
    for number, second in expected.items():
        seen = total.pop(number)
        good_by_peer = sum(address.good for address in seen.addresses.values())
        assert good_by_peer == second.good - second.degraded
        assert seen.whole_latency() == second.latency
        assert seen.whole_latency_low() == second.latency_low
        assert seen.whole_service() == second.service
        rest = (seen.sent, seen.good, seen.degraded, seen.causes, seen.lag, seen.statuses)
        assert rest == (second.sent, second.good, second.degraded, second.causes, second.lag, second.statuses)
    assert total == {}
    told = {tick: run.cause for run in runs_in(frames) for tick in range(run.first, run.last + 1)}
    assert told == ends
    assert sum(run.last - run.first + 1 for run in runs_in(frames)) == len(ends), "each told once"
    for frame in frames:
        assert all(run.cause in OWN_CAUSES for run in frame.unknown)
        assert all(run.cause not in OWN_CAUSES | {Cause.DEGRADED} for run in frame.bad)
    stages: Histogram = {}
    pieces: Histogram = {}
    for frame in frames:
        merge_into(stages, frame.stages.get("first_byte", {}))
        merge_into(pieces, frame.pieces)
    services = sum(sum(second.service.values()) for second in expected.values())
    assert sum(stages.values()) + services - sum(pieces.values()) == sum(first_bytes.values())
    assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))


def failure(tick: int, cause: Cause = Cause.RESET) -> Outcome:
    return Outcome(tick=tick, intended=tick / 1000, reached=tick / 1000, finished=tick / 1000 + 0.001, cause=cause)


def test_examples_are_few_and_counts_are_whole() -> None:
    recorder = Recorder()
    for tick in range(3000):
        recorder.outcome(failure(tick), outstanding=True)
        recorder.outcome(failure(tick + 10_000, Cause.PROTOCOL), outstanding=True)
    frame = recorder.frame(at=3.0, reached=20_000, waiting=(), in_flight=())
    shown = Counter((int(example.intended), example.cause) for example in frame.examples)
    assert set(shown.values()) == {EXAMPLES_PER_CAUSE_AND_SECOND}
    assert len(shown) == 6
    assert sum(sum(second.causes.values()) for second in frame.seconds.values()) == 6000
    for tick in range(0, 1_000_000, 1000):
        recorder.outcome(failure(tick), outstanding=True)
    assert len(recorder.frame(at=4.0, reached=10**6, waiting=(), in_flight=()).examples) == EXAMPLES_IN_A_FRAME


@pytest.mark.parametrize("runs", [RUNS_BEFORE_BITMAP, RUNS_BEFORE_BITMAP + 1])
def test_many_runs_are_bitmaps(runs: int) -> None:
    recorder = Recorder()
    for tick in range(0, 2 * runs, 2):
        recorder.outcome(failure(tick), outstanding=True)
    frame = recorder.frame(at=1.0, reached=2 * runs, waiting=(), in_flight=())
    assert (len(frame.bad), len(frame.bitmaps)) == ((runs, 0) if runs == RUNS_BEFORE_BITMAP else (0, 1))
    assert [run.first for run in runs_in([frame])] == list(range(0, 2 * runs, 2))


def test_neighbours_that_ended_alike_are_one_run() -> None:
    recorder = Recorder()
    for tick in range(100):
        recorder.outcome(failure(tick, Cause.RESET if tick < 60 else Cause.CUT), outstanding=True)
    frame = recorder.frame(at=1.0, reached=100, waiting=(), in_flight=())
    assert [run[:3] for run in frame.bad] == [(0, 59, Cause.RESET)]
    assert [run[:3] for run in frame.unknown] == [(60, 99, Cause.CUT)]


def test_a_problem_is_told_once() -> None:
    recorder = Recorder()
    for number in range(300):
        recorder.problem("the same")
        recorder.problem(f"number {number}")
    problems = recorder.frame(at=1.0, reached=0, waiting=(), in_flight=()).problems
    assert problems.count("the same") == 1
    assert len(problems) == 100
    recorder.problem("the same")
    assert recorder.frame(at=2.0, reached=0, waiting=(), in_flight=()).problems == []
