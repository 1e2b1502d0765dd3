"""A local folder of runs read as a pipeline's tasks read a channel: verdicts, reports and acceptances, and no more."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from harness.channel.alive import Attempt
from harness.channel.folder import FolderStore
from harness.channel.records import Ended, MarkNote, StopWish, decode, encode
from harness.channel.store import ChannelError
from harness.gate import Acceptance
from harness.run_folder import attempts_in
from harness.verdict import Verdict

_ACCEPTED = "accepted"


class RunsPipeline:
    """`runs/<run id>/<attempt>/verdict.json`, and `runs/<run id>/accepted/` beside the attempts."""

    def __init__(self, runs: Path) -> None:
        """`runs`: as --runs-dir."""
        self._runs = runs
        self._store = FolderStore(runs)

    @property
    def name(self) -> str:
        """See Pipeline, as all that follows."""
        return str(self._runs)

    def newest(self) -> str | None:  # noqa: D102
        runs = [folder for folder in self._folders() if attempts_in(folder)]
        newest = max(runs, key=lambda folder: (folder / str(attempts_in(folder)[-1])).stat().st_mtime, default=None)
        return None if newest is None else newest.name

    def _folders(self) -> list[Path]:
        return [entry for entry in self._runs.iterdir() if entry.is_dir()] if self._runs.is_dir() else []

    def attempts(self, run: str) -> list[int]:  # noqa: D102
        folder = self._runs / run
        return attempts_in(folder) if folder.is_dir() else []

    def look(self, run: str, attempt: int) -> Attempt:  # noqa: D102
        verdict = decode(self.report(run, attempt, "verdict.json"), Verdict)
        return Attempt(
            run,
            attempt,
            owner=None,
            pulse=None,
            stop=None,
            ended=ended_of(verdict, ()) if verdict is not None else None,
        )

    def mark(self, run: str, attempt: int, notes: Sequence[MarkNote]) -> None:  # noqa: D102
        raise _no_channel()

    def marks(self, run: str, attempt: int) -> list[MarkNote]:  # noqa: D102
        return []

    def stop(self, run: str, attempt: int, wish: StopWish) -> None:  # noqa: D102
        raise _no_channel()

    def report(self, run: str, attempt: int, file: str) -> bytes | None:  # noqa: D102
        return self._store.get(f"{run}/{attempt}/{file}")

    def accept(self, run: str, acceptance: Acceptance) -> None:  # noqa: D102
        number = len(self._store.list(f"{run}/{_ACCEPTED}/")) + 1
        while not self._store.create(f"{run}/{_ACCEPTED}/{number:04d}.json", encode(acceptance)):
            number += 1

    def acceptances(self, run: str) -> list[Acceptance]:  # noqa: D102
        found = (decode(self._store.get(key), Acceptance) for key in self._store.list(f"{run}/{_ACCEPTED}/"))
        return [one for one in found if one is not None]


def _no_channel() -> ChannelError:
    return ChannelError("which channel? Say --channel URL, or set CF_HARNESS_CHANNEL, as the run was started with")


def ended_of(verdict: Verdict, reports: Sequence[str]) -> Ended:
    """What a verdict says of its attempt."""
    outcome = "never_ready" if verdict.ready is None else verdict.verdict.value
    at = datetime.fromisoformat(verdict.ended).timestamp()
    return Ended(
        outcome=outcome, exit_code=verdict.exit_code, at=at, reasons=list(verdict.reasons), reports=list(reports)
    )
