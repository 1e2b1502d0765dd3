"""An objective that names a phase is judged over that step alone, with its outages whole."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.events import Marked
from harness.judge import judge
from harness.objectives import Indicator, Objective
from harness.statistics.view import view_of
from harness.verdict import Decision, Judgement, State, Verdict
from tests.judge.test_verdicts import ALL, objective
from tests.statistics.world import World
from tests.statistics.worlds import spelled, worlds

SUCCESS = objective("success >= 95%", Indicator.SUCCESS, 0.95)
OUTAGE = objective("longest_outage < 1s", Indicator.LONGEST_OUTAGE, 1.0)
SILENCE = objective("silence < 1s", Indicator.SILENCE, 1.0)


def during(one: Objective, name: str = "step") -> Objective:
    return type(one)(**{field: getattr(one, field) for field in one.__struct_fields__} | {"phase": name})


def marks(begin: float, end: float | None, name: str = "step") -> tuple[Marked, ...]:
    begun = Marked(at=begin, name=name, edge="begin")
    return (begun,) if end is None else (begun, Marked(at=end, name=name, edge="end"))


def judged(world: World, marked: tuple[Marked, ...], *objectives: Objective) -> Verdict:
    asked = replace(world, marks=marked, objectives=objectives)
    return judge(asked.brief, asked.ledger())


def told(one: Judgement) -> tuple[State, float | None, tuple[float | None, float | None]]:
    return one.state, one.value, one.value_bounds


@settings(deadline=None, max_examples=60)
@given(worlds())
def test_a_phase_as_long_as_the_run_is_the_run(world: World) -> None:
    phases = tuple(during(one) for one in (*ALL, SILENCE))
    verdict = judged(world, marks(-100.0, None), *ALL, SILENCE, *phases)
    half = len(verdict.objectives) // 2
    whole, step = verdict.objectives[:half], verdict.objectives[half:]
    assert [told(one) for one in step] == [told(one) for one in whole]
    assert {one.phase for one in step} <= {"step"}


@settings(deadline=None, max_examples=60)
@given(worlds(), st.floats(0, 20), st.floats(0, 20))
def test_what_the_run_met_no_phase_violates(world: World, begin: float, length: float) -> None:
    """Outages of a phase are among those of the run."""
    asked = (OUTAGE, during(OUTAGE), SILENCE, during(SILENCE))
    objectives = judged(world, marks(begin, begin + length), *asked).objectives
    for whole, step in zip(objectives[::2], objectives[1::2], strict=True):
        if whole.state is not State.VIOLATED:
            assert step.state is not State.VIOLATED


def calm_but_for_second_ten() -> World:
    return spelled("g" * 100 + "b" * 15 + "g" * 100, 10.0)


@pytest.mark.parametrize(
    ("begin", "end", "states"),
    [
        (9.0, 13.0, [State.VIOLATED, State.VIOLATED]),
        (2.0, 6.0, [State.MET, State.MET]),
        (14.0, 18.0, [State.MET, State.MET]),
        (11.1, 15.9, [State.VIOLATED, State.VIOLATED]),  # 0.4 s of it lie in the phase, and 1.5 s are what it is
    ],
)
def test_an_outage_counts_whole_where_it_touches_the_step(begin: float, end: float, states: list[State]) -> None:
    verdict = judged(calm_but_for_second_ten(), marks(begin, end), during(OUTAGE), during(SUCCESS))
    assert [one.state for one in verdict.objectives] == states
    (phase,) = verdict.phases
    assert (phase.runners["app"]["longest_outage"] or 0) == (1.5 if State.VIOLATED in states else 0)


def test_a_step_that_never_came_is_unknown() -> None:
    verdict = judged(calm_but_for_second_ten(), marks(2.0, 6.0, "other"), during(SUCCESS))
    (one,) = verdict.objectives
    assert (one.state, one.value) == (State.UNKNOWN, None)
    assert "no phase of that name was marked" in one.why
    assert verdict.verdict is Decision.INCONCLUSIVE


def test_of_several_steps_of_a_name_the_worst_decides() -> None:
    several = (*marks(1.0, 3.0), *marks(9.5, 12.0), *marks(15.0, 17.0))
    (one,) = judged(calm_but_for_second_ten(), several, during(OUTAGE)).objectives
    assert one.state is State.VIOLATED


def test_moments_are_told_and_are_no_phases() -> None:
    verdict = judged(calm_but_for_second_ten(), (Marked(at=3.0, name="cut over"),), SUCCESS)
    assert verdict.phases == []
    assert [moment.name for moment in verdict.moments] == ["cut over"]


def test_latencies_of_a_phase_are_of_its_seconds() -> None:
    world = calm_but_for_second_ten()
    (phase,) = judged(world, marks(2.0, 4.0), SUCCESS).phases
    ledger = world.ledger()
    assert ledger.judged is not None
    view = view_of(ledger, "app", *ledger.judged)
    seconds = [second.whole_latency() for second in view.told(2, 4)]
    assert phase.runners["app"]["planned"] == sum(sum(one.values()) for one in seconds)
    assert phase.runners["app"]["p99"] is not None
