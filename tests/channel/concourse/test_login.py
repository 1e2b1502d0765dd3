"""As whom Concourse is asked, by the environment."""

from pathlib import Path

import pytest

from harness.channel.concourse.login import Kept, Password, certificate_of, credentials_of
from harness.channel.store import ChannelError

_SITE = "https://ci.example.org"
_FLYRC = """
targets:
  ci: {api: "https://ci.example.org:443", team: main, ca_cert: "PEM", token: {type: bearer, value: from-fly}}
  out: {api: "https://ci.example.org", team: main}
  other: {api: "https://elsewhere.example.org", team: main, token: {type: bearer, value: from-fly}}
"""


def _read(environ: dict[str, str]) -> str:
    credentials = credentials_of(environ, _SITE)
    assert isinstance(credentials, Kept)
    return credentials.read()


def test_nothing_is_needed_for_what_is_public() -> None:
    assert credentials_of({}, _SITE) is None


def test_a_token_is_taken_with_or_without_its_type() -> None:
    assert _read({"CONCOURSE_TOKEN": "abc"}) == "abc"
    assert _read({"CONCOURSE_TOKEN": "Bearer abc\n"}) == "abc"


def test_a_file_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    credentials = credentials_of({"CONCOURSE_TOKEN_FILE": str(file)}, _SITE)
    assert isinstance(credentials, Kept)
    assert credentials.read() == "first"
    file.write_text("second\n")
    assert credentials.read() == "second"


def test_a_user_has_a_password_that_is_not_shown() -> None:
    credentials = credentials_of({"CONCOURSE_USERNAME": "robot", "CONCOURSE_PASSWORD": "hunter2"}, _SITE)
    assert credentials == Password("robot", "hunter2")
    assert "hunter2" not in repr(credentials)


def test_what_fly_left_is_read(tmp_path: Path) -> None:
    (tmp_path / ".flyrc").write_text(_FLYRC)
    environ = {"HOME": str(tmp_path), "CONCOURSE_TARGET": "ci"}
    assert _read(environ) == "from-fly"
    assert certificate_of(environ) == "PEM"
    assert (tmp_path / ".flyrc").read_text() == _FLYRC


@pytest.mark.parametrize(
    ("environ", "what"),
    [
        ({"CONCOURSE_TARGET": "nope"}, "there are: ci, other, out"),
        ({"CONCOURSE_TARGET": "out"}, "fly -t out login"),
        ({"CONCOURSE_TARGET": "other"}, "is a login at https://elsewhere.example.org"),
        ({"CONCOURSE_USERNAME": "robot"}, "CONCOURSE_PASSWORD is not"),
        ({"CONCOURSE_TOKEN": "two words"}, "CONCOURSE_TOKEN holds no token"),
        ({"CONCOURSE_TOKEN": "line\nbreak"}, "CONCOURSE_TOKEN holds no token"),
        ({"CONCOURSE_TOKEN": "tökén"}, "CONCOURSE_TOKEN holds no token"),
        ({"CONCOURSE_TOKEN_FILE": "/nowhere/token"}, "can't be read: No such file"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, environ: dict[str, str], what: str) -> None:
    (tmp_path / ".flyrc").write_text(_FLYRC)
    with pytest.raises(ChannelError) as refused:
        credentials_of({"HOME": str(tmp_path), **environ}, _SITE)
    assert what in str(refused.value)
    for secret in ("from-fly", "two words", "tökén"):
        assert secret not in str(refused.value)


def test_a_flyrc_that_is_none_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / ".flyrc").write_text("targets: [from-fly\n")
    with pytest.raises(ChannelError, match="is not what fly writes") as refused:
        credentials_of({"HOME": str(tmp_path), "CONCOURSE_TARGET": "ci"}, _SITE)
    assert "from-fly" not in str(refused.value)
