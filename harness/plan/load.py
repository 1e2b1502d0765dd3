"""From a file or a URL to a plan that was checked, or to all that is wrong with it."""

import difflib
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from harness import units
from harness.objectives import Indicator
from harness.plan.grammar import ObjectiveError, parse
from harness.plan.models import LATER_PROBES, PlanFile, check_header, check_url
from harness.plan.plan import Plan, pool_of, shards_of
from harness.plan.problems import PlanError, Problem
from harness.plan.source import Source, dotted, read

LOAD_LIMIT = 100.0  # requests a second beyond loopback without a word
COMMAND_LINE = "command line"
Keys = tuple[str | int, ...]


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


def load_plan(path: str | Path, overrides: Overrides = Overrides()) -> Plan:
    """Read a plan's file. Raises PlanError with every mistake at once."""
    path = Path(path)
    return _check(read(path), path.parent, overrides)


def plan_from_url(url: str, overrides: Overrides = Overrides()) -> Plan:
    """A bare URL is a plan: one runner, named `app`. Raises PlanError."""
    source = Source(COMMAND_LINE, {"runners": [{"name": "app", "url": url}]}, {})
    return _check(source, Path.cwd(), overrides)


def schema() -> dict[str, Any]:
    """The plan's JSON Schema, for editors and validators."""
    result = PlanFile.model_json_schema()
    objectives = result["properties"]["objectives"]
    objectives["items"] = {"anyOf": [{"type": "string", "examples": ["success >= 99.95%"]}, objectives["items"]]}
    timeout = result["$defs"]["RunnerPlan"]["properties"]["timeout"]
    duration = result["$defs"]["Timeout"]["properties"]["total"]
    text = {key: duration[key] for key in ("type", "pattern", "examples") if key in duration}
    result["$defs"]["RunnerPlan"]["properties"]["timeout"] = {
        "anyOf": [text, {"$ref": "#/$defs/Timeout"}],
        **({"description": timeout["description"]} if "description" in timeout else {}),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cf-harness plan",
        **{key: value for key, value in result.items() if key != "title"},
    }


def _check(source: Source, folder: Path, overrides: Overrides) -> Plan:
    changed, problems = _override(source.value, overrides)
    problems += _across(changed, folder, source)
    try:
        file = PlanFile.model_validate(changed)
    except ValidationError as error:
        found = [_problem(source, dict(detail)) for detail in error.errors(include_url=False)]
        raise PlanError(_unique([*problems, *found])) from None
    if not overrides.yes and not file.allow_load:
        problems += _too_much(file, source)
    if problems:
        raise PlanError(_unique(problems))
    plan = Plan(file=file, source=source.file, folder=folder)
    return Plan(file=file, source=source.file, folder=folder, warnings=tuple(_warnings(plan)))


def _unique(problems: list[Problem]) -> list[Problem]:
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.line or 0, problem.key))


# the command line's changes


def _override(value: dict[str, Any], overrides: Overrides) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    changes: dict[str, Any] = {}

    def take(option: str, key: str, text: str | None, read_unit: Any) -> None:
        if text is None:
            return
        try:
            read_unit(text)
        except ValueError as error:
            problems.append(Problem(option, None, "", str(error)))
        else:
            changes[key] = text

    take("--url", "url", overrides.url, check_url)
    take("--rate", "rate", overrides.rate, units.rate)
    take("--timeout", "timeout", overrides.timeout, units.duration)
    if overrides.fresh:
        changes["connections"] = "fresh"
    headers = _headers(overrides.headers, problems)
    changed = dict(value)
    runners = value.get("runners")
    if isinstance(runners, list):
        changed["runners"] = [_runner(runner, changes, headers, overrides.insecure) for runner in runners]
    stop: dict[str, Any] = {}
    for option, key, text in (("--duration", "duration", overrides.duration),):
        try:
            if text is not None:
                if units.duration(text) <= 0:
                    raise ValueError("must be more than 0s")
                stop[key] = text
                # a longer time asked for by hand lifts the plan's bound with it
                known = value.get("stop", {}) if isinstance(value.get("stop"), dict) else {}
                if units.duration(text) > 43200 and "max_duration" not in known:
                    stop["max_duration"] = text
        except ValueError as error:
            problems.append(Problem(option, None, "", str(error)))
    if stop:
        changed["stop"] = {**(value.get("stop") or {}), **stop}
    try:
        if overrides.ready_timeout is not None:
            units.duration(overrides.ready_timeout)
            changed["ready_timeout"] = overrides.ready_timeout
    except ValueError as error:
        problems.append(Problem("--ready-timeout", None, "", str(error)))
    added = []
    for text in overrides.objectives:
        try:
            parse(text)
            added.append(text)
        except ObjectiveError as error:
            problems.append(Problem("--objective", None, "", str(error)))
    if added:
        known = value.get("objectives") or []
        changed["objectives"] = [*known, *added] if isinstance(known, list) else known
    if overrides.yes:
        changed["allow_load"] = True
    return changed, problems


def _runner(runner: Any, changes: dict[str, Any], headers: dict[str, Any], insecure: bool) -> Any:
    if not isinstance(runner, dict):
        return runner
    changed = {**runner, **changes}
    if headers:
        changed["headers"] = {**(runner.get("headers") or {}), **headers}
    if insecure:
        changed["tls"] = {**(runner.get("tls") or {}), "verify": False}
    return changed


def _headers(lines: tuple[str, ...], problems: list[Problem]) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for line in lines:
        name, colon, content = line.partition(":")
        name, content = name.strip(), content.strip()
        if not colon:
            problems.append(Problem("-H", None, "", f"{name!r} is not a header: write 'Name: value'"))
            continue
        if content.startswith("{env:") and content.endswith("}"):
            headers[name] = {"env": content[5:-1].strip()}
            continue
        try:
            check_header(name, content)
        except ValueError as error:
            advice = f": write -H '{name}: {{env: NAME}}'" if "secret" in str(error) else ""
            problems.append(Problem("-H", None, "", f"{error}{advice}"))
        else:
            headers[name] = content
    return headers


# what pydantic found, in our words


def _problem(source: Source, detail: dict[str, Any]) -> Problem:
    keys: Keys = tuple(part for part in detail["loc"] if not _is_union_tag(part))
    kind = detail["type"]
    line = source.line_of(keys)
    if kind == "extra_forbidden":
        name = str(keys[-1])
        known = _known_keys(keys[:-1])
        near = difflib.get_close_matches(name, known, 1, 0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"the keys here are {', '.join(sorted(known))}"
        return Problem(source.file, line, dotted(keys), f"unknown key {name!r}: {hint}")
    if kind == "missing":
        return Problem(source.file, line, dotted(keys[:-1]), f"{keys[-1]!r} is missing")
    if kind == "value_error":
        return Problem(source.file, line, dotted(keys), str(detail["ctx"]["error"]))
    if kind == "literal_error":
        value = detail["input"]
        if keys and keys[-1] == "probe" and value in LATER_PROBES:
            text = f"the probe {value!r} ({LATER_PROBES[value]}) is not in this version: app or http"
            return Problem(source.file, line, dotted(keys), text)
        return Problem(source.file, line, dotted(keys), f"expected {detail['ctx']['expected']}, not {value!r}")
    words = detail["msg"].replace("Input should", "should")
    shown = repr(detail["input"])
    return Problem(source.file, line, dotted(keys), f"{words}, not {shown[:60]}")


def _is_union_tag(part: str | int) -> bool:
    return isinstance(part, str) and (
        part in ("str", "int", "FromEnvironment") or part.startswith(("list[", "function-", "tuple[", "constrained-"))
    )


def _known_keys(path: Keys) -> list[str]:
    """The keys of the model at a path."""
    model: Any = PlanFile
    for part in path:
        if isinstance(part, int) or model is None:
            continue
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        model = _model_in(field.annotation) if field is not None else None
    return list(model.model_fields) if model is not None else []


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found is not None:
            return found
    return None


# what spans keys


def _across(value: dict[str, Any], folder: Path, source: Source) -> list[Problem]:
    """Works on the plain values, so that these mistakes are told together with those of the models."""
    problems: list[Problem] = []

    def wrong(keys: Keys, text: str) -> None:
        problems.append(Problem(source.file, source.line_of(keys), dotted(keys), text))

    runners = value.get("runners")
    names: dict[str, int] = {}
    for index, runner in enumerate(runners if isinstance(runners, list) else []):
        if not isinstance(runner, dict):
            continue
        name = runner.get("name")
        if isinstance(name, str):
            if name in names:
                wrong(("runners", index, "name"), f"{name!r} is taken by runners[{names[name]}]: names are unique")
            names.setdefault(name, index)
        if isinstance(runner.get("tls"), dict):
            for key, text in _unusable_files(runner["tls"], folder):
                wrong(("runners", index, "tls", key), text)
    objectives = value.get("objectives")
    for index, entry in enumerate(objectives if isinstance(objectives, list) else []):
        wanted = entry.get("runner") if isinstance(entry, dict) else None
        if isinstance(wanted, str) and wanted not in names:
            near = difflib.get_close_matches(wanted, names, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the runners are {', '.join(names)}"
            wrong(("objectives", index, "runner"), f"there is no runner {wanted!r}: {hint}")
    return problems


def _too_much(file: PlanFile, source: Source) -> list[Problem]:
    """Nobody overloads a platform by a typo."""
    load = sum(runner.rate for runner in file.runners if not _is_loopback(runner.url))
    if load <= LOAD_LIMIT:
        return []
    text = (
        f"{load:g} requests a second beyond loopback: say --yes, or allow_load: true in the plan, if the target may "
        f"be loaded like that; up to {LOAD_LIMIT:g} a second need no word"
    )
    return [Problem(source.file, source.line_of(("runners",)), "runners", text)]


def _unusable_files(tls: dict[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """The keys of `tls` whose files can't be used, and why."""
    for key in ("ca", "client_cert", "client_key"):
        name = tls.get(key)
        if not isinstance(name, str):
            continue
        path = folder / name
        if path.is_dir():
            yield key, f"{path} is a folder; expected a PEM file"
            continue
        try:
            text = path.read_bytes()
        except (OSError, ValueError) as error:
            yield key, f"{path} can't be read: {getattr(error, 'strerror', None) or error}"
            continue
        try:
            if b"-----BEGIN" not in text:
                yield key, f"{path} is not a PEM file"
            elif key == "ca":
                ssl.create_default_context(cafile=str(path))
            elif key == "client_cert":
                own = tls.get("client_key")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_cert_chain(path, folder / own if isinstance(own, str) else None)
        except (ssl.SSLError, OSError, ValueError) as error:
            yield key, f"{path} can't be used: {error}"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _warnings(plan: Plan) -> list[str]:
    """What will run, but not say what its author may hope for."""
    warnings = []
    runners = {runner.name: runner for runner in plan.file.runners}
    for objective in plan.objectives():
        runner = runners[objective.runner]
        spacing = 1 / runner.rate
        outage = objective.indicator in (Indicator.LONGEST_OUTAGE, Indicator.SILENCE)
        if outage and 2 * spacing >= objective.threshold:
            warnings.append(
                f"{runner.name}: at {units.show_rate(runner.rate)} one failed attempt alone may be an outage of "
                f"{units.show_duration(2 * spacing)}: '{objective.text}' can't be decided; raise the rate"
            )
        if objective.window is not None and objective.window * runner.rate < 10:
            warnings.append(
                f"{runner.name}: '{objective.text}' has fewer than ten attempts in its window at "
                f"{units.show_rate(runner.rate)}"
            )
    for runner in plan.file.runners:
        rate = runner.rate / shards_of(runner)
        cap = pool_of(runner, rate).cap
        if runner.pool.max is not None and cap < rate * runner.timeout.total:
            warnings.append(
                f"{runner.name}: pool.max {cap} is below rate x time-out ({rate * runner.timeout.total:.0f}): "
                "a stall of the target will read as our own limit"
            )
    return warnings
