"""The plan to copy is a plan, and watches both sides of a platform."""

from pathlib import Path

from harness.plan import Overrides, load_plan
from harness.run import run
from harness.sandbox import Sandbox, SandboxConfig
from harness.verdict import Decision

PLAN = Path(__file__).parents[2] / "suites" / "deployment.yml"


def test_it_watches_users_and_developers_without_a_warning() -> None:
    plan = load_plan(PLAN)
    assert [(runner.name, runner.probe, runner.connections) for runner in plan.file.runners] == [
        ("app", "app", "keep-alive"),
        ("app-fresh", "app", "fresh"),
        ("list-apps", "cf-api", "keep-alive"),
        ("app-stats", "cf-api", "keep-alive"),
        ("login", "cf-api", "keep-alive"),
    ]
    assert plan.warnings == ()
    assert {objective.runner for objective in plan.objectives()} == {runner.name for runner in plan.file.runners}


def test_it_holds_on_a_platform_that_has_its_names(tmp_path: Path) -> None:
    text = PLAN.read_text(encoding="utf-8")
    for name, here in (("org: availability", "org: sandbox"), ("space: watched", "space: dev")):
        assert name in text
        text = text.replace(name, here)
    copy = tmp_path / "deployment.yml"
    copy.write_text(text.replace("settle: 30s", "settle: 0s"), encoding="utf-8")
    with Sandbox(SandboxConfig(api=2)) as sandbox:
        environ = {"CF_CLIENT_ID": sandbox.client_id, "CF_CLIENT_SECRET": sandbox.client_secret}
        plan = load_plan(copy, Overrides(url=sandbox.url, api=sandbox.api, duration="11s"))
        verdict = run(plan, runs_dir=tmp_path / "runs", environ=environ)
    assert verdict.verdict is Decision.PASS, verdict.reasons
