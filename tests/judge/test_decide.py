"""From judged objectives to the decision and its exit code, for every combination of few."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.decide import decide
from harness.verdict import Decision, Judgement, State

STATES = st.sampled_from(list(State))
GATES = st.sampled_from(["enforce", "warn"])


def judgement(state: State, gate: str, forgiven: int = 0) -> Judgement:
    """One objective that came to this."""
    return Judgement(
        text="success >= 99%", runner="app", gate=gate, value=0.5, value_bounds=(0.5, 0.5), threshold=0.99, state=state,
        why="50 %", forgiven=forgiven,
    )  # fmt: skip


@given(
    st.lists(st.tuples(STATES, GATES), max_size=4),
    st.lists(st.just("weak"), max_size=2),
    st.none() | st.integers(-9, 9),
)
def test_a_decision_follows_from_enforced_objectives_and_evidence(
    judged: list[tuple[State, str]], weak: list[str], command: int | None
) -> None:
    """FAIL if an enforced one is violated, else INCONCLUSIVE if one is unknown or the evidence is weak, else PASS. A
    failed command is exit 5 unless the verdict is FAIL."""
    enforced = {state for state, gate in judged if gate == "enforce"}
    decided = decide([judgement(state, gate) for state, gate in judged], weak, command)
    if State.VIOLATED in enforced:
        expected, code = Decision.FAIL, 1
    elif State.UNKNOWN in enforced or weak:
        expected, code = Decision.INCONCLUSIVE, 3
    else:
        expected, code = Decision.PASS, 0
    if command and expected is not Decision.FAIL:
        code = 5
    assert (decided.decision, decided.exit_code) == (expected, code)
    assert bool(decided.reasons) == (expected is not Decision.PASS or bool(command))


def test_nothing_that_only_warns_decides() -> None:
    """But a violation is told."""
    for state in State:
        decided = decide([judgement(state, "warn")], [], None)
        assert decided.decision is Decision.PASS
        assert decided.warnings == (
            ("app: success >= 99% is violated: 50 % (warns only)",) if state is State.VIOLATED else ()
        )


@pytest.mark.parametrize(
    ("command", "words"),
    [(2, "the command ended with exit code 2"), (-15, "the command was killed by signal 15")],
)
def test_both_failures_are_told(command: int, words: str) -> None:
    """The objective's and the command's: exit 1."""
    decided = decide([judgement(State.VIOLATED, "enforce")], [], command)
    assert decided.reasons == ("app: success >= 99% is violated: 50 %", words)
    assert decided.exit_code == 1


def test_weak_evidence_beside_a_proven_violation_is_told_as_a_warning() -> None:
    """It does not make the violation less."""
    decided = decide([judgement(State.VIOLATED, "enforce")], ["the disk was full"], None)
    assert decided.decision is Decision.FAIL
    assert "the disk was full" in decided.warnings


@pytest.mark.parametrize(("forgiven", "words"), [(1, "1 bad tick"), (7, "7 bad ticks")])
def test_what_was_forgiven_is_always_shown(forgiven: int, words: str) -> None:
    """Even where all is well."""
    decided = decide([judgement(State.MET, "enforce", forgiven)], [], None)
    assert decided.decision is Decision.PASS
    assert decided.warnings == (f"app: 'success >= 99%' forgave {words}",)


def test_every_pair_of_states_comes_to_one_word() -> None:
    """The worse of the two."""
    rank = {State.MET: Decision.PASS, State.UNKNOWN: Decision.INCONCLUSIVE, State.VIOLATED: Decision.FAIL}
    order = [State.MET, State.UNKNOWN, State.VIOLATED]
    for first, second in product(State, repeat=2):
        decided = decide([judgement(first, "enforce"), judgement(second, "enforce")], [], None)
        assert decided.decision is rank[max(first, second, key=order.index)]
