"""What the judge must know of a plan, written to the journal before the first tick so that every report can be
rebuilt."""

from typing import Literal

import msgspec

from harness.objectives import Objective
from harness.outcome import OWN_CAUSES, Cause


class RunnerBrief(msgspec.Struct, frozen=True, kw_only=True):
    """One runner as the statistics see it. No secrets."""

    name: str
    probe: str
    target: str  # the URL
    rate: float  # ticks per second of all shards together
    shards: int
    degraded_is_good: bool = True

    def counts_as(self, cause: str) -> Literal["good", "bad", "unknown"]:
        """What a tick with this cause is. Too many requests to an API are our mistake; an app that throttles its users
        is not."""
        if cause in OWN_CAUSES or (cause == Cause.THROTTLED and self.probe == "cf-api"):
            return "unknown"
        return "good" if cause == Cause.DEGRADED and self.degraded_is_good else "bad"


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """A run's identity, its runners, its objectives and what its evidence must satisfy."""

    run: str
    attempt: int
    version: str  # of cf-harness
    python: str
    runners: tuple[RunnerBrief, ...]
    objectives: tuple[Objective, ...]
    max_lag: float = 0.1  # seconds
    max_blind_share: float = 0.01  # of the judged time, 0 to 1
    max_blind_stretch: float = 5.0  # seconds
    min_seconds: float = 0.0  # judged for less than this: inconclusive
    warnings: tuple[str, ...] = ()  # found while the plan was loaded


def decode_brief(data: bytes) -> Brief:
    """Read a brief as the journal holds it. Raises msgspec.DecodeError or ValidationError."""
    return msgspec.json.decode(data, type=Brief)
