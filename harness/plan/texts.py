"""The plan's texts: durations, rates, names and the like, each with how it is read and what a schema says of it."""

import ipaddress
import re
from importlib.metadata import entry_points
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from harness import units
from harness.cf.target import OPERATION_NAMES, OPERATIONS_GROUP
from harness.outcome import OWN_CAUSES, Cause, Component
from harness.plan.grammar import NAMES, parse, parse_abort
from harness.plan.nearest import nearest
from harness.plan.request import check_pattern, check_url, status_ranges

CAUSES = tuple(str(cause) for cause in Cause if cause not in OWN_CAUSES)
COMPONENTS = tuple(str(component) for component in Component if component is not Component.HARNESS)
_NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
_NUMBER = r"[0-9]+(\.[0-9]+)?"


def _text(pattern: str, *examples: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples), **more})


def within(low: str, high: str) -> AfterValidator:
    """Bounds of a duration, both included."""

    def check(value: float) -> float:
        if not units.duration(low) <= value <= units.duration(high):
            raise ValueError(f"{units.show_duration(value)} is out of bounds: from {low} to {high}")
        return value

    return AfterValidator(check)


_DURATION = rf"^\s*(?=[0-9])({_NUMBER}d)?({_NUMBER}h)?({_NUMBER}m)?({_NUMBER}s)?({_NUMBER}ms)?\s*$"
Duration = Annotated[float, BeforeValidator(units.duration), _text(_DURATION, "500ms", "5s", "1h30m", unit="duration")]
Rate = Annotated[
    float,
    BeforeValidator(units.rate),
    _text(rf"^\s*{_NUMBER}\s*/\s*(s|sec|second|min|minute|m|h|hour)\s*$", "10/s", "6/min", unit="rate"),
]
Share = Annotated[float, BeforeValidator(units.share), _text(rf"^\s*{_NUMBER}\s*%\s*$", "1%", unit="share")]
Size = Annotated[
    int,
    BeforeValidator(units.size),
    _text(rf"^\s*{_NUMBER}\s*(B|kB|KB|KiB|MB|MiB|GB|GiB)\s*$", "10MiB", "500kB", unit="size"),
]


def _operation(value: str) -> str:
    if value not in OPERATION_NAMES:
        others = {entry.name for entry in entry_points(group=OPERATIONS_GROUP)}
        if value not in others:
            raise ValueError(f"there is no operation {value!r}: {nearest(value, (*OPERATION_NAMES, *sorted(others)))}")
    return value


def _runner_name(value: str) -> str:
    if not re.fullmatch(_NAME, value):
        rule = "lower-case letters, digits, '.', '_' and '-', at most 63, a letter or digit first"
        raise ValueError(f"{value!r} is not a runner's name: {rule}")
    return value


def _objective(value: str) -> str:
    parse(value)
    return value


def _abort(value: str) -> str:
    parse_abort(value)
    return value


def _file_name(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise ValueError(f"{value!r} is not a file's name")
    return value


def _address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address") from None
    return value


def _cause(value: str) -> str:
    if value in OWN_CAUSES:
        raise ValueError(f"{value!r} is the harness's own: such ticks are unknown, and never counted as bad")
    return _closed(value, CAUSES)


def _component(value: str) -> str:
    return _closed(value, COMPONENTS)


def _closed(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"there is no {value!r}: {nearest(value, known)}")
    return value


def _status(value: Any) -> Any:
    status_ranges(value)
    return value


Name = Annotated[str, AfterValidator(_runner_name), _text(rf"^{_NAME}$", "app")]
Url = Annotated[str, AfterValidator(check_url), _text(r"^[hH][tT][tT][pP][sS]?://", "https://app.example.org/")]
FileName = Annotated[str, AfterValidator(_file_name)]
Pattern = Annotated[str, AfterValidator(check_pattern)]
Address = Annotated[str, AfterValidator(_address)]
CauseName = Annotated[str, AfterValidator(_cause), WithJsonSchema({"type": "string", "enum": list(CAUSES)})]
ComponentName = Annotated[str, AfterValidator(_component), WithJsonSchema({"type": "string", "enum": list(COMPONENTS)})]
ObjectiveText = Annotated[
    str,
    AfterValidator(_objective),
    _text(
        rf"^\s*({'|'.join(re.escape(name) for name in NAMES if name[1:2].isalpha())}|p[0-9.]+)\s*(<=?|>=?)\s*[0-9]",
        "success >= 99.95%",
        "p95 < 300ms over 60s",
    ),
]
Operation = Annotated[str, AfterValidator(_operation), _text(rf"^{_NAME}$", "list-apps")]
StatusCodes = Annotated[str | int | list[str | int], BeforeValidator(_status)]
AbortText = Annotated[
    str,
    AfterValidator(_abort),
    _text(r"^\s*success\s*<\s*[0-9.]+\s*%\s+over\s+[0-9]", "success < 50% over 15s"),
]
