"""The verbs `verdict` and `accept`: what all attempts at a run come to, and a person's word that it may pass."""

import time
from pathlib import Path

from harness.channel.records import decode
from harness.cli import INCONCLUSIVE, complain
from harness.cli.deliver import OutputError, check_outputs, show
from harness.cli.met import Met, patiently
from harness.errors import HarnessError
from harness.gate import Acceptance, Gate, acceptance_words
from harness.report import SUFFIXES
from harness.report.gate import GATE_REPORTS
from harness.report.layout import plain
from harness.run_folder import write_whole
from harness.verdict import Verdict


class AcceptError(HarnessError):
    """What nobody can accept."""


def tell(met: Met, form: str, files: tuple[Path, ...]) -> int:
    """Print the report over all attempts, write it to the files, return its exit code. Raises NoRunError."""
    check_outputs(files)
    gate = met.gate()
    newest = newest_verdict(met, gate)
    code = gate.exit_code
    for file in files:
        try:
            write_whole(file, GATE_REPORTS[SUFFIXES[file.suffix]](gate, newest).encode())
        except OSError as error:
            complain(f"{file} can't be written: {error.strerror or error}")
            code = code or INCONCLUSIVE
    try:
        show(GATE_REPORTS[form](gate, newest), form)
    except OutputError as error:
        complain(str(error))
        code = code or INCONCLUSIVE
    return code


def newest_verdict(met: Met, gate: Gate) -> Verdict | None:
    """Of the last attempt, if it left one."""
    return decode(met.report(gate.attempts[-1].attempt, "verdict.json"), Verdict)


def accept(met: Met, by: str, reason: str) -> int:
    """Let the run pass in spite of its outcome, for the record. Raises AcceptError where there is nothing to accept."""
    by, reason = " ".join(plain(by).split()), " ".join(plain(reason).split())
    if not by or not reason:
        raise AcceptError("who accepts it, and why? Both stand in every report: --by NAME --reason 'WHY'")
    gate = met.gate()
    if gate.outcome == "running":
        raise AcceptError(f"the run {met.run} goes on: stop it first, then see what there is to accept")
    if gate.exit_code == 0:
        print(f"nothing to accept: the run {met.run} lets the pipeline go on already ({gate.outcome})", flush=True)
        return 0
    attempts = [one.attempt for one in gate.attempts]
    acceptance = Acceptance(by=by, reason=reason, at=time.time(), attempts=attempts, outcome=gate.outcome)
    patiently(lambda: met.pipeline.accept(met.run, acceptance))
    print(acceptance_words(acceptance), flush=True)
    return 0
