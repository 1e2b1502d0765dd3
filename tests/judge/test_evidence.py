"""What makes evidence too weak for any word, and what is said then."""

import pytest

from harness.brief import Brief
from harness.events import Closed, CommandEnded, Event, NeverReady, Problem, Ready, StopRequested
from harness.frames import Frame, Second
from harness.judge import judge
from harness.objectives import Indicator, Objective
from harness.outcome import Cause
from harness.statistics.ledger import Ledger
from harness.verdict import Decision, State, Verdict
from tests.statistics.world import Death, Said, World, tell
from tests.statistics.worlds import spelled

SUCCESS = Objective(text="success >= 50%", runner="app", indicator=Indicator.SUCCESS, operator=">=", threshold=0.5)
CLEAN = spelled("g" * 200)


def judged(
    world: World = CLEAN, *objectives: Objective, extra: tuple[Event, ...] = (), drop: tuple[type, ...] = (),
    **changes: float,
) -> Verdict:  # fmt: skip
    """Of a world with more or less said than it says by itself."""
    world = World(**{**world.__dict__, "objectives": objectives or (SUCCESS,)})
    fields = {name: getattr(world.brief, name) for name in world.brief.__struct_fields__}
    brief = Brief(**{**fields, **changes})
    ledger = Ledger(brief)
    entries = [said for said in world.entries() if not isinstance(said.entry, drop)]
    entries[-1:-1] = [Said(entries[-1].at, 0, 0, event) for event in extra]
    tell(ledger, entries)
    return judge(brief, ledger)


def test_a_clean_run_passes() -> None:
    """So that all below are about what they change."""
    verdict = judged()
    assert (verdict.verdict, verdict.exit_code, verdict.reasons) == (Decision.PASS, 0, [])
    assert verdict.stopped_by == "a test"
    assert verdict.seconds == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("world", "more", "words"),
    [
        (CLEAN, {"extra": (Problem(at=5.0, text="the disk is full", spoils=True),)}, "the disk is full"),
        (CLEAN, {"min_seconds": 60.0}, "it was judged over 20.0 s, and the plan wants 1 min at least"),
        (CLEAN, {"drop": (Closed,)}, "the run was interrupted"),
        (spelled("g" * 9), {}, "app: 9 attempts came to an end, 10 are needed"),
        (spelled("g" * 40 + "u" * 60), {}, "app: 60 % of its planned attempts are unknown"),
        (spelled("u" * 100), {}, "app: 0 attempts came to an end"),
    ],
)
def test_weak_evidence_never_passes(world: World, more: dict[str, float], words: str) -> None:
    """INCONCLUSIVE, exit 3, with the reason in words, even where all objectives only warn."""
    for asked in (SUCCESS, Objective(**{**_fields(SUCCESS), "gate": "warn"})):
        verdict = judged(world, asked, **more)
        assert (verdict.verdict, verdict.exit_code) == (Decision.INCONCLUSIVE, 3)
        assert any(words in reason for reason in verdict.reasons)


def _fields(asked: Objective) -> dict[str, object]:
    return {name: getattr(asked, name) for name in asked.__struct_fields__}


def test_a_problem_that_spoils_nothing_is_only_told() -> None:
    """Among the harness's own troubles."""
    verdict = judged(extra=(Problem(at=5.0, text="a report could not be written", spoils=False),))
    assert verdict.verdict is Decision.PASS
    assert verdict.harness.problems == ["a report could not be written"]


def test_a_proven_violation_stands_whatever_else_is_weak() -> None:
    """An interrupted run that was half an outage is a FAIL."""
    verdict = judged(spelled("g" * 30 + "b" * 70), drop=(Closed, StopRequested))
    assert (verdict.verdict, verdict.exit_code) == (Decision.FAIL, 1)
    assert any("interrupted" in warning for warning in verdict.warnings)


def test_seconds_and_ticks_must_tell_the_same() -> None:
    """A worker whose own books do not agree is not believed."""
    world = World(**{**CLEAN.__dict__, "objectives": (SUCCESS,)})
    entries = world.entries()
    frame = next(said.entry for said in entries if isinstance(said.entry, Frame) and said.entry.seconds)
    first = next(iter(frame.seconds))
    frame.seconds[first] = Second(sent=5, good=1)
    ledger = Ledger(world.brief)
    tell(ledger, entries)
    verdict = judge(world.brief, ledger)
    assert verdict.verdict is Decision.INCONCLUSIVE
    assert any("its seconds tell of" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("quantile", "ticks", "state"),
    [(0.95, 19, State.UNKNOWN), (0.95, 20, State.MET), (0.99, 99, State.UNKNOWN), (0.99, 100, State.MET)],
)
def test_a_percentile_of_too_few_attempts_is_unknown(quantile: float, ticks: int, state: State) -> None:
    """1 / (1 - q) of them are needed."""
    asked = Objective(
        text="p < 1s", runner="app", indicator=Indicator.LATENCY, operator="<", threshold=1.0, quantile=quantile
    )
    verdict = judged(spelled("g" * ticks), asked)
    assert verdict.objectives[0].state is state
    assert verdict.verdict is (Decision.PASS if state is State.MET else Decision.INCONCLUSIVE)
    if state is State.UNKNOWN:
        assert f"{ticks} attempts, {ticks + 1} are needed to say" in verdict.reasons[0]


def test_never_ready_is_exit_4_with_the_reason() -> None:
    """And nothing is counted: what was broken before is no failure of the deployment."""
    verdict = judged(spelled("b" * 100), drop=(Ready,), extra=(NeverReady(at=9.0, reason="app: 90 attempts, 0 good"),))
    assert (verdict.verdict, verdict.exit_code) == (Decision.INCONCLUSIVE, 4)
    assert verdict.ready is None
    assert verdict.runners == []
    assert verdict.objectives == []
    assert any("app: 90 attempts, 0 good" in reason for reason in verdict.reasons)


def test_interrupted_before_it_was_ready() -> None:
    """A killed conductor leaves this."""
    verdict = judged(drop=(Ready, Closed, StopRequested))
    assert verdict.exit_code == 4
    assert any("interrupted" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("letters", "code", "decision"),
    [("g" * 100, 5, Decision.PASS), ("u" * 100, 5, Decision.INCONCLUSIVE), ("b" * 100, 1, Decision.FAIL)],
)
def test_the_command_s_failure_is_exit_5_unless_the_target_failed(letters: str, code: int, decision: Decision) -> None:
    """Its own code is told either way."""
    verdict = judged(spelled(letters), extra=(CommandEnded(at=9.0, code=7),))
    assert (verdict.verdict, verdict.exit_code, verdict.command_exit) == (decision, code, 7)
    assert "the command ended with exit code 7" in verdict.reasons


def test_a_command_that_succeeded_is_no_reason() -> None:
    """It is only noted."""
    verdict = judged(extra=(CommandEnded(at=9.0, code=0),))
    assert (verdict.verdict, verdict.exit_code, verdict.command_exit) == (Decision.PASS, 0, 0)


def test_a_dead_worker_makes_the_evidence_weaker_and_not_the_target_worse() -> None:
    """Its open ticks are lost: neither the outage's length nor success can be met on them."""
    outage = Objective(
        text="longest_outage < 1s", runner="app", indicator=Indicator.LONGEST_OUTAGE, operator="<", threshold=1.0
    )
    death = Death(shard=0, at=10.003, noted=12.2, resumed=122, successor=True)
    tries = tuple(
        type(one)(**{**one.__dict__, "reached": max(one.reached, 12.2), "finished": max(one.finished, 12.22)})
        if one.tick >= 122
        else one
        for one in CLEAN.tries
    )
    verdict = judged(World(**{**CLEAN.__dict__, "deaths": (death,), "tries": tries}), outage)
    assert verdict.verdict is Decision.INCONCLUSIVE
    assert verdict.runners[0].failed == 0
    assert verdict.runners[0].unknown["lost"] >= 20
    assert verdict.harness.restarts == 1
    assert any("ended at" in problem for problem in verdict.harness.problems)


@pytest.mark.parametrize("silent", [30, 80])
def test_a_target_that_falls_silent_just_before_the_stop_never_passes(silent: int) -> None:
    """Its attempts are cut: unknown, and over every latency that their age exceeds."""
    world = _falling_silent(silent)
    latency = Objective(
        text="p95 < 500ms", runner="app", indicator=Indicator.LATENCY, operator="<", threshold=0.5, quantile=0.95
    )
    silence = Objective(text="silence < 2s", runner="app", indicator=Indicator.SILENCE, operator="<", threshold=2.0)
    for asked in (latency, silence):
        verdict = judged(world, asked)
        assert verdict.verdict is not Decision.PASS
        assert verdict.objectives[0].state is State.VIOLATED


def _falling_silent(ticks: int) -> World:
    end = CLEAN.until + 3.0
    cut = spelled("t").tries[0].ending._replace(cause=Cause.CUT)
    tries = tuple(
        type(one)(**{**one.__dict__, "finished": end, "ending": cut}) if one.tick >= 200 - ticks else one
        for one in CLEAN.tries
    )
    return World(**{**CLEAN.__dict__, "tries": tries, "cut_at": end})


@pytest.mark.parametrize(
    ("letters", "asked", "words"),
    [
        (
            "g" * 100 + "b" * 12 + "g" * 88,
            ("longest_outage < 1s", Indicator.LONGEST_OUTAGE, "<", 1.0),
            ["is violated", "between 1.10 s and 1.30 s", "connect refused 12"],
        ),
        ("g" * 90 + "b" * 10, ("success >= 95%", Indicator.SUCCESS, ">=", 0.95), ["90 %", "10 of 100 failed"]),
        (
            "g" * 92 + "b" * 4 + "u" * 4,
            ("failures <= 5", Indicator.FAILURES, "<=", 5),
            ["is unknown", "4 ticks are unknown (missed 4), which allows 4 to 8"],
        ),
    ],
)
def test_reasons_are_sentences_with_figures(
    letters: str, asked: tuple[str, Indicator, str, float], words: list[str]
) -> None:
    """What, how much, when and why: a pipeline's log must be enough to know."""
    text, indicator, operator, limit = asked
    verdict = judged(
        spelled(letters), Objective(text=text, runner="app", indicator=indicator, operator=operator, threshold=limit)
    )
    (reason,) = verdict.reasons
    assert reason.startswith(f"app: {text} is ")
    for word in words:
        assert word in reason
