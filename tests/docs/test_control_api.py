"""docs/control-api.md names every route and status, and its curl commands work as typed."""

import os
import re
import subprocess
import threading
from pathlib import Path

from harness.control.openapi import openapi
from harness.control.routes import ROUTES
from tests.control.serving import ENDED, REPORTS, serving

PAGE = Path(__file__).parents[2] / "docs" / "control-api.md"


def _text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_it_names_every_route_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+) (\S+)` \|", _text(), re.MULTILINE)
    assert rows == [(route.method, route.path) for route in ROUTES]


def test_it_names_every_status() -> None:
    part = _text().split("## Routes")[1].split("By hand")[0]
    told = set(re.findall(r"\b[245]\d\d\b", part)) - {"500"}  # marks
    known = {
        status for methods in openapi(True)["paths"].values() for one in methods.values() for status in one["responses"]
    }
    assert told == known


def test_what_is_to_be_typed(tmp_path: Path) -> None:
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", _text(), re.DOTALL) if "curl " in block]
    assert len(blocks) == 3
    with serving(tmp_path / "runs", token="s3same") as api:
        stopped = threading.Event()

        def end_it() -> None:
            stopped.wait(30)
            api.live.end(ENDED, REPORTS)

        api.live.handle.attach(lambda said: (api.said.append(said), api.stops and stopped.set()))
        ending = threading.Thread(target=end_it)
        ending.start()
        environ = {**os.environ, "CF_HARNESS_CHANNEL": api.url, "CF_HARNESS_TOKEN": "s3same"}
        said = [
            subprocess.run(
                ["sh", "-e", "-c", block],
                cwd=tmp_path,
                env=environ,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            for block in blocks
        ]
        ending.join()
        assert [one.returncode for one in said] == [0, 0, 0], said
        assert '"state":"preparing"' in said[0].stdout
        begin, end = api.marks
        assert (begin.name, begin.edge, end.edge) == ("deploy-router", "begin", "end")
        assert api.stops[0].by == "the night shift"
        assert (tmp_path / "verdict.json").read_bytes() == REPORTS["verdict.json"]
        assert REPORTS["report.txt"].decode() in said[2].stdout
        assert (tmp_path / "auth").stat().st_mode & 0o077 == 0
