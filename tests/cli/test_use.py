"""Wrong words and bad plans: one message each, exit code 2, no traceback. And help that fits."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import main
from harness.cli.options import Format
from harness.report import REPORTS
from tests.cli.commanding import PROGRAM, cf, environment, widest

RUNNER = 'runners:\n  - {name: app, url: "http://127.0.0.1:9/"}\n'

BAD_PLANS = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n# nothing\n", "is empty"),
    "binary": (bytes(range(256)), "is not UTF-8"),
    "huge": (b"# " + b"x" * (2 << 20), "larger than"),
    "deep": (b"runners: " + b"[" * 5000 + b"]" * 5000, "nested"),
    "twice": (RUNNER.encode() + b"baseline: 1s\nbaseline: 2s\n", "stands twice"),
    "unit": (RUNNER.encode() + b"baseline: 5\n", "duration"),
    "rate": (b'runners:\n  - {name: app, url: "http://127.0.0.1:9/", rate: 10}\n', "rate"),
    "nan": (b'runners:\n  - {name: app, url: "http://127.0.0.1:9/", rate: .nan}\n', "rate"),
    "negative": (b'runners:\n  - {name: app, url: "http://127.0.0.1:9/", timeout: -5s}\n', "-5s"),
    "key": (b'runners:\n  - {name: app, url: "http://127.0.0.1:9/", rat: 10/s}\n', "did you mean 'rate'"),
    "objective": (RUNNER.encode() + b"objectives: [happiness > 3]\n", "happiness"),
    "ca": (b'runners:\n  - {name: app, url: "https://127.0.0.1:9/", tls: {ca: plan.yml}}\n', "not a PEM file"),
    "no ca": (b'runners:\n  - {name: app, url: "https://127.0.0.1:9/", tls: {ca: nosuch}}\n', "can't be read"),
}


def refused(folder: Path, *words: str) -> str:
    """The one message on stderr; nothing was started."""
    ended = cf(folder, *words)
    assert ended.code == 2, ended
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert ended.err.count("cf-harness: ") == 1
    assert not (folder / "runs").exists()
    return ended.err


@pytest.fixture
def refused_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """As `refused`, without a process of its own: there are many such words, and a process takes its time."""
    monkeypatch.chdir(tmp_path)

    def here(*words: str) -> str:
        code = main(words)
        said = capsys.readouterr()
        assert (code, said.out) == (2, "")
        assert said.err.count("cf-harness: ") == 1
        assert not list(tmp_path.iterdir())
        return said.err

    return here


@pytest.mark.parametrize("name", BAD_PLANS)
def test_a_bad_plan_is_one_message(tmp_path: Path, name: str) -> None:
    text, words = BAD_PLANS[name]
    (tmp_path / "plan.yml").write_bytes(text)
    said = refused(tmp_path, "run", "plan.yml", "--ready-timeout", "1s")
    assert words in said
    assert "plan.yml" in said
    assert len(said) < 1000


def test_every_mistake_of_a_plan_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "plan.yml").write_text(RUNNER + "baseline: 5\nready_timeout: x\n")
    said = refused(tmp_path, "run", "plan.yml", "--rate", "5")
    assert said.startswith("cf-harness: 3 mistakes")
    assert "--rate" in said
    assert "plan.yml:3" in said
    assert "plan.yml:4" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "app.example.org"], "did you mean https://app.example.org"),
        (["run", "localhost:8080/x"], "did you mean http://localhost:8080/x"),
        (["run", "nosuch.yml"], "there is no file 'nosuch.yml'"),
        (["run", "nonsense"], "neither a file nor a URL"),
        (["run", ""], "is empty"),
        (["run", "x" * 5000], "neither a file nor a URL"),
        (["run", "ftp://127.0.0.1/"], "http:// or https://"),
        (["run", "."], "is a folder"),
        (["run", "http://127.0.0.1:9/", "--while"], "none does: --while -- make deploy"),
        (["run", "http://127.0.0.1:9/", "--while", "make", "it"], "--while -- make it"),
        (["run", "http://127.0.0.1:9/", "--while", "--"], "no command behind --"),
        (["run", "http://127.0.0.1:9/", "--", "make"], "needs --while"),
        (["run", "http://127.0.0.1:9/", "more"], "what is 'more'?"),
        (["run", "http://127.0.0.1:9/", "--quiet", "--live"], "contradict"),
        (["run", "http://127.0.0.1:9/", "-o", "report.doc"], ".json"),
        (["run", "http://127.0.0.1:9/", "-o", "nosuch/report.json"], "no folder nosuch"),
        (["run", "http://127.0.0.1:9/", "--format", "xml"], "'junit'"),
        (["run", "http://127.0.0.1:9/", "--run-id", "../x"], "can't be a run's id"),
        (["run", "http://example.org/", "--rate", "1000/s"], "--yes"),
        (["run", "http://127.0.0.1:9/", "--objective", "p99 < fast"], "p99 < fast"),
        (["run"], "missing argument"),
        (["run", "--rat", "5"], "--rate"),
        (["report", "nosuch"], "there is no run 'nosuch'"),
        (["dance"], "no such command 'dance'"),
        (["sandbox", "--routers", "0"], "greater than or equal to 1"),
    ],
)
def test_wrong_words_are_one_message(refused_here: Callable[..., str], words: list[str], says: str) -> None:
    said = refused_here(*words)
    assert says in said
    assert len(said) < 1000


@pytest.mark.parametrize(
    "words",
    [
        ["http://me:hush@127.0.0.1:9/"],
        ["https://hush@example.org:99999/"],
        ["ftp://me:hush@127.0.0.1/"],
        ["me:hush@example.org"],
        ["http://127.0.0.1:9/", "-H", "Authorization: bearer hush"],
        ["http://127.0.0.1:9/", "-H", "Cookie: hush"],
        ["http://127.0.0.1:9/", "--url", "http://me:hush@127.0.0.1:9/"],
    ],
)
def test_a_secret_is_refused_without_being_told(refused_here: Callable[..., str], words: list[str]) -> None:
    assert "hush" not in refused_here("run", *words)


def test_a_message_can_not_command_the_terminal(refused_here: Callable[..., str]) -> None:
    said = refused_here("run", "\x1b[2J\x07.yml")
    assert "\x1b" not in said
    assert "\x07" not in said


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in ("run", "report", "sandbox", "demo"))])
def test_help_fits_80_columns(tmp_path: Path, words: list[str]) -> None:
    ended = cf(tmp_path, *words)
    assert ended.code == 0
    assert widest(ended.out) <= 80
    assert "Usage: cf-harness" in ended.out


def test_help_teaches_exit_codes_and_examples(tmp_path: Path) -> None:
    for words in (["--help"], ["run", "-h"]):
        said = cf(tmp_path, *words).out
        assert " 3  INCONCLUSIVE" in said
        assert "--while -- " in said


def test_a_bare_call_shows_the_help(tmp_path: Path) -> None:
    ended = cf(tmp_path)
    assert ended.code == 2
    assert "Examples" in ended.out


def test_the_version(tmp_path: Path) -> None:
    ended = cf(tmp_path, "--version")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("cf-harness ")


def test_version_and_help_import_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; from harness.cli import main; main(sys.argv[1:]); print(*sorted(sys.modules))"
    for words in (["--version"], ["run", "--help"]):
        said = subprocess.run(
            [sys.executable, "-c", code, *words], env=environment(), cwd=tmp_path, capture_output=True, check=True
        )
        heavy = {"uvloop", "httpx", "msgspec", "harness.run", "harness.plan", "harness.sandbox"}
        assert not heavy & set(said.stdout.decode().split())


def test_a_reader_who_leaves_is_no_error(tmp_path: Path) -> None:
    for words in ("schema", "run --help"):
        done = subprocess.run(
            f"{PROGRAM[0]} -m harness {words} | head -c 1",
            shell=True,
            env=environment(),
            cwd=tmp_path,
            capture_output=True,
            timeout=30,
            check=True,
        )
        assert done.stderr == b""


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        ("schema >&-", 0, ""),
        ("--version >&- 2>&-", 0, ""),
        ("run nonsense <&- 2>&-", 2, ""),
        ("run nonsense 2>/dev/full", 2, ""),
        ("schema >/dev/full", 2, "cf-harness: standard output can't be written: No space left on device\n"),
    ],
)
def test_streams_that_are_closed_or_full(tmp_path: Path, words: str, code: int, err: str) -> None:
    """The exit code stands, and nothing of one stream strays into the other."""
    line = f"{PROGRAM[0]} -m harness {words}"
    done = subprocess.run(
        line, shell=True, env=environment(), cwd=tmp_path, capture_output=True, timeout=30, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", err)


def test_the_schema_is_json_and_names_every_key(tmp_path: Path) -> None:
    schema = cf(tmp_path, "schema").value
    assert {"runners", "objectives", "stop"} <= set(schema["properties"])


def test_the_shell_completes_verbs_and_formats(tmp_path: Path) -> None:
    ask = {"_CF_HARNESS_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    assert cf(tmp_path, COMP_WORDS="cf-harness re", **ask).out.split() == ["report"]


def test_formats_are_those_of_the_reports() -> None:
    assert [form.value for form in Format] == list(REPORTS)


def test_a_fault_of_ours_is_neither_pass_nor_fail(tmp_path: Path) -> None:
    """A module that breaks on import stands in for one."""
    (tmp_path / "uvloop.py").write_text("raise ZeroDivisionError('made for this test')\n")
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"
    done = subprocess.run(
        [*PROGRAM, "run", "http://127.0.0.1:9/"], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "ZeroDivisionError" in done.stderr
    assert "mistake of cf-harness" in done.stderr
