"""A latency is not held against the target where the harness itself was as late as that."""

import pytest

from harness.brief import Brief, RunnerBrief
from harness.events import Anchored, Closed, Ready, StopRequested
from harness.frames import Frame, Hello, Second
from harness.histogram import index_of
from harness.judge import judge
from harness.objectives import Indicator, Objective
from harness.statistics.ledger import Ledger
from harness.verdict import State

RATE, SECONDS = 100, 20
FAST = Objective(
    text="p95 < 5ms", runner="app", indicator=Indicator.LATENCY, operator="<", threshold=0.005, quantile=0.95
)


@pytest.mark.parametrize(
    ("latency", "lag", "state"),
    [
        (2_000, 100, State.MET),
        (9_000, 100, State.VIOLATED),
        (9_000, 6_000, State.UNKNOWN),  # we came to our ticks as late as the answers were
        (40_000, 6_000, State.VIOLATED),  # later than we were by far
        (2_000, 6_000, State.MET),
    ],
)
def test_whose_lateness(latency: int, lag: int, state: State) -> None:
    runner = RunnerBrief(name="app", probe="app", target="http://127.0.0.1/", rate=RATE, shards=1)
    ledger = Ledger(Brief(run="r", attempt=1, version="0", python="3", runners=(runner,), objectives=(FAST,)))
    ledger.note(Anchored(at=0.0, monotonic=1000.0, boottime=1000.0, utc=1e9))
    ledger.hear(
        "app", 0, 0, Hello(runner="app", shard=0, shards=1, incarnation=0, first=0, rate=RATE, start=1000.0, pid=1)
    )
    ledger.note(Ready(at=1.0))
    answered, late = {index_of(latency): RATE}, {index_of(lag): RATE}
    seconds = {
        second: Second(sent=RATE, good=RATE, latency=answered, latency_low=answered, service=answered, lag=late)
        for second in range(SECONDS)
    }
    ticks = SECONDS * RATE
    ledger.hear("app", 0, 0, Frame(seq=1, at=SECONDS, reached=ticks, watermark=ticks, seconds=seconds))
    ledger.note(StopRequested(at=SECONDS, until=SECONDS, by="the test"))
    ledger.note(Closed(at=SECONDS, cpu_seconds=1.0, peak_rss_bytes=1))
    (judgement,) = judge(ledger.brief, ledger).objectives
    assert judgement.state is state
