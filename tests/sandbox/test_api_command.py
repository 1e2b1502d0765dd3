"""The verb `sandbox` with an API: its one object, and curl by the documents."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The object, while the sandbox serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "sandbox", "--api", "--rate-limit", "500", "--format", "json"],
        cwd=tmp_path_factory.mktemp("somewhere"),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=20)
        assert (process.returncode, out, errors) == (0, "", "")
    finally:
        process.kill()
        process.communicate()


def curl(*words: str) -> Any:
    if shutil.which("curl") is None:
        assert os.environ.get("CI") != "true", "curl is missing, and CI has to try it"
        pytest.skip("curl is not installed")
    ended = subprocess.run(["curl", "-sS", "--max-time", "5", *words], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 0, ended
    return json.loads(ended.stdout)


def test_the_object(told: dict[str, Any]) -> None:
    assert set(told) == {
        "apps", "ca", "truth", "pid", "api", "username", "password", "client_id", "client_secret"
    }  # fmt: skip
    assert told["api"].startswith("http://127.0.0.1:")
    assert not told["api"].endswith("/")


def test_curl_by_the_documents(told: dict[str, Any]) -> None:
    info = curl(f"{told['api']}/v3/info")
    assert info["rate_limits"] == {"enabled": True, "general_limit": 500, "reset_interval_in_minutes": 60}
    login = curl(told["api"])["links"]["login"]["href"]
    form = ("grant_type=password", f"username={told['username']}", f"password={told['password']}")
    token = curl("-u", "cf:", f"{login}/oauth/token", *(word for pair in form for word in ("-d", pair)))["access_token"]
    apps = curl("-H", f"Authorization: bearer {token}", f"{told['api']}/v3/apps?names=healthcheck")
    assert [app["name"] for app in apps["resources"]] == ["healthcheck"]


def test_no_process_shows_a_secret(told: dict[str, Any]) -> None:
    seen = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            if b"harness.sandbox" in words:
                seen.append(words + (folder / "environ").read_bytes())
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue
    assert len([words for words in seen if b"harness.sandbox.api" in words]) >= 2
    for secret in (told["password"], told["client_secret"]):
        assert not [words for words in seen if secret.encode() in words]
