"""What is wrong before a run: told in one message that says what to do, and no run begins."""

import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox import Sandbox, SandboxConfig
from tests.api.foundation_plan import NOBODY, as_user, asked, grants, runner, write_plan
from tests.cf.foundation import jwt
from tests.cli.commanding import cf


class Page(BaseHTTPRequestHandler):
    """A web site: 200 to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "15")
        self.end_headers()
        self.wfile.write(b"<h1>Hello!</h1>")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Mute(socketserver.BaseRequestHandler):
    """Hears what it is asked, and closes."""

    def handle(self) -> None:
        self.request.recv(4096)


@contextlib.contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[str]:
    """Its URL."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1)) as made:
        yield made


@pytest.fixture(scope="module")
def secure() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1, tls=True)) as made:
        yield made


def refused(folder: Path, what: dict[str, Any], environ: dict[str, str], code: int = 2) -> str:
    """Sees that no run began, and that the complaint is one message. Returns it."""
    write_plan(folder, what, stop={"duration": "1s"})
    ended = cf(folder, "run", "plan.yml", **{"CF_HOME": str(folder), **environ})
    assert (ended.code, ended.out) == (code, ""), ended
    assert not (folder / "runs").exists()
    assert "Traceback" not in ended.err
    (message,) = ended.err.splitlines()
    assert message.startswith("cf-harness: ")
    for name in ("CF_PASSWORD", "CF_CLIENT_SECRET"):
        assert not environ.get(name) or environ[name] not in message
    return message


def test_what_is_right_runs(cloud: Sandbox, tmp_path: Path) -> None:
    """So that the other tests show what they are about, and nothing else."""
    write_plan(tmp_path, runner(cloud.api, "list-apps", rate="15/s"), stop={"duration": "1s"})
    ended = cf(tmp_path, "run", "plan.yml", **as_user(cloud))
    assert ended.out.startswith("PASS"), ended
    assert (tmp_path / "runs").exists()


def test_a_port_that_nobody_listens_at(tmp_path: Path, cloud: Sandbox) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        message = refused(tmp_path, runner(url, "list-apps"), as_user(cloud), code=4)
    assert f"{url} can't be reached" in message
    assert "is the address right" in message


def test_a_name_that_does_not_exist(tmp_path: Path, cloud: Sandbox) -> None:
    message = refused(tmp_path, runner("https://api.nowhere.invalid", "info"), as_user(cloud), code=4)
    assert "https://api.nowhere.invalid can't be reached" in message


def test_no_url_at_all(tmp_path: Path, cloud: Sandbox) -> None:
    message = refused(tmp_path, runner("api.example.org", "info"), as_user(cloud))
    assert "runners[0].api" in message
    assert "https://" in message


def test_http_instead_of_https(tmp_path: Path, secure: Sandbox) -> None:
    """A TLS endpoint that closes what it can't read."""
    assert secure.api is not None
    plain = secure.api.replace("https://", "http://")
    message = refused(tmp_path, runner(plain, "list-apps"), as_user(secure), code=4)
    assert f"write {secure.api}" in message
    assert grants(secure) == []  # no password in clear


def test_https_instead_of_http(tmp_path: Path, cloud: Sandbox) -> None:
    assert cloud.api is not None
    message = refused(tmp_path, runner(cloud.api.replace("http://", "https://"), "list-apps"), as_user(cloud))
    assert "is it http" in message


def test_a_certificate_that_is_not_known(tmp_path: Path, secure: Sandbox) -> None:
    message = refused(tmp_path, runner(secure.api, "list-apps"), as_user(secure))
    assert "shows a certificate that does not hold" in message
    assert "(`ca`)" in message
    assert grants(secure) == []


@pytest.mark.parametrize("operation", ["info", "list-apps"])
def test_a_web_site_is_no_api(tmp_path: Path, cloud: Sandbox, operation: str) -> None:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as url:
        message = refused(tmp_path, runner(url, operation), as_user(cloud))
    assert "is no Cloud Foundry API" in message
    assert "as in `cf api`" in message


def test_an_app_is_no_api(tmp_path: Path, cloud: Sandbox) -> None:
    """The other address that one has at hand."""
    assert "is no Cloud Foundry API" in refused(tmp_path, runner(cloud.url, "list-apps"), as_user(cloud))


def test_what_speaks_no_http(tmp_path: Path, cloud: Sandbox) -> None:
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mute)) as url:
        assert "write https://" in refused(tmp_path, runner(url, "list-apps"), as_user(cloud), code=4)


def test_a_wrong_password_is_sent_once(tmp_path: Path, cloud: Sandbox) -> None:
    before = len(grants(cloud))
    what = runner(cloud.api, "list-apps")
    message = refused(tmp_path, what, as_user(cloud, CF_PASSWORD="not-the-password"))
    assert "UAA refused the user 'developer'" in message
    assert "mend CF_USERNAME and CF_PASSWORD" in message
    assert grants(cloud)[before:] == ["password"]


def test_a_wrong_client_secret(tmp_path: Path, cloud: Sandbox) -> None:
    environ = {**NOBODY, "CF_CLIENT_ID": cloud.client_id, "CF_CLIENT_SECRET": "not-the-secret"}
    assert "mend CF_CLIENT_ID and CF_CLIENT_SECRET" in refused(tmp_path, runner(cloud.api, "list-apps"), environ)


def test_a_user_without_a_role(tmp_path: Path, cloud: Sandbox) -> None:
    environ = as_user(cloud, CF_USERNAME=cloud.stranger)
    message = refused(tmp_path, runner(cloud.api, "list-apps"), environ)
    assert "'stranger' sees no space" in message
    assert "cf set-space-role" in message


def test_an_app_that_is_not_there(tmp_path: Path, cloud: Sandbox) -> None:
    message = refused(tmp_path, runner(cloud.api, "app-stats", app="helthcheck"), as_user(cloud))
    assert "there is no app 'helthcheck'" in message
    assert "did you mean 'healthcheck'?" in message


@pytest.mark.parametrize("operation", ["app-stats", "watch-app"])
def test_an_app_in_several_spaces(tmp_path: Path, cloud: Sandbox, operation: str) -> None:
    message = refused(tmp_path, runner(cloud.api, operation, app="orders"), as_user(cloud))
    assert "several spaces (dev, staging): say which (`space`)" in message


def test_a_space_that_is_not_there(tmp_path: Path, cloud: Sandbox) -> None:
    message = refused(tmp_path, runner(cloud.api, "list-apps", org=cloud.org, space="production"), as_user(cloud))
    assert "there is no space 'production'" in message
    assert "there are 'dev', 'staging'" in message


@pytest.mark.parametrize(
    ("has", "lacks"),
    [
        ("CF_USERNAME", "CF_PASSWORD"),
        ("CF_PASSWORD", "CF_USERNAME"),
        ("CF_CLIENT_ID", "CF_CLIENT_SECRET"),
        ("CF_CLIENT_SECRET", "CF_CLIENT_ID"),
    ],
)
def test_half_a_pair_of_variables(tmp_path: Path, cloud: Sandbox, has: str, lacks: str) -> None:
    before = len(asked(cloud))
    message = refused(tmp_path, runner(cloud.api, "list-apps"), {**NOBODY, has: "something-or-other"})
    assert f"{has} is set in the environment, and {lacks} is not: set both, or neither" in message
    assert len(asked(cloud)) == before  # nobody was asked


def test_no_credentials(tmp_path: Path, cloud: Sandbox) -> None:
    message = refused(tmp_path, runner(cloud.api, "list-apps"), NOBODY)
    assert "no credentials: set CF_USERNAME and CF_PASSWORD, or CF_CLIENT_ID and CF_CLIENT_SECRET" in message


def left_by_cli(folder: Path, cloud: Sandbox, access: str) -> Path:
    path = folder / ".cf" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"Target": cloud.api, "AccessToken": f"bearer {access}", "RefreshToken": "a-token-r"}))
    return path


def test_a_log_in_of_the_cli_that_expired(tmp_path: Path, cloud: Sandbox) -> None:
    path = left_by_cli(tmp_path, cloud, jwt(exp=int(time.time()) - 60))
    kept, before = path.read_bytes(), len(asked(cloud))
    message = refused(tmp_path, runner(None, "list-apps"), NOBODY)
    assert f"the access token in {path} expired at " in message
    assert "run `cf login`" in message
    assert message.count("cf login") == 1
    assert path.read_bytes() == kept
    assert len(asked(cloud)) == before


def test_a_log_in_of_the_cli_that_was_revoked(tmp_path: Path, cloud: Sandbox) -> None:
    left_by_cli(tmp_path, cloud, jwt(exp=int(time.time()) + 600))
    assert "run `cf login` again" in refused(tmp_path, runner(None, "list-apps"), NOBODY)


def test_no_api_in_sight(tmp_path: Path, cloud: Sandbox) -> None:
    assert "api: https://api.example.org" in refused(tmp_path, runner(None, "list-apps"), as_user(cloud))


def test_more_than_the_rate_limit_allows(tmp_path: Path) -> None:
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1, rate_limit=2000)) as limited:
        message = refused(tmp_path, runner(limited.api, "list-spaces", rate="2/s"), as_user(limited))
    assert "the API allows 2,000" in message
    assert "2000/h" in message
