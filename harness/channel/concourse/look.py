"""One look at a job's builds: what to ask next, and which build counts. Nothing is asked here.

Builds say nothing of their version, so the inputs of those that may count are asked for, newest first, and what was
learnt is never asked again. A build that still waits may not have its inputs yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.channel.concourse.builds import Build, Input
from harness.channel.concourse.job import Job

PAGE = 25  # builds asked for at once
PAGES = 4  # how far back a look goes


@dataclass(frozen=True)
class AskPage:
    """List builds of the job: with these parameters, which are Concourse's own for "older than those"."""

    older: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class AskInputs:
    """Of this build."""

    build: Build


class Look:
    """Ask `question`, give the answer to `listed` or `has`, until there is no question; then `newest` counts."""

    def __init__(self, job: Job, settled: Mapping[int, bool]) -> None:
        """`settled`: build's id -> whether it is of the version, from earlier looks."""
        self._job = job
        self.settled = dict(settled)
        self._builds: dict[int, Build] = {}
        self._asked: set[int] = set()
        self._pages = 0
        self._next: AskPage | None = AskPage()

    def question(self) -> AskPage | AskInputs | None:
        """What is to be asked next; None: nothing."""
        if self._pages == 0:
            return self._next
        found = False
        for build in self._newest_first():
            matches = self._matches(build)
            if matches is None and build.id not in self._asked and not (found and build.over):
                return AskInputs(build)
            found = found or bool(matches)
        return None if found or self._pages >= PAGES else self._next

    def listed(self, builds: Iterable[Build], older: Sequence[tuple[str, str]] | None) -> None:
        """The answer to AskPage. `older`: where it goes on; None: these were the last."""
        self._pages += 1
        self._builds.update((build.id, build) for build in builds)
        self._next = AskPage(tuple(older)) if older else None

    def has(self, build: Build, inputs: Sequence[Input]) -> None:
        """The answer to AskInputs; none at all while they are not chosen."""
        self._asked.add(build.id)
        if any(self._job.is_input(name, one.version or {}) for one in inputs for name in {one.name, one.resource}):
            self.settled[build.id] = True
        elif inputs or build.over:
            self.settled[build.id] = False

    @property
    def newest(self) -> Build | None:
        """The one that counts: the newest of the version that is not over, or the newest of it if all are. None: there
        is none yet."""
        found = [build for build in self._newest_first() if self._matches(build)]
        return next((build for build in found if not build.over), found[0] if found else None)

    def _newest_first(self) -> list[Build]:
        """By their ids: Concourse lists a rerun beside the build that was run again."""
        return sorted(self._builds.values(), key=lambda build: -build.id)

    def _matches(self, build: Build) -> bool | None:
        """None: that is not known."""
        known = self.settled.get(build.id)
        if known is None and build.rerun_of is not None:
            return self.settled.get(build.rerun_of.id)
        return known
