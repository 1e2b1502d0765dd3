"""What all attempts come to: properties over any history of attempts and acceptances."""

from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.gate import Acceptance, AttemptSummary, Gate, died, gate, running, sentences

EXITS = {"pass": 0, "fail": 1, "refused": 2, "inconclusive": 3, "died": 3, "running": 3, "never_ready": 4, "skipped": 0}
OVER = [outcome for outcome in EXITS if outcome != "running"]


def summary(attempt: int, outcome: str, exit_code: int | None = None) -> AttemptSummary:
    code = EXITS[outcome] if exit_code is None else exit_code
    return AttemptSummary(attempt=attempt, outcome=outcome, exit_code=code, reasons=[f"why {attempt}"], ended=1.0)


def came_to(*outcomes: str, accepted: Sequence[Acceptance] = ()) -> Gate:
    return gate("42", [summary(number, outcome) for number, outcome in enumerate(outcomes, 1)], accepted)


def accepted(*attempts: int, outcome: str = "fail") -> Acceptance:
    return Acceptance(by="Ada", reason="known", at=0.0, attempts=list(attempts), outcome=outcome)


outcomes = st.lists(st.sampled_from(list(EXITS)), min_size=1, max_size=6)
acceptances = st.lists(
    st.builds(
        accepted, st.integers(1, 7), st.integers(1, 7), outcome=st.sampled_from(["fail", "inconclusive", "never_ready"])
    ),
    max_size=3,
)


@given(outcomes, outcomes)
def test_a_retry_never_erases_a_failure(before: list[str], after: list[str]) -> None:
    assume("fail" in before)
    made = came_to(*before, *after)
    assert (made.outcome, made.exit_code) == ("fail", 1)


@given(outcomes, outcomes)
def test_a_retry_never_makes_a_run_without_evidence_pass(before: list[str], after: list[str]) -> None:
    assume({"inconclusive", "died"} & set(before))
    assert came_to(*before, *after).exit_code in (1, 3)


@given(outcomes, acceptances)
def test_what_goes_on_never_passes(some: list[str], taken: list[Acceptance]) -> None:
    assume("running" in some)
    made = came_to(*some, accepted=taken)
    assert made.exit_code != 0
    assert made.outcome in ("running", "fail")


@given(outcomes, acceptances)
def test_an_acceptance_lets_pass_only_what_it_covers(some: list[str], taken: list[Acceptance]) -> None:
    plain, made = came_to(*some), came_to(*some, accepted=taken)
    assert made.outcome == plain.outcome, "the outcome stays what it was"
    assert made.accepted == taken
    covered = {attempt for one in taken for attempt in one.attempts}
    if not covered & set(range(1, len(some) + 1)):
        assert made.exit_code == plain.exit_code
    left = [outcome for attempt, outcome in enumerate(some, 1) if attempt not in covered]
    if "fail" in left:
        assert made.exit_code == 1
    if {"inconclusive", "died"} & set(left):
        assert made.exit_code in (1, 3)


@given(outcomes)
def test_all_of_it_accepted_lets_the_pipeline_go_on(some: list[str]) -> None:
    assume("running" not in some)
    assert came_to(*some, accepted=[accepted(*range(1, len(some) + 1))]).exit_code == 0


@given(outcomes, st.data())
def test_the_order_of_what_was_watched_does_not_matter(some: list[str], data: st.DataObject) -> None:
    """Among attempts that watched a deployment; what could not begin is about the newest."""
    watched = [outcome for outcome in some if outcome in ("pass", "fail", "inconclusive", "died")]
    assume(watched)
    assert came_to(*data.draw(st.permutations(watched))).exit_code == came_to(*watched).exit_code


@given(outcomes, acceptances)
def test_it_passes_only_by_a_pass_a_skip_or_a_person(some: list[str], taken: list[Acceptance]) -> None:
    if came_to(*some, accepted=taken).exit_code == 0:
        assert {"pass", "skipped"} & set(some) or taken


@pytest.mark.parametrize(
    ("history", "outcome", "code"),
    [
        (["pass"], "pass", 0),
        (["never_ready", "pass"], "pass", 0),
        (["refused", "pass"], "pass", 0),
        (["pass", "never_ready"], "never_ready", 4),
        (["pass", "refused"], "refused", 2),
        (["skipped"], "skipped", 0),
        (["skipped", "pass"], "pass", 0),
        (["pass", "skipped"], "pass", 0),
        (["refused", "skipped"], "skipped", 0),
        (["never_ready", "skipped"], "never_ready", 4),
        (["fail", "skipped"], "fail", 1),
        (["died", "pass"], "inconclusive", 3),
        (["fail", "running"], "fail", 1),
        (["inconclusive", "running"], "running", 3),
    ],
)
def test_histories(history: list[str], outcome: str, code: int) -> None:
    made = came_to(*history)
    assert (made.outcome, made.exit_code) == (outcome, code)


def test_a_deployment_whose_command_failed_is_told_by_its_code() -> None:
    assert gate("42", [summary(1, "pass", 5)], ()).exit_code == 5
    assert gate("42", [summary(1, "pass", 5), summary(2, "pass")], ()).exit_code == 0
    assert gate("42", [summary(1, "fail"), summary(2, "pass", 5)], ()).exit_code == 1


def test_a_later_attempt_is_not_covered() -> None:
    assert came_to("fail", "fail", accepted=[accepted(1)]).exit_code == 1
    assert came_to("fail", "pass", accepted=[accepted(1)]).exit_code == 0


def test_who_accepted_a_silence_did_not_accept_the_failure_that_came_of_it() -> None:
    silence = accepted(1, outcome="inconclusive")
    assert came_to("died", accepted=[silence]).exit_code == 0
    assert came_to("fail", accepted=[silence]).exit_code == 1


def test_the_reasons_are_those_that_decide() -> None:
    assert came_to("fail").reasons == ["why 1"]
    assert came_to("pass", "fail", "pass", "fail").reasons == ["attempt 2: why 2", "attempt 4: why 4"]
    assert gate("42", [died(1), running(2)], ()).reasons == ["attempt 2: it goes on"]


def test_people_read_all_attempts_and_who_accepted() -> None:
    assert sentences(came_to("pass")) == []
    said = sentences(came_to("fail", "pass", accepted=[accepted(1, 2)]))
    assert said == [
        "FAIL over 2 attempts at 42, exit code 0",
        "attempt 1 fail: why 1",
        "attempt 2 pass: why 2",
        "ACCEPTED by Ada at 1970-01-01 00:00:00 UTC in spite of fail: known",
    ]
