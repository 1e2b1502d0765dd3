"""What all attempts at a run come to together, and whether a pipeline may go on. Pure.

A retry never erases a failure: the run fails if one attempt failed, and is inconclusive if one was, or ended without a
word. One that could not begin (never ready, refused) says nothing of a deployment, so a later one may still pass. A
person can accept what there was: that lets the pipeline go on, stands beside the outcome, and does not replace it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

_EXITS = {"fail": 1, "refused": 2, "inconclusive": 3, "never_ready": 4, "skipped": 0}


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """A person lets a run pass in spite of what its attempts came to."""

    by: str
    reason: str
    at: float  # seconds since the epoch
    attempts: list[int]  # those that were over by then; a later one is not covered
    outcome: str  # what was accepted: fail | inconclusive | …


class AttemptSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as the gate sees it."""

    attempt: int
    outcome: str  # pass | fail | inconclusive | never_ready | skipped | refused; running; died: without a word
    exit_code: int
    reasons: list[str]
    ended: float | None  # seconds since the epoch


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The run as a whole."""

    run: str
    outcome: str  # pass | fail | inconclusive | never_ready | skipped | refused | running
    exit_code: int
    reasons: list[str]
    attempts: list[AttemptSummary]
    accepted: list[Acceptance]


def died(attempt: int) -> AttemptSummary:
    """An attempt whose process ended without a word."""
    reasons = ["its process ended without a verdict: what it saw is in its journal, if that was kept"]
    return AttemptSummary(attempt=attempt, outcome="died", exit_code=3, reasons=reasons, ended=None)


def running(attempt: int) -> AttemptSummary:
    """An attempt that goes on."""
    return AttemptSummary(attempt=attempt, outcome="running", exit_code=3, reasons=["it goes on"], ended=None)


def gate(run: str, attempts: Sequence[AttemptSummary], acceptances: Sequence[Acceptance]) -> Gate:
    """`attempts` in order, at least one. The outcome is what they came to; the exit code leaves out those that somebody
    accepted."""
    outcome, decisive = _outcome(attempts)
    rest = [one for one in attempts if not any(_covers(acceptance, one) for acceptance in acceptances)]
    reasons = [f"attempt {one.attempt}: {reason}" for one in decisive for reason in one.reasons]
    return Gate(
        run=run,
        outcome=outcome,
        exit_code=_exit_code(*_outcome(rest)) if rest else 0,
        reasons=reasons if len(attempts) > 1 else list(attempts[0].reasons),
        attempts=list(attempts),
        accepted=list(acceptances),
    )


def _covers(acceptance: Acceptance, one: AttemptSummary) -> bool:
    """What was over by then, as bad as it was known to be: one that seemed to have died may have failed after all."""
    if one.attempt not in acceptance.attempts or one.outcome == "running":
        return False
    return one.outcome != "fail" or acceptance.outcome == "fail"


def _outcome(attempts: Sequence[AttemptSummary]) -> tuple[str, list[AttemptSummary]]:
    """The run's outcome, and the attempts that it follows from."""
    for outcomes, word in (
        (("fail",), "fail"),
        (("running",), "running"),
        (("inconclusive", "died"), "inconclusive"),
    ):
        if found := [one for one in attempts if one.outcome in outcomes]:
            return word, found
    newest = attempts[-1]  # passed, or could not begin: then a pass before it is not its own
    watched = [one for one in attempts if one.outcome != "skipped"]
    if newest.outcome == "skipped" and watched and watched[-1].outcome != "refused":  # a mistake, mended since
        newest = watched[-1]
    return newest.outcome, [newest]


def _exit_code(outcome: str, decisive: Sequence[AttemptSummary]) -> int:
    if outcome == "pass":  # 5: the deployment's own command failed
        return decisive[-1].exit_code
    return _EXITS.get(outcome, 3)


def sentences(gate: Gate) -> list[str]:
    """For people: the outcome over all attempts, each of them, and who accepted it. Lines to be wrapped."""
    lines = []
    if len(gate.attempts) > 1 or gate.accepted:
        word = gate.outcome.replace("_", " ").upper()
        count = f"{len(gate.attempts)} attempt{'' if len(gate.attempts) == 1 else 's'}"
        lines.append(f"{word} over {count} at {gate.run}, exit code {gate.exit_code}")
        for one in gate.attempts:
            why = f": {'; '.join(one.reasons)}" if one.reasons else ""
            lines.append(f"attempt {one.attempt} {one.outcome.replace('_', ' ')}{why}")
    lines += [acceptance_words(one) for one in gate.accepted]
    return lines


def acceptance_words(one: Acceptance) -> str:
    """Who, when, what and why."""
    when = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"ACCEPTED by {one.by} at {when} in spite of {one.outcome.replace('_', ' ')}: {one.reason}"
