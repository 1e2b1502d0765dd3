"""Where a run's files lie: `<runs>/<run id>/<attempt>/`. Claims a folder, finds one again, writes small files whole."""

import os
import re
import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import HarnessError

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LISTED = 5  # runs named in a message
JOURNAL = "journal.sqlite"


class RunError(HarnessError):
    """A run that can't begin, or can't be found."""


@dataclass(frozen=True)
class RunFolder:
    """One attempt's own folder."""

    path: Path
    run: str
    attempt: int

    @property
    def journal(self) -> Path:
        """Its journal."""
        return self.path / JOURNAL

    @property
    def plan(self) -> Path:
        """The plan, without secrets."""
        return self.path / "plan.json"

    @property
    def verdict(self) -> Path:
        """The verdict."""
        return self.path / "verdict.json"


def new_run_id(now: datetime) -> str:
    """A run's id where none is given: UTC, and four letters for those who start two in one second."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(4))
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{letters}"


def claim(runs: Path, run: str | None) -> RunFolder:
    """Make the next attempt's folder; two that race never share one. Raises RunError where nothing can be written."""
    name = run if run is not None else new_run_id(datetime.now(UTC))
    if not _RUN_ID.fullmatch(name):
        raise RunError(
            f"{name!r} can't be a run's id: use up to 100 letters, digits, '.', '_' and '-', "
            "the first of them a letter or a digit"
        )
    folder = runs / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        attempt = max(_attempts(folder), default=0) + 1
        while True:
            path = folder / str(attempt)
            try:
                path.mkdir()
            except FileExistsError:  # another one was quicker
                attempt += 1
                continue
            return RunFolder(path, name, attempt)
    except OSError as error:
        raise RunError(f"can't write the run to {folder}: {error.strerror or error}; choose another folder") from error


def find_run(runs: Path, run: str) -> RunFolder:
    """The folder of a run's newest attempt, by its id, or of the attempt that a path names. Raises RunError."""
    by_id = runs / run
    given = Path(run)
    if _RUN_ID.fullmatch(run) and by_id.is_dir() and (attempts := _attempts(by_id)):
        return RunFolder(by_id / str(max(attempts)), run, max(attempts))
    if given.is_file():
        given = given.parent
    if given.is_dir():
        given = given.absolute()
        if (given / JOURNAL).is_file():
            return RunFolder(given, given.parent.name, int(given.name) if given.name.isdigit() else 0)
        if attempts := _attempts(given):
            return RunFolder(given / str(max(attempts)), given.name, max(attempts))
        raise RunError(f"there is no {JOURNAL} in {given}: give a run's id or its folder")
    raise RunError(f"there is no run {run!r} under {runs}{_known(runs)}")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _attempts(folder: Path) -> list[int]:
    return [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal() and entry.is_dir()]


def _known(runs: Path) -> str:
    if not runs.is_dir():
        return ", which does not exist"
    names = sorted(entry.name for entry in runs.iterdir() if entry.is_dir())
    return f"; there is {', '.join(names[-_LISTED:])}" if names else ", which is empty"
