"""What can be asked of the control API: one table, which the app serves and the OpenAPI document describes."""

from dataclasses import dataclass, field
from typing import Any

from harness.channel.api import (
    AcceptanceWish,
    Healthy,
    Marked,
    MarksWish,
    RunState,
    StopRequest,
)
from harness.channel.records import StopWish
from harness.control.answers import MEDIA, Answer, Answers
from harness.control.media import JSON
from harness.gate import Acceptance


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    answer: Answer
    summary: str
    gives: dict[int, Any]  # status -> type of the answer's JSON; None: a report, or the document
    takes: Any = None  # type of the request's JSON
    refuses: tuple[int, ...] = ()  # besides what every route may refuse
    media: tuple[str, ...] = field(default=(JSON,))  # that it may answer with


_REPORTS = tuple(media.partition(";")[0] for media in MEDIA.values())

ROUTES = (
    Route("GET", "/healthz", Answers.healthz, "Whether the API answers. Needs no token.", {200: Healthy}),
    Route("GET", "/openapi.json", Answers.openapi, "This document. Needs no token.", {200: None}),
    Route("GET", "/v1/run", Answers.run, "The run: owner, pulse, stop, end, earlier attempts.", {200: RunState}),
    Route(
        "POST",
        "/v1/marks",
        Answers.marks,
        "Mark what the pipeline does. A mark with an id that is known already changes nothing.",
        {202: Marked},
        MarksWish,
        refuses=(409,),
    ),
    Route(
        "POST",
        "/v1/stop",
        Answers.stop,
        "Ask for the verdict. The first wish counts, and is answered to all.",
        {202: StopWish},
        StopRequest,
        refuses=(409,),
    ),
    Route(
        "GET",
        "/v1/reports/{file}",
        Answers.report,
        "A report of this attempt, once it is over.",
        {200: None},
        refuses=(404,),
        media=_REPORTS,
    ),
    Route(
        "GET",
        "/v1/attempts/{attempt}/reports/{file}",
        Answers.earlier_report,
        "A report of an attempt.",
        {200: None},
        refuses=(404,),
        media=_REPORTS,
    ),
    Route("GET", "/v1/acceptances", Answers.acceptances, "Who let the run pass.", {200: list[Acceptance]}),
    Route(
        "POST",
        "/v1/acceptances",
        Answers.accept,
        "Let the run pass in spite of what attempts that are over came to. The same once more changes nothing.",
        {200: Acceptance, 201: Acceptance},
        AcceptanceWish,
        refuses=(409,),
    ),
)
