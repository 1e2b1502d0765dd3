"""One test for each objective of the plan, judged once the stop signal has come. The run itself is conftest.py's."""

from harness.objectives import Objective
from harness.verdict import Judgement, State, Verdict


def test_was_ready(verdict: Verdict) -> None:
    """Every runner had its clean baseline: otherwise nothing was judged."""
    assert verdict.ready is not None, verdict.reasons[0]


def test_objective(objective: Objective, judgement: Judgement) -> None:
    """Met, or only warned about."""
    assert judgement.state is State.MET or judgement.gate == "warn", f"{objective.text}: {judgement.why}"


def test_verdict(verdict: Verdict) -> None:
    """The whole: it also knows what no single objective does, such as lost evidence."""
    assert verdict.exit_code == 0, "; ".join(verdict.reasons)
