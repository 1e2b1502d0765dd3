"""Verdicts to draw: one written by hand, as a real run would come out, and a hypothesis strategy for all others."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from harness.outcome import Cause, Component
from harness.verdict import (
    AddressReport,
    Decision,
    Example,
    HarnessReport,
    Judgement,
    Outage,
    PhaseReport,
    Quantiles,
    RunnerReport,
    SecondCell,
    SilenceStretch,
    State,
    Verdict,
)

READY = datetime(2026, 3, 4, 12, 2, 50, 120_000, tzinfo=UTC)


def at(seconds: float) -> str:
    """UTC, so many seconds after readiness."""
    return (READY + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def quantiles(scale: float) -> Quantiles:
    return Quantiles(p50=scale, p90=1.5 * scale, p95=1.9 * scale, p99=3.1 * scale, p999=12 * scale, max=31.4 * scale)


NOTHING = Quantiles()

HARNESS = HarnessReport(
    version="0.1.0",
    python="3.11.7",
    workers=2,
    restarts=0,
    cpu_seconds=4.2,
    peak_rss_bytes=88_000_000,
    clock_drift=0.0002,
    canary=quantiles(0.00009),
    wake_gap=0.0041,
    paused_seconds=0.0,
    steal=0.002,
    timer="timerfd, 0.05 ms",
    problems=[],
)


def runner(**changes: object) -> RunnerReport:
    fields: dict[str, object] = {
        "name": "app",
        "probe": "app",
        "target": "https://healthcheck.apps.example.org/",
        "rate": 10.0,
        "rate_achieved": 10.0,
        "planned": 3000,
        "attempts": 3000,
        "succeeded": 3000,
        "degraded": 0,
        "failed": 0,
        "missed": 0,
        "unknown": {},
        "blind_seconds": 0.0,
        "retried": 2,
        "success_rate": 1.0,
        "success_bounds": (1.0, 1.0),
        "success_interval": (0.9988, 1.0),
        "may_have_missed_per_hour": 36.0,
        "causes": {},
        "components": {},
        "statuses": {"200": 3000},
        "addresses": {
            "10.0.0.1:443": AddressReport(attempts=1500, succeeded=1500, causes={}, latency=quantiles(0.004)),
            "10.0.0.2:443": AddressReport(attempts=1500, succeeded=1500, causes={}, latency=quantiles(0.005)),
        },
        "connections": {"opened": 4, "kept": 2996},
        "latency": quantiles(0.0042),
        "latency_low": quantiles(0.0041),
        "service": quantiles(0.004),
        "lag": quantiles(0.0001),
        "stages": {"first_byte": quantiles(0.0039)},
        "outages": [],
        "outages_total": 0,
        "silence": SilenceStretch(start=at(20.1), end=at(20.3), seconds=0.2, seconds_low=0.2),
        "examples": [],
        "strip": [
            SecondCell(offset=n, seconds=1, good=10, bad=0, unknown=0, p50=0.004, p99=0.006 + 0.0005 * (n % 7))
            for n in range(300)
        ],
        "sees": "at 10 requests a second an outage shorter than 0.1 s may pass unseen",
    }
    return RunnerReport(**{**fields, **changes})  # type: ignore[arg-type]


def judgement(**changes: object) -> Judgement:
    fields: dict[str, object] = {
        "text": "success >= 99.95%",
        "runner": "app",
        "gate": "enforce",
        "value": 1.0,
        "value_bounds": (1.0, 1.0),
        "threshold": 0.9995,
        "state": State.MET,
        "why": "",
    }
    return Judgement(**{**fields, **changes})  # type: ignore[arg-type]


def passed(**changes: object) -> Verdict:
    fields: dict[str, object] = {
        "run": "20260304T120245Z-abcd",
        "attempt": 1,
        "started": at(-5.0),
        "ready": at(0.0),
        "ended": at(300.0),
        "seconds": 300.0,
        "verdict": Decision.PASS,
        "exit_code": 0,
        "reasons": [],
        "stopped_by": "SIGTERM",
        "objectives": [judgement()],
        "runners": [runner()],
        "phases": [],
        "warnings": [],
        "harness": HARNESS,
    }
    return Verdict(**{**fields, **changes})  # type: ignore[arg-type]


def failed() -> Verdict:
    """A run of five minutes whose router was restarted without a drain."""
    outage = Outage(
        start=at(115.0),
        end=at(116.9),
        offset=115.0,
        seconds=1.9,
        seconds_low=1.8,
        seconds_high=2.0,
        failures=19,
        causes={"connect_refused": 17, "reset": 2},
        components={"network": 19},
        addresses={"10.0.0.1:443": 6},
        phases=["restart router 1"],
    )
    strip = [
        SecondCell(offset=n, seconds=1, good=0, bad=10, unknown=0, p50=None, p99=None)
        if n in (115, 116)
        else SecondCell(offset=n, seconds=1, good=10, bad=0, unknown=0, p50=0.004, p99=0.006 + 0.0005 * (n % 7))
        for n in range(300)
    ]
    example = Example(
        at=at(115.0),
        tick=1150,
        cause="reset",
        component="network",
        seconds=0.0012,
        address="10.0.0.1:443",
        fresh=False,
        status=None,
        request_id="6f2f1bd4-0b0c-4a52-6bd3-0a7c6b0c6f40",
        detail="connection reset by peer before any byte of an answer",
    )
    return passed(
        verdict=Decision.FAIL,
        exit_code=1,
        reasons=["app: longest_outage < 1s is violated: 1.9 s from 12:04:45.120, during restart router 1"],
        objectives=[
            judgement(
                text="longest_outage < 1s",
                value=2.0,
                value_bounds=(1.8, 2.0),
                threshold=1.0,
                state=State.VIOLATED,
                why="even its shortest length, 1.8 s, is over the limit",
            ),
            judgement(value=2981 / 3000, value_bounds=(2981 / 3000, 2981 / 3000), state=State.VIOLATED),
            judgement(
                text="p99 < 500ms",
                value=0.013,
                value_bounds=(0.013, None),
                threshold=0.5,
                gate="warn",
                state=State.UNKNOWN,
                why="3 unknown ticks decide it",
            ),
            judgement(text="silence < 2s", value=1.95, value_bounds=(1.95, 1.95), threshold=2.0),
        ],
        runners=[
            runner(
                succeeded=2981,
                failed=19,
                success_rate=2981 / 3000,
                success_bounds=(2981 / 3000, 2981 / 3000),
                success_interval=(0.9891, 0.9989),
                may_have_missed_per_hour=None,
                causes={"connect_refused": 17, "reset": 2},
                components={"network": 19},
                statuses={"200": 2981},
                outages=[outage],
                outages_total=1,
                strip=strip,
                silence=SilenceStretch(start=at(114.9), end=at(116.9), seconds=2.0, seconds_low=2.0),
                examples=[example],
                unknown={"missed": 3},
                missed=3,
                blind_seconds=0.3,
            ),
            runner(
                name="app-fresh",
                rate=2.0,
                rate_achieved=2.0,
                planned=600,
                attempts=600,
                succeeded=600,
                statuses={"200": 600},
            ),
        ],
        phases=[
            PhaseReport(name="restart router 1", start=at(113.0), end=at(118.0), runners={}),
            PhaseReport(name="restart router 2", start=at(180.0), end=at(185.0), runners={}),
        ],
    )


def never_ready() -> Verdict:
    return passed(
        verdict=Decision.INCONCLUSIVE,
        exit_code=4,
        ready=None,
        seconds=0.0,
        objectives=[],
        runners=[],
        reasons=["not every runner had a clean baseline of 3 s within 60 s (app: connect_refused 600)"],
        stopped_by="",
    )


words = st.one_of(
    st.sampled_from(
        ["app", "", "ein sehr langer Name, der nirgends hineinpasst " * 4, "部署路由器" * 20, "a\nb\x1b[31m|`<x>"]
    ),
    st.text(max_size=60),
)
figures = st.floats(min_value=0, max_value=1e12)
maybe = st.none() | figures
counts = st.integers(min_value=0, max_value=10**12)
shares = st.floats(min_value=0, max_value=1)
causes = st.dictionaries(st.sampled_from(list(Cause)).map(str) | words, counts, max_size=4)
components = st.dictionaries(st.sampled_from(list(Component)).map(str), counts, max_size=3)
moments = st.floats(min_value=-10, max_value=2e5).map(at) | st.just("not a time")
gates = st.sampled_from(["enforce", "warn"])
texts = st.sampled_from(["success >= 99.95%", "p99 < 500ms", "outages <= 0", "silence < 2s", ""]) | words
quantile_sets = st.builds(Quantiles, p50=maybe, p90=maybe, p95=maybe, p99=maybe, p999=maybe, max=maybe)
outages = st.builds(
    Outage,
    start=moments,
    end=st.none() | moments,
    causes=causes,
    components=components,
    failures=counts,
    addresses=st.dictionaries(words, counts, max_size=3),
    phases=st.lists(words, max_size=3),
    offset=figures,
    seconds=figures,
    seconds_low=figures,
    seconds_high=figures,
)
cells = st.builds(
    SecondCell,
    offset=st.integers(0, 50_000),
    seconds=st.integers(1, 60),
    good=st.integers(0, 100),
    bad=st.sampled_from([0, 0, 3]),
    unknown=st.sampled_from([0, 0, 50]),
    p50=maybe,
    p99=maybe,
)
examples = st.builds(
    Example,
    at=moments,
    tick=counts,
    cause=words,
    component=words,
    seconds=figures,
    address=words,
    status=st.none() | st.integers(100, 599),
    request_id=words,
    detail=words,
    fresh=st.booleans(),
)
runners = st.builds(
    RunnerReport,
    name=words,
    probe=words,
    target=words,
    rate=figures,
    rate_achieved=figures,
    planned=counts,
    attempts=counts,
    succeeded=counts,
    degraded=counts,
    failed=counts,
    missed=counts,
    unknown=causes,
    blind_seconds=figures,
    retried=counts,
    success_rate=st.none() | shares,
    success_bounds=st.none() | st.tuples(shares, shares),
    success_interval=st.none() | st.tuples(shares, shares),
    may_have_missed_per_hour=maybe,
    causes=causes,
    components=components,
    statuses=causes,
    addresses=st.dictionaries(
        words,
        st.builds(AddressReport, attempts=counts, succeeded=counts, causes=causes, latency=quantile_sets),
        max_size=8,
    ),
    connections=causes,
    latency=quantile_sets,
    latency_low=quantile_sets,
    service=quantile_sets,
    lag=quantile_sets,
    stages=st.dictionaries(words, quantile_sets, max_size=2),
    outages=st.lists(outages, max_size=3),
    outages_total=counts,
    silence=st.none() | st.builds(SilenceStretch, start=moments, end=moments, seconds=figures, seconds_low=figures),
    examples=st.lists(examples, max_size=3),
    strip=st.lists(cells, max_size=8),
    sees=words,
)
judgements = st.builds(
    Judgement,
    text=texts,
    runner=words,
    gate=gates,
    value=maybe,
    value_bounds=st.tuples(maybe, maybe),
    threshold=figures,
    state=st.sampled_from(State),
    why=words,
    forgiven=counts,
)
verdicts = st.builds(
    Verdict,
    run=words,
    attempt=st.integers(1, 999),
    started=moments,
    ready=st.none() | moments,
    ended=moments,
    seconds=figures,
    verdict=st.sampled_from(Decision),
    exit_code=st.integers(0, 5),
    reasons=st.lists(words, max_size=12),
    stopped_by=words,
    command_exit=st.none() | st.integers(-15, 255),
    objectives=st.lists(judgements, max_size=4),
    runners=st.lists(runners, max_size=2),
    phases=st.lists(
        st.builds(
            PhaseReport,
            name=words,
            start=moments,
            end=st.none() | moments,
            runners=st.dictionaries(words, st.dictionaries(words, maybe, max_size=3), max_size=2),
        ),
        max_size=3,
    ),
    warnings=st.lists(words, max_size=3),
    harness=st.builds(
        HarnessReport,
        version=words,
        python=words,
        workers=st.integers(0, 99),
        restarts=st.integers(0, 9),
        cpu_seconds=figures,
        peak_rss_bytes=counts,
        clock_drift=st.floats(-1e6, 1e6),
        canary=quantile_sets,
        wake_gap=figures,
        paused_seconds=figures,
        steal=shares,
        timer=words,
        problems=st.lists(words, max_size=12),
    ),
)
"""Any verdict, with names long, wide, empty and hostile."""
