"""Phases: what lies between a begin and an end mark of one name. They may overlap. Moments: marks without an edge."""

from collections.abc import Iterable
from typing import NamedTuple

from harness.events import Marked


class Phase(NamedTuple):
    """Seconds after the run's start; without an end it lasted to the end of the run."""

    name: str
    begin: float
    end: float | None
    within: float = 0.0  # seconds by which begin and end may be wrong
    source: str = ""  # who told of it afterwards: "bosh"

    def touches(self, begin: float, end: float) -> bool:
        """Any of [begin, end] lies in it, or may."""
        last = self.end + self.within if self.end is not None else end + 1
        return begin < last and end >= self.begin - self.within


def phases_of(marks: Iterable[Marked]) -> list[Phase]:
    """In order of their begins. A begin while one of the same name is open is that one told again, as by a task that
    was retried; an end without a begin is none."""
    phases: list[Phase] = []
    opened: dict[tuple[str, str], int] = {}
    for mark in marks:
        key = (mark.source, mark.name)
        if mark.edge == "begin" and key not in opened:
            opened[key] = len(phases)
            phases.append(Phase(mark.name, mark.at, None, mark.within, mark.source))
        elif mark.edge == "end" and key in opened:
            index = opened.pop(key)
            within = max(phases[index].within, mark.within)
            phases[index] = phases[index]._replace(end=max(phases[index].begin, mark.at), within=within)
    return sorted(phases, key=lambda phase: phase.begin)


def moments_of(marks: Iterable[Marked]) -> list[Marked]:
    """Marks that are no edge of a phase, in order."""
    return sorted((mark for mark in marks if not mark.edge), key=lambda mark: mark.at)
