"""A build's steps as phases: from its plan, which names them, and its events, which tell when they began and ended.
Pure. The events' stamps are whole seconds (atc/event/events.go), cut off.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from harness.channel.records import Edge, MarkNote

SOURCE = "concourse"
_WITHIN = 1.0  # seconds
_KINDS = ("task", "get", "put")
_EDGES: dict[str, Edge] = {
    **{f"{word}-{kind}": "begin" for word in ("initialize", "start") for kind in _KINDS},
    **{f"finish-{kind}": "end" for kind in _KINDS},
}


class _Origin(msgspec.Struct):
    id: str = ""


class _Data(msgspec.Struct):
    origin: _Origin = msgspec.field(default_factory=_Origin)
    time: float = 0.0


class _Event(msgspec.Struct):
    event: str
    data: _Data


def names_of(plan: Any) -> dict[str, str]:
    """The id of each step that does something, with its name, however deep it lies in the plan."""
    names: dict[str, str] = {}
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            for kind in _KINDS:
                step = node.get(kind)
                if isinstance(step, dict) and isinstance(node.get("id"), str) and isinstance(step.get("name"), str):
                    names[node["id"]] = step["name"] if kind == "task" else f"{kind} {step['name']}"
            waiting += node.values()
    return names


def notes_of(lines: Iterable[str], build: int, names: Mapping[str, str]) -> Iterator[MarkNote | None]:
    """The begins and ends of the steps, from the lines of a stream of server-sent events
    (https://html.spec.whatwg.org/multipage/server-sent-events.html); None: the stream told that the build is over."""
    kind, data = "", ""
    for line in lines:
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            data = line[5:].strip()
        elif not line.strip():
            if kind == "end":
                yield None
                return
            if kind == "event" and (note := _note(data, build, names)) is not None:
                yield note
            kind, data = "", ""


def _note(data: str, build: int, names: Mapping[str, str]) -> MarkNote | None:
    try:
        event = msgspec.json.decode(data.encode(), type=_Event)
    except msgspec.MsgspecError:
        return None
    edge, step = _EDGES.get(event.event), event.data.origin.id
    if edge is None or step not in names or not event.data.time:
        return None
    return MarkNote(
        id=f"build-{build}-{step}-{edge}",
        name=names[step],
        edge=edge,
        at=event.data.time + 0.5,
        within=_WITHIN,
        source=SOURCE,
    )


def notes_of_build(build: int, name: str, start: float | None, end: float | None) -> list[MarkNote]:
    """The build as one phase, where its events can't be read."""
    edges: tuple[tuple[Edge, float | None], ...] = (("begin", start), ("end", end))
    return [
        MarkNote(id=f"build-{build}-{edge}", name=name, edge=edge, at=at + 0.5, within=_WITHIN, source=SOURCE)
        for edge, at in edges
        if at is not None
    ]
