"""Reads a scripted deployment from YAML: strictly, and with every mistake at once, each with its file, line and key."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from harness.sandbox.script import ACTIONS, RULES, Script, ScriptError, Step
from harness.sandbox.wire import CertificateKind
from harness.units import duration

_MAX_BYTES = 1 << 18
_MAX_DEPTH = 10  # of brackets; a script needs three
_MAX_STEPS = 1000
_NAME_LENGTH = 100


def load_script(path: str | Path) -> Script:
    """Read a file. Raises ScriptError."""
    path = Path(path)
    try:
        if path.is_dir():
            raise ScriptError(f"{path}: is a folder; a script is a YAML file")
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ScriptError(f"{path}: can't be read: {error.strerror or error}") from None
    return parse_script(str(path), data)


def parse_script(name: str, data: bytes) -> Script:
    """Read a text. Raises ScriptError."""
    return _Reader(name).read(data)


class _Reader:
    """Collects what is wrong."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._mistakes: list[tuple[int, str]] = []

    def read(self, data: bytes) -> Script:
        root = self._compose(data)
        name = ""
        steps: tuple[Step, ...] = ()
        for key, key_node, value in self._pairs(root, "", ("name", "steps")):
            if key == "name":
                name = self._word(value, "name") or ""
            elif not isinstance(value, yaml.SequenceNode):
                self._wrong(key_node, key, "expected a list of steps, such as `- {at: 2s, do: kill, target: app/0}`")
            elif len(value.value) > _MAX_STEPS:
                self._wrong(key_node, key, f"more than {_MAX_STEPS} steps")
            else:
                read = [self._step(node, f"steps[{index}]") for index, node in enumerate(value.value)]
                steps = tuple(step for step in read if step is not None)
        if not steps and not self._mistakes:
            self._wrong(root, "steps", "is missing or empty: a script has at least one step")
        if self._mistakes:
            raise ScriptError("\n".join(text for _, text in sorted(self._mistakes, key=lambda mistake: mistake[0])))
        return Script(steps, name, self._file)

    def _compose(self, data: bytes) -> yaml.Node:
        if len(data) > _MAX_BYTES:
            raise ScriptError(f"{self._file}: is larger than {_MAX_BYTES} bytes; a script is a short text")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise ScriptError(f"{self._file}:{line}: is not UTF-8 text; a script is a YAML file") from None
        if _deep(text):
            raise ScriptError(f"{self._file}: is nested too deeply")
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{self._file}:{mark.line + 1}" if mark else self._file
            raise ScriptError(f"{place}: is not valid YAML: {error.problem or error.context}") from None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise ScriptError(f"{self._file}: is not valid YAML: {str(error).splitlines()[0]}") from None
        if not isinstance(node, yaml.MappingNode):
            place = f"{self._file}:{node.start_mark.line + 1}" if node is not None else self._file
            raise ScriptError(f"{place}: is not a script: expected `steps:` and a list of them")
        return node

    def _step(self, node: yaml.Node, place: str) -> Step | None:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, place, "expected a step, such as `{at: 2s, do: kill, target: app/0}`")
            return None
        before = len(self._mistakes)
        values: dict[str, Any] = {"line": node.start_mark.line + 1}
        lines: dict[str, yaml.Node] = {}
        for key, key_node, value in self._pairs(node, place, tuple(_KEYS)):
            field, convert = _KEYS[key]
            lines[key] = key_node
            try:
                values[field] = convert(_scalar(value))
            except ValueError as error:
                self._wrong(value, f"{place}.{key}", str(error))
        for key in ("do", "target"):
            if key not in lines:
                self._wrong(node, place, f"`{key}:` is missing")
        if len(self._mistakes) > before:
            return None
        step = Step(**values)
        for key, text in step.mistakes():
            self._wrong(lines.get(key, node), f"{place}.{key}", text)
        for key in sorted(lines.keys() & _OPTIONS - RULES[step.do].options - step.told):  # even if it is the default
            self._wrong(lines[key], f"{place}.{key}", f"means nothing to `{step.do}`")
        return step

    def _pairs(self, node: yaml.Node, place: str, known: tuple[str, ...]) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        seen: dict[str, int] = {}
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            line = key_node.start_mark.line + 1
            dotted = f"{place}.{key}" if place else key
            if key in seen:
                self._wrong(key_node, dotted, f"stands twice, on lines {seen[key]} and {line}: keep one")
            elif key not in known:
                self._wrong(key_node, dotted, f"no such key{_nearest(key, known)}")
            else:
                seen[key] = line
                yield key, key_node, value

    def _word(self, node: yaml.Node, key: str) -> str | None:
        try:
            return _name(_scalar(node))
        except ValueError as error:
            self._wrong(node, key, str(error))
            return None

    def _wrong(self, node: yaml.Node, key: str, text: str) -> None:
        line = node.start_mark.line + 1
        self._mistakes.append((line, f"{self._file}:{line}: {key}: {text}"))


def _deep(text: str) -> bool:
    """Brackets or indents that would exhaust the stack."""
    depth = deepest = 0
    for char in text:
        if char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    indent = max((len(line) - len(line.lstrip(" -?:")) for line in text.splitlines()), default=0)
    return deepest > _MAX_DEPTH or indent > 200


def _scalar(node: yaml.Node) -> str:
    """A value as it is written: `at: 2s` needs no type of YAML's."""
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("expected one value, not a list or a mapping")
    return str(node.value)


def _time(text: str) -> float:
    return 0.0 if text == "0" else duration(text)


def _lasting(text: str) -> float:
    seconds = _time(text)
    if seconds <= 0:
        raise ValueError("longer than nothing")
    return seconds


def _name(text: str) -> str:
    if not text.strip() or len(text) > _NAME_LENGTH or not text.isprintable():
        raise ValueError(f"expected a name of 1 to {_NAME_LENGTH} printable characters")
    return text


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f'expected "true" or "false", not {text!r}')
    return text.lower() == "true"


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise ValueError(f"expected a number, not {text!r}")
    return int(text)


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of them{_nearest(text, choices)}")
        return text

    return convert


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.replace("-", "_"), known, 1, 0.6)
    return f": did you mean `{near[0]}`?" if near else f"; there is {', '.join(known)}"


# Of a step: key -> field of Step, and how it is read.
_KEYS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "at": ("at", _time),
    "step": ("name", _name),
    "do": ("do", _one_of(ACTIONS)),
    "target": ("target", str),
    "for": ("lasts", _lasting),
    "drain": ("drain", _yes_or_no),
    "drain_wait": ("drain_wait", _time),
    "drain_timeout": ("drain_timeout", _time),
    "down": ("down", _time),
    "every": ("every", _lasting),
    "code": ("code", _number),
    "error": ("error", _name),
    "by": ("by", _lasting),
    "certificate": ("certificate", _one_of(get_args(CertificateKind)[1:])),
}
_OPTIONS = frozenset().union(*(rule.options for rule in RULES.values()))
