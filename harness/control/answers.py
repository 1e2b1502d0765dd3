"""What the control API answers to each request: asks the run and its folder of runs, and tells them. What may be asked
at all is settled before."""

import asyncio
import re
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from harness.channel.api import (
    LONGEST_BODY,
    AcceptanceWish,
    Earlier,
    Healthy,
    Marked,
    MarksWish,
    MarkWish,
    Refusal,
    RunState,
    StopRequest,
)
from harness.channel.live import LiveRun
from harness.channel.records import FRESH_ID, Ended, MarkNote, StopWish
from harness.channel.runs import RunsPipeline
from harness.control.attention import Attention
from harness.control.media import JSON, is_json
from harness.gate import Acceptance
from harness.report import FILES
from harness.report.layout import plain

MEDIA = {".txt": "text/plain; charset=utf-8", ".json": JSON, ".xml": "application/xml", ".md": "text/markdown"}
"""How a report's name ends -> its type."""

_DRAINED = 1024 * 1024  # bytes of a body too long that are read all the same, so that its sender reads the answer
_ATTEMPT = re.compile("[1-9][0-9]{0,5}")

T = TypeVar("T")


class RefusedError(Exception):
    """A request that can't be done."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def refusal(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    """One clear message."""
    return _json(Refusal(error=why), status, headers)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value) + b"\n", status, headers, JSON)


class Answers:
    """Its methods belong to the API's loop; what reads the disk goes to a thread."""

    def __init__(self, live: LiveRun, runs_dir: Path, attention: Attention, document: bytes) -> None:
        """`document`: the OpenAPI one."""
        self._live = live
        self._runs = RunsPipeline(runs_dir)
        self._attention = attention
        self._document = document
        self._over: dict[int, Ended] = {}  # earlier attempts
        self._accepting = threading.Lock()

    async def healthz(self, request: Request) -> Response:
        """It answers."""
        return _json(Healthy())

    async def openapi(self, request: Request) -> Response:
        """The document."""
        return Response(self._document, media_type=JSON)

    async def run(self, request: Request) -> Response:
        """All that is known."""
        live = self._live
        earlier = await asyncio.to_thread(self._earlier)
        ended = live.ended  # first: what follows is not older
        self._attention.told = self._attention.told or ended is not None
        return _json(
            RunState(
                owner=live.owner,
                pulse=live.pulse(),
                stop=live.wish,
                ended=ended,
                marks=live.marks(),
                earlier=earlier,
            )
        )

    def _earlier(self) -> list[Earlier]:
        """Those before this one. A verdict never changes, so each is read once."""
        numbers = [one for one in self._runs.attempts(self._live.owner.run) if one < self._live.owner.attempt]
        for number in numbers:
            if number not in self._over:
                ended = self._runs.look(self._live.owner.run, number).ended
                if ended is not None:
                    self._over[number] = ended
        return [Earlier(attempt=number, ended=self._over.get(number)) for number in numbers]

    async def marks(self, request: Request) -> Response:
        """Hand them to the run."""
        received, now = time.monotonic(), time.time()
        wish = await _body(request, MarksWish)
        if self._live.state == "judging":
            raise RefusedError(409, "the run is over: nothing can be marked any more")
        notes = [(mark, _note(mark, now)) for mark in wish.marks]
        for mark, note in notes:
            self._live.mark([note], not_before=received - mark.age)
        return _json(Marked(ids=[note.id for _, note in notes]), 202)

    async def stop(self, request: Request) -> Response:
        """The first wish counts."""
        wish = await _body(request, StopRequest)
        counts = self._live.wish
        if counts is None:
            if self._live.ended is not None:
                raise RefusedError(409, f"the run is over already: {self._live.ended.outcome.replace('_', ' ')}")
            self._attention.stopped = True
            counts = self._live.stop(StopWish(by=plain(wish.by), at=time.time()))
        return _json(counts, 202)

    async def report(self, request: Request) -> Response:
        """Of this attempt."""
        file = _file(request)
        data = self._live.reports.get(file)
        if data is None:
            over = self._live.ended is not None
            raise RefusedError(404, f"there is no {file}" if over else "the run goes on: its reports come with its end")
        self._attention.told = True
        return Response(data, media_type=_media(file))

    async def earlier_report(self, request: Request) -> Response:
        """Of any attempt."""
        text = request.path_params["attempt"]
        number = int(text) if _ATTEMPT.fullmatch(text) else 0
        file = _file(request)
        if number == self._live.owner.attempt:
            return await self.report(request)
        data = await asyncio.to_thread(self._read, number, file)
        if data is None:
            raise RefusedError(404, f"there is no {file} of such an attempt")
        return Response(data, media_type=_media(file))

    def _read(self, attempt: int, file: str) -> bytes | None:
        run = self._live.owner.run
        return self._runs.report(run, attempt, file) if attempt in self._runs.attempts(run) else None

    async def acceptances(self, request: Request) -> Response:
        """Who let the run pass."""
        return _json(await asyncio.to_thread(self._runs.acceptances, self._live.owner.run))

    async def accept(self, request: Request) -> Response:
        """Keep it with the run, once."""
        wish = await _body(request, AcceptanceWish)
        return await asyncio.to_thread(self._accept, wish)

    def _accept(self, wish: AcceptanceWish) -> Response:
        over = {one.attempt for one in self._earlier()}
        if self._live.ended is not None:
            over.add(self._live.owner.attempt)
        attempts = [int(attempt) for attempt in wish.attempts]
        for attempt in attempts:
            if attempt not in over:
                raise RefusedError(409, f"attempt {attempt} is not over: only what has ended can be accepted")
        acceptance = Acceptance(
            by=_line(wish.by), reason=_line(wish.reason), at=time.time(), attempts=attempts, outcome=wish.outcome
        )
        with self._accepting:
            for known in self._runs.acceptances(self._live.owner.run):
                if msgspec.structs.replace(known, at=acceptance.at) == acceptance:  # asked again
                    return _json(known, 200)
            self._runs.accept(self._live.owner.run, acceptance)
        return _json(acceptance, 201)


def _note(mark: MarkWish, now: float) -> MarkNote:
    """Placed by the age that its sender knows, on this machine's clock; what is told afterwards says its own time."""
    told = mark.afterwards
    return MarkNote(
        id=mark.id or secrets.token_hex(FRESH_ID // 2),
        name=plain(mark.name),
        edge=mark.edge,
        at=told.at if told is not None else now - mark.age,
        within=told.within if told is not None else None,
        source=plain(told.source) if told is not None else "",
    )


def _line(text: str) -> str:
    return " ".join(plain(text).split())


def _file(request: Request) -> str:
    file: str = request.path_params["file"]
    if file not in FILES.values():
        raise RefusedError(404, f"there is no such report: there is {', '.join(sorted(FILES.values()))}")
    return file


def _media(file: str) -> str:
    return MEDIA[Path(file).suffix]


async def _body(request: Request, kind: type[T]) -> T:
    """The request's JSON. Raises RefusedError."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(415, "send the body without a content-encoding")
    if not is_json(request.headers.get("content-type")):
        raise RefusedError(415, f"send JSON, and say so: Content-Type: {JSON}")
    try:
        return msgspec.json.decode(await _bounded(request), type=kind)
    except msgspec.ValidationError as error:
        raise RefusedError(422, str(error)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RefusedError(400, f"that is no JSON: {error}") from None


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length <= LONGEST_BODY:
            body += chunk
        elif length > _DRAINED:
            break
    if length > LONGEST_BODY:
        raise RefusedError(413, f"a body has at most {LONGEST_BODY} bytes")
    return bytes(body)


Answer = Callable[[Answers, Request], Awaitable[Response]]
