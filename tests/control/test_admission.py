"""Who may ask: a token, a Host, an Origin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.control.admission import LARGEST_HEAD, PUBLIC, denied

_HOST = (b"host", b"127.0.0.1:8765")
_TOKEN = "s3same"
_BEARER = (b"authorization", b"Bearer s3same")


def _status(*headers: tuple[bytes, bytes], path: str = "/v1/stop", token: str | None = _TOKEN) -> int | None:
    no = denied(path, "http", headers, token)
    return None if no is None else no.status


def test_with_a_token_it_must_be_the_same() -> None:
    assert _status(_HOST, _BEARER) is None
    assert _status(_HOST, (b"authorization", b"bearer   s3same ")) is None
    assert _status(_HOST) == 401
    assert _status(_HOST, (b"authorization", b"Basic s3same")) == 401
    assert _status(_HOST, (b"authorization", b"s3same")) == 401
    assert _status(_HOST, _BEARER, _BEARER) == 401
    assert _status(_HOST, (b"authorization", "Bearer s3samé".encode("latin-1"))) == 401


@given(st.binary(max_size=30))
def test_no_other_token_is_taken(value: bytes) -> None:
    same = value.decode("latin-1").strip() == _TOKEN
    assert _status(_HOST, (b"authorization", b"Bearer " + value)) == (None if same else 401)


@given(st.text(st.characters(codec="ascii"), max_size=20).map(lambda text: f"/{text}"))
def test_all_paths_but_the_public_ones_want_it(path: str) -> None:
    assert _status(_HOST, path=path) == (None if path in PUBLIC else 401)


@pytest.mark.parametrize("host", [b"127.0.0.1:1", b"127.9.9.9", b"localhost:80", b"LOCALHOST", b"[::1]:80", b"[::1]"])
def test_without_one_a_loopback_host_may_ask(host: bytes) -> None:
    assert _status((b"host", host), token=None) is None


@pytest.mark.parametrize(
    "host",
    [b"evil.example", b"10.0.0.1:80", b"127.0.0.1.evil.example", b"localhost.evil", b"", b"[", b"[::2]", b"a@b:c"],
)
def test_no_other_host_may(host: bytes) -> None:
    assert _status((b"host", host), token=None) == 403
    assert _status((b"host", host), path="/healthz", token=None) == 403
    assert _status(token=None) == 403
    assert _status(_HOST, (b"host", host), token=None) == 403


def test_no_page_of_another_origin_may() -> None:
    for token, more in ((_TOKEN, [_BEARER]), (None, [])):
        assert _status(_HOST, (b"origin", b"http://127.0.0.1:8765"), *more, token=token) is None
        for origin in (b"null", b"http://evil.example", b"https://127.0.0.1:8765", b"http://127.0.0.1:8766", b""):
            assert _status(_HOST, (b"origin", origin), *more, token=token) == 403
    assert _status((b"origin", b"http://127.0.0.1:8765"), _BEARER) == 403


def test_a_long_head_is_refused_before_anything_is_looked_at() -> None:
    assert _status(_HOST, _BEARER, (b"x", b"y" * LARGEST_HEAD)) == 431
    assert _status(_HOST, _BEARER, (b"x", b"y" * (LARGEST_HEAD - 100))) is None
