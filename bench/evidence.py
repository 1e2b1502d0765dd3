"""A run's journal read for what verdict.json does not hold: ticks before readiness, every silence, the last tick."""

from pathlib import Path
from typing import NamedTuple

from harness.frames import Frame
from harness.histogram import Histogram, merge_into, percentile_bounds
from harness.recording import Said, open_journal
from harness.run import ledger_of
from harness.statistics.kinds import DEGRADED, UNKNOWN
from harness.statistics.ledger import Ledger


class FromTheFirstTick(NamedTuple):
    """All ticks of a run's first runner, those before it was ready included."""

    ticks: int
    bad: int
    unknown: int
    lag_p99: float  # seconds


def from_the_first_tick(journal: Path) -> FromTheFirstTick:
    """The cold start counts here, which a verdict leaves out."""
    lag: Histogram = {}
    with open_journal(journal) as recording:
        for entry in recording.entries():
            if isinstance(entry, Said) and isinstance(entry.message, Frame):
                for second in entry.message.seconds.values():
                    merge_into(lag, second.lag)
    ticks = bad = unknown = 0
    for shard in next(iter(ledger_of(journal).runners.values())).shards:
        end = shard.newest_settled() + 1
        ticks += end
        for first, last, kind in shard.runs(0, end):
            if kind in UNKNOWN:
                unknown += last - first + 1
            elif kind not in DEGRADED:
                bad += last - first + 1
    bounds = percentile_bounds(lag, 0.99)
    return FromTheFirstTick(ticks, bad, unknown, bounds[1] / 1e6 if bounds else 0.0)


def last_settled(ledger: Ledger) -> float | None:
    """CLOCK_MONOTONIC of the newest tick whose end the journal knows; None: it knows of none."""
    book = next(iter(ledger.runners.values()))
    settled = [(shard.schedule, shard.newest_settled()) for shard in book.shards if shard.newest_settled() >= 0]
    if not settled or not ledger.anchors:
        return None
    return ledger.anchors[0].monotonic + book.offset + max(schedule.intended(newest) for schedule, newest in settled)
