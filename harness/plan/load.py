"""From a file or a URL to a plan that was checked, or to all that is wrong with it."""

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from harness.plan.across import across, same_twice
from harness.plan.advice import warnings
from harness.plan.findings import findings
from harness.plan.models import PlanFile
from harness.plan.overrides import NO_CHANGES, Overrides, override
from harness.plan.plan import Plan
from harness.plan.problems import PlanError, Problem
from harness.plan.source import Source, read

COMMAND_LINE = "command line"


def load_plan(path: str | Path, overrides: Overrides = NO_CHANGES) -> Plan:
    """Read a plan's file. Raises PlanError with every mistake at once."""
    path = Path(path)
    return _check(read(path), path.parent, overrides)


def plan_from_url(url: str, overrides: Overrides = NO_CHANGES) -> Plan:
    """A bare URL is a plan: one runner, named `app`. Raises PlanError."""
    source = Source(COMMAND_LINE, {"runners": [{"name": "app", "url": url}]}, {})
    return _check(source, Path.cwd(), overrides)


def _check(source: Source, folder: Path, overrides: Overrides) -> Plan:
    source = override(source, overrides)
    told = {problem.key for problem in source.problems if problem.key}
    problems = [problem for problem in across(source, folder) if problem.key not in told]
    try:
        file = PlanFile.model_validate(source.value)
    except ValidationError as error:
        problems += [problem for problem in findings(source, error) if problem.key not in told]
        file = None
    if file is not None and not problems:
        problems += same_twice(file, source)
    problems = [*source.problems, *problems]
    if problems or file is None:
        raise PlanError(_in_order(problems))
    plan = Plan(file=file, source=source.file, folder=folder)
    return replace(plan, warnings=warnings(plan))


def _in_order(problems: list[Problem]) -> list[Problem]:
    """Each once, by where it stands."""
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
