"""What the command line changes in a plan: read before the plan is checked, so that all mistakes are told together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness import units
from harness.plan.grammar import parse
from harness.plan.problems import Keys, Problem, clipped
from harness.plan.request import check_header, check_url, check_variable
from harness.plan.source import Source


@dataclass(frozen=True)
class Overrides:
    """What the command line changes, for every runner of the plan that has the key. Texts as they were typed."""

    url: str | None = None
    api: str | None = None
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


class _Whose(NamedTuple):
    """The runners that an option is about."""

    api: bool  # those of the cf-api probe, or all others
    absent: str  # what is said where there are none


_API = "cf-api"
_OF_HTTP = _Whose(False, "every runner of the plan is a cf-api runner, which has no such thing (its target is --api)")
_OF_API = _Whose(True, "no runner of the plan is a cf-api runner (the target of the others is --url)")


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
        if self._usable("--url", wanted.url, check_url):
            self._for_runners("--url", "url", wanted.url, _OF_HTTP)
        if self._usable("--api", wanted.api, check_url):
            self._for_runners("--api", "api", wanted.api, _OF_API)
        if self._usable("--rate", wanted.rate, units.rate):
            self._for_runners("--rate", "rate", wanted.rate)
        if self._usable("--timeout", wanted.timeout, units.duration):
            self._for_runners("--timeout", "timeout", wanted.timeout)
        if wanted.fresh:
            self._for_runners("--fresh", "connections", "fresh", _OF_HTTP)
        if wanted.insecure:
            self._within_runners("--insecure", "tls", {"verify": False})
        headers = dict(filter(None, map(self._header, wanted.headers)))
        if headers:
            self._within_runners("-H", "headers", headers, _OF_HTTP)
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

    def _runners(self, option: str, whose: "_Whose | None") -> list[tuple[int, dict[str, Any]]]:
        """The runners that an option changes, copies of our own, with their places. It is a mistake if none does."""
        runners = self._value.get("runners")
        if not isinstance(runners, list):
            return []
        self._value["runners"] = copy = [dict(runner) if isinstance(runner, dict) else runner for runner in runners]
        entries = [(index, runner) for index, runner in enumerate(copy) if isinstance(runner, dict)]
        if whose is None:
            return entries
        chosen = [(index, runner) for index, runner in entries if (runner.get("probe") == _API) is whose.api]
        if entries and not chosen:
            self._wrong(option, ValueError(whose.absent))
        return chosen

    def _for_runners(self, option: str, key: str, value: Any, whose: "_Whose | None" = None) -> None:
        for index, runner in self._runners(option, whose):
            runner[key] = value
            self._options["runners", index, key] = option

    def _within_runners(self, option: str, key: str, values: dict[str, Any], whose: "_Whose | None" = None) -> None:
        """Sets keys within a part of each runner; a part that is none is told by the models."""
        for index, runner in self._runners(option, whose):
            if isinstance(part := runner.get(key, {}), dict):
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
