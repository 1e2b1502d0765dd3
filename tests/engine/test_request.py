"""The request's bytes, and where a URL leads."""

from typing import Any

import msgspec
import pytest

from harness.engine.request import request_bytes, target_of
from harness.spec import Spec, Tls
from tests.engine.stage import spec_of


def spec(url: str, **more: Any) -> Spec:
    return msgspec.structs.replace(spec_of(), url=url, **more)


@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        ("http://app.test", (False, "app.test", 80, "app.test"), "app.test"),
        ("https://app.test/", (True, "app.test", 443, "app.test"), "app.test"),
        ("http://app.test:443/", (False, "app.test", 443, "app.test"), "app.test:443"),
        ("https://APP.test:443/", (True, "app.test", 443, "app.test"), "app.test"),
        ("https://app.test:8443/", (True, "app.test", 8443, "app.test"), "app.test:8443"),
        ("http://[::1]/", (False, "::1", 80, "::1"), "[::1]"),
        ("http://[::1]:81/", (False, "::1", 81, "::1"), "[::1]:81"),
        ("http://user:word@app.test/", (False, "app.test", 80, "app.test"), "app.test"),
    ],
)
def test_targets(url: str, target: tuple[bool, str, int, str], host: str) -> None:
    assert target_of(spec(url)) == target
    assert f"\r\nHost: {host}\r\n".encode() in request_bytes(spec(url), "ua")


@pytest.mark.parametrize("url", ["", "app.test", "ftp://app.test/", "http://", "http:///x", "http://a:99999/"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the standard library words some of them
        target_of(spec(url))


def test_the_whole_request() -> None:
    assert request_bytes(spec("http://app.test/a/b?c=d&e#f"), "cf-harness/1") == (
        b"GET /a/b?c=d&e HTTP/1.1\r\nHost: app.test\r\nUser-Agent: cf-harness/1\r\nAccept: */*\r\n\r\n"
    )
    assert request_bytes(spec("http://app.test?q"), "x").startswith(b"GET /?q HTTP/1.1\r\n")


def test_headers_of_the_plan_replace_ours() -> None:
    made = request_bytes(spec("http://10.0.0.1/", headers=(("host", "app.test"), ("X-A", "1"), ("ACCEPT", "x"))), "ua")
    assert made == b"GET / HTTP/1.1\r\nhost: app.test\r\nUser-Agent: ua\r\nACCEPT: x\r\nX-A: 1\r\n\r\n"


def test_bodies() -> None:
    posted = request_bytes(spec("http://a/", method="POST", body=b"\x00\xff"), "ua")
    assert posted.endswith(b"\r\nContent-Length: 2\r\n\r\n\x00\xff")
    assert b"Content-Length: 0\r\n" in request_bytes(spec("http://a/", method="PUT"), "ua")
    assert b"Content-Length" not in request_bytes(spec("http://a/", method="HEAD"), "ua")


def test_fresh_connections_are_announced() -> None:
    assert b"\r\nConnection: close\r\n" in request_bytes(spec("http://a/", fresh=True), "ua")
    assert b"onnection" not in request_bytes(spec("http://a/"), "ua")


def test_a_server_name_of_its_own() -> None:
    target = target_of(spec("https://10.0.0.1/", tls=Tls(server_name="app.test")))
    assert (target.host, target.server_name) == ("10.0.0.1", "app.test")
