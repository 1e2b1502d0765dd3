"""The one door, with everything real behind it: workers, journal, statistics, judge."""

import json
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.conductor.observe import Tick
from harness.events import Ready
from harness.plan import Plan, load_plan
from harness.run import RunError, RunHandle, find_run, rebuild, run
from harness.verdict import Decision, Verdict
from tests.conductor.test_workers import serving


def planned(folder: Path, url: str, stop: str = "", rest: str = "") -> Plan:
    """A plan over this URL, from a file."""
    file = folder / "plan.yml"
    file.write_text(f"""
runners:
  - {{name: app, url: "{url}", rate: 100/s}}
baseline: 1s
stop: {{drain: 1s{stop and ", " + stop}}}
{rest}
""")
    return load_plan(file)


def door(plan: Plan, runs: Path, **more: Any) -> Verdict:
    return run(plan, runs_dir=runs, environ=os.environ, **more)


def test_a_run_leaves_everything_in_its_folder(tmp_path: Path) -> None:
    said: list[object] = []
    with serving() as url:
        verdict = door(
            planned(tmp_path, url, "duration: 2s"),
            tmp_path,
            run_id="r",
            observers=[lambda ledger, what: said.append(what)],
        )
        folder = find_run(tmp_path, "r")
        assert (verdict.run, verdict.attempt) == ("r", 1)
        assert sorted(path.name for path in folder.path.iterdir()) == [
            "journal.sqlite",
            "junit.xml",
            "plan.json",
            "report.md",
            "report.txt",
            "verdict.json",
        ]
        assert json.loads(folder.plan.read_text())["runners"][0]["url"] == url
        assert msgspec.json.decode(folder.verdict.read_bytes(), type=Verdict) == verdict
        assert rebuild(folder) == verdict
        assert verdict.seconds == 2.0
        assert verdict.runners[0].planned == 200
        assert verdict.runners[0].failed == 0
        assert any(isinstance(what, Tick) for what in said)
        assert any(isinstance(what, Ready) for what in said)
        assert door(planned(tmp_path, url, "duration: 1s"), tmp_path, run_id="r").attempt == 2
        assert find_run(tmp_path, "r").attempt == 2
        assert msgspec.json.decode(folder.verdict.read_bytes(), type=Verdict) == verdict


def test_the_command_decides_when_it_stops(tmp_path: Path) -> None:
    with serving() as url:
        verdict = door(planned(tmp_path, url), tmp_path, command=["sh", "-c", "sleep 1; exit 7"])
    assert verdict.command_exit == 7
    assert verdict.exit_code == 5
    assert 0.9 < verdict.seconds < 4


def test_a_handle_stops_it_from_another_thread(tmp_path: Path) -> None:
    handle = RunHandle()
    with serving() as url:
        threading.Timer(4.0, handle.request, ["the daemon"]).start()
        verdict = door(planned(tmp_path, url), tmp_path, handle=handle)
    assert "the daemon" in verdict.stopped_by


def test_the_callers_stop_file_takes_the_place_of_the_plans(tmp_path: Path) -> None:
    file = tmp_path / "please"
    with serving() as url:
        threading.Timer(4.0, file.touch).start()
        verdict = door(planned(tmp_path, url, "file: other"), tmp_path / "runs", stop_file=file)
    assert str(file) in verdict.stopped_by


def test_a_signal_stops_it_and_the_handlers_are_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with serving() as url:
        threading.Timer(4.0, os.kill, [os.getpid(), signal.SIGINT]).start()
        verdict = door(planned(tmp_path, url), tmp_path)
    assert "SIGINT" in verdict.stopped_by
    assert signal.getsignal(signal.SIGINT) == before


def test_what_refuses_from_the_start_is_never_ready(tmp_path: Path) -> None:
    with serving() as url:
        pass
    verdict = door(planned(tmp_path, url, rest="ready_timeout: 2s"), tmp_path, run_id="r")
    assert verdict.exit_code == 4
    assert verdict.verdict is not Decision.PASS
    assert "refused" in " ".join(verdict.reasons)
    assert rebuild(find_run(tmp_path, "r")) == verdict


def test_a_folder_that_can_not_be_written_is_told_before_the_first_tick(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with serving() as url, pytest.raises(RunError, match="can't write the run to"):
        door(planned(tmp_path, url), tmp_path / "runs")


def test_an_interrupted_run_is_judged_and_does_not_pass(tmp_path: Path) -> None:
    """As its journal would be without the last events."""
    with serving() as url:
        assert door(planned(tmp_path, url, "duration: 2s"), tmp_path, run_id="r").runners[0].failed == 0
    folder = find_run(tmp_path, "r")
    with sqlite3.connect(folder.journal) as connection:
        connection.execute("""DELETE FROM events WHERE json_extract(CAST(line AS TEXT), '$.type')
                              IN ('closed', 'stop_requested')""")
    connection.close()
    verdict = rebuild(folder)
    assert verdict.verdict is Decision.INCONCLUSIVE
    assert verdict.runners[0].succeeded > 100


def test_a_verdict_that_can_not_be_written_is_no_pass(tmp_path: Path) -> None:
    """A folder stands where verdict.json should: the caller is told all the same."""

    def obstruct(ledger: object, what: object) -> None:
        if isinstance(what, Ready):
            find_run(tmp_path, "r").verdict.mkdir()

    with serving() as url:
        verdict = door(planned(tmp_path, url, "duration: 2s"), tmp_path, run_id="r", observers=[obstruct])
    assert verdict.verdict is not Decision.PASS
    assert any("verdict.json can't be written" in problem for problem in verdict.harness.problems)


def test_a_pipelines_marks_are_phases_of_the_verdict(tmp_path: Path) -> None:
    handle = RunHandle()

    def on_ready(ledger: object, what: object) -> None:
        if isinstance(what, Ready):
            handle.mark("deploy-router", "begin")
            handle.mark("deploy-router", "end", time.monotonic() + 1)

    with serving() as url:
        verdict = door(
            planned(tmp_path, url, "duration: 2s"), tmp_path, run_id="r", handle=handle, observers=[on_ready]
        )
    (phase,) = verdict.phases
    assert phase.name == "deploy-router"
    assert phase.runners["app"]["success"] == 1.0
    assert rebuild(find_run(tmp_path, "r")) == verdict
