"""schemathesis puts the API through its own OpenAPI document: examples, boundaries, random requests right and wrong,
and chains of them. The API never fails, answers as its document says, and does nothing without the token."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from schemathesis import engine

from harness.control.openapi import openapi
from harness.control.routes import ROUTES
from tests.control.serving import ENDED, REPORTS, Api, serving

_TOKEN = "s3same"
_SEED = 6


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """An attempt after two others, so that there is something to accept."""
    for attempt in ("1", "2"):
        (tmp_path / "r" / attempt).mkdir(parents=True)
    (tmp_path / "r" / "1" / "report.txt").write_text("first\n")
    with serving(tmp_path, attempt=3, token=_TOKEN) as made:
        yield made


def _tried(api: Api, token: str | None, examples: int) -> tuple[Counter[int], list[str]]:
    """How often which status came, and what schemathesis finds wrong. `examples` to each operation, besides its own."""
    schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json")
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    schema.config.update(base_url=api.url, headers=headers)
    schema.config.generation.update(max_examples=examples, deterministic=True, database="none")
    schema.config.seed = _SEED
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    for event in engine.from_schema(schema).execute():
        if isinstance(event, engine.events.FatalError | engine.events.NonFatalError):
            wrong.append(str(event))
        recorder = getattr(event, "recorder", None)
        if recorder is None:
            continue
        for interaction in recorder.interactions.values():
            statuses[interaction.response.status_code if interaction.response is not None else 0] += 1
        for checks in recorder.checks.values():
            wrong += [
                f"{recorder.label}: {check.name}: {check.failure_info.failure}: {check.failure_info.code_sample}"
                for check in checks
                if check.failure_info is not None
            ]
    return statuses, wrong


def _shown(statuses: Counter[int], wrong: list[str], at_least: int) -> None:
    assert wrong == [], "\n".join(wrong[:5])
    assert not [status for status in statuses if status == 0 or status >= 500], statuses
    assert sum(statuses.values()) >= at_least, statuses


def test_it_answers_as_its_document_says(api: Api) -> None:
    statuses, wrong = _tried(api, _TOKEN, 25)
    _shown(statuses, wrong, 300)
    assert {200, 201, 202, 400, 401, 404, 405, 409, 415, 422} <= set(statuses)
    assert api.marks
    assert len(api.stops) == 1


def test_it_does_so_once_the_run_is_over(api: Api) -> None:
    api.live.end(ENDED, REPORTS)
    statuses, wrong = _tried(api, _TOKEN, 10)
    _shown(statuses, wrong, 150)
    assert api.said == []


@pytest.mark.parametrize("token", [None, "wrong"])
def test_nothing_is_done_for_who_has_no_token(api: Api, token: str | None) -> None:
    statuses, wrong = _tried(api, token, 15)
    wrong = [one for one in wrong if "positive_data_acceptance" not in one]
    _shown(statuses, wrong, 100)
    assert set(statuses) <= {200, 401, 405, 406}, statuses  # 200: what is public
    assert statuses[401] > 50
    assert api.said == []
    assert not (api.runs / "r" / "accepted").exists()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_thousands_of_requests(api: Api) -> None:
    statuses, wrong = _tried(api, _TOKEN, 1000)
    _shown(statuses, wrong, 4000)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_thousands_of_requests_without_a_token(api: Api) -> None:
    statuses, wrong = _tried(api, "wrong", 1000)
    _shown(statuses, [one for one in wrong if "positive_data_acceptance" not in one], 3000)
    assert api.said == []


def test_the_document_is_one() -> None:
    for token in (True, False):
        document = openapi(token)
        _resolved(document, document)
        assert {(method.upper(), path) for path, methods in document["paths"].items() for method in methods} == {
            (route.method, route.path) for route in ROUTES
        }
        for schema in document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)
        secured = {path for path, methods in document["paths"].items() for one in methods.values() if "security" in one}
        assert all(path.startswith("/v1/") for path in secured)
        assert bool(secured) is token


def _resolved(part: Any, document: Any) -> None:
    """Each reference leads somewhere."""
    if isinstance(part, dict):
        if "$ref" in part:
            kind = part["$ref"].removeprefix("#/components/schemas/")
            assert kind in document["components"]["schemas"]
        for value in part.values():
            _resolved(value, document)
    elif isinstance(part, list):
        for value in part:
            _resolved(value, document)
