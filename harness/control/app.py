"""The control API as an ASGI app: who may not ask is turned away, the rest goes to the table of routes. Every answer
that says no is one message as JSON."""

from collections.abc import Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as Served
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.channel.live import LiveRun
from harness.channel.store import ChannelError
from harness.control.admission import PUBLIC, denied
from harness.control.answers import Answers, RefusedError, refusal
from harness.control.attention import Attention
from harness.control.media import takes
from harness.control.openapi import openapi
from harness.control.routes import ROUTES, Route

Clock = Callable[[], float]


def app_of(
    answers: Callable[[bytes], Answers], live: LiveRun, attention: Attention, token: str | None, clock: Clock
) -> ASGIApp:
    """`answers`: made with the OpenAPI document. `clock`: CLOCK_MONOTONIC, seconds."""
    made = answers(msgspec.json.format(msgspec.json.encode(openapi(token is not None))) + b"\n")
    by_path: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route

    def odd(request: Request, error: Exception) -> Response:
        live.handle.remark(f"the control API could not answer {request.method} {request.url.path[:100]}: {error!r}")
        return refusal(500, "this is a mistake of cf-harness; the run goes on")

    inner = Starlette(
        routes=[_served(path, routes, made) for path, routes in by_path.items()],
        exception_handlers={
            HTTPException: _http_error,
            RefusedError: _refused,
            ChannelError: _unreadable,
            ClientDisconnect: _left,
            Exception: odd,
        },
    )
    inner.router.redirect_slashes = False

    async def admitting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # no WebSockets, no lifespan
            return
        no = denied(scope["path"], scope["scheme"], scope["headers"], token)
        if no is not None:
            headers = {"www-authenticate": "Bearer"} if no.status == 401 else None
            await refusal(no.status, no.why, headers)(scope, receive, send)
            return
        if scope["path"] not in PUBLIC:
            attention.asked = clock()
        await inner(scope, receive, send)

    return admitting


def _served(path: str, routes: dict[str, Route], answers: Answers) -> Served:
    async def endpoint(request: Request) -> Response:
        route = routes["GET" if request.method == "HEAD" else request.method]
        accept = request.headers.get("accept")
        if not any(takes(accept, media) for media in route.media):
            raise RefusedError(406, f"there is {' or '.join(route.media)}")
        return await route.answer(answers, request)

    return Served(path, endpoint, methods=list(routes))


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    why = {
        404: "there is no such path: see /openapi.json",
        405: f"{request.method} is not for this path: see /openapi.json",
    }.get(error.status_code, error.detail)
    return refusal(error.status_code, why, dict(error.headers or {}))


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refusal(error.status, str(error))


def _unreadable(request: Request, error: Exception) -> Response:
    return refusal(503, str(error))


def _left(request: Request, error: Exception) -> Response:
    return refusal(400, "the body did not come whole")
