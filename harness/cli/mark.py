"""The verb `mark`: the pipeline tells its run what it does, now or (from BOSH's events) afterwards."""

import secrets
import time
from collections.abc import Sequence

from harness.channel.alive import Attempt
from harness.channel.process import is_gone
from harness.channel.records import FRESH_ID, Edge, MarkNote
from harness.cli.met import Met, NoRunError, patiently
from harness.report.layout import plain

_LONGEST = 200  # characters of a name


def mark(met: Met, name: str, edge: Edge) -> int:
    """Note a moment, or the begin or the end of a phase. Raises NoRunError where nobody listens any more."""
    at = time.time()
    note = MarkNote(id=secrets.token_hex(FRESH_ID // 2), name=plain(name)[:_LONGEST], edge=edge, at=at)
    attempt = send(met, [note])
    print(f"marked for the run {attempt.run}, attempt {attempt.attempt}: {note.name}{_EDGES[edge]}", flush=True)
    return 0


_EDGES = {"": "", "begin": " began", "end": " ended"}


def send(met: Met, notes: Sequence[MarkNote]) -> Attempt:
    """Leave the notes with the newest attempt. Raises NoRunError."""
    attempts = met.attempts()
    if not attempts:
        raise met.missing()
    state = met.look(attempts[-1])
    if state.ended is not None or (state.process is not None and is_gone(state.process)):
        raise NoRunError(f"the run {met.run}, attempt {state.attempt}, is over: nothing can be marked any more")
    patiently(lambda: met.pipeline.mark(met.run, state.attempt, notes))
    return state
