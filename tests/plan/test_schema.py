"""The JSON Schema and the loader say the same of every plan that a schema can judge."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from harness.plan import PlanError, load_plan, schema
from harness.plan.source import read
from tests.plan import test_plan, test_rules
from tests.plan.planning import SLIGHT

ROOT = Path(__file__).parents[2]
API = """runners:
  - {name: list-apps, probe: cf-api, api: "https://api.example.org", operation: list-apps, rate: 2/s, timeout: 20s}
  - {name: app-stats, probe: cf-api, operation: app-stats, app: web, org: o, space: s, slots: 3, degraded: bad}
  - {name: info, probe: cf-api, operation: info, tls: {verify: false}, proxy: "http://proxy.example.org:3128"}
"""
GOOD = [
    API,
    test_plan.EXAMPLE.replace("    tls: {ca: platform-ca.pem}", "    tls: {}"),
    *(f"{SLIGHT}    {key}\n" for key in test_rules.ACCEPTED),
    *(f"{SLIGHT}{key}\n" for key in test_rules.GOOD_PLAN_KEYS),
]
BAD = [
    API.replace("slots: 3", "slots: 9"), API.replace("20s", "20"),
    API.replace("operation: info", "workers: 2, operation: info"), API.replace(", operation: info", ""),
    "runners: []", "objectives: []", "runners: [5]", "runners: [{name: a}]", f"{SLIGHT}foo: 1",
    f"{SLIGHT}objectives: x",
    *(f"{SLIGHT}    {key}" for key in (
        "rate: 3", "rate: nan", "rate: 1e9/s", "rate: -1/s", "rate:", "rat: 5/s", "timeout: 5", "timeout: 5s5s",
        "timeout: {conect: 1s}", "probe: cf-api",
        "probe: locust", "operation: info", "slots: 2",
        "connections: keepalive", "method: get", "tls: {verify: yes}", "tls:",
        "headers: [a]", "headers: {X-A: 5}", "headers: {X-A: {enw: B}}", "body: 5", "body_limit: 5", "pool: {max: 0}",
        "pool: {max: 50001}", "pool: {max: '5'}", "workers: 65", "workers: 1.5", "degraded: ok",
        "expect: {status: 2.5}", "resolve: {h: 5}", "http2: 1")),
    *(f"{SLIGHT}{key}" for key in (
        "objectives: [5]", "objectives: [succes >= 5%]", "objectives: [{runner: app}]", "objectives: [success]",
        "objectives: [{objective: p99 < 1s, gate: hard}]", "objectives: [{objective: p99 < 1s, window: 5}]",
        "objectives: [{objective: p99 < 1s, tolerate: {causes: [rest]}}]", "bounds: {max_blind: 1%}",
        "objectives: [{objective: p99 < 1s, tolerate: {components: [harness]}}]", "bounds: {max_blind: [5s, 1%]}",
        "stop: {settle: 5}", "stop: {abort_when: success}", "baseline: 1", "allow_load: yes")),
]  # fmt: skip


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema())


def test_the_schema_is_one(validator: jsonschema.Draft202012Validator) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("text", GOOD)
def test_what_loads_validates(tmp_path: Path, validator: jsonschema.Draft202012Validator, text: str) -> None:
    file = tmp_path / "plan.yml"
    file.write_text(text)
    load_plan(file)
    validator.validate(read(file).value)


@pytest.mark.parametrize("file", sorted(ROOT.glob("suites/*/plan.yml")), ids=lambda file: file.parent.name)
def test_the_suites_plans_validate(validator: jsonschema.Draft202012Validator, file: Path) -> None:
    load_plan(file)
    validator.validate(read(file).value)
    assert read(file).value == yaml.safe_load(file.read_text())  # plain words mean the same to other readers


@pytest.mark.parametrize("text", BAD)
def test_both_refuse(tmp_path: Path, validator: jsonschema.Draft202012Validator, text: str) -> None:
    file = tmp_path / "plan.yml"
    file.write_text(text)
    with pytest.raises(PlanError):
        load_plan(file)
    assert not validator.is_valid(read(file).value)


def keys_of(part: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{name}.{key}", value)
        for name, model in {"": part, **part["$defs"]}.items()
        for key, value in model["properties"].items()
    ]


@pytest.mark.parametrize(("name", "key"), keys_of(schema()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_key_is_described_and_its_default_and_examples_validate(name: str, key: dict[str, Any]) -> None:
    assert "$ref" in key or key["description"].rstrip().endswith((".", '"')), name
    checked = jsonschema.Draft202012Validator({**key, "$defs": schema()["$defs"]})
    for value in [*key.get("examples", []), *([key["default"]] if "default" in key else [])]:
        checked.validate(value)


def test_patterns_are_of_a_dialect_that_editors_have() -> None:
    """ECMA 262: no named groups, no possessive quantifiers, no \\Z."""
    for pattern in re.findall(r'"pattern": "([^"]+)"', str(schema()).replace("'", '"')):
        assert "(?P" not in pattern
        assert "\\Z" not in pattern
