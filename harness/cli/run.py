"""The verb `run`: a target becomes a plan, the plan a verdict, and the verdict goes where it was asked for."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.absent import absent
from harness.channel.claim import TakenError
from harness.cli import complain
from harness.cli.deliver import check_outputs, deliver
from harness.cli.detach import Begun, log_of, tell_starter
from harness.cli.target import plan_of
from harness.cli.watch import watching
from harness.conductor.observe import Observer
from harness.duty import Duty, Meeting, on_duty
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
    awaited_by: str = ""  # what its pipeline stops it by, for people


def run_target(
    target: str,
    overrides: Overrides,
    wishes: Wishes,
    *,
    meeting: Meeting,
    skip_if_absent: bool = False,
    stop_file: Path | None = None,
    command: Sequence[str] | None = None,
) -> int:
    """Returns the exit code. Raises HarnessError before the first tick."""
    check_outputs(wishes.files)
    meeting = replace(meeting, log=log_of(os.environ))
    try:
        with on_duty(meeting, target=target, runs_dir=wishes.runs_dir, environ=os.environ, say=complain) as duty:
            plan = plan_of(target, overrides)
            if skip_if_absent and (why := absent(plan, os.environ)):
                return _skip(duty, why)
            if duty.live is not None:  # a starter that hears nothing shows what was said instead
                tell_starter(Begun(owner=duty.live.owner, url=duty.url))
            verdict = watched(
                plan,
                replace(wishes, run_id=meeting.run_id, awaited_by=meeting.stopped_by),
                handle=duty.handle,
                attempt=duty.attempt,
                awaited=meeting.awaited,
                gated=meeting.gated,
                stop_file=stop_file,
                command=command,
                also=duty.observers,
            )
            code = deliver(verdict, wishes.form, wishes.files)
            duty.done(verdict)
            return code
    except TakenError as error:
        tell_starter(Begun(taken=str(error)))
        raise


def _skip(duty: Duty, why: str) -> int:
    """Loudly: nothing was watched, and that is no PASS."""
    complain(f"SKIPPED, NOTHING IS WATCHED: {why}")
    duty.skipped(why)
    return 0


def watched(
    plan: Plan,
    wishes: Wishes,
    *,
    handle: RunHandle | None = None,
    attempt: int | None = None,
    awaited: bool = False,
    gated: bool = False,
    stop_file: Path | None = None,
    command: Sequence[str] | None = None,
    also: Sequence[Observer] = (),
    environ: Mapping[str, str] = os.environ,
) -> Verdict:
    """Run the plan with somebody looking on, as far as that is wished for; `also` are observers besides, and secrets
    come from `environ`."""
    with watching(plan, quiet=wishes.quiet, live=wishes.live, command=command, awaited=wishes.awaited_by) as observers:
        return run(
            plan,
            runs_dir=wishes.runs_dir,
            run_id=wishes.run_id,
            attempt=attempt,
            awaited=awaited,
            gated=gated,
            handle=handle,
            stop_file=stop_file,
            command=command,
            observers=(*observers, *also),
            environ=environ,
        )
