"""The one door: `run(plan) -> Verdict`. Command line, suites and daemon use it; `rebuild` judges a journal again."""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import uvloop

from harness.background import behind_the_workers
from harness.brief import Brief
from harness.command import Command
from harness.conductor import Conductor, Rules
from harness.conductor.clock import SystemClock
from harness.conductor.launch import subprocess_launcher
from harness.conductor.observe import Observer
from harness.events import Problem
from harness.journal import Journal
from harness.judge import judge
from harness.plan import Plan
from harness.recording import Said, open_journal
from harness.report import FILES, REPORTS
from harness.run_folder import RunError, RunFolder, claim, find_run, write_whole
from harness.spec import Operation, Spec
from harness.statistics.ledger import Ledger
from harness.stop import AbortRule, RunHandle, StopRules, signals_kept
from harness.verdict import Verdict

__all__ = ["RunError", "RunFolder", "RunHandle", "find_run", "ledger_of", "rebuild", "run"]


def run(
    plan: Plan,
    *,
    runs_dir: Path,
    run_id: str | None = None,
    attempt: int | None = None,
    awaited: bool = False,
    gated: bool = False,
    handle: RunHandle | None = None,
    stop_file: Path | None = None,
    command: Sequence[str] | None = None,
    observers: Iterable[Observer] = (),
    environ: Mapping[str, str] = os.environ,
) -> Verdict:
    """Run a plan until something stops it, judge it, and leave everything in a new folder under `runs_dir`.

    In the main thread TERM and INT are stop signals for as long as this lasts; elsewhere use `handle`. `attempt` is
    its number, if that is settled already. `awaited`: somebody is to stop it, so that one which ends by the plan's
    max_duration is inconclusive unless the plan says otherwise. `gated`: others go on by its verdict, so that one which
    a signal breaks off is inconclusive. `stop_file`
    takes the place of the plan's. `command` (program and arguments) is run once the run is ready; its end is a stop
    signal too. Secrets are taken from `environ`.

    Raises RunError, JournalError, FoundationError, UnreadyError (the API's runners can't begin) or the plan's error
    before the first tick; from then on there is a verdict.
    """
    handle = handle if handle is not None else RunHandle()
    operations, warnings = _prepared(plan, environ)  # a signal ends this at once: nothing has begun
    plan = replace(plan, warnings=(*plan.warnings, *warnings))
    with signals_kept(handle):
        specs = plan.specs(environ, operations)
        rules = _rules(plan, stop_file, awaited, gated)
        folder = claim(runs_dir, run_id, attempt)
        specs = tuple(_stamped(spec, f"{folder.run}/{folder.attempt}") for spec in specs)
        apis = {name: operation.target.api for name, operation in operations.items()}
        brief = plan.brief(run=folder.run, attempt=folder.attempt, apis=apis)
        redacted = plan.redacted()
        try:
            write_whole(folder.plan, msgspec.json.format(msgspec.json.encode(redacted)) + b"\n")
        except OSError as error:
            raise RunError(f"can't write to {folder.path}: {error.strerror or error}; choose another folder") from error
        journal = Journal(folder.journal, brief, redacted)
        try:
            ledger = Ledger(brief)
            conductor = Conductor(
                specs,
                rules,
                clock=SystemClock(),
                launch=subprocess_launcher(environ),
                record=journal,
                ledger=ledger,
                handle=handle,
                command=Command(command) if command else None,
                observers=observers,
            )
            with behind_the_workers(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(conductor.conduct())
        finally:
            known = journal.trouble
            trouble = journal.close()
        if trouble and not known:
            ledger.note(Problem(at=conductor.now(), text=trouble, spoils=True))
        return _leave_reports(folder, brief, ledger, conductor.now())


def _prepared(plan: Plan, environ: Mapping[str, str]) -> tuple[dict[str, Operation], tuple[str, ...]]:
    if all(runner.probe != "cf-api" for runner in plan.file.runners):
        return {}, ()
    from harness.foundation import prepare  # slow to import, and not always wanted

    return prepare(plan, environ, Path.home())


def _stamped(spec: Spec, run: str) -> Spec:
    """API requests carry the run's name: operators can grep for it."""
    if spec.operation is None:
        return spec
    return msgspec.structs.replace(
        spec,
        operation=msgspec.structs.replace(spec.operation, run=run),
        beside=tuple(_stamped(member, run) for member in spec.beside),
    )


def rebuild(folder: RunFolder) -> Verdict:
    """Judge a run from its journal alone; an interrupted one too. Raises JournalError."""
    ledger = ledger_of(folder.journal)
    return judge(ledger.brief, ledger)


def ledger_of(journal: Path) -> Ledger:
    """What the conductor knew, from the journal alone. Raises JournalError."""
    with open_journal(journal) as recording:
        ledger = Ledger(recording.brief)
        for entry in recording.entries():
            if isinstance(entry, Said):
                ledger.hear(entry.runner, entry.shard, entry.incarnation, entry.message)
            else:
                ledger.note(entry)
    return ledger


def _leave_reports(folder: RunFolder, brief: Brief, ledger: Ledger, now: float) -> Verdict:
    """Write every report into the run's folder, verdict.json last: it tells of those that could not be written."""
    told = len(ledger.problems)
    verdict = judge(brief, ledger)
    for name, file in FILES.items():
        if name != "json":
            try:
                write_whole(folder.path / file, REPORTS[name](verdict).encode())
            except Exception as error:  # a report writer: its fault is told, and costs nothing but its report
                ledger.note(Problem(at=now, text=_unwritten(folder, file, error), spoils=False))
    if len(ledger.problems) > told:  # judged again only then: after a long run it takes a while
        verdict = judge(brief, ledger)
    try:
        write_whole(folder.verdict, REPORTS["json"](verdict).encode())
    except OSError as error:
        ledger.note(Problem(at=now, text=_unwritten(folder, folder.verdict.name, error), spoils=True))
        verdict = judge(brief, ledger)
    return verdict


def _unwritten(folder: RunFolder, file: str, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
    return f"{file} can't be written to {folder.path}: {why}"


def _rules(plan: Plan, stop_file: Path | None, awaited: bool, gated: bool) -> Rules:
    stop, condition = plan.stop, plan.abort_when
    abort = None
    if condition is not None:
        assert condition.window is not None  # the plan refuses it otherwise
        abort = AbortRule(text=stop.abort_when or "", below=condition.threshold, over=condition.window)
    rules = StopRules(
        max_duration=stop.max_duration,
        max_duration_spoils=(stop.at_max_duration or ("inconclusive" if awaited else "judge")) == "inconclusive",
        signal_spoils=gated,
        duration=stop.duration,
        file=stop_file if stop_file is not None else plan.stop_file,
        abort=abort,
        settle=stop.settle,
        drain=stop.drain,
    )
    return Rules(baseline=plan.baseline, ready_timeout=plan.ready_timeout, stop=rules)
