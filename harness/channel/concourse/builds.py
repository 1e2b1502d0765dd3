"""What Concourse's API says of builds, as values. Names and states are those of concourse/concourse: atc/build.go,
atc/build_inputs_outputs.go, atc/pipeline.go. What is not needed is not read."""

from typing import Any

import msgspec

RUNNING = frozenset({"pending", "started"})
OVER = frozenset({"succeeded", "failed", "errored", "aborted"})


class RerunOf(msgspec.Struct, frozen=True):
    """The build that was run again, with the same inputs."""

    id: int = 0


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """One build of a job. Times are whole seconds since the epoch by the ATC's clock, 0 where there is none."""

    id: int
    name: str
    status: str
    job_name: str = ""
    start_time: int = 0
    end_time: int = 0
    rerun_of: RerunOf | None = None

    @property
    def over(self) -> bool:
        """A state that is not known is not taken for an end."""
        return self.status in OVER

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.job_name} #{self.name}"


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """What a build gets, and in which version."""

    name: str = ""
    resource: str = ""  # older Concourse said both
    version: dict[str, str] | None = None


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a build; none until they are chosen, which is when it starts."""

    inputs: list[Input] | None = None


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """What may keep a build from ever coming."""

    archived: bool = False
    paused: bool = False


class PublicPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A build's plan: a tree of steps, each with an id."""

    plan: Any = None
