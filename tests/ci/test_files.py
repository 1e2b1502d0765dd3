"""The files under ci/ are what their systems take: shapes, names that meet, commands that our program knows, shells
that do what they say."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from harness.cli.app import app

ROOT = Path(__file__).parents[2]
CI = ROOT / "ci"
TASKS = sorted((CI / "concourse" / "tasks").glob("*.yml"))
FILES = [path for path in sorted(CI.rglob("*")) if path.is_file()]
BIN = Path(sys.executable).parent


def loaded(path: Path) -> Any:
    """YAML, anchors resolved."""
    return yaml.safe_load(path.read_text())


PIPELINE = loaded(CI / "concourse" / "pipeline.yml")


def steps_of(plan: Any) -> Iterator[dict[str, Any]]:
    """Every step, in order, however deep."""
    for step in plan if isinstance(plan, list) else [plan]:
        yield step
        inner = step.get("in_parallel")
        yield from steps_of(inner["steps"] if isinstance(inner, dict) else inner or [])
        for hook in ("on_success", "on_failure", "on_error", "on_abort", "ensure"):
            if hook in step:
                yield from steps_of(step[hook])


def job_steps() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for job in PIPELINE["jobs"]:
        hooks = [job[hook] for hook in ("on_success", "on_failure", "on_error", "on_abort", "ensure") if hook in job]
        yield job["name"], [*steps_of(job["plan"]), *(step for hook in hooks for step in steps_of(hook))]


# Concourse


def test_the_pipeline_has_what_a_pipeline_may_have() -> None:
    """The keys of https://concourse-ci.org/pipelines.html; any other at the top holds anchors alone."""
    assert set(PIPELINE) - {"anchors"} == {"resource_types", "resources", "jobs"}
    names = [job["name"] for job in PIPELINE["jobs"]]
    assert names == ["start", "deploy", "stop", "promote", "push-healthcheck-app"]
    for job in PIPELINE["jobs"]:
        assert set(job) <= {"name", "serial", "plan", "on_failure", "on_error", "on_abort", "ensure"}


def test_every_resource_is_there_and_none_for_nothing() -> None:
    known = {resource["name"] for resource in PIPELINE["resources"]}
    used = {step[kind] for _, steps in job_steps() for step in steps for kind in ("get", "put") if kind in step}
    assert used == known
    for resource in PIPELINE["resources"]:
        assert set(resource) == {"name", "type", "source"}


def test_jobs_pass_the_version_on() -> None:
    """The run's id is the version that all jobs get; nothing is promoted that did not come through deploy and stop."""
    passed = {}
    for name, steps in job_steps():
        for step in steps:
            if step.get("get") == "version":
                passed[name] = step.get("passed", [])
                assert step["trigger"] is True
    assert passed == {"start": [], "deploy": [], "stop": ["deploy"], "promote": ["stop"]}


@pytest.mark.parametrize(("job", "steps"), list(job_steps()), ids=[name for name, _ in job_steps()])
def test_tasks_get_their_inputs_and_their_params(job: str, steps: list[dict[str, Any]]) -> None:
    there = set()
    needed = set()
    for step in steps:
        if "get" in step:
            there.add(step["get"])
        if "task" not in step:
            continue
        repository, _, path = step["file"].partition("/")
        assert repository in there, f"{job}: {step['task']} reads {step['file']}"
        needed.add(repository)
        task = loaded(ROOT / path)
        inputs = {one["name"] for one in task.get("inputs", [])}
        assert inputs <= there, f"{job}/{step['task']} lacks {inputs - there}"
        needed |= inputs
        if "image" in step:
            assert step["image"] in there
            needed.add(step["image"])
        else:
            assert "image_resource" in task
        params, known = step.get("params", {}), task.get("params", {})
        assert set(params) <= set(known), f"{job}/{step['task']}: unused {set(params) - set(known)}"
        wanted = {name for name, value in known.items() if value is None}
        assert wanted <= set(params), f"{job}/{step['task']} lacks {wanted - set(params)}"
        there |= {one["name"] for one in task.get("outputs", [])}
    got = {step["get"] for step in steps if "get" in step}
    for step in steps:
        if "put" in step:
            needed |= {str(value).partition("/")[0] for value in step.get("params", {}).values()}
    assert got <= needed, f"{job} gets {got - needed} for nothing"


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_is_one_and_uses_what_it_declares(path: Path) -> None:
    task = loaded(path)
    assert set(task) <= {"platform", "image_resource", "inputs", "outputs", "params", "run"}
    assert task["platform"] == "linux"
    said = " ".join([task["run"]["path"], *task["run"].get("args", [])])
    by_program = {"CF_HARNESS_CHANNEL", "CF_CLIENT_ID", "CF_CLIENT_SECRET", "CF_USERNAME", "CF_PASSWORD"}
    for name, value in task.get("params", {}).items():
        assert name in said or str(value) in said or name in by_program or name.startswith("AWS_"), name
    inputs = {one["name"] for one in task.get("inputs", [])}
    defaults = " ".join(str(value) for value in task.get("params", {}).values())
    for name in inputs:
        assert f"{name}/" in said or f"{name}/" in defaults, f"{path.name} does not read {name}"


def test_what_must_hear_a_signal_takes_the_shells_place() -> None:
    for name in ("start", "wait-ready", "stop", "gate"):
        script = loaded(CI / "concourse" / "tasks" / f"{name}.yml")["run"]["args"][1]
        assert script.strip().splitlines()[-1].startswith("exec cf-harness ")


# Commands

_VERBS = "run|wait-ready|mark|status|stop|verdict|accept"


def commands(text: str) -> Iterator[list[str]]:
    """Each call of our program, in words; of a shell's expansions some value stands for them."""
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        line = re.sub(r"^\s*(- |RUN |sh )", "", line).strip().strip("'")
        match = re.search(
            r"(?:^|exec |bin/)cf-harness ((?:run|wait-ready|mark|status|stop|verdict|accept) .*|\w[\w-]*$)", line
        )
        if match is None or line.startswith(("#", "//", "echo")):
            continue
        said = match[1].partition(" || ")[0].partition(" && ")[0].rstrip("'")
        said = re.sub(r"\$\{EDGE:\+--\$EDGE\}", "--begin", said)
        said = re.sub(r'"\$\([^)]*\)"', "7", said)
        said = said.replace('"$TIMEOUT"', "5m").replace('"$IF_ABSENT"', "skip")
        yield shlex.split(re.sub(r'"?\$\{?\w+\}?', "x", said).replace('"', ""))


ALL_COMMANDS = [(path, words) for path in FILES if path.name != "Dockerfile" for words in commands(path.read_text())]


def test_there_are_commands() -> None:
    verbs = {words[0] for _, words in ALL_COMMANDS}
    assert verbs == {"run", "wait-ready", "mark", "stop", "verdict"}
    assert len(ALL_COMMANDS) >= 15


@pytest.mark.parametrize(
    ("path", "words"),
    ALL_COMMANDS,
    ids=[f"{path.parent.name}/{path.name}: {' '.join(words)}" for path, words in ALL_COMMANDS],
)
def test_our_program_knows_every_command(path: Path, words: list[str]) -> None:
    program = typer.main.get_command(app)
    verb, *rest = words
    command = program.commands[verb]  # type: ignore[attr-defined]
    with command.make_context(verb, rest) as context:  # raises on what it does not know
        assert not context.args, f"{path}: {context.args} too much"


# What other programs say of them


def said_by(*command: str | Path, stdin: str | None = None) -> str:
    ran = subprocess.run(
        [str(word) for word in command],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return "" if ran.returncode == 0 else ran.stdout


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("github-workflows", "github/deploy.yml"),
        ("github-actions", "github/action.yml"),
        ("gitlab-ci", "gitlab/cf-harness.gitlab-ci.yml"),
    ],
)
def test_the_schema_that_check_jsonschema_ships_takes_it(schema: str, path: str) -> None:
    assert said_by(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", CI / path) == ""


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert said_by(BIN / "hadolint", CI / "Dockerfile") == ""


SCRIPTS = [
    *((path.name, "sh", loaded(path)["run"]["args"][1]) for path in TASKS if "args" in loaded(path)["run"]),
    *(
        (f"action.yml {number}", "bash", step["run"])
        for number, step in enumerate(loaded(CI / "github" / "action.yml")["runs"]["steps"])
    ),
]


@pytest.mark.parametrize(("name", "shell", "script"), SCRIPTS, ids=[name for name, _, _ in SCRIPTS])
def test_shellcheck_finds_nothing_in_a_script(name: str, shell: str, script: str) -> None:
    # variables come from params and env; SC2086: the one that may be two words or none is meant to be
    found = said_by(BIN / "shellcheck", "--shell", shell, "--exclude", "SC2154,SC2086", "-", stdin=script)
    assert found == ""


def test_the_image_has_one_layer_of_dependencies_and_is_nobodys_root() -> None:
    text = (CI / "Dockerfile").read_text()
    final = text.rpartition("\nFROM ")[2]
    assert "pip install" not in final
    assert "--require-hashes" in text
    user = re.search(r"^USER (\d+)$", final, re.M)
    assert user is not None
    assert int(user[1]) > 0
    assert final.index("\nUSER ") < final.index("\nENTRYPOINT ")
    for name in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        for one in name.split():
            assert (ROOT / one).exists(), one
