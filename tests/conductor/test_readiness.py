"""Readiness, from frames alone."""

import pytest

from harness.brief import RunnerBrief
from harness.conductor.readiness import Baseline
from harness.frames import Frame, Second
from harness.outcome import Cause, Outcome
from harness.schedule import Schedule


def brief(name: str, probe: str = "app", *, degraded_is_good: bool = True) -> RunnerBrief:
    return RunnerBrief(name=name, probe=probe, target="", rate=10.0, shards=1, degraded_is_good=degraded_is_good)


def frame(at: float, watermark: int, seconds: dict[int, tuple[int, dict[str, int]]]) -> Frame:
    told = {key: Second(sent=good + sum(bad.values()), good=good, causes=bad) for key, (good, bad) in seconds.items()}
    return Frame(seq=1, at=at, watermark=watermark, reached=watermark, seconds=told)


def test_a_clean_stretch_makes_ready_from_the_next_whole_second_on() -> None:
    baseline = Baseline([("app", Schedule(10.0))], 2.0)
    assert baseline.ready_at(2.3) is None
    baseline.hear(brief("app"), 0, frame(1.9, 19, {0: (10, {}), 1: (9, {})}))
    assert baseline.ready_at(2.3) is None
    baseline.hear(brief("app"), 0, frame(2.15, 21, {1: (1, {}), 2: (1, {})}))
    assert baseline.ready_at(2.3) == 3.0


def test_every_shard_and_every_runner_must_be_clean() -> None:
    baseline = Baseline([("a", Schedule(10.0, 0, 2)), ("a", Schedule(10.0, 1, 2)), ("b", Schedule(10.0))], 1.0)
    baseline.hear(brief("a"), 0, frame(1.1, 6, {0: (5, {})}))
    baseline.hear(brief("b"), 0, frame(1.1, 11, {0: (10, {})}))
    assert baseline.ready_at(1.2) is None
    baseline.hear(brief("a"), 1, frame(1.1, 5, {0: (5, {})}))
    assert baseline.ready_at(1.2) == 2.0


def test_what_is_still_in_flight_is_waited_for() -> None:
    baseline = Baseline([("app", Schedule(10.0))], 1.0)
    baseline.hear(brief("app"), 0, frame(3.0, 4, {0: (9, {}), 1: (10, {}), 2: (10, {})}))
    assert baseline.ready_at(3.0) is None


def test_bad_ticks_spoil_the_stretch_also_after_it() -> None:
    baseline = Baseline([("app", Schedule(10.0))], 1.0)
    baseline.hear(brief("app"), 0, frame(1.2, 12, {0: (10, {}), 1: (1, {Cause.RESET: 1})}))
    assert baseline.ready_at(1.3) is None
    baseline.hear(brief("app"), 0, frame(3.1, 31, {1: (8, {}), 2: (10, {})}))
    assert baseline.ready_at(3.1) == 4.0


def test_our_own_trouble_is_not_the_targets() -> None:
    """Missed ticks don't make a second unclean, but without an answer there is nothing to go by."""
    baseline = Baseline([("app", Schedule(10.0))], 1.0)
    baseline.hear(brief("app"), 0, frame(1.1, 11, {0: (0, {Cause.MISSED: 10})}))
    assert baseline.ready_at(1.2) is None
    baseline.hear(brief("app"), 0, frame(2.1, 21, {1: (1, {Cause.MISSED: 9})}))
    assert baseline.ready_at(2.2) == 3.0


def test_a_slow_runner_is_looked_at_from_tick_to_tick() -> None:
    baseline = Baseline([("slow", Schedule(0.1))], 2.0)
    baseline.hear(brief("slow"), 0, frame(1.0, 1, {0: (0, {Cause.DNS: 1})}))
    for now in (2.5, 9.5):
        baseline.hear(brief("slow"), 0, frame(now, 1, {}))
        assert baseline.ready_at(now) is None
    baseline.hear(brief("slow"), 0, frame(11.1, 2, {10: (1, {})}))
    assert baseline.ready_at(11.1) == 12.0


def test_a_dead_workers_ticks_are_settled() -> None:
    baseline = Baseline([("app", Schedule(10.0))], 1.0)
    baseline.hear(brief("app"), 0, frame(0.8, 8, {0: (8, {})}))
    assert baseline.ready_at(1.1) is None
    baseline.settle("app", 0, 11, 1.1)
    assert baseline.ready_at(1.1) == 2.0


def test_the_impression_has_counts_causes_and_an_example() -> None:
    baseline = Baseline([("app", Schedule(10.0)), ("b", Schedule(1.0))], 1.0)
    said = frame(1.2, 12, {0: (2, {Cause.ROUTER: 7, Cause.RESET: 1})})
    said.examples = [
        Outcome(tick=1, intended=0.1, reached=0.1, finished=0.2, cause=Cause.ROUTER, detail="unknown_route")
    ]
    baseline.hear(brief("app"), 0, said)
    assert baseline.impression() == (
        "app: 10 attempts, 2 good, 7 router, 1 reset (such as: unknown_route); b: 0 attempts, 0 good"
    )


@pytest.mark.parametrize(
    ("cause", "probe", "good", "clean"),
    [
        (Cause.DEGRADED, "cf-api", True, True),
        (Cause.DEGRADED, "cf-api", False, False),
        (Cause.THROTTLED, "cf-api", True, True),
        (Cause.THROTTLED, "app", True, False),
    ],
)
def test_what_counts_as_good_or_ours_leaves_it_clean(cause: Cause, probe: str, good: bool, clean: bool) -> None:
    """An API's throttling is our mistake; what lacks something is good, unless the plan says otherwise."""
    baseline = Baseline([("a", Schedule(10.0))], 1.0)
    baseline.hear(brief("a", probe, degraded_is_good=good), 0, frame(1.1, 11, {0: (10, {cause: 1})}))
    assert (baseline.ready_at(1.1) is not None) == clean
