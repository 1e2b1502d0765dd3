"""The verb `run`: a target becomes a plan, the plan a verdict, and the verdict goes where it was asked for."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.deliver import check_outputs, deliver
from harness.cli.target import plan_of
from harness.cli.watch import watching
from harness.conductor.observe import Observer
from harness.plan import Overrides, Plan
from harness.run import RunHandle, run
from harness.verdict import Verdict


@dataclass(frozen=True)
class Wishes:
    """What a run is asked to write, and where."""

    runs_dir: Path
    run_id: str | None = None
    form: str = "text"
    files: tuple[Path, ...] = ()
    quiet: bool = False
    live: bool | None = None


def run_target(
    target: str,
    overrides: Overrides,
    wishes: Wishes,
    *,
    stop_file: Path | None = None,
    command: Sequence[str] | None = None,
) -> int:
    """Returns the exit code. Raises HarnessError before the first tick."""
    plan = plan_of(target, overrides)
    check_outputs(wishes.files)
    verdict = watched(plan, wishes, stop_file=stop_file, command=command)
    return deliver(verdict, wishes.form, wishes.files)


def watched(
    plan: Plan,
    wishes: Wishes,
    *,
    handle: RunHandle | None = None,
    stop_file: Path | None = None,
    command: Sequence[str] | None = None,
    also: Sequence[Observer] = (),
    environ: Mapping[str, str] = os.environ,
) -> Verdict:
    """Run the plan with somebody looking on, as far as that is wished for; `also` are observers besides, and secrets
    come from `environ`."""
    with watching(plan, quiet=wishes.quiet, live=wishes.live, command=command) as observers:
        return run(
            plan,
            runs_dir=wishes.runs_dir,
            run_id=wishes.run_id,
            handle=handle,
            stop_file=stop_file,
            command=command,
            observers=(*observers, *also),
            environ=environ,
        )
