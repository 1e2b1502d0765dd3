"""A client of the sandbox's API that hides nothing: log-ins and calls, each on a connection of its own."""

import base64
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from harness.sandbox import Sandbox
from tests.sandbox.asking import Answer, Client


def call(
    sandbox: Sandbox, path: str, token: str | None = None, method: str = "GET", timeout: float = 5.0, host: str = ""
) -> Answer:
    """One request to the API."""
    assert sandbox.api is not None
    more = f"Authorization: bearer {token}\r\n" if token else ""
    with Client(sandbox.api, sandbox.ca, timeout) as client:
        return client.ask(path, host or urlsplit(sandbox.api).netloc, method, more)


def got(sandbox: Sandbox, path: str, token: str | None = None) -> Any:
    """The body of a good answer."""
    answer = call(sandbox, path, token)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def failed(answer: Answer) -> tuple[int, int, str]:
    """Of an answer that is an error of Cloud Controller's: status, code, title."""
    (error,) = json.loads(answer.body)["errors"]
    assert set(error) == {"code", "title", "detail"}
    return answer.status, error["code"], error["title"]


def uaa_url(sandbox: Sandbox) -> str:
    """As the API tells it."""
    return str(got(sandbox, "/")["links"]["login"]["href"])


def ask_uaa(
    sandbox: Sandbox, url: str, path: str, form: dict[str, str] | None = None, basic: str = "", timeout: float = 5.0
) -> Answer:
    """One request to UAA: a POST if there is a form."""
    more = f"Authorization: Basic {base64.b64encode(basic.encode()).decode()}\r\n" if basic else ""
    body = urlencode(form).encode() if form is not None else b""
    if body:
        more += "Content-Type: application/x-www-form-urlencoded\r\n"
    with Client(url, sandbox.ca, timeout) as client:
        return client.ask(path, urlsplit(url).netloc, "POST" if form is not None else "GET", more, body)


def grant(sandbox: Sandbox, form: dict[str, str], basic: str = "cf:", timeout: float = 5.0) -> Answer:
    """One request at the token endpoint."""
    return ask_uaa(sandbox, uaa_url(sandbox), "/oauth/token", form, basic, timeout)


def by_password(sandbox: Sandbox, user: str = "", password: str = "") -> Answer:
    form = {"username": user or sandbox.username, "password": password or sandbox.password}
    return grant(sandbox, {"grant_type": "password", **form})


def by_client(sandbox: Sandbox) -> Answer:
    return grant(sandbox, {"grant_type": "client_credentials"}, f"{sandbox.client_id}:{sandbox.client_secret}")


def refreshed(sandbox: Sandbox, token: str) -> Answer:
    return grant(sandbox, {"grant_type": "refresh_token", "refresh_token": token})


def tokens(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    told = json.loads(answer.body)
    assert isinstance(told, dict)
    return told


def user_token(sandbox: Sandbox, user: str = "") -> str:
    return str(tokens(by_password(sandbox, user))["access_token"])


def client_token(sandbox: Sandbox) -> str:
    return str(tokens(by_client(sandbox))["access_token"])


def claims_of(token: str) -> dict[str, Any]:
    """What a JWT says, unchecked."""
    part = token.split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(told, dict)
    return told


def requests(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The request log."""
    return [json.loads(line) for line in sandbox.requests.read_text().splitlines()]
