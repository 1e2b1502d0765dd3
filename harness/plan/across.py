"""What spans keys of a plan, and the files that it names.

Works on the plain values, of which some may be wrong: so these mistakes are told together with those of the models.
"""

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness import units
from harness.cf.target import OPERATION_NAMES
from harness.plan.grammar import ObjectiveError, parse
from harness.plan.models import API_KEYS, HTTP_KEYS, MOST_SLOTS, PlanFile
from harness.plan.nearest import near_to
from harness.plan.problems import Keys, Problem
from harness.plan.source import Source

LOAD_LIMIT = 100.0  # requests a second beyond loopback without a word
_STAGES = ("connect", "tls", "first_byte")
_OF_AN_APP = ("app-stats", "watch-app")

Mistake = tuple[Keys, str]


def across(source: Source, folder: Path) -> list[Problem]:
    """All that is wrong between keys. Paths are relative to `folder`."""
    plan = source.value
    runners = _entries(plan.get("runners"))
    found: list[Mistake] = []
    names: dict[str, int] = {}
    for index, runner in runners:
        name = runner.get("name")
        if isinstance(name, str):
            if name in names:
                found.append(
                    (("runners", index, "name"), f"{name!r} is taken by runners[{names[name]}]: names are unique")
                )
            names.setdefault(name, index)
        found += [(("runners", index, *keys), text) for keys, text in _runner(runner, folder)]
    found += _objectives(plan, names)
    found += _slots(runners)
    found += _stop(plan.get("stop"))
    found += _readiness(plan)
    if plan.get("allow_load") is not True:
        found += _too_much(runners)
    return [source.problem(keys, text) for keys, text in found]


def _entries(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """The entries of a list that have keys, with their places."""
    entries = value if isinstance(value, list) else []
    return [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict)]


def _read(read_unit: Callable[[object], float], value: Any) -> float | None:
    try:
        return read_unit(value)
    except ValueError:
        return None


def _runner(runner: dict[str, Any], folder: Path) -> Iterator[Mistake]:
    probe = runner.get("probe", "app")
    if probe == "app":
        for key in ("http2", "proxy"):
            if runner.get(key):
                yield (key,), f"{key} is the http probe's: write probe: http"
    if probe == "cf-api":
        yield from _api_runner(runner, folder)
    elif probe in ("app", "http"):
        for key in sorted(API_KEYS & runner.keys()):
            yield (key,), f"{key} is the cf-api probe's: write probe: cf-api"
        if "url" not in runner and near_to("url", runner) is None:
            yield (), "'url' is missing: write url: https://app.example.org/"
    timeout = runner.get("timeout")
    if isinstance(timeout, dict):
        total = _read(units.duration, timeout.get("total", "5s"))
        for stage in _STAGES:
            limit = _read(units.duration, timeout.get(stage))
            if limit is not None and total is not None and limit > total:
                text = f"{units.show_duration(limit)} is longer than the total, {units.show_duration(total)}"
                yield ("timeout", stage), text
    pool = runner.get("pool")
    if isinstance(pool, dict):
        warm, most = pool.get("warm"), pool.get("max")
        if isinstance(warm, int) and isinstance(most, int) and warm > most:
            yield ("pool", "warm"), f"{warm} is more than max, {most}"
    tls = runner.get("tls")
    if isinstance(tls, dict):
        if tls.get("client_key") and not tls.get("client_cert"):
            yield ("tls", "client_key"), "stands without client_cert"
        for key, text in _unusable_files(tls, folder):
            yield ("tls", key), text


def _api_runner(runner: dict[str, Any], folder: Path) -> Iterator[Mistake]:
    for key in sorted(HTTP_KEYS & runner.keys()):
        hint = ": the API is `api`" if key == "url" else ""
        yield (key,), f"{key} means nothing to the cf-api probe{hint}"
    if "operation" not in runner and near_to("operation", runner) is None:
        yield (), f"'operation' is missing: write operation: list-apps (or {', '.join(OPERATION_NAMES)})"
    if runner.get("operation") in _OF_AN_APP and "app" not in runner:
        yield (), f"'app' is missing: {runner['operation']} looks at an app, write app: NAME"
    if "org" in runner and "space" not in runner:
        yield ("org",), "stands without space"
    timeout, tls = runner.get("timeout"), runner.get("tls")
    if isinstance(timeout, dict) and "tls" in timeout:
        yield ("timeout", "tls"), "means nothing to the cf-api probe: `connect` holds for the handshake too"
    if isinstance(tls, dict) and tls.get("server_name"):
        yield ("tls", "server_name"), "means nothing to the cf-api probe: the API's own name is verified"
    name = runner.get("credentials")
    if isinstance(name, str) and name and not (folder / name).is_file():
        yield ("credentials",), f"{folder / name} is no file"


def _slots(runners: list[tuple[int, dict[str, Any]]]) -> Iterator[Mistake]:
    """Calls in flight at an API, of all its runners: one each at least."""
    asked: dict[str, list[int]] = {}
    for index, runner in runners:
        if runner.get("probe") == "cf-api":
            asked.setdefault(str(runner.get("api")).rstrip("/").lower(), []).append(index)
    by_index = dict(runners)
    for indexes in asked.values():
        slots = [by_index[index].get("slots", 1) for index in indexes]
        total = sum(slot for slot in slots if isinstance(slot, int))
        if total > MOST_SLOTS and len(indexes) > 1:  # else the model says it
            text = f"{total} calls in flight at one API: at most {MOST_SLOTS}, one a runner at least"
            yield ("runners", indexes[-1]), text


def _unusable_files(tls: dict[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """The keys of `tls` whose files can't be used, and why."""
    for key in ("ca", "client_cert", "client_key"):
        name = tls.get(key)
        if not isinstance(name, str) or not name:
            continue
        path = folder / name
        try:
            if path.is_dir():
                yield key, f"{path} is a folder; expected a PEM file"
                continue
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
                # no password is asked for at the terminal
                context.load_cert_chain(path, folder / own if isinstance(own, str) else None, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            yield key, f"{path} can't be used: {getattr(error, 'reason', None) or error}"


def _objectives(plan: dict[str, Any], names: dict[str, int]) -> Iterator[Mistake]:
    for index, entry in _entries(plan.get("objectives")):
        wanted, text = entry.get("runner"), entry.get("objective")
        if isinstance(wanted, str) and wanted not in names:
            near = near_to(wanted, names)
            hint = f"did you mean {near!r}?" if near is not None else f"the runners are {', '.join(names) or 'missing'}"
            yield ("objectives", index, "runner"), f"there is no runner {wanted!r}: {hint}"
        if isinstance(text, str) and entry.get("window") is not None:
            try:
                twice = parse(text).window is not None
            except ObjectiveError:
                continue
            if twice:
                yield ("objectives", index, "window"), "the text says its window already: leave out one of the two"


def _stop(stop: Any) -> Iterator[Mistake]:
    if not isinstance(stop, dict):
        return
    longest = _read(units.duration, stop.get("max_duration", "12h"))
    for key in ("duration", "min_duration"):
        value = _read(units.duration, stop.get(key))
        if value is not None and longest is not None and value > longest:
            yield (
                ("stop", key),
                f"{units.show_duration(value)} is longer than max_duration, {units.show_duration(longest)}",
            )
    duration, least = (_read(units.duration, stop.get(key)) for key in ("duration", "min_duration"))
    if duration is not None and least is not None and least > duration:
        text = f"longer than duration, {units.show_duration(duration)}: every run would be inconclusive"
        yield ("stop", "min_duration"), text


def _readiness(plan: dict[str, Any]) -> Iterator[Mistake]:
    baseline = _read(units.duration, plan.get("baseline", "1s"))
    limit = _read(units.duration, plan.get("ready_timeout", "30s"))
    if baseline is not None and limit is not None and limit < max(1, baseline):
        key = "ready_timeout" if "ready_timeout" in plan else "baseline"
        needed = units.show_duration(max(1.0, baseline))
        yield (key,), f"no run can be ready: the baseline takes {needed}, ready_timeout is {units.show_duration(limit)}"


def _too_much(runners: list[tuple[int, dict[str, Any]]]) -> Iterator[Mistake]:
    """Nobody overloads a platform by a typo."""
    rates = [_read(units.rate, runner.get("rate", "10/s")) or 0.0 for _, runner in runners if not _on_loopback(runner)]
    load = sum(rates)
    if load > LOAD_LIMIT:
        text = (
            f"{load:,.0f} requests a second beyond loopback: say --yes, or allow_load: true in the plan, if the target "
            f"may be loaded like that; up to {LOAD_LIMIT:g} a second need no word"
        )
        yield ("runners",), text


def _on_loopback(runner: dict[str, Any]) -> bool:
    try:
        host = urlsplit(str(runner.get("url") or runner.get("api"))).hostname or ""
    except ValueError:
        return True  # no URL: told elsewhere
    resolve = runner.get("resolve")
    if isinstance(resolve, dict):
        host = str(resolve.get(host, host))
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def same_twice(file: PlanFile, source: Source) -> list[Problem]:
    """Objectives that stand twice for a runner: their judgements could not be told apart."""
    problems = []
    seen: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(file.objectives):
        condition = parse(entry.objective)
        text = str(condition if entry.window is None else condition._replace(window=entry.window))
        text += f" during {entry.phase}" if entry.phase else ""
        for runner in [entry.runner] if entry.runner else [runner.name for runner in file.runners]:
            first = seen.setdefault((text, runner), index)
            if first != index:
                told = f"the same as objectives[{first}] for runner {runner}: keep one"
                problems.append(source.problem(("objectives", index), told))
                break
    return problems
