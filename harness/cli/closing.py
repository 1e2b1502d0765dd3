"""The demo's last words: what was seen, from the verdicts' own figures, and what to type next. Pure."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.figures import clock, count, seconds, tally
from harness.report.layout import WIDTH, wrap
from harness.verdict import Decision, Outage, RunnerReport, Verdict


def closing(verdicts: Sequence[Verdict], runs_dir: Path, plan: Path, program: str = "cf-harness") -> list[str]:
    """Lines of at most 80 columns, but for paths that are longer. `program`: what the shell finds us by."""
    lines = ["What you saw"]
    for number, verdict in enumerate(verdicts, 1):
        first, *more = wrap(_seen(verdict), WIDTH - 4)
        lines += [f"  {number} {first}", *(f"    {line}" for line in more)]
    place = "" if runs_dir == Path("runs") else f" --runs-dir {shlex.quote(str(runs_dir))}"
    file = shlex.quote(str(plan))
    return [
        *lines,
        "",
        "What to type next",
        f"  {program} report {verdicts[-1].run}{place}",
        "      the last report again, from its journal; --format json|junit|markdown",
        f"  {program} run https://app.example.org/",
        "      ten requests a second to an app of yours, until Ctrl-C",
        f"  {program} run {file} --url https://app.example.org/ \\",
        "      --api https://api.example.org --while -- make deploy",
        "      this demo's plan, for as long as your own deployment lasts; as whom it",
        "      calls your API is in the environment (docs/foundation.md)",
    ]


def _seen(verdict: Verdict) -> str:
    attempts = sum(runner.attempts for runner in verdict.runners)
    failed = sum(runner.failed for runner in verdict.runners)
    names = [phase.name for phase in verdict.phases]
    steps = f"{len(names)} steps of a deployment" if len(names) != 1 else "one step of a deployment"
    judged = f"{verdict.verdict.upper()}, exit code {verdict.exit_code}."
    if not failed:
        return f"{count(attempts)} attempts went through {steps}, and not one failed: {judged}"
    said = f"{count(failed)} of {count(attempts)} attempts failed during {steps}"
    users = _worst([runner for runner in verdict.runners if runner.probe != "cf-api"])
    if users is not None:
        said += f". The longest outage of the app was one of {_told(*users)}"
    developers = _worst([runner for runner in verdict.runners if runner.probe == "cf-api"])
    if developers is not None:
        said += f"; of the API, one of {_told(*developers)}"
    return f"{said}: {judged}"


def _worst(runners: Sequence[RunnerReport]) -> tuple[str, Outage] | None:
    found = [(runner.name, outage) for runner in runners for outage in runner.outages]
    return max(found, key=lambda item: item[1].seconds, default=None)


def _told(runner: str, outage: Outage) -> str:
    verb = "was" if len(outage.phases) == 1 else "were"
    during = f", while {_listed(outage.phases)} {verb} under way" if outage.phases else ""
    end = f"to {clock(outage.end, 3)} UTC" if outage.end else "to the end"
    return f"{seconds(outage.seconds)} for {runner}, {clock(outage.start, 3)} {end}{during} ({tally(outage.causes)})"


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def went_wrong(verdicts: Sequence[Verdict], expected: Sequence[Decision]) -> str:
    """Why the demo showed something else than it should; empty if it did not."""
    if [verdict.verdict for verdict in verdicts] == list(expected):
        return ""
    got = " and ".join(verdict.verdict.upper() for verdict in verdicts)
    should = " and ".join(decision.upper() for decision in expected)
    why = "; ".join(
        reason
        for verdict, wanted in zip(verdicts, expected, strict=True)
        if verdict.verdict is not wanted
        for reason in verdict.reasons[:2]
    )
    return (
        f"The demo should have shown {should}, and showed {got}. This machine may be too busy for it; see the figures "
        f"under Evidence above, and try again. {why}"
    ).strip()
