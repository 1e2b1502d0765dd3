"""The routes of the control API: what a pipeline's tasks ask of the run that serves it. The rules are LiveRun's."""

import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.channel.live import LiveRun
from harness.channel.messages import (
    Acceptances,
    AcceptBody,
    EarlierAttempt,
    MarkBody,
    MarksBody,
    Noted,
    RunState,
    StopBody,
)
from harness.channel.records import FRESH_ID, MarkNote, StopWish
from harness.channel.runs import RunsPipeline
from harness.control.document import openapi
from harness.control.guard import refused
from harness.gate import Acceptance
from harness.report import FILES

_TYPES = {".json": "application/json", ".xml": "application/xml", ".md": "text/markdown", ".txt": "text/plain"}

Body = TypeVar("Body", bound=msgspec.Struct)
Handler = Callable[[Request], Awaitable[Response]]


class Visits(NamedTuple):
    """What the routes note for the server around them."""

    asked: Callable[[], None]  # somebody asked something
    stopped: Callable[[], None]  # the stop came this way
    fetched: Callable[[str], None]  # a report of this attempt


def routes(live: LiveRun, runs_dir: Path, visits: Visits) -> Starlette:
    """The application, without a guard."""
    desk = _Desk(live, RunsPipeline(runs_dir), visits)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/v1/run", desk.run),
        ("POST", "/v1/marks", desk.marks),
        ("POST", "/v1/stop", desk.stop),
        ("GET", "/v1/attempts/{attempt:int}/reports/{file}", desk.report),
        ("GET", "/v1/acceptances", desk.acceptances),
        ("POST", "/v1/acceptances", desk.accept),
        ("GET", "/healthz", desk.healthz),
        ("GET", "/openapi.json", desk.openapi),
    ]
    return Starlette(
        routes=[Route(path, handler, methods=[method]) for method, path, handler in table],
        exception_handlers={HTTPException: _refusal, Exception: _broken},
    )


class _Desk:
    def __init__(self, live: LiveRun, runs: RunsPipeline, visits: Visits) -> None:
        self._live = live
        self._runs = runs
        self._visits = visits

    async def run(self, request: Request) -> Response:
        self._visits.asked()
        owner = self._live.owner
        return _json(
            RunState(
                owner=owner,
                pulse=self._live.pulse(),
                stop=self._live.wish,
                ended=self._live.ended,
                marks=self._live.marks(),
                earlier=await run_in_threadpool(self._earlier),
            )
        )

    def _earlier(self) -> list[EarlierAttempt]:
        run, newest = self._live.owner.run, self._live.owner.attempt
        return [
            EarlierAttempt(attempt=attempt, ended=self._runs.look(run, attempt).ended)
            for attempt in self._runs.attempts(run)
            if attempt < newest
        ]

    async def marks(self, request: Request) -> Response:
        self._visits.asked()
        now = time.monotonic()
        body = await _read(request, MarksBody)
        if self._live.ended is not None or self._live.state == "judging":
            raise HTTPException(409, "the run is over: nothing can be marked any more")
        for mark in body.marks:
            self._live.mark([_note(mark)], not_before=now - mark.age - 1.0)
        owner = self._live.owner
        return _json(Noted(run=owner.run, attempt=owner.attempt, marks=len(body.marks)), 202)

    async def stop(self, request: Request) -> Response:
        body = await _read(request, StopBody) if await request.body() else StopBody()
        self._visits.asked()
        self._visits.stopped()
        wish = self._live.wish
        if self._live.ended is None:
            wish = self._live.stop(StopWish(by=body.by, at=time.time()))
        return _json(wish if wish is not None else StopWish(by=body.by, at=time.time()), 202)

    async def report(self, request: Request) -> Response:
        self._visits.asked()
        attempt, file = int(request.path_params["attempt"]), str(request.path_params["file"])
        data: bytes | None = None
        if file in FILES.values():
            if attempt == self._live.owner.attempt:
                data = self._live.reports.get(file)
                self._visits.fetched(file)
            elif attempt < self._live.owner.attempt:
                data = await run_in_threadpool(self._runs.report, self._live.owner.run, attempt, file)
        if data is None:
            raise HTTPException(404, f"attempt {attempt} has no {file} (yet)")
        return Response(data, media_type=_TYPES[Path(file).suffix])

    async def acceptances(self, request: Request) -> Response:
        self._visits.asked()
        found = await run_in_threadpool(self._runs.acceptances, self._live.owner.run)
        return _json(Acceptances(acceptances=found))

    async def accept(self, request: Request) -> Response:
        self._visits.asked()
        body = await _read(request, AcceptBody)
        acceptance = Acceptance(
            by=body.by, reason=body.reason, at=time.time(), attempts=body.attempts, outcome=body.outcome
        )
        await run_in_threadpool(self._runs.accept, self._live.owner.run, acceptance)
        return _json(acceptance, 201)

    async def healthz(self, request: Request) -> Response:
        return _json({"status": "ok"})

    async def openapi(self, request: Request) -> Response:
        return _json(openapi())


def _note(mark: MarkBody) -> MarkNote:
    return MarkNote(
        id=mark.id or secrets.token_hex(FRESH_ID // 2),
        name=mark.name,
        edge=mark.edge,
        at=mark.at if mark.at is not None else time.time() - mark.age,
        within=mark.within if mark.at is not None else None,
        source=mark.source,
    )


async def _read(request: Request, kind: type[Body]) -> Body:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise HTTPException(415, "expected Content-Type: application/json")
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, f"the body is not as expected: {error}") from None


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = refused(error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer


async def _broken(request: Request, error: Exception) -> Response:
    return refused(500, f"this is a mistake of cf-harness: {type(error).__name__}")
