"""One objective of one runner, judged by both readings of its unknown ticks, with a sentence that says why. Pure."""

import math
from collections.abc import Iterable, Sequence

from harness.figures import count, seconds, share, tally, value_of
from harness.objectives import Indicator, Objective
from harness.statistics.indicators import Measured, attempts_needed, holds, measure
from harness.statistics.kinds import UNKNOWN
from harness.statistics.narrow import narrowed, widened
from harness.statistics.outages import Spell, by_cause, outages, ticks_in
from harness.statistics.placement import Placement
from harness.statistics.sweep import Stretch
from harness.statistics.view import View
from harness.verdict import Judgement, State


def judge_objective(view: View, objective: Objective, placement: Placement) -> Judgement:
    """Hold one indicator against its limit: over the whole run, or over each phase of the objective's, the worst of
    which decides."""
    if not objective.phase:
        return _judged(view, view, objective, placement)
    parts = [part for phase in view.phases if phase.name == objective.phase and (part := narrowed(view, phase))]
    if not parts:
        return _unseen(objective)
    return max((_judged(view, part, objective, placement) for part in parts), key=lambda one: _GRAVITY[one.state])


_GRAVITY = {State.MET: 0, State.UNKNOWN: 1, State.VIOLATED: 2}
_WHOLE = frozenset((Indicator.LONGEST_OUTAGE, Indicator.TOTAL_OUTAGE, Indicator.OUTAGES, Indicator.SILENCE))


def _judged(whole: View, view: View, objective: Objective, placement: Placement) -> Judgement:
    if objective.phase and objective.indicator in _WHOLE:
        view = widened(whole, view)
    measured = measure(view, objective)
    state = _state(measured, objective)
    return Judgement(
        text=objective.text,
        runner=objective.runner,
        gate=str(objective.gate),
        value=_finite(measured.value),
        value_bounds=(_finite(measured.unknown_good), _finite(measured.unknown_bad)),
        threshold=objective.threshold,
        state=state,
        why=_why(view, objective, measured, state, placement),
        forgiven=measured.forgiven,
        phase=objective.phase,
    )


def _unseen(objective: Objective) -> Judgement:
    return Judgement(
        text=objective.text,
        runner=objective.runner,
        gate=str(objective.gate),
        value=None,
        value_bounds=(None, None),
        threshold=objective.threshold,
        state=State.UNKNOWN,
        why=f"no phase of that name was marked while the run was judged: cf-harness mark {objective.phase} --begin",
        phase=objective.phase,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _state(measured: Measured, objective: Objective) -> State:
    """Met both ways, violated both ways, or unknown. Too few attempts meet nothing, and violate no percentile: of 50
    attempts the slowest is no p99. Nor do they prove a silence: where hardly one came to an end, we may have been the
    one that did not listen. What was counted, such as the ticks of an outage, is violated all the same."""
    if measured.unknown_good is None or measured.unknown_bad is None:
        return State.UNKNOWN
    few = measured.attempts < attempts_needed(objective)
    held = {
        holds(objective.operator, value, objective.threshold) for value in (measured.unknown_good, measured.unknown_bad)
    }
    if held == {True}:
        return State.UNKNOWN if few else State.MET
    if held == {False}:
        unproven = objective.quantile is not None or objective.indicator is Indicator.SILENCE
        return State.UNKNOWN if few and unproven else State.VIOLATED
    return State.UNKNOWN


# In words


def _why(view: View, objective: Objective, measured: Measured, state: State, placement: Placement) -> str:
    said = [_fact(view, objective, measured, placement)]
    if state is State.UNKNOWN:
        needed = attempts_needed(objective)
        if measured.attempts < needed:
            said.append(f"{count(measured.attempts)} attempts, {count(needed)} are needed to say")
        else:
            said.append(_doubt(view, objective, measured))
    return "; ".join(part for part in said if part)


def _fact(view: View, objective: Objective, measured: Measured, placement: Placement) -> str:
    stretches, _ = view.forgiving(objective.tolerate)
    bad = [stretch for stretch in stretches if stretch.kind not in UNKNOWN]
    worst = "" if objective.window is None else f" in the worst {seconds(objective.window)}"
    if measured.value is None:
        return "no attempt came to an end"
    value = value_of(objective.text, measured.value, objective.threshold)
    match objective.indicator:
        case Indicator.SUCCESS | Indicator.FAILURES:
            failed = ticks_in(bad)
            return f"{value}{worst}: {count(failed)} of {count(view.planned)} failed{_causes(bad)}"
        case Indicator.LATENCY | Indicator.MAX:
            return f"{value}{worst}" + (f", failures included{_causes(bad)}" if bad else "")
        case Indicator.SILENCE:
            known, possible = view.silences
            quiet = known if known is not None and known.seconds_low >= measured.value else possible
            if quiet is None:
                return value
            begin, end = placement.clock(quiet.begin), placement.clock(quiet.end)
            return f"{value}: no good answer from {begin} to {end}, while requests waited"
        case _:
            return f"{value}{worst}{_longest(view, stretches, placement)}"


def _causes(bad: Iterable[Stretch]) -> str:
    counts = by_cause(bad)
    return f" ({tally(counts)})" if counts else ""


def _longest(view: View, stretches: Sequence[Stretch], placement: Placement) -> str:
    """The longest outage, placed in time and beside the phases that it touched."""
    spells = outages(view.axis, stretches)
    if not spells:
        return ""
    spell = max(spells, key=lambda one: one.high)
    begin, end = placement.clock(spell.start), "the end" if spell.end is None else placement.clock(spell.end)
    said = (
        f", longest from {begin} to {end}, between {seconds(spell.low)} and {seconds(spell.high)} as the schedule sees "
        f"it{_causes(part for part in spell.parts if part.kind not in UNKNOWN)}"
    )
    phases = phases_of_spell(view, spell)
    return said + (f", during {', '.join(phases)}" if phases else "")


def phases_of_spell(view: View, spell: Spell) -> list[str]:
    """The phases that an outage touches, from the good tick before it on: it may have begun right after that."""
    begin = view.axis.time(spell.parts[0].first - 1)
    end = view.axis.end if spell.end is None else spell.end
    return list(dict.fromkeys(phase.name for phase in view.phases if phase.touches(begin, end)))


def _doubt(view: View, objective: Objective, measured: Measured) -> str:
    unknown = dict(view.unknown)
    for cause, number in by_cause(view.blind).items():
        unknown[cause] -= number
    open_ = {cause: number for cause, number in unknown.items() if number > 0}
    low, high = (
        "unbounded" if value is not None and math.isinf(value) else value_of(objective.text, value, objective.threshold)
        for value in (measured.unknown_good, measured.unknown_bad)
    )
    if objective.indicator is Indicator.SUCCESS:
        low, high = high, low
    if not open_:
        return f"what is known allows {low} to {high}" if low != high else f"too close to {_limit(objective)} to say"
    total = sum(open_.values())
    ticks = "1 tick is" if total == 1 else f"{count(total)} ticks are"
    return f"{ticks} unknown ({tally(open_)}), which allows {low} to {high}"


def _limit(objective: Objective) -> str:
    """The threshold in its unit."""
    if objective.indicator is Indicator.SUCCESS:
        return share(objective.threshold)
    return value_of(objective.text, objective.threshold, objective.threshold)
