"""The plan's JSON Schema, for editors and validators: it says all that a schema can; loading a plan says the rest."""

from collections.abc import Callable, Iterator
from typing import Any

from harness import units
from harness.plan.models import API_KEYS, HTTP_KEYS, PlanFile

_SHOW: dict[str, Callable[[Any], str]] = {
    "duration": units.show_duration,
    "rate": units.show_rate,
    "share": units.show_share,
    "size": units.show_size,
}


def schema() -> dict[str, Any]:
    """Draft 2020-12. `unit` beside a text says which one it carries."""
    result = PlanFile.model_json_schema()
    for model in (result, *result["$defs"].values()):
        for key in model["properties"].values():
            _as_written(key)
    objectives = result["properties"]["objectives"]
    text = result["$defs"]["ObjectivePlan"]["properties"]["objective"]
    objectives["items"] = {"anyOf": [_only(text), objectives["items"]]}
    runner = result["$defs"]["RunnerPlan"]["properties"]
    result["$defs"]["RunnerPlan"] |= {
        "if": {"properties": {"probe": {"const": "cf-api"}}, "required": ["probe"]},
        "then": {"required": ["operation"], "properties": dict.fromkeys(sorted(HTTP_KEYS), False)},
        "else": {"required": ["url"], "properties": dict.fromkeys(sorted(API_KEYS), False)},
    }
    total = result["$defs"]["Timeout"]["properties"]["total"]
    runner["timeout"] = {
        "anyOf": [_only(total), {"$ref": "#/$defs/Timeout"}],
        "default": total["default"],
        "description": runner["timeout"]["description"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cf-harness plan",
        **{key: value for key, value in result.items() if key != "title"},
    }


def _as_written(key: dict[str, Any]) -> None:
    """Defaults as people write them, none that only repeats those below, and no titles."""
    key.pop("title", None)
    if "default" not in key:
        return
    if "$ref" in key or key["default"] is None:
        del key["default"]
    elif "prefixItems" in key:
        shows = [_SHOW[item["unit"]] for item in key["prefixItems"]]
        key["default"] = [show(value) for show, value in zip(shows, key["default"], strict=True)]
    else:
        for unit in _units(key):
            key["default"] = _SHOW[unit](key["default"])


def _units(key: dict[str, Any]) -> Iterator[str]:
    return (part["unit"] for part in (key, *key.get("anyOf", ())) if "unit" in part)


def _only(text: dict[str, Any]) -> dict[str, Any]:
    """A text's type, form and examples, without what belongs to its key."""
    return {name: text[name] for name in ("type", "pattern", "examples", "unit") if name in text}
