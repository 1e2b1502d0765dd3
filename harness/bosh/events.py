"""Instance updates from what BOSH's CLI prints: `bosh events --json`, a table of rows in JSON
(https://bosh.io/docs/events/), or `bosh task N --event`, a line of JSON for each step (https://bosh.io/docs/tasks/).

Both tell whole seconds, cut off: what is stamped t happened in [t, t + 1).
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from harness.errors import HarnessError

_ZONES = {"UTC": 0.0, "GMT": 0.0, "Z": 0.0}
_UNIX_DATE = re.compile(r"\w{3} (\w{3}) +(\d{1,2}) (\d{2}:\d{2}:\d{2}) (\S+) (\d{4})")
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})?")
_ID = re.compile(r"(\d+)(?:\s*<-\s*(\d+))?")
_TASK = re.compile(r"(?P<group>[^/\s]+)/(?P<id>\S+)(?:\s+\((?P<index>\d+)\))?")
_STEPS = frozenset({"started", "in_progress"})


class BoshError(HarnessError):
    """What is no output of BOSH's CLI: which row or line, and why."""


@dataclass(frozen=True)
class Update:
    """One instance, updated (created, deleted, restarted …). Seconds since the epoch by BOSH's clock, whole ones."""

    id: str  # the same whenever it is read
    name: str  # router/2
    begin: float
    end: float | None  # None: it was not over when the file was written
    task: str = ""
    failed: bool = False


def updates_of(text: str) -> list[Update]:
    """Instance updates in order of their begins, whichever of the two formats it is. Raises BoshError."""
    stripped = text.strip()
    if not stripped:
        raise BoshError("there is nothing in it: expected what `bosh events --json` or `bosh task N --event` printed")
    try:
        document = json.loads(stripped)
    except ValueError:
        document = None
    if isinstance(document, dict) and "Tables" in document:
        found = list(_of_rows(_rows(document)))
    else:
        found = list(_of_lines(stripped.splitlines()))
    return sorted(found, key=lambda update: (update.begin, update.name))


# bosh events --json


def _rows(document: dict[str, Any]) -> Iterator[tuple[int, dict[str, str]]]:
    tables = document["Tables"]
    for table in tables if isinstance(tables, list) else []:
        rows = table.get("Rows") if isinstance(table, dict) else None
        for number, row in enumerate(rows or [], 1):
            if not isinstance(row, dict):
                raise BoshError(f"row {number} is no row of `bosh events --json`")
            yield number, {str(key): str(value) for key, value in row.items()}


def _of_rows(rows: Iterable[tuple[int, dict[str, str]]]) -> Iterator[Update]:
    """A row without a parent begins an update; the one that names it as its parent ends it."""
    begun: dict[str, Update] = {}
    ended: dict[str, tuple[float, bool]] = {}
    for number, row in rows:
        if row.get("object_type") != "instance":
            continue
        match = _ID.fullmatch(row.get("id", "").strip())
        if match is None:
            raise BoshError(f"row {number}: its id is {row.get('id', '')!r}, expected such as 12 or 13 <- 12")
        own, parent = match.groups()
        at = _time(row.get("time", ""), number)
        if parent is not None:
            ended[parent] = (at, bool(row.get("error", "").strip(" -")))
            continue
        name = row.get("object_name") or row.get("object_id") or row.get("instance") or ""
        task = row.get("task_id") or row.get("task") or ""
        begun[own] = Update(f"event-{own}", _shortened(name), at, None, task)
    for own, update in begun.items():
        if own in ended:
            end, failed = ended[own]
            yield replace(update, end=max(end, update.begin), failed=failed)
        else:
            yield update


def _time(said: str, number: int) -> float:
    """Seconds since the epoch, of Go's UnixDate (Mon Jan _2 15:04:05 MST 2006) or ISO 8601."""
    match = _UNIX_DATE.fullmatch(said.strip())
    try:
        if match is None:
            when = datetime.fromisoformat(said.strip().replace("Z", "+00:00"))
            if when.tzinfo is None:
                raise BoshError(f"row {number}: the time {said!r} has no zone")
            return when.timestamp()
        month, day, clock, zone, year = match.groups()
        when = datetime.strptime(f"{day} {month} {year} {clock}", "%d %b %Y %H:%M:%S")
    except ValueError:
        raise BoshError(f"row {number}: {said!r} is no time, expected such as Mon Nov 27 12:03:03 UTC 2026") from None
    return when.replace(tzinfo=_zone(zone, number)).timestamp()


def _zone(name: str, number: int) -> timezone:
    if name in _ZONES:
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset is None:  # CST is three zones at least
        raise BoshError(
            f"row {number}: the zone {name} is not one alone: run bosh with TZ=UTC (TZ=UTC bosh events --json)"
        )
    sign, hours, minutes = offset.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(ahead if sign == "+" else -ahead)


# bosh task N --event


def _of_lines(lines: Iterable[str]) -> Iterator[Update]:
    """Steps of the stage that updates instances; each is started, and finished or failed."""
    begun: dict[str, Update] = {}
    said = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            step = json.loads(line)
        except ValueError:
            raise BoshError(
                f"line {number} is no JSON: expected what `bosh events --json` or `bosh task N --event` printed"
            ) from None
        if not isinstance(step, dict) or not isinstance(step.get("time"), int | float):
            raise BoshError(f"line {number} is no event of a task: it has no time")
        said = True
        match = _TASK.match(str(step.get("task", "")))
        if match is None or "instance" not in str(step.get("stage", "")).lower():
            continue
        key = f"{step.get('stage')}/{match['group']}/{match['id']}"
        at, state = float(step["time"]), str(step.get("state", ""))
        if state in _STEPS:
            name = _shortened(f"{match['group']}/{match['index'] or match['id']}")
            begun.setdefault(key, Update(f"task-{key}-{int(at)}", name, at, None))
        elif key in begun and state in ("finished", "failed"):
            update = begun.pop(key)
            yield replace(update, end=max(at, update.begin), failed=state == "failed")
    if not said:
        raise BoshError("there is no event in it")
    yield from begun.values()


def _shortened(name: str) -> str:
    """router/2 as it is, router/2b3c4d5e-… by its first eight signs."""
    group, _, id_ = name.partition("/")
    return f"{group}/{id_[:8]}" if len(id_) > 12 else name
