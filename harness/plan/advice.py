"""What will run, but not say what the plan's author may hope for. Pure."""

import math
from collections.abc import Iterator

from harness import units
from harness.objectives import Indicator, Objective
from harness.plan.models import RunnerPlan
from harness.plan.plan import Plan, pool_of, shards_of

_OUTAGES = (Indicator.LONGEST_OUTAGE, Indicator.TOTAL_OUTAGE, Indicator.SILENCE)
_FEWEST = 10  # attempts that say anything


def warnings(plan: Plan) -> tuple[str, ...]:
    """Each begins with its runner's name."""
    runners = {runner.name: runner for runner in plan.file.runners}
    found = []
    for objective in plan.objectives():
        runner = runners[objective.runner]
        found += [f"{runner.name}: {text}" for text in _of_objective(plan, runner, objective)]
    found += [f"{runner.name}: {text}" for runner in plan.file.runners for text in _of_pool(runner)]
    return tuple(found)


def _of_objective(plan: Plan, runner: RunnerPlan, objective: Objective) -> Iterator[str]:
    spacing, shown = 1 / runner.rate, units.show_rate(runner.rate)
    if objective.indicator in _OUTAGES and 2 * spacing >= objective.threshold:
        mend = f"above {units.show_rate(2 / objective.threshold)}" if objective.threshold else "the limit"
        yield (
            f"at {shown} a single failed attempt may stand for {units.show_duration(2 * spacing)}, so "
            f"'{objective.text}' can't be decided after one; raise {'the rate ' if objective.threshold else ''}{mend}"
        )
    needed = _FEWEST
    if objective.quantile is not None:
        needed = max(_FEWEST, math.ceil(round(1 / (1 - objective.quantile), 6)))
    if objective.window is not None and objective.window * runner.rate < needed:
        attempts = math.floor(objective.window * runner.rate)
        yield f"'{objective.text}' looks at {attempts} attempts in a window at {shown}; it takes {needed} to say much"
    duration = plan.stop.duration
    if duration is not None and duration * runner.rate < needed:
        attempts = math.floor(duration * runner.rate)
        yield (
            f"{attempts} attempts in {units.show_duration(duration)} are too few for '{objective.text}', which takes "
            f"{needed}: the run will be inconclusive"
        )


def _of_pool(runner: RunnerPlan) -> Iterator[str]:
    if runner.probe == "cf-api":  # few slots are good manners there
        return
    rate = runner.rate / shards_of(runner)
    cap, patient = pool_of(runner, rate).cap, math.ceil(rate * runner.timeout.total)
    if cap < patient:
        whose = f"pool: max {cap}" if runner.pool.max is not None else f"the pool's default of {cap} connections"
        yield (
            f"{whose} is below rate x timeout ({patient}): a stall of the target can't be told from our own limit, and "
            f"will read as unknown; a shorter timeout, or pool: {{max: {patient}}}, mends that"
        )
