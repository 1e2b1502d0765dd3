"""The tests of every suite: one for each objective of its plan, judged once the stop signal has come. The run itself is
conftest.py's."""

import pytest

from harness.objectives import Objective
from harness.verdict import Judgement, State, Verdict


def test_was_ready(verdict: Verdict) -> None:
    """Every runner had its clean baseline: otherwise nothing was judged."""
    if verdict.ready is None:
        pytest.fail(verdict.reasons[0], pytrace=False)


def test_objective(objective: Objective, judgement: Judgement) -> None:
    """Met, or only warned about."""
    if judgement.state is not State.MET and judgement.gate != "warn":
        pytest.fail(f"{objective.runner}: {objective.text} is {judgement.state}: {judgement.why}", pytrace=False)


def test_verdict(verdict: Verdict) -> None:
    """The whole: it also knows what no single objective does, such as lost evidence or too few attempts."""
    if verdict.exit_code != 0:
        pytest.fail("; ".join(verdict.reasons), pytrace=False)
