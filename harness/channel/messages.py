"""What the control API is told and tells: the bodies of its requests and answers, as JSON. Times are seconds since the
epoch."""

from typing import Annotated

import msgspec

from harness.channel.records import Edge, Ended, MarkNote, Owner, Pulse, StopWish
from harness.gate import Acceptance

MOST_MARKS = 1000  # in one request

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class MarkBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named moment. One that is sent again with the same `id` is noted once."""

    name: Text
    edge: Edge = ""
    id: Annotated[str, msgspec.Meta(max_length=200)] = ""
    age: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 0.0  # seconds since then: no clock has to be right
    at: Annotated[float, msgspec.Meta(ge=0, le=32503680000)] | None = None  # in place of `age`, told afterwards …
    within: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 0.0  # … by so many seconds exact
    source: Annotated[str, msgspec.Meta(max_length=50)] = ""


class MarksBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Moments, the first one first."""

    marks: Annotated[list[MarkBody], msgspec.Meta(min_length=1, max_length=MOST_MARKS)]


class StopBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants the verdict."""

    by: Text = "the control API"


class AcceptBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person lets the attempts pass in spite of their outcome."""

    by: Text
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    attempts: Annotated[list[int], msgspec.Meta(min_length=1, max_length=1000)]
    outcome: Text


class EarlierAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt at the same run that ended before this one began."""

    attempt: int
    ended: Ended | None  # None: without a word


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that serves, and those before it."""

    owner: Owner
    pulse: Pulse
    stop: StopWish | None
    ended: Ended | None
    marks: list[MarkNote]  # those of the pipeline itself
    earlier: list[EarlierAttempt]


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken in."""

    run: str
    attempt: int
    marks: int


class Acceptances(msgspec.Struct, frozen=True, kw_only=True):
    """Who let this run pass."""

    acceptances: list[Acceptance]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why not."""

    error: str
