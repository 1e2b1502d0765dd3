"""The sandbox in the foreground."""

import json
import signal
import subprocess
import urllib.request
from pathlib import Path

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
