"""`mark --from-bosh-events FILE`: what BOSH updated, placed on the run's time line afterwards."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from harness.bosh.events import BoshError, updates_of
from harness.bosh.offset import Bracket, Offset, estimate, placed
from harness.channel.records import MarkNote
from harness.cli.mark import send
from harness.cli.met import Met, patiently
from harness.figures import seconds
from harness.report.layout import plain

SOURCE = "bosh"
_LARGEST = 64 * 1024 * 1024  # bytes


def mark_events(met: Met, file: Path, clock_offset: float | None) -> int:
    """Place the updates. `clock_offset`: by how many seconds BOSH's clock is ahead of this one; None: estimate it.
    Raises BoshError, NoRunError."""
    try:
        updates = updates_of(_read(file))
    except BoshError as error:
        raise BoshError(f"{file}: {error}") from None
    if not updates:
        print(f"{file}: no instance was updated, so there is nothing to place", flush=True)
        return 0
    now = time.time()
    offset = (
        estimate(updates, _brackets(met), now)
        if clock_offset is None
        else Offset(clock_offset, 0.0, "as --clock-offset says")
    )
    notes = []
    for update, begin, end, within in placed(updates, offset):
        name = plain(update.name)
        notes.append(MarkNote(id=f"{update.id}-begin", name=name, edge="begin", at=begin, within=within, source=SOURCE))
        if end is not None:
            notes.append(MarkNote(id=f"{update.id}-end", name=name, edge="end", at=end, within=within, source=SOURCE))
    state = send(met, [_with_safe_id(note) for note in notes])
    first, last = (datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S") for at in _span(notes))
    print(
        f"placed for the run {state.run}, attempt {state.attempt}: {len(updates)} instance updates from {first} to "
        f"{last} UTC, ± {seconds(notes[0].within)}\n{_of_clock(offset)}",
        flush=True,
    )
    return 0


def _read(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read(_LARGEST + 1) if str(file) == "-" else file.read_bytes()
        if len(data) > _LARGEST:
            raise BoshError("is larger than 64 MiB: ask bosh for the deployment's own events (--deployment, --task)")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BoshError(f"can't be read: {getattr(error, 'strerror', None) or 'it is no UTF-8'}") from None


def _brackets(met: Met) -> list[Bracket]:
    """The pipeline's own phases that are over."""
    attempts = met.attempts()
    notes = patiently(lambda: met.pipeline.marks(met.run, attempts[-1])) if attempts else []
    opened: dict[str, float] = {}
    found = []
    for note in sorted(notes, key=lambda note: note.at):
        if note.source:
            continue
        if note.edge == "begin":
            opened.setdefault(note.name, note.at)
        elif note.edge == "end" and note.name in opened:
            found.append(Bracket(note.name, opened.pop(note.name), note.at))
    return found


def _with_safe_id(note: MarkNote) -> MarkNote:
    """An id that is a file's name: the same for the same update."""
    safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in note.id)
    return MarkNote(id=safe[:150], name=note.name, edge=note.edge, at=note.at, within=note.within, source=note.source)


def _span(notes: list[MarkNote]) -> tuple[float, float]:
    return min(note.at for note in notes), max(note.at for note in notes)


def _of_clock(offset: Offset) -> str:
    if not offset.seconds:
        return f"BOSH's clock is taken to agree with this one: {offset.why}"
    way = "ahead of" if offset.seconds > 0 else "behind"
    about = f", ± {seconds(offset.within)}" if offset.within else ""
    return f"BOSH's clock is {seconds(abs(offset.seconds))} {way} this one{about}: {offset.why}"
