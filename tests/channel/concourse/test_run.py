"""Whole runs that end with a job's build, as processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.verdict import Verdict
from tests.channel.concourse.atc import PASSWORD, USERNAME, FakeAtc, atc
from tests.cli.commanding import Going, Target, cf, environment, target

OURS = {"ref": "abc"}


@pytest.fixture
def ci() -> Iterator[FakeAtc]:
    with atc() as fake:
        yield fake


@pytest.fixture
def app() -> Iterator[Target]:
    with target() as served:
        yield served


class _Run(Going):
    """Watches the target until the job's build is over."""

    def __init__(self, folder: Path, app: Target, channel: str, **environ: str) -> None:
        words = ["run", app.url, "--rate", "50/s", "--channel", channel, "--run-id", "v1", "--format", "json"]
        super().__init__(folder, words, environment(**environ))

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.ended()


def _problems(verdict: Verdict) -> str:
    return "\n".join(verdict.harness.problems)


def test_an_errored_build_stops_the_run_and_what_it_saw_is_judged(tmp_path: Path, ci: FakeAtc, app: Target) -> None:
    build = ci.started(OURS)
    with _Run(tmp_path, app, ci.url()) as run:
        run.until_said("ready")
        ci.tell(build, "start-task", "b")
        app.serve(20)
        app.answer = 503
        app.serve(40)
        app.answer = 200
        app.serve(20)
        ci.finish(build, "errored")
        ended = run.ended()
    assert ended.code == 1
    verdict = ended.verdict
    assert verdict.stopped_by == "the build deploy #1 errored"
    assert verdict.verdict.value == "fail"
    (phase,) = verdict.phases
    assert (phase.name, phase.source, phase.within) == ("deploy-router", "concourse", 1.0)
    (runner,) = verdict.runners
    assert runner.outages[0].phases == ["deploy-router"]


@pytest.mark.long
def test_an_aborted_build_ends_a_clean_run_as_pass_with_the_phases_of_its_steps(
    tmp_path: Path, ci: FakeAtc, app: Target
) -> None:
    ci.tokens = set()
    build = ci.create(OURS)
    with _Run(tmp_path, app, ci.url(), CONCOURSE_USERNAME=USERNAME, CONCOURSE_PASSWORD=PASSWORD) as run:
        run.until_said("ready")
        ci.begin(build)
        for step, name in (("b", "deploy-router"), ("c", "deploy-cell")):
            ci.tell(build, "start-task", step)
            run.until_said(f"mark: {name} began")
            app.serve(100)
            ci.tell(build, "finish-task", step)
            run.until_said(f"mark: {name} ended")
        ci.finish(build, "aborted")
        ended = run.ended()
    assert ended.code == 0
    assert ended.verdict.stopped_by == "the build deploy #1 aborted"
    assert [phase.name for phase in ended.verdict.phases] == ["deploy-router", "deploy-cell"]
    assert all(phase.runners["app"]["planned"] for phase in ended.verdict.phases)
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    for secret in (PASSWORD, "granted-token"):
        assert secret not in ended.out + ended.err
        assert not any(secret.encode() in data for data in kept)


@pytest.mark.long
@pytest.mark.timeout(150)
def test_a_concourse_that_is_away_for_a_while_spoils_nothing(tmp_path: Path, ci: FakeAtc, app: Target) -> None:
    build = ci.started(OURS)
    with _Run(tmp_path, app, ci.url()) as run:
        run.until_said("ready")
        ci.until_asked(1)
        ci.stop()
        run.until_said("does not answer, and is asked again", 60.0)
        served = app.served
        ci.finish(build, "succeeded")
        ci.start()
        ended = run.ended()
    assert app.served > served
    assert ended.code == 0, ended.err
    assert ended.verdict.stopped_by == "the build deploy #1 succeeded"
    problems = _problems(ended.verdict)
    assert f"Concourse at http://127.0.0.1:{ci.port} does not answer, and is asked again" in problems
    assert "answers again, after" in problems


@pytest.mark.long
def test_a_run_by_signal_does_not_wait_for_concourse(tmp_path: Path, ci: FakeAtc, app: Target) -> None:
    ci.started(OURS)
    with _Run(tmp_path, app, ci.url()) as run:
        run.until_said("ready")
        app.serve(50)
        ci.fault = "slow"
        ci.until_asked(1)
        run.process.terminate()
        ended = run.ended()
    assert ended.code == 0, ended.err
    assert ended.verdict.stopped_by == "SIGTERM"


def test_a_url_that_cannot_be_meant_is_refused_before_anything_is_sent(tmp_path: Path, app: Target) -> None:
    channel = "concourse+https://ci.example.org/teams/main/pipelines/cf/jobs/deploy"
    ended = cf(tmp_path, "run", app.url, "--channel", channel, "--run-id", "v1")
    assert ended.code == 2
    assert "which version? Give version=KEY:VALUE, or version=VALUE." in " ".join(ended.err.split())
    assert "Traceback" not in ended.err
    assert app.served == 0
    assert not (tmp_path / "runs").exists()
