"""As whom Concourse is asked: a token from the environment or a file, one that a user's password gets, what `fly login`
left, or nobody, which serves for pipelines that are exposed. Nothing of it is ever told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from harness.channel.store import ChannelError

_FLY = ("fly", "Zmx5")  # the public client of Concourse's own CLI (fly/commands/login.go)
_SCOPE = "openid profile email federated:id groups"


@dataclass
class Access:
    """Gets tokens. Belongs to one thread."""

    base: str
    environ: Mapping[str, str]
    home: Path
    _token: str = ""

    def token(self, client: httpx.Client) -> str:
        """The one in force, "" where nobody asks. Raises httpx.HTTPError, ChannelError."""
        if self._token:
            return self._token
        environ = self.environ
        if environ.get("CONCOURSE_TOKEN"):
            self._token = environ["CONCOURSE_TOKEN"].strip()
        elif environ.get("CONCOURSE_TOKEN_FILE"):
            self._token = _read(environ["CONCOURSE_TOKEN_FILE"])
        elif environ.get("CONCOURSE_USERNAME"):
            self._token = self._by_password(client)
        elif environ.get("CONCOURSE_TARGET"):
            self._token = _of_fly(self.home / ".flyrc", environ["CONCOURSE_TARGET"], self.base)
        return self._token

    def refused(self) -> None:
        """It holds no more: the next one is asked for, read or looked up again."""
        self._token = ""

    def _by_password(self, client: httpx.Client) -> str:
        form = {
            "grant_type": "password",
            "username": self.environ["CONCOURSE_USERNAME"],
            "password": self.environ.get("CONCOURSE_PASSWORD", ""),
            "scope": _SCOPE,
        }
        answer = client.post(f"{self.base}/sky/issuer/token", data=form, auth=_FLY)
        if answer.status_code in (400, 401, 403):
            raise ChannelError("Concourse refuses CONCOURSE_USERNAME and CONCOURSE_PASSWORD")
        answer.raise_for_status()
        try:
            return str(answer.json()["access_token"])
        except (ValueError, KeyError, TypeError):
            raise ChannelError("Concourse gave no token for CONCOURSE_USERNAME") from None


def _read(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelError(f"CONCOURSE_TOKEN_FILE {file} can't be read: {error}") from None


def _of_fly(file: Path, target: str, base: str) -> str:
    try:
        known: Any = yaml.safe_load(file.read_text())["targets"][target]
        if str(known.get("api", "")).rstrip("/") != base:  # nobody else may see it
            raise ChannelError(f"CONCOURSE_TARGET {target} is for {known.get('api')}, and not for {base}")
        return str(known["token"]["value"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise ChannelError(f"CONCOURSE_TARGET {target}: {file} has no token for it; run fly login") from None
