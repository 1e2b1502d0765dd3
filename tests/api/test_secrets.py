"""Secrets stay where they belong: runs with known ones, with every logger of every process at DEBUG, and then a search
through every byte that was left anywhere."""

import base64
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, quote_plus

import pytest

from harness.sandbox import Sandbox, SandboxConfig, Step
from tests.api.foundation_plan import NOBODY, runner, write_plan
from tests.api.watched import await_answers
from tests.cf.foundation import CLIENT, CLIENT_SECRET, PASSWORD, USER, Foundation
from tests.cli.commanding import ROOT, Going, environment
from tests.sandbox.calling import by_password, tokens
from tests.worker.process import until

WORD, CLIENTS_WORD = 'pass+word "7/&%ü=', "cl1ent's & s3cret?"
pytestmark = pytest.mark.long

OPERATIONS = ("login", "list-apps", "app-stats", "info")
LOUD = """
import logging, os

logging.basicConfig(
    level=logging.DEBUG,
    force=True,
    handlers=[logging.StreamHandler(), logging.FileHandler(os.path.join({folder!r}, f"log-{{os.getpid()}}"))],
)
logging.getLogger("loud").debug("begun")
"""


def forms(secret: str) -> set[bytes]:
    """As it is, and as forms, URLs, JSON, Python and base64 write it, at each of the three offsets of the last."""
    texts = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    shifted = {base64.b64encode(b"x" * offset + secret.encode())[4:-4] for offset in range(3)}
    return {text.encode() for text in texts} | {form for form in shifted if len(form) > 8}


class Finding(NamedTuple):
    """Where a secret is that should not be."""

    place: str
    what: str


def search(places: Mapping[str, bytes], secrets: Mapping[str, Iterable[bytes]]) -> list[Finding]:
    """All of them."""
    return [
        Finding(place, what)
        for place, content in places.items()
        for what, told in secrets.items()
        if any(form in content for form in told)
    ]


def files_in(*folders: Path) -> dict[str, bytes]:
    """Every file, whole."""
    return {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def loud(folder: Path) -> dict[str, str]:
    """Variables by which every Python process logs all there is, to its standard error and to a file."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(LOUD.format(folder=str(folder)))
    return {"PYTHONPATH": f"{folder}:{ROOT}", "PYTHONUNBUFFERED": "1"}


class Onlooker:
    """Reads the command lines of all processes, and the environment of the workers, again and again."""

    def __init__(self) -> None:
        self.seen: dict[str, bytes] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Onlooker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    words = (folder / "cmdline").read_bytes()
                    self.seen[f"{folder}/cmdline"] = words
                    if b"harness.worker" in words:
                        self.seen[f"{folder}/environ"] = (folder / "environ").read_bytes()
                except OSError:  # ended meanwhile
                    continue

    def workers(self) -> int:
        return sum(place.endswith("environ") for place in self.seen)


def run_loudly(folder: Path, words: Mapping[str, str], sandbox: Sandbox, names: Iterable[str]) -> dict[str, bytes]:
    """A run that sees good times and bad. Returns all that came of it, by place."""
    write_plan(
        folder,
        *(
            runner(
                sandbox.api, name, rate="4/s", timeout="2s", **({"app": "healthcheck"} if name == "app-stats" else {})
            )
            for name in names
        ),
    )
    logs = folder / "logs"
    environ = environment(**NOBODY | {"CF_HOME": str(folder)} | loud(logs) | dict(words))
    with Onlooker() as onlooker:
        run = Going(folder, ("run", "plan.yml", "--format", "json"), environ)
        try:
            run.until_said("ready, judging")
            await_answers(sandbox, "/v3/apps", 4)
            sandbox.perform(Step(do="html_page", target="uaa", lasts=1.0))
            sandbox.perform(Step(do="tokens_refused", target="apis", lasts=1.0))
            sandbox.perform(Step(do="kill", target="uaa", lasts=1.0))
            sandbox.perform(Step(do="database_away", target="apis", lasts=1.0))
            await_answers(sandbox, "/v3/apps", 4)
            until(onlooker.workers)
            run.process.send_signal(signal.SIGTERM)
        except BaseException:
            run.process.kill()
            raise
        finally:
            ended = run.ended()
    assert ended.verdict.ready is not None
    assert sum(report.failed for report in ended.verdict.runners) > 4
    assert sum(b"begun" in content for place, content in files_in(logs).items() if "log-" in place) >= 2
    assert (folder / "runs" / ended.verdict.run / "1" / "journal.sqlite").exists()
    (folder / "logs" / "sitecustomize.py").unlink()
    return {
        "standard output": ended.out.encode(),
        "standard error": ended.err.encode(),
        **onlooker.seen,
        **files_in(folder, sandbox.truth.parent),
    }


@pytest.mark.parametrize("kind", ["user", "client", "cli"])
def test_no_secret_is_left_anywhere(tmp_path: Path, kind: str) -> None:
    """Password, client's secret, and the tokens that were made of them."""
    config = SandboxConfig(
        api=1, routers=1, instances=1, password=WORD, client_secret=CLIENTS_WORD, folder=tmp_path / "sandbox"
    )
    run = tmp_path / "run"
    home = run / ".cf" / "config.json"
    home.parent.mkdir(parents=True)
    with Sandbox(config) as sandbox:
        secrets = {
            "password": forms(WORD),
            "client secret": forms(CLIENTS_WORD),
            "access token": {base64.b64encode(b'{"alg":"RS256"').rstrip(b"=")},  # all of them begin so
            "refresh token": {base64.b64encode(b'{"jti":"').rstrip(b"=")[:-1]},
        }
        names: tuple[str, ...] = OPERATIONS
        match kind:
            case "user":
                words = {"CF_USERNAME": sandbox.username, "CF_PASSWORD": WORD}
            case "client":
                words = {"CF_CLIENT_ID": sandbox.client_id, "CF_CLIENT_SECRET": CLIENTS_WORD}
            case _:
                words, names = {}, ("list-apps", "app-stats")
                left = tokens(by_password(sandbox))
                secrets["the CLI's own"] = {left["access_token"].encode(), left["refresh_token"].encode()}
                home.write_text(
                    json.dumps(
                        {
                            "Target": sandbox.api,
                            "AccessToken": f"bearer {left['access_token']}",
                            "RefreshToken": left["refresh_token"],
                        }
                    )
                )
        places = run_loudly(run, words, sandbox, names)
    if kind == "cli":
        assert search({"": places.pop(str(home))}, secrets) != []  # the search finds what is there
    assert len([place for place in places if "/runs/" in place]) >= 5
    assert any(place.endswith("requests.jsonl") for place in places)
    assert any(place.endswith("environ") for place in places)
    assert search(places, secrets) == []


def test_the_bare_library_would_have_told_them(tmp_path: Path) -> None:
    """In the same surroundings: so the loggers are loud indeed, and the search is one."""
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1, password=WORD)) as sandbox:
        program = (
            "import os\n"
            "from cloudfoundry_client.client import CloudFoundryClient\n"
            f"client = CloudFoundryClient({sandbox.api!r})\n"
            f"client.init_with_user_credentials({sandbox.username!r}, os.environ['WORD'])\n"
            "client.v3.apps.list()\n"
        )
        subprocess.run(
            [sys.executable, "-c", program],
            env=environment(**loud(tmp_path / "logs"), WORD=WORD),
            check=True,
            capture_output=True,
            timeout=30,
        )
    access = {"access token": {base64.b64encode(b'{"alg":"RS256"').rstrip(b"=")}}
    assert search(files_in(tmp_path), access) != []


def test_only_the_token_endpoint_is_sent_the_password(tmp_path: Path) -> None:
    """Every request of a run, as it came in; a token goes to the API alone, and there in its header alone."""
    with Foundation() as foundation:
        foundation.life = 1.0
        write_plan(
            tmp_path,
            runner(foundation.url, "login", rate="4/s"),
            runner(foundation.url, "list-apps", rate="4/s"),
            stop={"duration": "3s"},
        )
        for name, secret, words in (
            (USER, PASSWORD, {"CF_USERNAME": USER, "CF_PASSWORD": PASSWORD}),
            (CLIENT, CLIENT_SECRET, {"CF_CLIENT_ID": CLIENT, "CF_CLIENT_SECRET": CLIENT_SECRET}),
        ):
            foundation.requests.clear()
            environ = environment(**NOBODY | {"CF_HOME": str(tmp_path)} | words)
            ended = Going(tmp_path, ("run", "plan.yml", "--format", "json"), environ).ended()
            assert ended.code in (0, 3), ended
            told = {
                seen.path for seen in foundation.requests if search({"": repr(seen).encode()}, {name: forms(secret)})
            }
            assert told == {"/oauth/token"}
            issued = list(foundation.valid)
            assert len(issued) > 4
            for seen in foundation.requests:
                bearer = seen.headers.get("authorization", "")
                others = repr(seen._replace(headers={**seen.headers, "authorization": ""}))
                assert not any(token in others for token in issued)
                if seen.path in ("/oauth/token", "/"):
                    assert not bearer.lower().startswith("bearer"), seen.path
