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


def check_run_id(name: str) -> str:
    """The same name, if it can be a run's. Raises RunError."""
    if not _RUN_ID.fullmatch(name):
        raise RunError(
            f"{name!r} can't be a run's id: use up to 100 letters, digits, '.', '_' and '-', "
            "the first of them a letter or a digit"
        )
    return name


def next_attempt(runs: Path, run: str) -> int:
    """The number that its next attempt will have here."""
    folder = runs / run
    return max(attempts_in(folder), default=0) + 1 if folder.is_dir() else 1


def claim(runs: Path, run: str | None, attempt: int | None = None) -> RunFolder:
    """Make the next attempt's folder, or that of a given one; two that race never share one. Raises RunError where
    nothing can be written."""
    name = check_run_id(run if run is not None else new_run_id(datetime.now(UTC)))
    folder = runs / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if attempt is not None:
            return _given(folder, name, attempt)
        attempt = max(attempts_in(folder), default=0) + 1
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


def _given(folder: Path, run: str, attempt: int) -> RunFolder:
    path = folder / str(attempt)
    try:
        path.mkdir()
    except FileExistsError:
        raise RunError(
            f"{path} is there already, and belongs to another run: choose another --run-id or --runs-dir"
        ) from None
    return RunFolder(path, run, attempt)


def find_run(runs: Path, run: str) -> RunFolder:
    """The folder of a run's newest attempt, by its id, or of the attempt that a path names. Raises RunError."""
    by_id = runs / run
    given = Path(run)
    if _RUN_ID.fullmatch(run) and by_id.is_dir() and (attempts := attempts_in(by_id)):
        return RunFolder(by_id / str(max(attempts)), run, max(attempts))
    if given.is_file():
        given = given.parent
    if given.is_dir():
        given = given.absolute()
        if (given / JOURNAL).is_file():
            return RunFolder(given, given.parent.name, int(given.name) if given.name.isdigit() else 0)
        if attempts := attempts_in(given):
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


def attempts_in(folder: Path) -> list[int]:
    """The attempts of a run's folder, in order."""
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal() and entry.is_dir())


def _known(runs: Path) -> str:
    if not runs.is_dir():
        return ", which does not exist"
    names = sorted(entry.name for entry in runs.iterdir() if entry.is_dir())
    return f"; there is {', '.join(names[-_LISTED:])}" if names else ", which is empty"
