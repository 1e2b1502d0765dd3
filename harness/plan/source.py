"""Reads a plan's text into plain values and remembers where each stood. Refuses what is no plan's text.

YAML 1.1 by PyYAML's safe loader; JSON is a part of it. Bounds: size, depth, and what aliases may blow up.
"""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from harness.plan.problems import PlanError, Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 50_000

Path_ = tuple[str | int, ...]


class Source(NamedTuple):
    """The values, and for each path of keys the line (from 1) on which it stands."""

    file: str
    value: Any
    lines: dict[Path_, int]

    def line_of(self, path: Path_) -> int | None:
        """The line of a path, or of the nearest one above it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return self.lines.get(())


def read(path: Path) -> Source:
    """Read a file. Raises PlanError."""
    name = str(path)
    try:
        if path.is_dir():
            raise PlanError([Problem(name, None, "", "is a folder; a plan is a YAML file")])
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise PlanError([Problem(name, None, "", f"can't be read: {error.strerror or error}")]) from None
    return parse(name, data)


def parse(name: str, data: bytes) -> Source:
    """Read a text. Raises PlanError."""

    def refuse(text: str, line: int | None = None) -> PlanError:
        return PlanError([Problem(name, line, "", text)])

    if len(data) > MAX_BYTES:
        raise refuse(f"is larger than {MAX_BYTES} bytes; a plan is a short text")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise refuse("is not UTF-8 text; a plan is a YAML file", line) from None
    if len(text) > 2000 and max(len(line) - len(line.lstrip(" -[{")) for line in text.split("\n")) > 2000:
        raise refuse("is nested too deeply")
    if text.count("[") + text.count("{") > 10 * MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise refuse(f"is nested deeper than {MAX_DEPTH} levels")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise refuse(f"is not valid YAML: {error.problem or error.context}", mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise refuse(f"is not valid YAML: {str(error).splitlines()[0]}") from None
    except (RecursionError, ValueError):
        raise refuse("is nested too deeply") from None
    if node is None:
        raise refuse("is empty; a plan needs at least `runners:`")
    builder = _Builder(name)
    value = builder.build(node, (), 0)
    if builder.problems:
        raise PlanError(builder.problems)
    if not isinstance(value, dict):
        raise refuse("is not a plan: expected keys such as `runners:` and `objectives:`", 1)
    return Source(name, value, builder.lines)


def _depth(text: str) -> int:
    depth = deepest = 0
    for char in text:
        if char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Path_, int] = {}
        self.problems: list[Problem] = []
        self._nodes = 0
        self._scalars = yaml.SafeLoader("")

    def build(self, node: yaml.Node, path: Path_, depth: int) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            what = f"is nested deeper than {MAX_DEPTH} levels" if depth > MAX_DEPTH else "has too many entries"
            raise PlanError([Problem(self.name, line, "", what)])
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, index), depth + 1) for index, child in enumerate(node.value)]
        try:
            value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            self.problems.append(Problem(self.name, line, dotted(path), f"can't be read: {str(error).splitlines()[0]}"))
            return None
        if isinstance(value, str | int | float | bool) or value is None:
            return value
        return str(node.value)  # a date stays the text that it was

    def _mapping(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(self.name, line, dotted(path), "a key must be a word"))
                continue
            if key in result:
                text = f"stands twice, on lines {first[key]} and {line}: keep one"
                self.problems.append(Problem(self.name, line, dotted((*path, key)), text))
                continue
            first[key] = line
            self.lines[(*path, key)] = line
            result[key] = self.build(value_node, (*path, key), depth + 1)
        return result


def dotted(path: Path_) -> str:
    """A path as people write it: runners[0].rate."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
