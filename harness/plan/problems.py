"""What is wrong with a plan: every mistake at once, each with its place."""

from collections.abc import Sequence
from typing import NamedTuple

from harness.errors import HarnessError

Keys = tuple[str | int, ...]
"""The way to a place in a plan: ("runners", 0, "rate")."""

_LONGEST = 400  # characters of a message: it may quote the plan


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


class Mistakes(ValueError):
    """What a model's rule found, each with the way to it from where the rule stands."""

    def __init__(self, found: Sequence[tuple[Keys, str]]) -> None:
        self.found = tuple(found)
        super().__init__("; ".join(text for _, text in self.found))


def dotted(keys: Keys) -> str:
    """A path as people write it: runners[0].rate."""
    text = ""
    for part in keys:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def clipped(text: str) -> str:
    """A message of bearable length on one line, its end kept: there it says what would be right."""
    line = " ".join(text.splitlines())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"
