"""A build's steps as marks: the names of its plan, and the begins and ends that its events tell. Pure.

Events and plan are those of concourse/concourse, atc/event and atc/public_plan.go. A step begins with its first event
and ends with `finish-…`, with an error of its own, or with the build.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from harness.channel.concourse.builds import Build
from harness.channel.concourse.offset import Offset
from harness.channel.concourse.sse import Event
from harness.channel.records import MarkNote

SOURCE = "concourse"

Edge = Literal["begin", "end"]
_BEGINS = frozenset(f"{edge}-{kind}" for edge in ("initialize", "start") for kind in ("task", "get", "put"))
_ENDS = frozenset(f"finish-{kind}" for kind in ("task", "get", "put")) | {"error"}
_KINDS = ("task", "get", "put")
_DEEPEST = 200  # levels of a plan; Concourse nests a handful


class _Origin(msgspec.Struct, frozen=True):
    id: str = ""


class _Data(msgspec.Struct, frozen=True):
    origin: _Origin = _Origin()
    time: int = 0
    substeps: Any = None  # of `across`, whose steps are known only now


class _Envelope(msgspec.Struct, frozen=True):
    event: str = ""
    data: _Data = _Data()


class Steps:
    """Of one build. Tells each begin and each end once."""

    def __init__(self, build: Build) -> None:
        """`build`: whose events they are."""
        self._build = build
        self._names: dict[str, str] = {}  # step's id -> phase
        self._taken: dict[str, int] = {}  # phase's name -> steps that have it
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self.last_id = ""  # of the stream: where a broken one goes on
        self.over = False

    @property
    def named(self) -> bool:
        """The plan is known."""
        return bool(self._names)

    @property
    def begun(self) -> bool:
        """Any of them."""
        return bool(self._begun)

    @property
    def open(self) -> bool:
        """Some of them began and have not ended."""
        return bool(self._begun - self._ended)

    def plan(self, plan: Any) -> None:
        """Learn the steps' names. A second one of a name, as of a retry, gets a number."""
        for kind, step, name in _steps(plan, 0):
            if step not in self._names:
                phase = name if kind == "task" else f"{kind} {name}"
                self._taken[phase] = number = self._taken.get(phase, 0) + 1
                self._names[step] = phase if number == 1 else f"{phase} ({number})"

    def hear(self, event: Event, offset: Offset) -> list[MarkNote]:
        """What an event tells. Steps that are not in the plan, such as the fetching of an image, are no phases."""
        self.last_id = event.id or self.last_id
        if event.name == "end":
            self.over = True
            return []
        try:
            said = msgspec.json.decode(event.data, type=_Envelope)
        except msgspec.DecodeError:  # too long, or another shape than is known
            return []
        if said.data.substeps is not None:
            self.plan(said.data.substeps)
        step, time = said.data.origin.id, said.data.time
        if step not in self._names or not time:
            return []
        if said.event in _BEGINS and step not in self._begun:
            self._begun.add(step)
            return [self._note(step, "begin", time, offset)]
        if said.event in _ENDS and step in self._begun - self._ended:
            self._ended.add(step)
            return [self._note(step, "end", time, offset)]
        return []

    def close(self, build: Build, offset: Offset) -> list[MarkNote]:
        """The build is over, and with it what no event ended: an aborted step has none."""
        left = sorted(self._begun - self._ended)
        self._ended.update(left)
        return [self._note(step, "end", build.end_time, offset) for step in left] if build.end_time else []

    def _note(self, step: str, edge: Edge, time: int, offset: Offset) -> MarkNote:
        return _note(self._build, step, self._names[step], edge, time, offset)


def whole(build: Build, offset: Offset) -> list[MarkNote]:
    """Marks of a build whose events can't be read: its job's name is the phase."""
    edges: tuple[tuple[Edge, int], ...] = (("begin", build.start_time), ("end", build.end_time if build.over else 0))
    return [_note(build, "build", build.job_name, edge, time, offset) for edge, time in edges if time]


def _note(build: Build, step: str, name: str, edge: Edge, time: int, offset: Offset) -> MarkNote:
    at, within = offset.place(time)
    return MarkNote(id=f"concourse-{build.id}-{step}-{edge}", name=name, edge=edge, at=at, within=within, source=SOURCE)


def _steps(plan: Any, depth: int) -> Iterator[tuple[str, str, str]]:
    """Kind, id and name of each step in the tree, in its order. Whatever nests steps is walked through."""
    if depth > _DEEPEST:
        return
    if isinstance(plan, list):
        for part in plan:
            yield from _steps(part, depth + 1)
    elif isinstance(plan, dict):
        for key, part in plan.items():
            if key in _KINDS and isinstance(part, dict):
                name, step = part.get("name"), plan.get("id")
                if isinstance(name, str) and name and isinstance(step, str):
                    yield key, step, name
            else:
                yield from _steps(part, depth + 1)
