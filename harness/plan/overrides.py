"""What the command line changes in a plan: read before the plan is checked, so that all mistakes are told together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness import units
from harness.plan.grammar import parse
from harness.plan.problems import Keys, Problem, clipped
from harness.plan.request import check_header, check_url, check_variable
from harness.plan.source import Source


@dataclass(frozen=True)
class Overrides:
    """What the command line changes, for every runner of the plan. Texts as they were typed."""

    url: str | None = None
    rate: str | None = None
    duration: str | None = None
    timeout: str | None = None
    fresh: bool = False
    objectives: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    insecure: bool = False
    yes: bool = False
    ready_timeout: str | None = None


NO_CHANGES = Overrides()


def override(source: Source, overrides: Overrides) -> Source:
    """The plan with the changes; what is wrong with them is among its problems, under the option's name."""
    return _Change(source, overrides).source()


class _Change:
    """Collects the changed values, where they came from, and what is wrong with them."""

    def __init__(self, source: Source, overrides: Overrides) -> None:
        self._source = source
        self._wanted = overrides
        self._value = dict(source.value)
        self._problems = list(source.problems)
        self._options: dict[Keys, str] = {}

    def source(self) -> Source:
        wanted = self._wanted
        for key, text, check in (
            ("url", wanted.url, check_url),
            ("rate", wanted.rate, units.rate),
            ("timeout", wanted.timeout, units.duration),
        ):
            if self._usable(f"--{key}", text, check):
                self._for_runners(f"--{key}", key, text)
        if wanted.fresh:
            self._for_runners("--fresh", "connections", "fresh")
        if wanted.insecure:
            self._within_runners("--insecure", "tls", {"verify": False})
        headers = dict(filter(None, map(self._header, wanted.headers)))
        if headers:
            self._within_runners("-H", "headers", headers)
        if self._usable("--duration", wanted.duration, units.duration):
            self._duration(str(wanted.duration))
        if self._usable("--ready-timeout", wanted.ready_timeout, units.duration):
            self._value["ready_timeout"] = wanted.ready_timeout
            self._options["ready_timeout",] = "--ready-timeout"
        self._objectives()
        if wanted.yes:
            self._value["allow_load"] = True
        return self._source._replace(value=self._value, problems=tuple(self._problems), options=self._options)

    def _wrong(self, option: str, error: ValueError) -> None:
        self._problems.append(Problem(option, None, "", clipped(str(error))))

    def _usable(self, option: str, text: str | None, check: Callable[[str], object]) -> bool:
        """Whether an option was given and can be read."""
        if text is None:
            return False
        try:
            check(text)
        except ValueError as error:
            self._wrong(option, error)
            return False
        return True

    def _runners(self) -> list[Any]:
        """The runners to change: a list of our own."""
        runners = self._value.get("runners")
        if not isinstance(runners, list):
            return []
        self._value["runners"] = copy = [dict(runner) if isinstance(runner, dict) else runner for runner in runners]
        return copy

    def _for_runners(self, option: str, key: str, value: Any) -> None:
        for index, runner in enumerate(self._runners()):
            if isinstance(runner, dict):
                runner[key] = value
                self._options["runners", index, key] = option

    def _within_runners(self, option: str, key: str, values: dict[str, Any]) -> None:
        """Sets keys within a part of each runner; a part that is none is told by the models."""
        for index, runner in enumerate(self._runners()):
            if isinstance(runner, dict) and isinstance(part := runner.get(key, {}), dict):
                names = {name.lower() for name in values}
                kept = {name: value for name, value in part.items() if name.lower() not in names}
                runner[key] = kept | values
                self._options |= {("runners", index, key, name): option for name in values}

    def _duration(self, text: str) -> None:
        stop = self._value.get("stop", {})
        if not isinstance(stop, dict):
            return
        self._value["stop"] = stop = {**stop, "duration": text}
        self._options["stop", "duration"] = "--duration"
        # a longer time asked for by hand lifts the default bound with it
        if units.duration(text) > 43200 and "max_duration" not in stop:
            stop["max_duration"] = text
            self._options["stop", "max_duration"] = "--duration"

    def _objectives(self) -> None:
        known = self._value.get("objectives", [])
        added = [text for text in self._wanted.objectives if self._usable("--objective", text, parse)]
        if added and isinstance(known, list):
            self._value["objectives"] = [*known, *added]
            for index in range(len(known), len(known) + len(added)):
                self._options["objectives", index] = "--objective"

    def _header(self, line: str) -> tuple[str, Any] | None:
        name, colon, content = line.partition(":")
        name, content = name.strip(), content.strip()
        try:
            if not colon:
                raise ValueError("expected -H 'Name: value', or -H 'Name: {env: NAME}' for a secret")
            if content.startswith("{env:") and content.endswith("}"):
                variable = check_variable(content[5:-1].strip())
                check_header(name, None)
                return name, {"env": variable}
            check_header(name, content)
        except ValueError as error:
            self._wrong("-H", error)
            return None
        return name, content
