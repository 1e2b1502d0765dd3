"""An operation of another package: the one that docs/api.md shows, installed by pip, found by a run as a process."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from harness.sandbox import Sandbox, SandboxConfig, Step
from harness.verdict import Verdict
from tests.cli.commanding import cf, going

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
PLAN = """
runners:
  - {{name: domains, probe: cf-api, operation: {operation}, api: "{api}", rate: 10/s, timeout: 2s}}
"""


def written(folder: Path, **changes: str) -> Path:
    """The document's package, with some of its text changed."""
    text = DOCUMENT.read_text(encoding="utf-8").split("## An operation of your own")[1]
    (project,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (module,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for old, new in changes.items():
        assert old in project or old in module
        project, module = project.replace(old, new), module.replace(old, new)
    folder.mkdir()
    (folder / "pyproject.toml").write_text(project, encoding="utf-8")
    (folder / "our_operations.py").write_text(module, encoding="utf-8")
    return folder


def installed(package: Path, target: Path) -> str:
    """Where pip put it: a folder for PYTHONPATH."""
    words = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--no-index")
    subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", str(target), str(package)], check=True, timeout=120
    )
    return str(target)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(api=2)) as platform:
        yield platform


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the document's package."""
    folder = tmp_path_factory.mktemp("package")
    return installed(written(folder / "source"), folder / "site")


def environ(sandbox: Sandbox, place: str) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {
        "PYTHONPATH": f"{root}:{place}",
        "CF_CLIENT_ID": sandbox.client_id,
        "CF_CLIENT_SECRET": sandbox.client_secret,
    }


def planned(folder: Path, sandbox: Sandbox, operation: str = "list-domains") -> None:
    (folder / "plan.yml").write_text(PLAN.format(api=sandbox.api, operation=operation))


def test_it_is_an_operation_like_any_other(tmp_path: Path, sandbox: Sandbox, place: str) -> None:
    planned(tmp_path, sandbox)
    ended = cf(tmp_path, "run", "plan.yml", "--duration", "2s", "--format", "json", "-q", **environ(sandbox, place))
    assert ended.code == 0, ended
    (runner,) = ended.verdict.runners
    assert runner.target == f"list-domains at {sandbox.api}"
    assert runner.succeeded == 20
    assert "domains" in runner.stages


def test_its_failures_are_judged_like_any_other(
    tmp_path: Path, sandbox: Sandbox, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path, sandbox)
    for name, value in environ(sandbox, place).items():
        monkeypatch.setenv(name, value)
    with going(tmp_path, "run", "plan.yml", "--duration", "4s", "--format", "json") as run:
        run.until_said("ready, judging")
        sandbox.perform(Step(do="database_away", target="apis", lasts=1.0))
        ended = run.ended()
    assert ended.code == 1, ended
    (runner,) = ended.verdict.runners
    assert list(runner.components) == ["database"]
    assert all(example.detail.startswith("domains: 500 10011") for example in runner.examples)


def test_what_it_lacks_is_degraded(tmp_path: Path, sandbox: Sandbox) -> None:
    source = written(tmp_path / "source", **{"if api.resources": "if not api.resources"})
    place = installed(source, tmp_path / "site")
    planned(tmp_path, sandbox)
    ended = cf(tmp_path, "run", "plan.yml", "--duration", "2s", "--format", "json", "-q", **environ(sandbox, place))
    (runner,) = msgspec.json.decode(ended.out, type=Verdict).runners
    assert (ended.code, runner.succeeded, runner.degraded) == (0, 20, 20)
    assert runner.examples[0].detail == "domains: there is no domain"
    assert runner.examples[0].component == "cloud_controller"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"import msgspec\n": "import nowhere_to_be_found\n"}, "can't be loaded: ModuleNotFoundError"),
        ({"Operation(list_domains, calls=1)": "list_domains"}, "is no harness.cf.operations.Operation"),
    ],
    ids=["can't be imported", "is none"],
)
def test_a_bad_package_is_told_before_the_run(
    tmp_path: Path, sandbox: Sandbox, changes: dict[str, str], words: str
) -> None:
    place = installed(written(tmp_path / "source", **changes), tmp_path / "site")
    planned(tmp_path, sandbox)
    ended = cf(tmp_path, "run", "plan.yml", **environ(sandbox, place))
    assert ended.code == 2, ended
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "runs").exists()


def test_a_name_that_is_nobodys_is_told_with_those_that_there_are(tmp_path: Path, sandbox: Sandbox, place: str) -> None:
    planned(tmp_path, sandbox, operation="list-domain")
    ended = cf(tmp_path, "run", "plan.yml", **environ(sandbox, place))
    assert ended.code == 2, ended
    assert "did you mean 'list-domains'?" in ended.err
