"""The app to push answers as the documents say, keeps connections, and serves on for a while after a TERM."""

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "docs" / "healthcheck-app"


@pytest.fixture
def app() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Its process and its port, started as the manifest says."""
    (manifest,) = yaml.safe_load((FOLDER / "manifest.yml").read_text())["applications"]
    assert manifest["command"] == "python app.py"
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=FOLDER,
        env={**os.environ, "PORT": "0", "CF_INSTANCE_INDEX": "3"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, int(re.fullmatch(r"listening on (\d+)\n", process.stdout.readline())[1])  # type: ignore[index]
    finally:
        process.kill()
        process.communicate()


def test_it_says_which_instance_it_is_on_one_connection(app: tuple[subprocess.Popen[str], int]) -> None:
    _, port = app
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.connect()
    sock = connection.sock
    for _ in range(3):
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok instance 3\n")
        assert connection.sock is sock
    connection.close()


def test_it_serves_on_after_a_term_and_then_ends_well(app: tuple[subprocess.Popen[str], int]) -> None:
    process, port = app
    process.send_signal(signal.SIGTERM)
    began, answered = time.monotonic(), 0
    while process.poll() is None:
        assert time.monotonic() - began < 9.0  # Diego kills after ten
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            answered += connection.getresponse().status == 200
        except OSError:  # it has just ended
            process.wait(5)
        finally:
            connection.close()
        time.sleep(0.1)
    assert process.returncode == 0
    assert answered >= 3
