"""What the conductor itself writes to the journal beside the workers' frames.

Times `at` are seconds after the run's anchor (`Anchored.monotonic`), so that all of a run lies on one axis.
"""

import msgspec


class Anchored(msgspec.Struct, frozen=True, kw_only=True, tag="anchored"):
    """A pair of clock readings that places monotonic time in UTC. The first one is the run's anchor; later ones
    follow a step of the wall clock and change the placement only."""

    at: float
    monotonic: float
    boottime: float
    utc: float  # seconds since the epoch


class WorkerStarted(msgspec.Struct, frozen=True, kw_only=True, tag="worker_started"):
    """A worker process of a runner's shard began; incarnation 1 is the one restart it gets."""

    at: float
    runner: str
    shard: int
    incarnation: int
    first: int
    pid: int


class WorkerDied(msgspec.Struct, frozen=True, kw_only=True, tag="worker_died"):
    """A worker ended without saying goodbye. Its open ticks below `lost_until` are lost."""

    at: float
    runner: str
    shard: int
    incarnation: int
    lost_until: int
    how: str


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """Every runner had its clean baseline: ticks intended at or after `at` are judged."""

    at: float


class NeverReady(msgspec.Struct, frozen=True, kw_only=True, tag="never_ready"):
    """The run gave up before it was ready; nothing is judged."""

    at: float
    reason: str


class StopRequested(msgspec.Struct, frozen=True, kw_only=True, tag="stop_requested"):
    """The stop signal: from whom, and the instant `until` from which on no tick is due."""

    at: float
    until: float
    by: str


class Marked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="marked"):
    """A pipeline's mark: a moment, or the begin or end of a phase."""

    at: float
    name: str
    edge: str = ""  # "begin", "end" or "" for a moment
    within: float = 0.0  # seconds by which `at` may be wrong
    source: str = ""  # who told of it afterwards: "bosh"


class CommandEnded(msgspec.Struct, frozen=True, kw_only=True, tag="command_ended"):
    """The command of `--while` ended; a negative code is the signal that killed it."""

    at: float
    code: int


class Suspended(msgspec.Struct, frozen=True, kw_only=True, tag="suspended"):
    """The machine slept: CLOCK_BOOTTIME ran ahead of CLOCK_MONOTONIC by so many seconds. Unobserved time."""

    at: float
    seconds: float


class Problem(msgspec.Struct, frozen=True, kw_only=True, tag="problem"):
    """Something went wrong with the harness. `spoils`: the evidence is incomplete, so no PASS."""

    at: float
    text: str
    spoils: bool


class Closed(msgspec.Struct, frozen=True, kw_only=True, tag="closed"):
    """The journal is complete. One that lacks this belongs to a run that was interrupted."""

    at: float
    cpu_seconds: float  # conductor and workers
    peak_rss_bytes: int  # the sum of each process's highest


Event = (
    Anchored
    | WorkerStarted
    | WorkerDied
    | Ready
    | NeverReady
    | StopRequested
    | Marked
    | CommandEnded
    | Suspended
    | Problem
    | Closed
)


def decode_event(line: bytes) -> Event:
    """Read one event as the journal holds it. Raises msgspec.DecodeError or ValidationError."""
    event: Event = msgspec.json.decode(line, type=Event)
    return event
