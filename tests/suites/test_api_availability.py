"""The API's suite as its users run it: a sandbox's API, the identity from the environment, signals and exit codes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.sandbox import Sandbox, SandboxConfig, Step
from tests.suites.test_app_availability import until_said

ROOT = Path(__file__).parent.parent.parent
PLAN = """
runners:
  - {{name: login, probe: cf-api, operation: login, api: "{api}", rate: 5/s, timeout: 2s}}
  - {{name: app-stats, probe: cf-api, operation: app-stats, app: {app}, api: "{api}", rate: 5/s, timeout: 2s}}
objectives:
  - success >= 99.95%
  - {{objective: longest_outage < 2s, runner: app-stats}}
ready_timeout: 20s
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(api=2)) as platform:
        yield platform


@contextmanager
def suite(folder: Path, environ: Mapping[str, str], *more: str) -> Iterator[subprocess.Popen[str]]:
    """`pytest suites/api_availability` at work, with no credentials but those given."""
    command = [sys.executable, "-m", "pytest", "suites/api_availability", "-p", "no:cacheprovider"]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CF_")}
    with subprocess.Popen(
        [*command, "--runs-dir", str(folder / "runs"), *more],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**ours, "CF_HOME": str(folder), "PYTHONUNBUFFERED": "1", **environ},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def planned(
    folder: Path, sandbox: Sandbox, *more: str, app: str = "healthcheck", secret: str | None = None
) -> Iterator[subprocess.Popen[str]]:
    """With a plan of one's own."""
    plan = folder / "plan.yml"
    plan.write_text(PLAN.format(api=sandbox.api, app=app))
    environ = {"CF_CLIENT_ID": sandbox.client_id, "CF_CLIENT_SECRET": secret or sandbox.client_secret}
    with suite(folder, environ, "--plan", str(plan), *more) as process:
        yield process


def test_without_a_target_it_watches_a_sandbox_of_its_own(tmp_path: Path) -> None:
    identity = {"CF_CLIENT_ID": "of-a-real-platform", "CF_CLIENT_SECRET": "never-used-here"}
    with suite(tmp_path, identity, "--duration", "3s", "--rate", "5/s") as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 0, said
    assert "8 passed" in said  # six objectives, ready, verdict
    assert "cf-harness: PASS (exit 0)" in said
    (file,) = (tmp_path / "runs").glob("*/1/verdict.json")
    runners = json.loads(file.read_bytes())["runners"]
    assert [(runner["name"], runner["probe"]) for runner in runners] == [
        (name, "cf-api") for name in ("list-apps", "app-stats", "login")
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_verdict(tmp_path: Path, sandbox: Sandbox, number: signal.Signals) -> None:
    with planned(tmp_path, sandbox) as process:
        until_said(process, "ready, judging")
        until_said(process, r"app-stats +([2-9]\d|1\d\d) sent")
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "5 passed" in said


def test_a_fault_is_a_failed_test_and_exit_1(tmp_path: Path, sandbox: Sandbox) -> None:
    with planned(tmp_path, sandbox, "--duration", "6s") as process:
        until_said(process, "ready, judging")
        sandbox.perform(Step(do="database_away", target="apis", lasts=3.0))
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 1, said
    assert "app-stats: longest_outage < 2s is violated" in said
    assert "login: success >= 99.95% is violated" not in said
    (file,) = (tmp_path / "runs").glob("*/1/verdict.json")
    login, stats = json.loads(file.read_bytes())["runners"]
    assert (login["components"], list(stats["components"])) == ({}, ["database"])


def test_an_api_that_was_broken_before_is_exit_4(tmp_path: Path, sandbox: Sandbox) -> None:
    with sandbox.during(Step(do="unregister", target="apis")), planned(tmp_path, sandbox) as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 4, said
    assert "is the address right" in said


@pytest.mark.parametrize(
    ("app", "secret", "words"),
    [("helthcheck", None, "did you mean 'healthcheck'?"), ("healthcheck", "wrong", "It was tried once, and no more")],
)
def test_a_mistake_is_exit_2_and_one_message(
    tmp_path: Path, sandbox: Sandbox, app: str, secret: str | None, words: str
) -> None:
    with planned(tmp_path, sandbox, app=app, secret=secret) as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 2, said
    assert words in " ".join(said.split())
    assert "Traceback" not in said
    assert not (tmp_path / "runs").exists()


def test_nobody_to_call_as_is_exit_2(tmp_path: Path, sandbox: Sandbox) -> None:
    with suite(tmp_path, {}, "--api", str(sandbox.api)) as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 2, said
    assert "CF_CLIENT_ID and CF_CLIENT_SECRET" in said
