"""Whole pipelines that go well, fail, are aborted, retried, orphaned, waived: what the gate must say of each, and why.

`python -m tests.ci.trials` writes docs/pipeline-trials.md.
"""

import json
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.sandbox import Sandbox, SandboxConfig, Step
from tests.ci.concourse import ROOT, Build, Concourse
from tests.cli.commanding import cf

PAGE = ROOT / "docs" / "pipeline-trials.md"


class Stage:
    """An environment with its pipeline: a sandbox, what deploys it, and where tasks and runs meet."""

    def __init__(self, folder: Path, sandbox: Sandbox, channel: str, environ: Mapping[str, str]) -> None:
        self.sandbox = sandbox
        self.channel = channel
        self.environ = environ
        self.ci = Concourse(folder, {}, {"CF_HARNESS_CHANNEL": channel, "TIMEOUT": "30s", **environ})
        self.plan(sandbox.url)
        self.deploys("sleep 1")

    def plan(self, url: str) -> None:
        """What is watched."""
        plan = {
            "runners": [{"name": "app", "url": url, "rate": "20/s", "timeout": "2s"}],
            "objectives": ["success >= 99%", "longest_outage < 1s"],
            "stop": {"settle": "500ms"},
            "ready_timeout": "60s",
        }
        (self.ci.folder / "platform" / "plan.yml").write_text(json.dumps(plan))

    def deploys(self, script: str) -> None:
        """What the deployment does."""
        path = self.ci.folder / "platform" / "deploy"
        path.write_text(f"#!/bin/sh\nset -eu\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def promotes(self, version: str) -> Build:
        """Stop, then the gate, as the pipeline's last two jobs."""
        stop = self.ci.trigger("stop", version)
        if stop.wait() != "succeeded":
            return stop
        promote = self.ci.trigger("promote", version)
        promote.wait()
        return promote

    def gate(self, version: str) -> tuple[str, int]:
        """What the gate says: the outcome over all attempts, and the exit code."""
        told = cf(self.ci.folder, "verdict", version, "--channel", self.channel, "--format", "json", **self.environ)
        return (json.loads(told.out)["outcome"] if told.out else "nothing known"), told.code

    def accept(self, version: str) -> None:
        """A person lets it pass."""
        words = ("accept", version, "--by", "Ada", "--reason", "announced", "--channel", self.channel)
        assert cf(self.ci.folder, *words, **self.environ).code == 0


ALL_DOWN = Step(do="unknown_route", target="routers", name="a harm")
BROKEN = Step(do="status", target="apps", code=500)


def _through(stage: Stage, version: str = "1", harm: float = 0.0) -> None:
    """Start and deploy, side by side, then the rest; for `harm` seconds the deployment takes the app away."""
    start = stage.ci.trigger("start", version)
    deploy = stage.ci.trigger("deploy", version)
    if harm:
        deploy.task("deploy")
        stage.sandbox.perform(replace(ALL_DOWN, lasts=harm))
    if deploy.wait() == "succeeded":
        stage.promotes(version)
    start.wait()


def passes(stage: Stage) -> None:
    _through(stage)


def fails(stage: Stage) -> None:
    stage.deploys("sleep 4")
    _through(stage, harm=2.0)


def aborted_before_ready(stage: Stage) -> None:
    with stage.sandbox.during(BROKEN):
        start = stage.ci.trigger("start", "1")
        start.task("watch").until_said("waiting for a clean baseline")
        start.abort()
        start.wait()
    stage.promotes("1")


def stopped_before_ready(stage: Stage) -> None:
    with stage.sandbox.during(BROKEN):
        start = stage.ci.trigger("start", "1")
        start.task("watch").until_said("waiting for a clean baseline")
        stage.promotes("1")
        start.wait()


def deployment_aborted(stage: Stage) -> None:
    stage.deploys("exec sleep 30")
    start = stage.ci.trigger("start", "1")
    deploy = stage.ci.trigger("deploy", "1")
    deploy.task("deploy")
    deploy.abort()
    deploy.wait()
    start.wait()


def run_aborted(stage: Stage) -> None:
    stage.deploys("sleep 3")
    start = stage.ci.trigger("start", "1")
    deploy = stage.ci.trigger("deploy", "1")
    deploy.task("deploy")
    start.abort()
    deploy.wait()
    stage.promotes("1")
    start.wait()


def stop_aborted(stage: Stage) -> None:
    start = stage.ci.trigger("start", "1")
    stage.ci.trigger("deploy", "1").wait()
    stop = stage.ci.trigger("stop", "1")
    stop.task("verdict")
    stop.abort()
    stop.wait()
    stage.promotes("1")
    start.wait()


def retried(stage: Stage) -> None:
    fails(stage)
    stage.deploys("sleep 1")
    _through(stage)


def retried_after_a_broken_start(stage: Stage) -> None:
    """The platform was broken before anything began; it is mended, and the version is tried again."""
    aborted_before_ready(stage)
    _through(stage)


def deploy_errored(stage: Stage) -> None:
    (stage.ci.folder / "platform" / "deploy").chmod(0o644)  # can't be run
    _through(stage)


def deploy_failed(stage: Stage) -> None:
    stage.deploys("sleep 1; exit 1")
    _through(stage)


def start_killed(stage: Stage) -> None:
    stage.deploys("sleep 2")
    start = stage.ci.trigger("start", "1")
    deploy = stage.ci.trigger("deploy", "1")
    deploy.task("deploy")
    start.kill()
    deploy.wait()
    stage.promotes("1")


def left_behind(stage: Stage) -> None:
    """The deployment's machine goes, so that not even its hooks run; then the next version comes."""
    stage.deploys("exec sleep 30")
    orphan = stage.ci.trigger("start", "1")
    deploy = stage.ci.trigger("deploy", "1")
    deploy.task("deploy")
    deploy.kill()
    stage.deploys("sleep 1")
    _through(stage, "2")
    orphan.wait()
    assert stage.gate("2") == ("pass", 0)


def waived(stage: Stage) -> None:
    fails(stage)
    stage.accept("1")
    stage.promotes("1")


def waived_and_retried(stage: Stage) -> None:
    waived(stage)
    stage.deploys("sleep 4")
    _through(stage, harm=2.0)


def absent(stage: Stage) -> None:
    stage.plan(stage.sandbox.url.replace("127.0.0.1", "nobody.invalid"))
    stage.ci.overrides["IF_ABSENT"] = "skip"
    _through(stage)
    assert "SKIPPED, NOTHING IS WATCHED" in "\n".join(build.log for build in stage.ci.builds)


def never_started(stage: Stage) -> None:
    stage.ci.trigger("deploy", "1").wait()
    stage.promotes("1")


@dataclass(frozen=True)
class Trial:
    """A pipeline that is played, and what must come of version 1."""

    play: Callable[[Stage], None]
    story: str
    gate: str
    code: int
    promoted: list[str]
    why: str
    by: tuple[str, ...] = ("file", "s3", "http")  # channels


_STORES = ("file", "s3")  # an API goes with its run: what is read later wants a store

TRIALS = (
    Trial(passes, "nobody notices the deployment", "pass", 0, ["1"], "every objective was met", _STORES),
    Trial(fails, "the deployment takes the app away for 2 s", "fail", 1, [], "an outage of 2 s, and 1 s is allowed"),
    Trial(
        aborted_before_ready,
        "the app is broken from the beginning, and the start is aborted",
        "never_ready",
        4,
        [],
        "nothing was watched, so nothing may be deployed",
        _STORES,
    ),
    Trial(
        stopped_before_ready,
        "the app is broken from the beginning, and the run is stopped",
        "never_ready",
        4,
        [],
        "likewise",
    ),
    Trial(
        deployment_aborted,
        "the deployment is aborted",
        "pass",
        0,
        [],
        "nobody noticed what there was of it; deploy is not green, so nothing is promoted",
        _STORES,
    ),
    Trial(
        run_aborted,
        "the start job is aborted in mid-deployment",
        "inconclusive",
        3,
        [],
        "the rest of the deployment was not watched",
        _STORES,
    ),
    Trial(
        stop_aborted,
        "the stop job is aborted, and triggered again",
        "pass",
        0,
        ["1"],
        "the stop was asked for once, and the verdict is the same for all who read it",
        _STORES,
    ),
    Trial(
        retried,
        "it fails, and is tried again without harm",
        "fail",
        1,
        [],
        "a retry does not erase a failure",
        _STORES,
    ),
    Trial(
        retried_after_a_broken_start,
        "the app was broken before; mended, it is tried again",
        "pass",
        0,
        ["1"],
        "the first attempt watched no deployment, the second one did",
        _STORES,
    ),
    Trial(
        deploy_errored,
        "the deployment's task can't be run",
        "pass",
        0,
        [],
        "nobody was harmed; deploy is not green, so nothing is promoted",
        _STORES,
    ),
    Trial(
        deploy_failed,
        "the deployment fails by itself",
        "pass",
        0,
        [],
        "likewise; its hook stopped the run",
        _STORES,
    ),
    Trial(
        start_killed,
        "the run is killed in mid-deployment",
        "inconclusive",
        3,
        [],
        "it died without a word: what came after nobody watched",
        _STORES,
    ),
    Trial(
        left_behind,
        "a deployment is lost, nobody stops its run; the next version is deployed",
        "inconclusive",
        3,
        ["2"],
        "version 2 superseded it, and passed by itself",
        _STORES,
    ),
    Trial(
        waived,
        "it fails, and a person accepts that",
        "fail",
        0,
        ["1"],
        "the outcome stays what it was; who let it pass is kept",
        _STORES,
    ),
    Trial(
        waived_and_retried,
        "it fails, is accepted, and fails again",
        "fail",
        1,
        ["1"],
        "an acceptance covers what there was, and nothing later",
        _STORES,
    ),
    Trial(
        absent,
        "the app was never pushed",
        "skipped",
        0,
        ["1"],
        "there was nothing to watch yet: said loudly, and no PASS",
        _STORES,
    ),
    Trial(
        never_started,
        "nobody started a run",
        "nothing known",
        3,
        [],
        "no evidence is no success",
        _STORES,
    ),
)


@contextmanager
def staged(folder: Path, channel: str, environ: Mapping[str, str]) -> Iterator[Stage]:
    """A stage with a platform of its own; nothing of it is left."""
    with Sandbox(SandboxConfig()) as sandbox:
        stage = Stage(folder, sandbox, channel, environ)
        try:
            yield stage
        finally:
            stage.ci.close()


def page() -> str:
    """The table of all trials."""
    lines = [
        "# Whole pipelines, and what the gate says",
        "",
        "Each line is a pipeline that `tests/ci` plays, with the task files of `ci/concourse` as they are: tasks with",
        "folders and process groups of their own, TERM and ten seconds later KILL. *Gate* is what `cf-harness verdict`",
        "says of version 1 over all its attempts, with its exit code; *promoted* are the versions that the last job",
        "let through.",
        "",
        "| what happens | gate | promoted | why that is right |",
        "| --- | --- | --- | --- |",
    ]
    for trial in TRIALS:
        promoted = ", ".join(trial.promoted) or "nothing"
        gate = f"{trial.gate.replace('_', ' ').upper()}, {trial.code}"
        lines.append(f"| {trial.story} | {gate} | {promoted} | {trial.why} |")
    lines += [
        "",
        "All of them meet in a directory and in a bucket (moto's S3 server), some at the run's own API as well. This",
        "page is made by `python -m tests.ci.trials`.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
