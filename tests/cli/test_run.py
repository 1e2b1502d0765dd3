"""`run` and `report` as processes: what they exit with, what they print and where, and how they are stopped."""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.verdict import Decision, Verdict
from tests.cli.commanding import PROGRAM, Ended, Going, cf, environment, going, target, widest

WHILE = ("--while", "--", "sh", "-c")

# Each of these is a run of its own; they go on at the same time, and the tests look at what came of them.
SCENES = {
    "good": ["run", "{good}", "--duration", "2s", "--run-id", "good", "-o", "a.md", "-o", "a.xml", "-o", "a.txt"],
    "json": ["run", "{good}", "--duration", "1s", "--format", "json"],
    "quiet": ["run", "plan.yml", "--url", "{good}", "--duration", "1s", "--format", "json", "--quiet"],
    "bad": ["run", "{flaky}", "--rate", "20/s", "--duration", "3s"],
    "short": ["run", "short.yml", "--url", "{good}", *WHILE, "exit 0"],
    "closed": ["run", "{closed}", "--ready-timeout", "6s"],
    "command": ["run", "{good}", "--format", "json", *WHILE, "echo loud; exit 7"],
    "both": [
        "run",
        "{flaky_too}",
        "--rate",
        "20/s",
        "--format",
        "json",
        "--while",
        "--",
        "sh",
        "-c",
        "sleep 3; exit 7",
    ],
    "no command": ["run", "{good}", "--while", "--", "no-such-program"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of them are run."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "plan.yml").write_text(
        'runners: [{name: app, url: "http://127.0.0.1:9/"}, {name: b, url: "http://h/"}]\n'
    )
    (folder / "short.yml").write_text('runners: [{name: app, url: "http://h/"}]\nstop: {min_duration: 1m}\n')
    return folder


@pytest.fixture(scope="module")
def ended(folder: Path) -> Iterator[dict[str, Ended]]:
    """What came of every scene."""
    with socket.socket() as closed, target() as good, target() as flaky, target() as flaky_too:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        unreachable = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        flaky.every = flaky_too.every = 45  # at 20/s a clean baseline fits between, and three seconds have one
        urls = {"good": good.url, "flaky": flaky.url, "flaky_too": flaky_too.url, "closed": unreachable}
        started = {
            name: Going(folder, [word.format(**urls) if "{" in word else word for word in words])
            for name, words in SCENES.items()
        }
        yield {name: going.ended() for name, going in started.items()}


@pytest.mark.parametrize(
    ("scene", "code"),
    [
        ("good", 0),
        ("json", 0),
        ("quiet", 0),
        ("bad", 1),
        ("short", 3),
        ("closed", 4),
        ("command", 5),
        ("both", 1),
        ("no command", 5),
    ],
)
def test_exit_codes(ended: dict[str, Ended], scene: str, code: int) -> None:
    assert ended[scene].code == code, ended[scene]
    assert "Traceback" not in ended[scene].err


def test_the_report_is_on_standard_output_and_all_else_on_the_other(ended: dict[str, Ended]) -> None:
    good = ended["good"]
    assert good.out.startswith("PASS")
    assert widest(good.out) <= 80
    assert "waiting for a clean baseline" in good.err
    assert "ready, judging from now on" in good.err
    assert "stop: its duration" in good.err
    assert "ready" not in good.out.splitlines()[0]
    for line in good.err.splitlines():
        assert re.match(r"\d\d:\d\d:\d\d(\.\d{3})?Z ", line), line
    assert "\x1b" not in good.out + good.err


def test_json_is_exactly_the_verdict_file(ended: dict[str, Ended], folder: Path) -> None:
    for scene in ("json", "quiet", "command"):
        verdict = ended[scene].verdict
        file = folder / "runs" / verdict.run / "1" / "verdict.json"
        assert ended[scene].out == file.read_text()


def test_quiet_is(ended: dict[str, Ended]) -> None:
    assert ended["quiet"].err == ""


def test_every_runner_is_aimed_at_the_url_given(ended: dict[str, Ended]) -> None:
    assert len({runner.target for runner in ended["quiet"].verdict.runners}) == 1


def test_reports_go_to_files_by_their_endings(ended: dict[str, Ended], folder: Path) -> None:
    assert (folder / "a.txt").read_text() == ended["good"].out
    assert (folder / "a.md").read_text().startswith("## ")
    assert "<testsuite" in (folder / "a.xml").read_text()


def test_outages_are_told_where_they_begin_and_end(ended: dict[str, Ended]) -> None:
    assert re.search(r"Z app  (OUTAGE began|outage of .*): status 5xx", ended["bad"].err), ended["bad"].err


def test_what_never_became_ready_says_why(ended: dict[str, Ended]) -> None:
    assert "never became ready" in ended["closed"].err
    assert "never became ready" in ended["closed"].out.splitlines()[0]
    assert "refused" in ended["closed"].out


def test_a_command_that_failed_is_told_beside_the_verdict(ended: dict[str, Ended]) -> None:
    assert ended["command"].verdict.command_exit == 7
    assert "the command ended with 7" in ended["command"].err
    both: Verdict = ended["both"].verdict
    assert (both.verdict, both.command_exit) == (Decision.FAIL, 7)
    assert "'no-such-program' was not found" in ended["no command"].err


def test_what_the_command_writes_is_not_mixed_with_the_report(ended: dict[str, Ended]) -> None:
    assert "loud" in ended["command"].err
    assert "loud" not in ended["command"].out


@pytest.mark.parametrize("form", ["text", "json", "junit", "markdown"])
def test_the_report_is_rebuilt_from_the_journal(ended: dict[str, Ended], folder: Path, form: str) -> None:
    again = cf(folder, "report", "good", "--format", form)
    assert again.code == 0
    assert again.err == ""
    files = {"text": "a.txt", "junit": "a.xml", "markdown": "a.md", "json": "runs/good/1/verdict.json"}
    assert again.out == (folder / files[form]).read_text()


def test_a_failed_run_fails_again(ended: dict[str, Ended], folder: Path) -> None:
    name = ended["bad"].out.split("run ")[1].split(",")[0]
    again = cf(folder, "report", f"runs/{name}", "-o", "again.json")
    assert again.code == 1
    assert json.loads((folder / "again.json").read_text())["verdict"] == "fail"


def test_a_reader_who_leaves_early_changes_no_exit_code(ended: dict[str, Ended], folder: Path) -> None:
    """Its standard output is closed before the report comes."""
    with going(folder, "report", "good") as report:
        assert report.process.stdout is not None
        report.process.stdout.close()
        assert report.process.wait(30) == 0
        assert report.ended().err == ""


@pytest.mark.parametrize(("words", "code"), [("good >&-", 0), ("good >/dev/full", 3), ("bad >/dev/full", 1)])
def test_a_pass_whose_report_could_not_be_printed_is_none(
    ended: dict[str, Ended], folder: Path, words: str, code: int
) -> None:
    """Where standard output is closed nobody wanted it; a failure stays one."""
    name, rest = words.split(maxsplit=1)
    if name == "bad":
        name = ended["bad"].out.split("run ")[1].split("/")[0]
    line = f"{PROGRAM[0]} -m harness report {name} {rest}"
    done = subprocess.run(
        line, shell=True, env=environment(), cwd=folder, capture_output=True, timeout=30, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == ("full" in rest)


def test_a_signal_gives_a_verdict(tmp_path: Path) -> None:
    words = ("--rate", "50/s", "--format", "json")
    with (
        target() as good,
        going(tmp_path, "run", good.url, *words) as one,
        going(tmp_path, "run", good.url, *words) as two,
    ):
        runs = {signal.SIGTERM: one, signal.SIGINT: two}
        for run in runs.values():
            run.until_said("ready, judging")
        good.serve(120)
        for number, run in runs.items():
            run.process.send_signal(number)
        for number, run in runs.items():
            ended = run.ended()
            assert ended.code == 0, ended
            assert number.name in ended.verdict.stopped_by
            assert f"stop: {number.name}" in ended.err


def test_a_signal_before_readiness_judges_nothing(tmp_path: Path) -> None:
    with target() as silent, going(tmp_path, "run", silent.url) as run:
        silent.answer = None
        run.until_said("waiting for a clean baseline")
        run.process.send_signal(signal.SIGINT)
        ended = run.ended()
    assert ended.code == 4, ended


def test_a_second_signal_hurries(tmp_path: Path) -> None:
    """It ends a settle time that would outlast the test; the first one, of the pipeline, does not."""
    (tmp_path / "plan.yml").write_text('runners: [{name: app, url: "http://h/"}]\nstop: {settle: 10m, file: stop}\n')
    with target() as good, going(tmp_path, "run", "plan.yml", "--url", good.url, "--format", "json") as run:
        run.until_said("ready, judging")
        (tmp_path / "stop").touch()
        run.until_said("stop: the stop file")
        good.serve(8)  # it goes on
        run.process.send_signal(signal.SIGINT)
        ended = run.ended()
    assert ended.verdict.ready is not None
    assert "stop: SIGINT" in ended.err


def test_signals_are_passed_on_to_the_command(tmp_path: Path) -> None:
    script = "trap 'echo heard it; exit 0' TERM; echo begun; while :; do sleep 0.05; done"
    with target() as good, going(tmp_path, "run", good.url, "--while", "--", "sh", "-c", script) as run:
        run.until_said("begun")
        good.serve(12)
        run.process.send_signal(signal.SIGTERM)
        ended = run.ended()
    assert "heard it" in ended.err
    assert "the command ended with 0" in ended.err
    assert ended.code == 0, ended


def test_an_interrupted_run_is_reported(tmp_path: Path) -> None:
    with target() as good, going(tmp_path, "run", good.url, "--run-id", "cut") as run:
        run.until_said("ready, judging")
        good.serve(15)
        run.process.kill()
        run.ended()
    again = cf(tmp_path, "report", "cut")
    assert again.code == 3, again
    assert again.out.startswith("INCONCLUSIVE")
