"""What is said over a run's own control API: the bodies of its requests and answers, for the server (`harness.control`)
and for the tasks' side (`harness.channel.http`). Times are seconds; moments are seconds since the epoch."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from harness.channel.records import Edge, Ended, MarkNote, Owner, Pulse, StopWish

TOKEN_VARIABLES = ("CF_HARNESS_TOKEN", "CF_HARNESS_TOKEN_FILE")
LONGEST_BODY = 64 * 1024  # bytes of a request
MOST_MARKS = 500  # in one request
LONGEST_NAME = 200  # characters

_SEEN = r"[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u3000\ufeff]"  # \S is another set in each language
_Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME, pattern=_SEEN)]
_Attempt = Annotated[float, Meta(ge=1, le=999_999, multiple_of=1)]  # to JSON 2.0 is as good as 2 (RFC 8259 §6)


class Afterwards(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a mark was that is told afterwards, by another clock."""

    at: Annotated[float, Meta(ge=946_684_800, le=4_102_444_800, description="Seconds since the epoch, 2000 to 2099.")]
    within: Annotated[float, Meta(ge=0, le=86_400, description="Seconds by which `at` may be wrong.")]
    source: Annotated[str, Meta(max_length=40, description="Who tells of it, such as bosh.")] = ""


class MarkWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named moment of the pipeline, or the begin or the end of a phase."""

    name: _Name
    edge: Annotated[Edge, Meta(description="Of a phase; empty for a moment.")] = ""
    age: Annotated[float, Meta(ge=0, le=86_400, description="Seconds since it was, by the sender's clock.")] = 0.0
    id: (
        Annotated[
            str,
            Meta(pattern="^[A-Za-z0-9_-]{1,64}$", description="The same for every try to say it; by default new."),
        ]
        | None
    ) = None
    afterwards: Afterwards | None = None  # then `age` counts for nothing


class MarksWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the pipeline did."""

    marks: Annotated[list[MarkWish], Meta(min_length=1, max_length=MOST_MARKS)]


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """The marks are with the run."""

    ids: list[str]


class StopRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pipeline wants the verdict."""

    by: Annotated[_Name, Meta(description="Who asks, for the report.")] = "the control API"


class AcceptanceWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person lets the run pass in spite of what these attempts came to."""

    by: _Name
    reason: Annotated[str, Meta(min_length=1, max_length=1000, pattern=_SEEN)]
    attempts: Annotated[list[_Attempt], Meta(min_length=1, max_length=1000)]
    outcome: Literal["fail", "inconclusive", "never_ready", "refused"]


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt before this one; without an end it died."""

    attempt: int
    ended: Ended | None


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """The run whose API this is."""

    owner: Owner
    pulse: Pulse
    stop: StopWish | None
    ended: Ended | None
    marks: list[MarkNote] = []  # those of the pipeline itself
    earlier: list[Earlier]


class Healthy(msgspec.Struct, frozen=True, kw_only=True):
    """The API answers."""

    status: str = "ok"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why not."""

    error: str
