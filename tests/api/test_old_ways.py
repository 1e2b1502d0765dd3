"""What earlier tools got wrong about an API, each as a run that must be judged right."""

import signal
import time
from pathlib import Path

import pytest

from harness.sandbox import Sandbox, SandboxConfig, Step
from harness.verdict import Decision, State
from tests.api.foundation_plan import as_client, asked, grants, runner, write_plan
from tests.api.watched import await_answers, report_of, the_outage, watched
from tests.cli.commanding import Ended, cf
from tests.worker.process import until

pytestmark = pytest.mark.long

SANDBOX = SandboxConfig(api=1, routers=1, instances=1)


def test_failed_stats_are_not_swallowed(tmp_path: Path) -> None:
    """Up to fifty of them once read as a clean pass. Here they fail the run, by who and when; where the plan forgives
    them, it says how many."""
    with Sandbox(SANDBOX) as sandbox:
        stats = runner(sandbox.api, "app-stats", app=sandbox.app_name, rate="4/s")
        write_plan(
            tmp_path,
            stats,
            {**stats, "name": "forgiven"},
            runner(sandbox.api, "list-spaces", rate="4/s"),
            objectives=[
                {"objective": "failures < 1", "runner": "app-stats"},
                {"objective": "failures < 1", "runner": "forgiven", "tolerate": {"components": ["diego"]}},
                {"objective": "failures < 1", "runner": "list-spaces"},
            ],
        )

        def meanwhile() -> None:
            await_answers(sandbox, "/v3/spaces", 4)
            sandbox.perform(Step(do="bbs_away", target="apis", by=0.1, lasts=2.0))
            await_answers(sandbox, "/v3/spaces", 8)

        verdict = watched(tmp_path, as_client(sandbox), meanwhile).verdict
    assert (verdict.verdict, verdict.exit_code) == (Decision.FAIL, 1)
    report = report_of(verdict, "app-stats")
    assert 4 <= report.failed <= 12
    assert report.causes == {"api_error": report.failed}
    assert report.components == {"diego": report.failed}
    assert 1.0 <= the_outage(report).seconds <= 3.0
    assert any("CF-StatsUnavailable" in example.detail for example in report.examples)
    judged = {judgement.runner: judgement for judgement in verdict.objectives}
    assert judged["app-stats"].state is State.VIOLATED
    assert judged["list-spaces"].state is State.MET
    assert judged["forgiven"].state is State.MET
    assert judged["forgiven"].forgiven == report_of(verdict, "forgiven").failed >= 4


def test_the_rate_stays_when_the_answers_are_slow(tmp_path: Path) -> None:
    """A loop that waits for each answer would have asked once a second, and found little wrong."""
    rate, slow, lasts = 6.0, 1.0, 4.0
    with Sandbox(SANDBOX) as sandbox:
        write_plan(
            tmp_path,
            runner(sandbox.api, "info", rate="6/s", slots=8, timeout="5s"),
            objectives=["success >= 99%", "p90 < 500ms"],
        )
        answered = 0

        def infos() -> int:
            return sum(line["path"] == "/v3/info" for line in asked(sandbox))

        def meanwhile() -> None:
            nonlocal answered
            await_answers(sandbox, "/v3/info", 6)
            before = infos()
            sandbox.perform(Step(do="slow", target="apis", by=slow / 2, lasts=lasts))  # two calls each
            answered = infos() - before
            await_answers(sandbox, "/v3/info", 3)

        verdict = watched(tmp_path, as_client(sandbox), meanwhile).verdict
    assert answered >= 0.6 * rate * lasts  # those that were asked in the last second are still on their way
    report = report_of(verdict, "info")
    assert report.planned == report.attempts
    assert abs(report.planned - rate * verdict.seconds) <= 1
    assert report.failed == 0
    assert verdict.verdict is Decision.FAIL
    (reason,) = verdict.reasons
    assert "p90 < 500ms" in reason


def test_no_attempts_are_no_success(tmp_path: Path) -> None:
    """Of a command that ends at once."""
    with Sandbox(SANDBOX) as sandbox:
        write_plan(tmp_path, runner(sandbox.api, "list-apps", rate="2/s"))
        ended = cf(tmp_path, "run", "plan.yml", "--format", "json", "--while", "--", "true", **as_client(sandbox))
    assert ended.code == 3
    assert ended.verdict.verdict is Decision.INCONCLUSIVE
    assert report_of(ended.verdict, "list-apps").failed == 0
    assert any("fewer" in reason or "attempts" in reason for reason in ended.verdict.reasons), ended.verdict.reasons


def test_a_platform_that_does_not_work_beforehand_is_no_success(tmp_path: Path) -> None:
    """A set-up that fails: it says so, and the command never runs."""
    with Sandbox(SANDBOX) as sandbox, sandbox.during(Step(do="database_away", target="apis")):
        write_plan(tmp_path, runner(sandbox.api, "list-apps", rate="2/s"))
        ended: Ended = cf(tmp_path, "run", "plan.yml", "--while", "--", "touch", "ran", **as_client(sandbox))
    assert ended.code == 4
    assert "does not work as it is, before any traffic" in ended.err
    assert not (tmp_path / "ran").exists()


def test_the_first_refused_token_is_no_outage(tmp_path: Path) -> None:
    """The library alone is refused for ever once its first token is over. These live three seconds, and then the
    signing key changes, and then all are revoked."""
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1, token_lifetime=3.0)) as sandbox:
        write_plan(tmp_path, runner(sandbox.api, "list-apps", rate="4/s"))

        def meanwhile() -> None:
            granted = len(grants(sandbox))
            until(lambda: len(grants(sandbox)) >= granted + 2)
            for step in (Step(do="rotate_key", target="uaa"), Step(do="revoke_tokens", target="uaa")):
                sandbox.perform(step)
                await_answers(sandbox, "/v3/apps", 8)

        verdict = watched(tmp_path, as_client(sandbox), meanwhile).verdict
        refused = [line for line in asked(sandbox) if line["status"] == 401]
    assert len(refused) >= 2
    assert (verdict.verdict, verdict.exit_code) == (Decision.PASS, 0), verdict.reasons
    report = report_of(verdict, "list-apps")
    assert (report.failed, report.unknown, report.outages_total) == (0, {}, 0)
    assert report.retried >= 2  # told, not hidden


def test_too_many_requests_are_no_outage(tmp_path: Path) -> None:
    """429: our mistake. The verdict is neither PASS nor FAIL, and nothing more is sent."""
    with Sandbox(SANDBOX) as sandbox:
        write_plan(
            tmp_path, runner(sandbox.api, "list-spaces", rate="5/s", slots=1), runner(sandbox.api, "info", rate="2/s")
        )
        told = 0

        def spaces() -> int:
            return sum(line["path"] == "/v3/spaces" for line in asked(sandbox))

        def meanwhile() -> None:
            nonlocal told
            await_answers(sandbox, "/v3/spaces", 10)
            with sandbox.during(Step(do="throttle", target="apis")):
                await_answers(sandbox, "/v3/spaces", 1, status=429)
                told = spaces()
            time.sleep(3.0)  # for what must not come
            told = spaces() - told

        verdict = watched(tmp_path, as_client(sandbox), meanwhile).verdict
    assert told == 0  # it held back, though the API would have answered again
    assert (verdict.verdict, verdict.exit_code) == (Decision.INCONCLUSIVE, 3)
    report = report_of(verdict, "list-spaces")
    assert (report.failed, report.outages_total) == (0, 0)
    assert report.unknown["throttled"] >= 10
    assert "throttled" in " ".join(verdict.reasons)
    assert signal.SIGTERM.name in verdict.stopped_by
