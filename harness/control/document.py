"""The control API's OpenAPI document (version 3.1). Pure: written from the shapes in `messages`."""

from functools import cache
from typing import Any

import msgspec

import harness
from harness.channel.messages import Acceptances, AcceptBody, MarksBody, Noted, Refusal, RunState, StopBody
from harness.channel.records import StopWish
from harness.gate import Acceptance
from harness.report import FILES

_SHAPES = (MarksBody, StopBody, AcceptBody, RunState, StopWish, Noted, Acceptances, Acceptance, Refusal)
_NAMES = "#/components/schemas/{name}"


@cache
def openapi() -> dict[str, Any]:
    """The whole document, as JSON holds it."""
    _, schemas = msgspec.json.schema_components(_SHAPES, ref_template=_NAMES)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cf-harness: the control API of a run",
            "version": harness.__version__,
            "description": "How a run goes, what its pipeline does, the stop, and the verdict. Served by "
            "`cf-harness run --listen HOST:PORT` for as long as the run lasts.",
        },
        "security": [{"token": []}],
        "paths": {
            "/v1/run": {"get": _get("run", "How it goes: this attempt and those before it", RunState)},
            "/v1/marks": {"post": _post("mark", "Name moments, begins and ends of phases", MarksBody, Noted, 202, 409)},
            "/v1/stop": {"post": _post("stop", "Ask for the verdict; the first wish counts", StopBody, StopWish, 202)},
            "/v1/attempts/{attempt}/reports/{file}": {"get": _report()},
            "/v1/acceptances": {
                "get": _get("acceptances", "Who let the run pass", Acceptances),
                "post": _post("accept", "Let attempts pass in spite of their outcome", AcceptBody, Acceptance, 201),
            },
            "/healthz": {"get": _public("healthz", "That it serves")},
            "/openapi.json": {"get": _public("openapi", "This document")},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _shape(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _NAMES.format(name=kind.__name__)}}}


def _answers(kind: type[msgspec.Struct], status: int, *refusals: int) -> dict[str, Any]:
    told = {str(status): {"description": "As asked", "content": _shape(kind)}}
    for refusal in (401, 403, *refusals):
        told[str(refusal)] = {"description": _WHY[refusal], "content": _shape(Refusal)}
    return told


_WHY = {
    400: "The body is not as expected",
    401: "A bearer token is needed",
    403: "Not from there",
    404: "There is no such report, or not yet",
    409: "The run is over",
    413: "The body is too large",
    415: "The body is no JSON",
}


def _get(name: str, summary: str, kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": _answers(kind, 200)}


def _post(
    name: str, summary: str, body: type[msgspec.Struct], kind: type[msgspec.Struct], status: int, *refusals: int
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": body is not StopBody, "content": _shape(body)},
        "responses": _answers(kind, status, 400, 413, 415, *refusals),
    }


def _report() -> dict[str, Any]:
    kinds = ("application/json", "application/xml", "text/markdown", "text/plain")
    return {
        "operationId": "report",
        "summary": "A report of an attempt that is over",
        "parameters": [
            {"name": "attempt", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}},
            {"name": "file", "in": "path", "required": True, "schema": {"enum": sorted(FILES.values())}},
        ],
        "responses": {
            "200": {"description": "The report", "content": {kind: {} for kind in kinds}},
            **{str(status): {"description": _WHY[status], "content": _shape(Refusal)} for status in (401, 403, 404)},
        },
    }


def _public(name: str, summary: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    refusal = {"description": _WHY[403], "content": _shape(Refusal)}
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": "As asked", "content": content}, "403": refusal},
    }
