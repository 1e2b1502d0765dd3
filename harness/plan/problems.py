"""What is wrong with a plan: every mistake at once, each with its place."""

from collections.abc import Sequence
from typing import NamedTuple

from harness.errors import HarnessError


class Problem(NamedTuple):
    """One mistake: where it is, and what would be right."""

    file: str  # or the name of a command-line option
    line: int | None
    key: str  # runners[0].rate
    text: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}"


class PlanError(HarnessError):
    """The plan can't be used; its text has one line for each problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
