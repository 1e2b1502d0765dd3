"""Which credentials are found, in which order, and what is said where there are none."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from harness.cf.credentials import CredentialsError, Found, find_credentials
from tests.cf.foundation import jwt
from tests.conftest import as_nobody

USER = {"CF_USERNAME": "maud", "CF_PASSWORD": "pa55"}
CLIENT = {"CF_CLIENT_ID": "watcher", "CF_CLIENT_SECRET": "s3c"}


def left_by_cli(home: Path, **changes: Any) -> Path:
    """As `cf login` leaves it (CLI v8)."""
    config = {
        "AccessToken": "bearer " + jwt(exp=int(time.time()) + 600),
        "APIVersion": "3.211.0",
        "AuthorizationEndpoint": "https://login.example.org",
        "ConfigVersion": 4,
        "OrganizationFields": {"GUID": "org-guid", "Name": "acme"},
        "RefreshToken": "r3fresh",
        "SpaceFields": {"GUID": "space-guid", "Name": "live", "AllowSSH": True},
        "SSLDisabled": True,
        "Target": "https://api.example.org",
        "UAAEndpoint": "https://uaa.example.org",
        "UAAOAuthClient": "cf",
        "UAAOAuthClientSecret": "",
        "PluginRepos": [{"Name": "CF-Community", "URL": "https://plugins.cloudfoundry.org"}],
        **changes,
    }
    path = home / ".cf" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(config))
    return path


def refused(environ: dict[str, str], home: Path, **how: Any) -> str:
    with pytest.raises(CredentialsError) as caught:
        find_credentials(environ, home=home, **how)
    text = str(caught.value).replace(str(home), "")
    for secret in ("pa55", "s3c", "r3fresh"):
        assert secret not in text
    return text


def test_the_environment_comes_first_and_a_client_before_a_user(tmp_path: Path) -> None:
    left_by_cli(tmp_path)
    both = find_credentials({**USER, **CLIENT}, home=tmp_path).credentials
    assert (both.kind, both.client_id, both.client_secret) == ("client", "watcher", "s3c")
    user = find_credentials(USER, home=tmp_path).credentials
    assert (user.kind, user.username, user.password, user.client_id) == ("password", "maud", "pa55", "cf")
    assert user.origin == "CF_USERNAME and CF_PASSWORD"


@pytest.mark.parametrize("name", [*USER, *CLIENT])
def test_half_a_pair_says_which_half(tmp_path: Path, name: str) -> None:
    pair = USER if name in USER else CLIENT
    (other,) = set(pair) - {name}
    assert refused({name: pair[name]}, tmp_path).startswith(f"{name} is set in the environment, and {other} is not")


def test_what_the_cli_left(tmp_path: Path) -> None:
    path = left_by_cli(tmp_path)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    found = find_credentials({}, home=tmp_path)
    assert found == Found(
        credentials=found.credentials,
        api="https://api.example.org",
        org="acme",
        org_guid="org-guid",
        space="live",
        space_guid="space-guid",
        skip_ssl=True,
        expires_at=found.expires_at,
    )
    assert found.expires_at is not None
    assert 500 < found.expires_at - time.time() <= 600
    credentials = found.credentials
    assert (credentials.kind, credentials.refresh_token, credentials.client_id) == ("token", "", "cf")
    assert credentials.access_token.count(".") == 2
    assert credentials.token_url == "https://uaa.example.org/oauth/token"
    assert credentials.origin == "~/.cf/config.json"
    assert find_credentials({}, home=tmp_path, use_refresh_token=True).credentials.refresh_token == "r3fresh"
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_cf_home_moves_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = left_by_cli(tmp_path / "elsewhere")
    found = find_credentials({"CF_HOME": str(tmp_path / "elsewhere")}, home=tmp_path)
    assert found.credentials.origin == str(path)
    assert "there is no ~/.cf/config.json" in refused({}, tmp_path)


def test_none_at_all(tmp_path: Path) -> None:
    text = refused({}, tmp_path)
    assert "CF_USERNAME and CF_PASSWORD" in text
    assert "`cf login`" in text


def test_an_expired_token(tmp_path: Path) -> None:
    left_by_cli(tmp_path, AccessToken="bearer " + jwt(exp=1_700_000_000))
    text = refused({}, tmp_path)
    assert "expired at 2023-11-14 22:13:20 UTC" in text
    assert "`cf login`" in text
    assert find_credentials({}, home=tmp_path, use_refresh_token=True).credentials.refresh_token == "r3fresh"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is not JSON"),
        ('{"Target": "https', "it is not JSON"),
        ("[]", "is not what `cf login` writes"),
        ('{"AccessToken": 7}', "is not what `cf login` writes"),
        ("{}", "nobody is logged in"),
        ('{"Target": "https://api.example.org", "AccessToken": ""}', "nobody is logged in"),
        ("\udcff", "not a text in UTF-8"),
    ],
)
def test_a_broken_configuration(tmp_path: Path, text: str, words: str) -> None:
    path = left_by_cli(tmp_path)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert words in refused({}, tmp_path)


def test_an_unreadable_configuration(tmp_path: Path) -> None:
    left_by_cli(tmp_path).chmod(0)
    with as_nobody():
        assert "Permission denied" in refused({}, tmp_path)


def test_what_is_no_file(tmp_path: Path) -> None:
    path = left_by_cli(tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert "is not a file" in refused({}, tmp_path)
    path.unlink()
    path.mkdir()
    assert "~/.cf/config.json" in refused({}, tmp_path)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("username: maud\npassword: pa55\n", "password"),
        ('{"client_id": "watcher", "client_secret": "s3c", "api": "https://api.example.org"}', "client"),
    ],
)
def test_a_file(tmp_path: Path, text: str, kind: str) -> None:
    file = tmp_path / "credentials.yml"
    file.write_text(text)
    file.chmod(0o600)
    found = find_credentials({}, home=tmp_path, file=file)
    assert (found.credentials.kind, found.credentials.origin) == (kind, str(file))
    assert found.api == ("https://api.example.org" if kind == "client" else None)
    assert find_credentials(USER, home=tmp_path, file=file).credentials.origin.startswith("CF_USERNAME")
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        assert "`chmod 600 /credentials.yml`" in refused({}, tmp_path, file=file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("password: pa55: s3c\n- x", "neither YAML nor JSON at line"),
        ("password: pa55\n", "has password and no username"),
        ("client_id: x\n", "has client_id and no client_secret"),
        ("user: maud\npassword: pa55\n", "must hold username and password"),
        ("password: [pa55]\n", "must hold username and password"),
        ("pa55", "must hold username and password"),
        ("", "must hold username and password"),
        ("{}", "holds neither"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "credentials.yml"
    file.write_text(text)
    file.chmod(0o600)
    assert words in refused({}, tmp_path, file=file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in refused({}, tmp_path, file=tmp_path / "none.yml")


def test_no_secret_is_shown(tmp_path: Path) -> None:
    left_by_cli(tmp_path)
    for environ in ({}, USER, CLIENT):
        found = find_credentials(environ, home=tmp_path, use_refresh_token=True)
        assert found.credentials.secrets
        for secret in found.credentials.secrets:
            for shown in (repr(found), str(found), repr(found.credentials), f"{found.credentials}", f"{found!r}"):
                assert secret not in shown
