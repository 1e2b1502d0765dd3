"""The suite as its users run it: pytest as a process of its own, over a real server, with signals and exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conductor.test_workers import serving

ROOT = Path(__file__).parent.parent.parent
PLAN = """
runners:
  - {{name: app, url: "{url}", rate: 50/s}}
objectives:
  - success >= 99.95%
  - {{objective: {second}, runner: app, gate: {gate}}}
ready_timeout: {ready}
"""


@contextmanager
def suite(
    folder: Path, url: str, *more: str, second: str = "silence < 2s", gate: str = "enforce", ready: str = "20s"
) -> Iterator[subprocess.Popen[str]]:
    """`pytest suites/app_availability --plan P` at work."""
    plan = folder / "plan.yml"
    plan.write_text(PLAN.format(url=url, second=second, gate=gate, ready=ready))
    command = [sys.executable, "-m", "pytest", "suites/app_availability", "-p", "no:cacheprovider", "--plan", str(plan)]
    with subprocess.Popen(
        [*command, "--runs-dir", str(folder / "runs"), *more],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_said(process: subprocess.Popen[str], pattern: str) -> str:
    """Read on until a line says so."""
    assert process.stdout is not None
    said = ""
    deadline = time.monotonic() + 40
    while not re.search(pattern, said):
        line = process.stdout.readline()
        assert line, said
        assert time.monotonic() < deadline, said
        said += line
    return said


def test_a_test_for_each_objective_and_exit_0(tmp_path: Path) -> None:
    with serving() as url, suite(tmp_path, url, "--duration", "2s") as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 0, said
    assert "4 passed" in said
    assert "cf-harness: PASS (exit 0)" in said
    (verdict,) = (tmp_path / "runs").glob("*/1/verdict.json")
    assert json.loads(verdict.read_bytes())["verdict"] == "pass"


def test_a_task_of_its_pipeline_stops_it_and_reads_its_verdict(tmp_path: Path) -> None:
    channel = ["--channel", (tmp_path / "channel").as_uri()]
    verbs = [sys.executable, "-m", "harness"]
    with serving() as url, suite(tmp_path, url, *channel, "--run-id", "7") as process:
        subprocess.run([*verbs, "wait-ready", *channel], check=True, timeout=50)
        subprocess.run([*verbs, "mark", "deploy", *channel], check=True, timeout=20)
        stop = [*verbs, "stop", *channel, "--format", "json", "--runs-dir", str(tmp_path / "here")]
        stopped = subprocess.run(stop, stdout=subprocess.PIPE, timeout=50)
        said, _ = process.communicate(timeout=50)
    told = json.loads(stopped.stdout)
    assert told["run"] == "7", said
    assert (stopped.returncode, process.returncode) == (told["exit_code"], told["exit_code"])
    assert told["verdict"]["stopped_by"].startswith("cf-harness stop")
    assert (tmp_path / "here" / "7" / "1" / "junit.xml").is_file()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_verdict_and_does_not_tear_pytest_down(tmp_path: Path, number: signal.Signals) -> None:
    with serving() as url, suite(tmp_path, url) as process:
        until_said(process, "ready, judging")
        time.sleep(1.5)  # for attempts enough to be judged
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "4 passed" in said


def test_a_violated_objective_is_a_failed_test_and_exit_1(tmp_path: Path) -> None:
    with serving() as url, suite(tmp_path, url, "--duration", "2s", second="p50 < 0.001ms") as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 1, said


def test_one_that_only_warns_passes(tmp_path: Path) -> None:
    with serving() as url, suite(tmp_path, url, "--duration", "2s", second="p50 < 0.001ms", gate="warn") as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 0, said


def test_a_target_that_was_broken_before_is_exit_4(tmp_path: Path) -> None:
    with serving() as url:
        pass
    with suite(tmp_path, url, ready="2s") as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 4, said
    assert "refused" in said


def test_a_bad_plan_is_exit_2_and_one_message(tmp_path: Path) -> None:
    with suite(tmp_path, "ftp://x/", second="sucess >= 1%") as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 2, said
    assert "Traceback" not in said
    assert "did you mean" in said


def test_too_few_attempts_are_exit_3(tmp_path: Path) -> None:
    with serving() as url, suite(tmp_path, url, "--duration", "2s", "--rate", "2/s") as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 3, said
    assert "are needed to say" in said
