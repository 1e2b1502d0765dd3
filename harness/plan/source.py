"""Reads a plan's text into plain values and remembers where each stood. Refuses what is no plan's text.

PyYAML composes the nodes; plain words are read by YAML 1.2's core rules, so that `on`, `1:30` and `010` are not taken
for true, 90 and 8. Anchors, aliases and `<<` work. Bounds: size, depth, and what aliases may blow up.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from harness.plan.problems import Keys, PlanError, Problem, clipped, dotted

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 20_000

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"


class Source(NamedTuple):
    """The values, and for each path of keys the line (from 1) on which it stands, or the option that it came from."""

    file: str
    value: dict[str, Any]
    lines: dict[Keys, int]
    problems: tuple[Problem, ...] = ()  # of the text itself: a key that stands twice
    options: dict[Keys, str] = {}  # noqa: RUF012  (never changed in place)

    def line_of(self, path: Keys) -> int | None:
        """The line of a path, or of the nearest one above it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return self.lines.get(())

    def problem(self, path: Keys, text: str) -> Problem:
        """A mistake, at its place."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.options:
                return Problem(self.options[path[:end]], None, "", clipped(text))
        return Problem(self.file, self.line_of(path), clipped(dotted(path)), clipped(text))


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
    except ValueError as error:  # a NUL in the name
        raise PlanError([Problem(repr(name), None, "", f"can't be read: {error}")]) from None
    return parse(name, data)


def parse(name: str, data: bytes) -> Source:
    """Read a text. Raises PlanError."""

    def refuse(text: str, line: int | None = None) -> PlanError:
        return PlanError([Problem(name, line, "", clipped(text))])

    if len(data) > MAX_BYTES:
        raise refuse(f"is larger than {MAX_BYTES} bytes; a plan is a short text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise refuse("is not UTF-8 text; a plan is a YAML file", line) from None
    try:
        node = yaml.compose(text, Loader=_Loader)
    except _Excess as error:
        raise refuse(str(error), error.line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise refuse(f"is not valid YAML: {_words(error)}", mark.line + 1 if mark else None) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise refuse(f"is not a text: it holds the character {chr(error.character)!r}", line) from None
    if node is None:
        raise refuse("is empty; a plan needs at least `runners:`")
    if not isinstance(node, yaml.MappingNode):
        raise refuse("is not a plan: expected keys such as `runners:` and `objectives:`", node.start_mark.line + 1)
    builder = _Builder(name)
    try:
        value = builder.build(node, (), 0)
    except _Excess as error:
        raise refuse(str(error), error.line) from None
    return Source(name, value, builder.lines, tuple(builder.problems))


def _words(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's complaint, with what helps most."""
    problem, context = error.problem or "", error.context or ""
    if "'\\t'" in problem:
        return "indent with spaces, not tabs"
    if "another document" in problem:
        return "a plan is one document; here a second one begins"
    if "<block" in problem:
        return "the indentation doesn't fit the lines above"
    if "mapping values are not allowed" in problem:
        return "a colon where no key can be: put the text in quotes, or mend the indentation"
    if "cannot start any token" in problem or "alias" in context or "anchor" in context:
        return f"{problem}: put the text in quotes"
    return f"{problem} {context}" if context else problem


class _Excess(Exception):
    """More than a plan may have."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.line = line


class _Count:
    """Keeps depth and number of nodes within bounds."""

    def __init__(self) -> None:
        self._nodes = 0

    def one(self, depth: int, line: int) -> None:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise _Excess(f"is nested deeper than {MAX_DEPTH} levels", line)
        if self._nodes > MAX_NODES:
            raise _Excess(f"has more than {MAX_NODES} entries", line)


class _Loader(yaml.SafeLoader):
    """Stops before a text that is too deep or too long costs much."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (PyYAML's way: a class's own table)

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._count = _Count()
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._count.one(self._depth, self.peek_event().start_mark.line + 1)  # type: ignore[no-untyped-call]
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


# YAML 1.2.2 §10.3.2, without octal and hexadecimal numbers
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"[-+]?[0-9]+\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    text = str(node.value)
    match node.tag.removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" if len(text) < 20:  # a longer one is no number of ours
            return int(text)
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        case _:
            return text


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Keys, int] = {}
        self.problems: list[Problem] = []
        self._count = _Count()

    def build(self, node: yaml.Node, path: Keys, depth: int) -> Any:
        line = node.start_mark.line + 1
        self._count.one(depth, line)
        self.lines.setdefault(path, line)
        if isinstance(node, yaml.ScalarNode):
            if node.tag.startswith(_TAG):
                return _scalar(node)
        elif isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path, depth)
        elif isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.build(child, (*path, index), depth + 1) for index, child in enumerate(node.value)]
        self._wrong(line, path, f"a plan has no tags: leave out {node.tag.replace(_TAG, '!!')}")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Keys, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in reversed(node.value):  # of two merges the first counts, and own keys before both
            if key_node.tag == _MERGE:
                result |= self._merged(value_node, path, depth)
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong(line, path, "a key must be a word")
                continue
            key = str(key_node.value)
            if key in first:
                self._wrong(line, (*path, key), f"stands twice, on lines {first[key]} and {line}: keep one")
                continue
            first[key] = line
            self.lines[(*path, key)] = line
            result[key] = self.build(value_node, (*path, key), depth + 1)
        return result

    def _merged(self, node: yaml.Node, path: Keys, depth: int) -> dict[str, Any]:
        """What `<<` brings: the keys of one alias, or of a list of them."""
        self._count.one(depth, node.start_mark.line + 1)
        result: dict[str, Any] = {}
        for part in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(part, yaml.MappingNode):
                self._wrong(part.start_mark.line + 1, path, "<< takes the alias of other keys, such as <<: *name")
                continue
            result |= self._mapping(part, path, depth + 1)
        return result

    def _wrong(self, line: int, path: Keys, text: str) -> None:
        self.problems.append(Problem(self.name, line, clipped(dotted(path)), clipped(text)))
