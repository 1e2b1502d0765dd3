"""Writes docs/plan.md from the plan's models, so that it never says what the code does not: `make docs`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from harness.plan import schema
from harness.plan.across import LOAD_LIMIT
from harness.plan.plan import RATE_PER_WORKER, default_objectives
from harness.plan.source import MAX_BYTES, MAX_DEPTH, MAX_NODES

OUT = Path(__file__).with_name("plan.md")
TEMPLATE = Path(__file__).with_name("plan.template.md")

# where each model's keys stand in a plan, in the order in which they are read about
PLACES = (
    ("", "", "The plan"),
    ("RunnerPlan", "runners[]", "A runner"),
    ("Timeout", "runners[].timeout", "Timeouts"),
    ("TlsSettings", "runners[].tls", "TLS"),
    ("Expectation", "runners[].expect", "Expectations"),
    ("PoolSettings", "runners[].pool", "Connections"),
    ("ObjectivePlan", "objectives[]", "An objective"),
    ("ToleranceSettings", "objectives[].tolerate", "Tolerances"),
    ("Bounds", "bounds", "Bounds of the evidence"),
    ("StopPlan", "stop", "The end of a run"),
)


def reference() -> str:
    """The whole text of docs/plan.md."""
    plan = schema()
    sections = [_section(plan["$defs"][model] if model else plan, place, title) for model, place, title in PLACES]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        keys="\n".join(sections),
        defaults=", ".join(f"`{text}`" for text in default_objectives(10.0)),
        load=f"{LOAD_LIMIT:g}",
        bytes=f"{MAX_BYTES:,}",
        nodes=f"{MAX_NODES:,}",
        depth=MAX_DEPTH,
        per_worker=f"{RATE_PER_WORKER:,}",
    )


def _section(part: dict[str, Any], place: str, title: str) -> str:
    lines = [f"## {title}" + (f": `{place}`" if place else ""), ""]
    lines += [part["description"], ""]
    lines += ["| key | type | default | meaning | example |", "| --- | --- | --- | --- | --- |"]
    required = part.get("required", [])
    for name, key in part["properties"].items():
        default = "**required**" if name in required else _default(key)
        cells = (f"`{name}`", _type(key), default, key.get("description") or _described(key), _example(key))
        lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _alternatives(key: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (part for part in key.get("anyOf", [key]) if part.get("type") != "null")


def _type(key: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_one_type(part) for part in _alternatives(key)))


def _one_type(part: dict[str, Any]) -> str:
    if "$ref" in part:
        return "keys below"
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"]) if len(part["enum"]) < 10 else "names"
    if "unit" in part:
        return str(part["unit"])
    match part.get("type"):
        case "array" if "prefixItems" in part:
            return f"[{', '.join(_one_type(item) for item in part['prefixItems'])}]"
        case "array":
            return f"list of {_type(part['items'])}"
        case "object":
            return "name: text or {env: NAME}" if "anyOf" in part["additionalProperties"] else "name: text"
        case "integer":
            return f"{part['minimum']} to {part['maximum']}" if "minimum" in part else "number"
        case "boolean":
            return "`true`, `false`"
        case _:
            return "text"


def _default(key: dict[str, Any]) -> str:
    if "default" not in key or key["default"] in (None, [], {}):
        return ""
    return f"`{_written(key['default'])}`"


def _example(key: dict[str, Any]) -> str:
    if any("unit" in part for part in _alternatives(key)):
        return ""  # below, once for all
    examples = [*key.get("examples", []), *(e for part in _alternatives(key) for e in part.get("examples", []))]
    examples = [example for example in examples if example != key.get("default")]
    return f"`{_written(examples[0])}`" if examples else ""


def _written(value: object) -> str:
    """As it stands in a plan."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_written(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return json.dumps(text) if isinstance(value, str) and text.startswith("{") else text


def _described(key: dict[str, Any]) -> str:
    """A key that only repeats what its section says."""
    return str(schema()["$defs"][key["$ref"].rsplit("/", 1)[1]]["description"])


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        print(reference(), end="")
    else:
        OUT.write_text(reference(), encoding="utf-8")
