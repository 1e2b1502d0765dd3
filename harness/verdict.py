"""The verdict and everything that stands beside it: the shape of `verdict.json` (schema "cf-harness/verdict/1").

Values only; `harness.judge` makes them, reports draw them. Times are ISO 8601 UTC strings, durations seconds, sizes
bytes, latencies seconds. Later readers ignore what they don't know; keys are never renamed.
"""

from enum import StrEnum

import msgspec

SCHEMA = "cf-harness/verdict/1"


class Decision(StrEnum):
    """What the run came to."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class State(StrEnum):
    """What an objective came to, by both bounds of its indicator."""

    MET = "met"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One objective of one runner, judged."""

    text: str  # "success >= 99.95%"
    runner: str
    gate: str  # enforce | warn
    value: float | None  # in the threshold's unit: a share 0 to 1, seconds or a count; None where there is none
    value_bounds: tuple[float | None, float | None]  # by the two readings of unknown ticks (None: no finite value)
    threshold: float
    state: State
    why: str
    forgiven: int = 0  # ticks that a tolerance set aside
    phase: str = ""  # judged over the steps of that name alone


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A maximal stretch of bad ticks. `seconds` runs from the first bad to the next good intended time."""

    start: str
    end: str | None  # None: it lasted to the end of the run
    offset: float  # start, in seconds after the run's readiness
    seconds: float
    seconds_low: float
    seconds_high: float
    failures: int
    causes: dict[str, int]
    components: dict[str, int]
    addresses: dict[str, int]  # from the examples kept: where the failures came from
    phases: list[str]


class SilenceStretch(msgspec.Struct, frozen=True, kw_only=True):
    """The longest time between two good answers while attempts were outstanding."""

    start: str
    end: str
    seconds: float
    seconds_low: float  # without the harness's own pauses


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, by nearest rank from merged histograms; None where nothing was observed."""

    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None


class AddressReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the attempts on one peer address."""

    attempts: int
    succeeded: int
    causes: dict[str, int]
    latency: Quantiles


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One failed attempt kept as evidence."""

    at: str  # UTC of its intended start
    tick: int
    cause: str
    component: str
    seconds: float  # from the intended start to the failure
    address: str
    fresh: bool
    status: int | None
    request_id: str
    detail: str
    component_evidence: str = ""  # why this component, where the detail does not say it


class SecondCell(msgspec.Struct, frozen=True, kw_only=True):
    """One second (or more, when merged) of the strip chart."""

    offset: int
    seconds: int
    good: int
    bad: int
    unknown: int
    p50: float | None
    p99: float | None


class RunnerReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything counted about one runner."""

    name: str
    probe: str
    target: str
    rate: float  # per second, as planned
    rate_achieved: float  # attempts per second
    planned: int
    attempts: int
    succeeded: int
    degraded: int  # of the succeeded
    failed: int
    missed: int
    unknown: dict[str, int]  # by cause; missed among them
    blind_seconds: float  # unknown ticks between good ones, set aside
    retried: int
    success_rate: float | None
    success_bounds: tuple[float, float] | None  # unknown ticks as bad, as good
    success_interval: tuple[float, float] | None  # block bootstrap, 95 %
    may_have_missed_per_hour: float | None  # rule of three, after zero failures
    causes: dict[str, int]
    components: dict[str, int]
    statuses: dict[str, int]
    addresses: dict[str, AddressReport]
    connections: dict[str, int]
    latency: Quantiles  # good answers, from the intended start
    latency_low: Quantiles
    service: Quantiles  # good answers, from the send
    lag: Quantiles
    stages: dict[str, Quantiles]
    outages: list[Outage]  # the longest ones, in order of time
    outages_total: int
    silence: SilenceStretch | None
    examples: list[Example]
    strip: list[SecondCell]
    sees: str  # "at 10 requests a second an outage shorter than 0.1 s may pass unseen"


class PhaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted between a begin and an end mark."""

    name: str
    start: str
    end: str | None
    within: float = 0.0  # seconds by which start and end may be wrong
    source: str = ""  # who told of it afterwards: "bosh"
    runners: dict[str, dict[str, float | None]]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A mark that is neither begin nor end."""

    name: str
    at: str


class HarnessReport(msgspec.Struct, frozen=True, kw_only=True):
    """The harness's own state: whether its word can be taken."""

    version: str
    python: str
    workers: int
    restarts: int
    cpu_seconds: float
    peak_rss_bytes: int
    clock_drift: float
    canary: Quantiles
    wake_gap: float  # worst, seconds
    paused_seconds: float
    steal: float  # worst share of a second
    timer: str
    problems: list[str]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `verdict.json`."""

    schema: str = SCHEMA
    run: str
    attempt: int
    started: str
    ready: str | None
    ended: str
    seconds: float  # judged, from readiness to the stop
    verdict: Decision
    exit_code: int
    reasons: list[str]
    stopped_by: str
    command_exit: int | None = None  # of `--while -- CMD`
    objectives: list[Judgement]
    runners: list[RunnerReport]
    phases: list[PhaseReport]
    moments: list[Moment] = []
    warnings: list[str]
    harness: HarnessReport
