"""From judged objectives and the evidence's weaknesses to PASS, FAIL or INCONCLUSIVE, and the exit code. Pure.

FAIL: an enforced objective is violated. INCONCLUSIVE: none is, but one is unknown, or the evidence is too weak for any
word. PASS: otherwise. A proven violation stands whatever else is weak; weak evidence never passes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from harness.objectives import Gate
from harness.verdict import Decision, Judgement, State

COMMAND_FAILED = 5
_EXITS = {Decision.PASS: 0, Decision.FAIL: 1, Decision.INCONCLUSIVE: 3}


class Decided(NamedTuple):
    """The decision, its exit code, why, and what is worth a word besides."""

    decision: Decision
    exit_code: int
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def decide(objectives: Sequence[Judgement], weaknesses: Sequence[str], command_exit: int | None) -> Decided:
    """`weaknesses`: reasons for which nothing may pass. `command_exit`: of `--while -- CMD`, None without one."""
    enforced = [one for one in objectives if one.gate == Gate.ENFORCE]
    violated = [one for one in enforced if one.state is State.VIOLATED]
    unknown = [one for one in enforced if one.state is State.UNKNOWN]
    failed = command_exit is not None and command_exit != 0
    if violated:
        decision = Decision.FAIL
        reasons = [_sentence(one) for one in violated]
    elif unknown or weaknesses:
        decision = Decision.INCONCLUSIVE
        reasons = [*weaknesses, *(_sentence(one) for one in unknown)]
    else:
        decision = Decision.PASS
        reasons = []
    warnings = [
        f"{_sentence(one)} (warns only)" for one in objectives if one.gate == Gate.WARN and one.state is State.VIOLATED
    ]
    warnings += [
        f"{one.runner}: '{one.text}' forgave {one.forgiven} bad tick{'' if one.forgiven == 1 else 's'}"
        for one in objectives
        if one.forgiven
    ]
    if decision is Decision.FAIL:
        warnings += weaknesses
    exit_code = _EXITS[decision]
    if failed:
        assert command_exit is not None
        how = f"was killed by signal {-command_exit}" if command_exit < 0 else f"ended with exit code {command_exit}"
        reasons.append(f"the command {how}")
        if decision is not Decision.FAIL:
            exit_code = COMMAND_FAILED
    return Decided(decision, exit_code, tuple(reasons), tuple(warnings))


def _sentence(one: Judgement) -> str:
    return f"{one.runner}: {one.text} is {one.state.value}: {one.why}"
