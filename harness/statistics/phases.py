"""Phases: what lies between a begin and an end mark of one name. They may overlap."""

from collections.abc import Iterable
from typing import NamedTuple

from harness.events import Marked


class Phase(NamedTuple):
    """Seconds after the run's start; without an end it lasted to the end of the run."""

    name: str
    begin: float
    end: float | None

    def touches(self, begin: float, end: float) -> bool:
        """Any of [begin, end] lies in it."""
        return begin < (self.end if self.end is not None else end + 1) and end >= self.begin


def phases_of(marks: Iterable[Marked]) -> list[Phase]:
    """In order of their begins. An end without a begin is no phase; a begin within one of the same name opens another,
    and an end closes the newest, whatever the clocks of those who told of both say."""
    phases: list[Phase] = []
    for mark in marks:
        if mark.edge == "begin":
            phases.append(Phase(mark.name, mark.at, None))
        elif mark.edge == "end":
            for index in range(len(phases) - 1, -1, -1):
                if phases[index].name == mark.name and phases[index].end is None:
                    phases[index] = phases[index]._replace(end=max(mark.at, phases[index].begin))
                    break
    return sorted(phases, key=lambda phase: phase.begin)
