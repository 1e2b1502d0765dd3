"""The OpenAPI 3.1 document of the control API, from the table of its routes. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

import harness
from harness.channel.api import Refusal
from harness.control.admission import PUBLIC
from harness.control.media import JSON
from harness.control.routes import ROUTES, Route
from harness.report import FILES

Schema = dict[str, Any]

_WHY = {
    400: "That is no JSON.",
    401: "No token, or another one than the run's.",
    403: "From another origin, or (without a token) another host than loopback.",
    404: "There is no such thing, or not yet.",
    406: "It has no form that the Accept header allows.",
    409: "The run, or the attempt, is in another state.",
    413: "The body is too long.",
    415: "The body is not JSON in UTF-8.",
    422: "The JSON is not as its schema says.",
    431: "The headers are too long.",
    503: "The folder of runs can't be read or written at this moment.",
}
_GIVES = {200: "So it is.", 201: "It is kept.", 202: "It is with the run."}
_PARAMETERS: Mapping[str, Schema] = {
    "file": {"type": "string", "enum": sorted(FILES.values())},
    "attempt": {"type": "integer", "minimum": 1, "maximum": 999_999},
}


def openapi(token: bool) -> Schema:
    """`token`: whether this run wants one."""
    kinds = [Refusal]
    for route in ROUTES:
        kinds += [kind for kind in (route.takes, *route.gives.values()) if kind is not None]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    by_kind = {str(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, Schema] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_kind, token)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "cf-harness: a run's control API",
            "version": harness.__version__,
            "description": "Served by `cf-harness run --listen HOST:PORT`: where a pipeline's tasks meet the run.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}  # type: ignore[index]
    return document


def _operation(route: Route, by_kind: Mapping[str, Schema], token: bool) -> Schema:
    refuses = {403, 406, 431, *route.refuses}
    operation: Schema = {"summary": route.summary, "operationId": f"{route.method.lower()}{_words(route.path)}"}
    names = re.findall(r"\{(\w+)\}", route.path)
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]} for name in names
        ]
    if route.takes is not None:
        refuses |= {400, 413, 415, 422}
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": by_kind[str(route.takes)]}}}
    if route.path not in PUBLIC:
        refuses.add(503)
        if token:
            refuses.add(401)
            operation["security"] = [{"token": []}]
    responses = {str(status): _given(route, status, kind, by_kind) for status, kind in route.gives.items()}
    for status in sorted(refuses):
        responses[str(status)] = _content(_WHY[status], {JSON: by_kind[str(Refusal)]})
    operation["responses"] = responses
    return operation


def _given(route: Route, status: int, kind: Any, by_kind: Mapping[str, Schema]) -> Schema:
    if kind is not None:
        return _content(_GIVES[status], {JSON: by_kind[str(kind)]})
    text = {media: {"type": "object"} if media == JSON else {"type": "string"} for media in route.media}
    return _content(_GIVES[status], text)


def _content(why: str, schemas: Mapping[str, Schema]) -> Schema:
    return {"description": why, "content": {media: {"schema": schema} for media, schema in schemas.items()}}


def _words(path: str) -> str:
    return "".join(word.capitalize() for word in re.findall(r"\w+", path))
