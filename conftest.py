"""Lends a run to the suites: options, the run itself as a fixture, the stop signal, and our exit codes.

The tests of the harness itself (`tests/`) are not touched by any of this.
"""

import argparse
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import complain
from harness.cli.meeting import meeting_of
from harness.cli.watch import watching
from harness.conductor.observe import Observer
from harness.duty import on_duty
from harness.errors import HarnessError
from harness.objectives import Objective
from harness.plan import Overrides, Plan, load_plan
from harness.run import run
from harness.verdict import Judgement, Verdict

_SUITES = Path(__file__).parent / "suites"
_PLAN = pytest.StashKey[Plan]()
_VERDICT = pytest.StashKey[Verdict]()
_SANDBOX = pytest.StashKey[ExitStack]()
_ENVIRON = pytest.StashKey[Mapping[str, str]]()
_REFUSED = pytest.StashKey[int]()

_PASS, _FAIL, _USAGE, _INCONCLUSIVE = 0, 1, 2, 3
_OF_PYTEST = {
    pytest.ExitCode.OK: _PASS,
    pytest.ExitCode.TESTS_FAILED: _FAIL,
    pytest.ExitCode.INTERRUPTED: _INCONCLUSIVE,
    pytest.ExitCode.INTERNAL_ERROR: _INCONCLUSIVE,
    pytest.ExitCode.USAGE_ERROR: _USAGE,
    pytest.ExitCode.NO_TESTS_COLLECTED: _INCONCLUSIVE,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the suites."""
    group = parser.getgroup("cf-harness", "suites of cf-harness")
    group.addoption("--plan", metavar="FILE", help="the plan (default: the suite's own plan.yml)")
    group.addoption("--url", metavar="URL", help="the app to call (default: the plan's, or the sandbox)")
    group.addoption("--api", metavar="URL", help="the Cloud Foundry API to call (default: the plan's, or the sandbox)")
    group.addoption("--rate", metavar="RATE", help="the rate of every runner, such as 10/s")
    group.addoption("--duration", metavar="TIME", help="stop after this time, such as 5m (default: on TERM or INT)")
    group.addoption("--stop-file", metavar="FILE", help="stop when this file appears")
    group.addoption(
        "--channel",
        metavar="URL",
        action="append",
        help="where a pipeline's tasks meet the run, as with cf-harness run (default: CF_HARNESS_CHANNEL)",
    )
    group.addoption("--run-id", metavar="NAME", help="the run's name (default: the CI system's, or the time)")
    group.addoption("--runs-dir", metavar="DIR", default="runs", help="where the run's folder goes")


def _suite(config: pytest.Config) -> Path | None:
    """The suite that was asked for, if one was."""
    for argument in config.args:
        path = (config.invocation_params.dir / argument.partition("::")[0]).resolve()
        for folder in (path, *path.parents):
            if folder.parent == _SUITES:
                return folder
    return None


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, int | pytest.ExitCode, int | pytest.ExitCode]:
    """Exit with our codes when a suite was run."""
    try:
        code = yield
    except pytest.UsageError as error:
        if _suite(config) is None:
            raise
        print(error, file=sys.stderr)
        return _USAGE
    if _suite(config) is None or config.option.collectonly:
        return code
    if _SANDBOX in config.stash:
        config.stash[_SANDBOX].close()
    if _REFUSED in config.stash:
        return config.stash[_REFUSED]
    if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and _VERDICT in config.stash:
        return config.stash[_VERDICT].exit_code
    return _OF_PYTEST.get(pytest.ExitCode(code), _INCONCLUSIVE)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Read the plan before anything is collected: its objectives are the tests."""
    config = session.config
    suite = _suite(config)
    if suite is None:
        return
    option = config.option
    config.stash[_ENVIRON] = os.environ
    try:
        overrides = Overrides(url=option.url, api=option.api, rate=option.rate, duration=option.duration)
        plan = load_plan(option.plan or suite / "plan.yml", overrides)
        if option.plan is None and option.url is None and option.api is None and not option.collectonly:
            overrides = _on_a_sandbox(config, plan, overrides)
            plan = load_plan(suite / "plan.yml", overrides)
        config.stash[_PLAN] = plan
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None


def _on_a_sandbox(config: pytest.Config, plan: Plan, overrides: Overrides) -> Overrides:
    """Start one that has what the plan's runners call, and aim them at it. Raises SandboxError."""
    from harness.sandbox import Sandbox, SandboxConfig  # only a suite without a target needs it

    probes = {runner.probe for runner in plan.file.runners}
    stack = config.stash[_SANDBOX] = ExitStack()
    sandbox = stack.enter_context(Sandbox(SandboxConfig(api=2 if "cf-api" in probes else 0)))
    if sandbox.api is not None:
        secrets = {"CF_CLIENT_ID": sandbox.client_id, "CF_CLIENT_SECRET": sandbox.client_secret}
        config.stash[_ENVIRON] = {**os.environ, **secrets}
    return replace(overrides, url=sandbox.url if probes != {"cf-api"} else None, api=sandbox.api)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each objective."""
    if "objective" in metafunc.fixturenames and _PLAN in metafunc.config.stash:
        objectives = metafunc.config.stash[_PLAN].objectives()
        metafunc.parametrize("objective", objectives, ids=[f"{o.runner}: {o.text}" for o in objectives])


@pytest.fixture(scope="session")
def verdict(pytestconfig: pytest.Config) -> Verdict:
    """The run: traffic until the stop signal, then the judgement."""
    option = pytestconfig.option
    stop_file = Path(option.stop_file) if option.stop_file else None
    plan = pytestconfig.stash[_PLAN]
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), watching(plan, quiet=False, live=False) as observers:
        print(flush=True)  # pytest has not ended its line
        try:
            made = _met(option, plan, stop_file, observers, pytestconfig.stash[_ENVIRON])
        except HarnessError as error:
            pytestconfig.stash[_REFUSED] = error.exit_code
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    pytestconfig.stash[_VERDICT] = made
    return made


def _met(
    option: argparse.Namespace,
    plan: Plan,
    stop_file: Path | None,
    observers: Sequence[Observer],
    environ: Mapping[str, str],
) -> Verdict:
    """The run, and its pipeline at the channel if one is given. Raises HarnessError."""
    meeting = meeting_of(option.run_id, option.channel, None, None, None, None)
    runs_dir = Path(option.runs_dir)
    with on_duty(meeting, target=plan.source, runs_dir=runs_dir, environ=environ, say=complain) as duty:
        made = run(
            plan,
            runs_dir=runs_dir,
            run_id=meeting.run_id,
            attempt=duty.attempt,
            awaited=meeting.awaited,
            gated=meeting.gated,
            handle=duty.handle,
            stop_file=stop_file,
            observers=(*observers, *duty.observers),
            environ=environ,
        )
        duty.done(made)
    return made


@pytest.fixture
def judgement(objective: Objective, verdict: Verdict) -> Judgement:
    """What an objective came to."""
    for made in verdict.objectives:
        if made.text == objective.text and made.runner == objective.runner:
            return made
    pytest.fail(f"not judged: {'; '.join(verdict.reasons)}", pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The verdict and why, above pytest's own last line."""
    if _VERDICT in config.stash:
        made = config.stash[_VERDICT]
        terminalreporter.section(f"cf-harness: {made.verdict.upper()} (exit {made.exit_code})")
        for reason in made.reasons:
            terminalreporter.line(reason)
        terminalreporter.line(f"{config.option.runs_dir}/{made.run}/{made.attempt}/report.txt has the whole report")
