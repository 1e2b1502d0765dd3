"""What one sees of a run while it goes on agrees with what it is judged by."""

import os
from pathlib import Path

from harness.conductor.observe import Tick
from harness.events import Closed, Event, Ready
from harness.frames import Frame, Message
from harness.glance import RECENT, Counts, Glance, Onlooker
from harness.plan import load_plan
from harness.run import run
from harness.statistics.ledger import Ledger
from tests.cli.commanding import target


def test_counts_are_added_and_taken_apart() -> None:
    one = Counts(10, 7, 2, 1, {"reset": 2})
    two = Counts(5, 3, 2, 0, {"reset": 1, "dns": 1})
    assert one.plus(two) == Counts(15, 10, 4, 1, {"reset": 3, "dns": 1})
    assert one.plus(two).minus(two) == one


def test_the_last_glance_agrees_with_the_verdict(tmp_path: Path) -> None:
    glances: list[Glance] = []
    onlooker = Onlooker(["app", "fresh"])

    def look(ledger: Ledger, said: Message | Event | Tick) -> None:
        if isinstance(said, Frame):
            onlooker.hear(said)
        if onlooker.due() or isinstance(said, Ready | Closed):
            glances.append(onlooker.look(ledger, ledger.heard_at))

    with target() as flaky:
        flaky.every = 150
        (tmp_path / "plan.yml").write_text(f"""
runners:
  - {{name: app, url: "{flaky.url}", rate: 60/s}}
  - {{name: fresh, url: "{flaky.url}", rate: 10/s, connections: fresh}}
stop: {{duration: 5s}}
""")
        verdict = run(load_plan(tmp_path / "plan.yml"), runs_dir=tmp_path, observers=[look], environ=os.environ)
    assert sum(report.failed for report in verdict.runners) > 0
    last = glances[-1]
    for glance, report in zip(last.runners, verdict.runners, strict=True):
        counts = glance.counts
        assert (counts.sent, counts.good, counts.bad) == (report.attempts, report.succeeded, report.failed)
        assert counts.causes == report.causes
        assert len(glance.outages) == report.outages_total
        assert [cell.bad for cell in glance.cells] == [cell.bad for cell in report.strip]
        assert glance.achieved is not None
        assert abs(glance.achieved - report.rate) < 0.2 * report.rate
        assert glance.p99 is not None
        assert (glance.newest is not None) == bool(report.failed)
    assert last.own.canary is not None
    assert any(glance.ready is None for glance in glances)
    assert last.stop is not None
    assert len(glances) < 5 * (5 + RECENT)  # a few a second, however many workers speak
