"""What a run and its pipeline tell one another through a channel: values, written as JSON. Times are seconds since the
epoch by the writer's clock."""

from typing import Literal, TypeVar

import msgspec

Edge = Literal["", "begin", "end"]
"""Of a phase; empty: a moment."""

FRESH_ID = 16  # characters of a random id


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who conducts an attempt at a run. Written once; whoever wrote it is the only one."""

    run: str
    attempt: int
    id: str  # random: tells this process from any other
    at: float
    host: str
    pid: int
    boot: str  # of the machine: with `namespace`, whether a reader can look for the process itself
    namespace: str  # of process ids
    version: str  # of cf-harness
    target: str  # what was given on its command line: a plan's file, or a URL without a password
    log: str = ""  # where a detached run writes what it says
    folder: str = ""  # its run folder there


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """From now on this attempt is the channel's newest: it supersedes all that came before."""

    run: str
    attempt: int
    owner: str  # its id
    at: float


class RunnerPulse(msgspec.Struct, frozen=True, kw_only=True):
    """One runner so far, since readiness."""

    name: str
    sent: int
    good: int
    bad: int
    unknown: int
    outage: float | None = None  # seconds for which one has been going on


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """That a run is alive, and how it goes. A new one every few seconds."""

    beat: int  # grows
    at: float
    state: str  # preparing | waiting | watching | stopping | judging
    ready: float | None = None
    stopped_by: str = ""
    runners: list[RunnerPulse] = []
    phases: list[str] = []  # open ones
    problems: list[str] = []  # the newest


class MarkNote(msgspec.Struct, frozen=True, kw_only=True):
    """A named moment of the pipeline, or the begin or the end of a phase."""

    id: str  # the same for every try to say it
    name: str
    edge: Edge
    at: float
    within: float | None = None  # seconds by which `at` may be wrong; None: it is the moment of writing, by that clock
    source: str = ""  # "bosh": told afterwards


class StopWish(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline wants the verdict. The first one counts, later ones change nothing."""

    by: str
    at: float


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt is over. Written once, after its reports."""

    outcome: str  # pass | fail | inconclusive | never_ready | skipped | refused
    exit_code: int
    at: float
    reasons: list[str] = []
    reports: list[str] = []  # names of files beside it


Record = TypeVar("Record", bound=msgspec.Struct)


def encode(record: msgspec.Struct) -> bytes:
    """One line of JSON."""
    return msgspec.json.encode(record) + b"\n"


def decode(data: bytes | None, kind: type[Record]) -> Record | None:
    """Read it again; None where nothing is, or what no such record is: half a file of a carrier without renames, or
    another version's."""
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError:
        return None
