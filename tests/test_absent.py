"""Whether an app is not there yet: only what the platform itself says so of."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.absent import absent
from harness.sandbox import Sandbox, SandboxConfig
from tests.cli.commanding import target
from tests.plan.planning import loaded

NOWHERE = "nothere.apps.localhost"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(routers=1, instances=1, tls=True)) as running:
        yield running


def why(folder: Path, *runners: str) -> str:
    """`absent` of a plan with these runners, by their keys in JSON or YAML."""
    lines = "".join(f"  - {{name: r{number}, {runner}}}\n" for number, runner in enumerate(runners))
    return absent(loaded(folder, f"runners:\n{lines}"), {"TOKEN": "secret"})


def there(sandbox: Sandbox) -> str:
    return f"url: '{sandbox.url}', tls: {{verify: false}}"


def by_host(sandbox: Sandbox, host: str = NOWHERE) -> str:
    return f"url: '{sandbox.url}', tls: {{verify: false}}, headers: {{Host: {host}}}"


def by_address(sandbox: Sandbox) -> str:
    port = sandbox.url.rstrip("/").rpartition(":")[2]
    return f"url: 'https://{NOWHERE}:{port}/', resolve: {{{NOWHERE}: 127.0.0.1}}, tls: {{verify: false}}"


def test_an_app_that_answers_is_there(tmp_path: Path, sandbox: Sandbox) -> None:
    assert why(tmp_path, there(sandbox)) == ""


def test_a_route_that_the_router_does_not_know(tmp_path: Path, sandbox: Sandbox) -> None:
    said = f"the platform knows no route to {NOWHERE} (404, X-Cf-Routererror: unknown_route)"
    assert why(tmp_path, by_address(sandbox)) == said
    assert "unknown_route" in why(tmp_path, by_host(sandbox))


def test_one_app_that_is_there_is_something_to_watch(tmp_path: Path, sandbox: Sandbox) -> None:
    assert why(tmp_path, by_address(sandbox), there(sandbox)) == ""
    assert why(tmp_path, there(sandbox), by_address(sandbox)) == ""


def test_all_that_are_absent_are_named(tmp_path: Path, sandbox: Sandbox) -> None:
    said = why(tmp_path, by_address(sandbox), by_host(sandbox))
    assert said.count("unknown_route") == 2


@pytest.mark.parametrize("status", [301, 404, 502, 503])
def test_an_app_that_says_no_is_there(tmp_path: Path, status: int) -> None:
    with target() as app:
        app.answer = status
        assert why(tmp_path, f"url: '{app.url}'") == ""
        assert app.served == 1


def test_an_app_that_does_not_answer_is_not_absent(tmp_path: Path, sandbox: Sandbox) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert why(tmp_path, f"url: 'http://127.0.0.1:{closed.getsockname()[1]}/'") == ""


def test_a_certificate_that_is_not_trusted_says_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    assert why(tmp_path, by_address(sandbox).replace("verify: false", "verify: true")) == ""


def test_a_name_that_dns_does_not_know(tmp_path: Path) -> None:
    try:
        socket.getaddrinfo("nothere.invalid", 443)
    except socket.gaierror as error:
        if error.errno != socket.EAI_NONAME:
            pytest.skip("no name server answers here")
    assert why(tmp_path, "url: 'https://nothere.invalid/'") == "the name nothere.invalid is not known"
