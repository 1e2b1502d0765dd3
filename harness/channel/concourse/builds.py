"""Which of a job's builds is the one that is watched, and whether it is over. Pure, over what Concourse's API answers
(atc/build.go: the states of a build are pending, started, succeeded, failed, errored, aborted)."""

from collections.abc import Iterable
from typing import Any

import msgspec

GOING_ON = frozenset({"pending", "started"})
OVER = frozenset({"succeeded", "failed", "errored", "aborted"})


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """As `GET …/jobs/J/builds` tells it; times are seconds since the epoch, whole ones."""

    id: int
    name: str
    status: str
    job_name: str = ""
    start_time: float | None = None
    end_time: float | None = None

    @property
    def over(self) -> bool:
        """It goes on no more; a state that we don't know counts as going on."""
        return self.status in OVER

    @property
    def words(self) -> str:
        """For people: deploy #12."""
        return f"{self.job_name or 'build'} #{self.name}"


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One of `GET /api/v1/builds/N/resources`."""

    name: str = ""
    version: dict[str, Any] = {}


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What went into a build."""

    inputs: list[Input] = []


def matches(inputs: Iterable[Input], version: str, resource: str = "") -> bool:
    """One of a build's inputs has the version: `key:value` names a part of it, else any part may have the value."""
    key, colon, value = version.partition(":")
    for one in inputs:
        if resource and one.name != resource:
            continue
        parts = {name: str(part) for name, part in one.version.items()}
        if version in parts.values() or (colon and parts.get(key) == value):
            return True
    return False


def newest(builds: Iterable[Build]) -> Build | None:
    """Of those that match: a build that was triggered again takes the place of the one before."""
    return max(builds, key=lambda build: build.id, default=None)
