"""As whom Concourse is asked, and the tokens for it. No secret is in any text from here.

The first that is set counts: CONCOURSE_TOKEN, CONCOURSE_TOKEN_FILE, CONCOURSE_USERNAME with CONCOURSE_PASSWORD,
CONCOURSE_TARGET (what `fly login` left, which is only read). Without any, only what is public can be seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from harness.channel.store import ChannelError


@dataclass(frozen=True)
class Password:
    """Of a user whom Concourse knows itself; a token is asked for with it."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Password(…)"


@dataclass(frozen=True)
class Kept:
    """A token that somebody else keeps new: it is read again each time."""

    read: Callable[[], str]  # raises ChannelError
    name: str  # for people


Credentials = Password | Kept | None


def credentials_of(environ: Mapping[str, str], site: str) -> Credentials:
    """Raises ChannelError for settings that can't work."""
    token, file = environ.get("CONCOURSE_TOKEN"), environ.get("CONCOURSE_TOKEN_FILE")
    username, target = environ.get("CONCOURSE_USERNAME"), environ.get("CONCOURSE_TARGET")
    if token:
        kept = Kept(lambda: checked(token, "CONCOURSE_TOKEN"), "CONCOURSE_TOKEN")
    elif file:
        kept = Kept(lambda: checked(_text(Path(file)), f"CONCOURSE_TOKEN_FILE {file}"), f"CONCOURSE_TOKEN_FILE {file}")
    elif username:
        password = environ.get("CONCOURSE_PASSWORD")
        if not password:
            raise ChannelError("CONCOURSE_USERNAME is set and CONCOURSE_PASSWORD is not: set both")
        return Password(username, password)
    elif target:
        flyrc = flyrc_of(environ)
        kept = Kept(lambda: _flychecked(flyrc, target, site), f"the target {target} in {flyrc}")
    else:
        return None
    kept.read()
    return kept


def certificate_of(environ: Mapping[str, str]) -> str | None:
    """PEM of the authority that `fly login --ca-cert` left for the target."""
    target = environ.get("CONCOURSE_TARGET")
    if not target or environ.get("CONCOURSE_CA"):
        return None
    return str(_fly_target(flyrc_of(environ), target).get("ca_cert") or "") or None


def flyrc_of(environ: Mapping[str, str]) -> Path:
    """Where fly keeps its targets."""
    return Path(environ.get("HOME") or Path.home()) / ".flyrc"


def _fly_target(flyrc: Path, target: str) -> Mapping[str, Any]:
    try:
        targets = (yaml.safe_load(_text(flyrc)) or {})["targets"]
        found = targets.get(target)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):  # their text may show a token
        raise ChannelError(f"{flyrc} is not what fly writes") from None
    if not isinstance(found, dict):
        known = ", ".join(sorted(map(str, targets))) or "none"
        raise ChannelError(f"CONCOURSE_TARGET {target}: there is no such target in {flyrc}; there are: {known}")
    return found


def _flychecked(flyrc: Path, target: str, site: str) -> str:
    found = _fly_target(flyrc, target)
    api = str(found.get("api") or "")
    if _origin(api) != _origin(site):
        raise ChannelError(f"CONCOURSE_TARGET {target} is a login at {api}, and the channel's URL is at {site}")
    token = found.get("token")
    value = token.get("value") if isinstance(token, dict) else None
    if not value:
        raise ChannelError(f"CONCOURSE_TARGET {target}: not logged in; run fly -t {target} login")
    return checked(str(value), f"the target {target} in {flyrc}")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", None, None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelError(f"{path} can't be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None


def checked(text: str, where: str) -> str:
    """A token that a header can hold: one that can't would be shown by whoever refuses it there. Raises ChannelError,
    with `where` it was found."""
    token = text.strip()
    if token[:7].lower() == "bearer ":
        token = token[7:].strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ChannelError(f"{where} holds no token")
    return token
