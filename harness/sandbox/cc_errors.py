"""Cloud Controller's own errors by title, with code and status (CC errors/v2.yml), and how the API writes one. Pure."""

from typing import NamedTuple

from harness.sandbox.message import Headers
from harness.sandbox.replies import Answer, json_answer


class _Error(NamedTuple):
    code: int
    status: int
    detail: str


ERRORS = {
    "UnknownError": _Error(10001, 500, "An unknown error occurred."),
    "CF-InvalidAuthToken": _Error(1000, 401, "Invalid Auth Token"),
    "CF-NotFound": _Error(10000, 404, "Unknown request"),
    "CF-NotAuthenticated": _Error(10002, 401, "Authentication error"),
    "CF-NotAuthorized": _Error(10003, 403, "You are not authorized to perform the requested action"),
    "CF-BadQueryParameter": _Error(10005, 400, "The query parameter is invalid: {}"),
    "CF-ResourceNotFound": _Error(10010, 404, "{} not found"),
    "CF-DatabaseError": _Error(10011, 500, "Database error"),
    "CF-RateLimitExceeded": _Error(10013, 429, "Rate Limit Exceeded"),
    "CF-IPBasedRateLimitExceeded": _Error(
        10014, 429, "Rate Limit Exceeded: Unauthenticated requests from this IP address have exceeded the limit."
    ),
    "CF-ServiceUnavailable": _Error(10015, 503, "Database connection failure"),
    "CF-UaaUnavailable": _Error(20004, 502, "The UAA service is currently unavailable"),
    "CF-UaaRateLimited": _Error(20008, 429, "The UAA is currently rate limited. Please try again later"),
    "CF-StatsUnavailable": _Error(200002, 503, "Stats unavailable: Stats server temporarily unavailable."),
    "CF-InstancesUnavailable": _Error(220002, 503, "Instances information unavailable: bbs unavailable"),
}


class ApiError(Exception):
    """What ends the work on a request: a title of `ERRORS`, and a word for its text."""

    def __init__(self, title: str, word: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.word = word


def error_value(title: str, word: str = "") -> dict[str, object]:
    """An error's body."""
    error = ERRORS[title]
    return {"errors": [{"code": error.code, "title": title, "detail": error.detail.format(word)}]}


def error_answer(title: str, word: str = "", headers: Headers = ()) -> Answer:
    """An error as the API writes it."""
    return json_answer(ERRORS[title].status, error_value(title, word), headers)
