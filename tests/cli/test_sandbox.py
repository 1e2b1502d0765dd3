"""The sandbox in the foreground."""

import json
import shlex
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.cli.commanding import PROGRAM, cf, environment


def test_its_first_line_is_one_object_and_term_ends_all(tmp_path: Path) -> None:
    sandbox = subprocess.Popen(
        [*PROGRAM, "sandbox", "--format", "json"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert sandbox.stdout is not None
        said = json.loads(sandbox.stdout.readline())
        assert said["pid"] == sandbox.pid
        assert said["ca"] is None
        assert Path(said["truth"]).exists()
        with urllib.request.urlopen(said["apps"][0]["url"], timeout=5) as answer:
            assert answer.status == 200
        sandbox.send_signal(signal.SIGTERM)
        out, err = sandbox.communicate(timeout=20)
        assert (sandbox.returncode, out, err) == (0, "", "")
    finally:
        if sandbox.poll() is None:
            sandbox.kill()
            sandbox.communicate()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_line_that_it_shows_watches_the_api(tmp_path: Path, tls: bool) -> None:
    command = [*PROGRAM, "sandbox", "--api", *(["--tls"] if tls else [])]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    ) as sandbox:
        try:
            assert sandbox.stdout is not None
            lines: list[str] = []
            while "Ctrl-C ends it.\n" not in lines:
                lines.append(sandbox.stdout.readline())
                assert lines[-1], lines
            shown = "".join(lines)
            exported, written, run = (line.strip() for line in lines[-4:-1])
            secrets = dict(pair.split("=") for pair in exported.removeprefix("export ").split())
            subprocess.run(written, shell=True, cwd=tmp_path, check=True, timeout=10)
            words = shlex.split(run)
            assert words[0] == "cf-harness"
            wishes = ("--rate", "10/s", "--duration", "2s", "--format", "json")
            ended = cf(tmp_path, *words[1:], *wishes, **secrets)
        finally:
            sandbox.terminate()
    assert ended.code == 0, (shown, ended)
    assert [runner.name for runner in ended.verdict.runners] == ["list-apps"]


def test_a_script_is_acted_out_once(tmp_path: Path) -> None:
    ended = cf(tmp_path, "sandbox", "--script", "rolling_without_drain", "--once", "--routers", "2")
    assert ended.code == 0, ended
    assert " begins" in ended.out
    assert "the script is over" in ended.out


def test_mistakes_are_one_message(tmp_path: Path) -> None:
    (tmp_path / "script.yml").write_text("steps: [{do: dance, target: router/0}]\n")
    for words in (["--script", "nosuch.yml"], ["--script", "script.yml"], ["--layer", "5"], ["--script-after", "5"]):
        ended = cf(tmp_path, "sandbox", *words)
        assert ended.code == 2, ended
        assert ended.err.startswith("cf-harness: ")
        assert "Traceback" not in ended.err
