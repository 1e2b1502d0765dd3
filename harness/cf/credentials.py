"""Finds the credentials that somebody left: in the environment, in a file, or where `cf login` keeps them. Reads, and
never writes; no message shows a secret."""

import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any

import msgspec
import yaml

from harness.cf.jwt import claims
from harness.cf.target import Credentials
from harness.errors import HarnessError

_LARGEST = 1024 * 1024  # bytes
_PAIR = "set CF_USERNAME and CF_PASSWORD, or CF_CLIENT_ID and CF_CLIENT_SECRET"
_WAYS = f"{_PAIR}, or run `cf login`"
_PAIRS = (("CF_CLIENT_ID", "CF_CLIENT_SECRET"), ("CF_USERNAME", "CF_PASSWORD"))


class CredentialsError(HarnessError):
    """No credentials, or none that can be used: what is wrong, where, and what to do."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials, and what the CLI's configuration says beside them."""

    credentials: Credentials
    api: str | None = None
    org: str | None = None
    org_guid: str | None = None
    space: str | None = None
    space_guid: str | None = None
    skip_ssl: bool = False
    expires_at: float | None = None  # epoch seconds; of an access token


class _Named(msgspec.Struct, rename={"guid": "GUID", "name": "Name"}):
    guid: str = ""
    name: str = ""


class _Config(msgspec.Struct, rename="pascal"):
    """`~/.cf/config.json` [CLI util/configv3/json_config.go]: what is of use here."""

    target: str = ""
    access_token: str = ""
    refresh_token: str = ""
    authorization_endpoint: str = ""
    uaa_endpoint: str = msgspec.field(default="", name="UAAEndpoint")
    client: str = msgspec.field(default="", name="UAAOAuthClient")
    client_secret: str = msgspec.field(default="", name="UAAOAuthClientSecret")
    skip_ssl: bool = msgspec.field(default=False, name="SSLDisabled")
    org: _Named = msgspec.field(default_factory=_Named, name="OrganizationFields")
    space: _Named = msgspec.field(default_factory=_Named, name="SpaceFields")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """A credentials file: one of the two pairs, and the API if it shall say so."""

    username: str = ""
    password: str = ""
    client_id: str = ""
    client_secret: str = ""
    api: str | None = None


def find_credentials(
    environ: Mapping[str, str], *, home: Path, file: Path | None = None, use_refresh_token: bool = False
) -> Found:
    """The first there are: client, user, file, the CLI's. `use_refresh_token` holds for the CLI's alone. Raises
    CredentialsError."""
    found = _found(environ, home, file, use_refresh_token)
    held = found.credentials
    for secret in (held.username, held.client_id, *held.secrets):
        if not secret.isprintable():  # it would break a header, or a form
            raise CredentialsError(f"{held.origin}: there are control characters in what it holds, such as line breaks")
    return found


def _found(environ: Mapping[str, str], home: Path, file: Path | None, use_refresh_token: bool) -> Found:
    for name, secret in _PAIRS:
        if environ.get(name) or environ.get(secret):
            return Found(credentials=_of_pair(environ, name, secret))
    if file is not None:
        return _of_file(file)
    return _of_cli(environ, home, use_refresh_token)


def _of_pair(environ: Mapping[str, str], name: str, secret: str) -> Credentials:
    for one, other in ((name, secret), (secret, name)):
        if not environ.get(one):
            raise CredentialsError(f"{other} is set in the environment, and {one} is not: set both, or neither")
    origin = f"{name} and {secret}"
    if name == "CF_CLIENT_ID":
        return Credentials(kind="client", client_id=environ[name], client_secret=environ[secret], origin=origin)
    return Credentials(kind="password", username=environ[name], password=environ[secret], origin=origin)


def _of_file(path: Path) -> Found:
    try:
        open_to = path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    except OSError as error:
        raise CredentialsError(f"the credentials file {path} can't be read: {error.strerror}") from None
    if open_to:
        raise CredentialsError(f"others may read the credentials file {path}: `chmod 600 {path}`")
    text = _text(path, f"the credentials file {path}")
    try:
        document: Any = yaml.safe_load(text)
        held = msgspec.convert(document, _File)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)  # its own words would show the line, secrets and all
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise CredentialsError(f"the credentials file {path} is neither YAML nor JSON{where}") from None
    except (msgspec.ValidationError, RecursionError) as error:
        raise CredentialsError(
            f"the credentials file {path} must hold username and password, or client_id and client_secret: {error}"
        ) from None
    pairs = (("client_id", "client_secret"), ("username", "password"))
    for name, secret in pairs:
        have_name, have_secret = bool(getattr(held, name)), bool(getattr(held, secret))
        if have_name and have_secret:
            kind = "client" if name == "client_id" else "password"
            return Found(credentials=_of_held(held, kind, str(path)), api=held.api)
        if have_name or have_secret:
            has, lacks = (name, secret) if have_name else (secret, name)
            raise CredentialsError(f"the credentials file {path} has {has} and no {lacks}: give both")
    raise CredentialsError(f"the credentials file {path} holds neither username and password nor client_id and …secret")


def _of_held(held: _File, kind: str, origin: str) -> Credentials:
    if kind == "client":
        return Credentials(kind="client", client_id=held.client_id, client_secret=held.client_secret, origin=origin)
    return Credentials(kind="password", username=held.username, password=held.password, origin=origin)


def _of_cli(environ: Mapping[str, str], home: Path, use_refresh_token: bool) -> Found:
    moved = environ.get("CF_HOME")
    path = (Path(moved) if moved else home) / ".cf" / "config.json"
    shown = str(path) if moved else "~/.cf/config.json"
    try:
        config = msgspec.json.decode(_text(path, shown), type=_Config)
    except FileNotFoundError:
        raise CredentialsError(f"no credentials: {_WAYS} (there is no {shown})") from None
    except msgspec.ValidationError as error:
        raise CredentialsError(f"{shown} is not what `cf login` writes: {error}; run `cf login` again") from None
    except msgspec.DecodeError:
        raise CredentialsError(f"{shown} is broken, it is not JSON: run `cf login` again, or {_PAIR}") from None
    access = config.access_token.removeprefix("bearer ").removeprefix("Bearer ").strip()
    refresh = config.refresh_token if use_refresh_token else ""
    if not access and not refresh:
        raise CredentialsError(f"nobody is logged in by {shown}: {_WAYS}")
    expires = claims(access).expires
    if not refresh and expires is not None and expires <= time():
        raise CredentialsError(
            f"the access token in {shown} expired at {_utc(expires)}: run `cf login` (or any `cf` command that calls "
            f"the API) again, or {_PAIR}, which last"
        )
    endpoint = config.uaa_endpoint or config.authorization_endpoint
    return Found(
        credentials=Credentials(
            kind="token",
            client_id=config.client or "cf",
            client_secret=config.client_secret,
            access_token=access,
            refresh_token=refresh,
            origin=shown,
            token_url=f"{endpoint.rstrip('/')}/oauth/token" if endpoint else None,
        ),
        api=config.target or None,
        org=config.org.name or None,
        org_guid=config.org.guid or None,
        space=config.space.name or None,
        space_guid=config.space.guid or None,
        skip_ssl=config.skip_ssl,
        expires_at=expires,
    )


def _text(path: Path, shown: str) -> str:
    """What a file holds; a named pipe would make us wait for ever. Raises FileNotFoundError, CredentialsError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise CredentialsError(f"{shown} is not a file")
            return stream.read(_LARGEST).decode()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CredentialsError(f"{shown} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CredentialsError(f"{shown} is not a text in UTF-8") from None


def _utc(moment: float) -> str:
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return "an unreadable time"
