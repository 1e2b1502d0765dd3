"""Heads, bodies and connections have bounds, and who does not keep them costs nobody else anything."""

import contextlib
import os
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from harness.control import door
from harness.control.admission import LARGEST_HEAD
from tests.control.serving import Api, serving

_IDLE = 500
_ROOM = door.MOST + 8  # descriptors: one that was cut closes a moment later


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path) as made:
        yield made


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _settled(api: Api) -> int:
    """Descriptors once its loop has all of its own."""
    api.ask("GET", "/v1/run")
    return _descriptors()


@contextlib.contextmanager
def connections(api: Api, count: int, first: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many that say no more than this."""
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            connection = socket.create_connection(api.address, 20)
            made.append(connection)
            if first:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(first)
        yield made
    finally:
        for connection in made:
            connection.close()


def _closed(made: list[socket.socket]) -> int:
    """How many the server closed."""
    with selectors.DefaultSelector() as selector:
        for connection in made:
            selector.register(connection, selectors.EVENT_READ)
        return len(selector.select(0))


def _until_closed(made: list[socket.socket], count: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _closed(made) < count:
        assert time.monotonic() < deadline, _closed(made)
        time.sleep(0.02)


def test_a_head_too_long(api: Api) -> None:
    field = b"X: " + b"y" * LARGEST_HEAD + b"\r\n"
    whole = b"GET /v1/run HTTP/1.1\r\nHost: localhost\r\n" + field + b"\r\n"
    answer = api.raw(whole)
    assert answer.split()[1] in (b"400", b"431")  # by the parser if it came in pieces, by us if not
    endless = b"GET /v1/run HTTP/1.1\r\nHost: localhost\r\n" + field * 3
    assert b" 400 " in api.raw(endless)
    assert b" 400 " in api.raw(b"GET /" + b"x" * 3 * LARGEST_HEAD)


def test_a_body_that_never_ends_is_not_kept(api: Api) -> None:
    head = b"POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunks = b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    with contextlib.suppress(ConnectionError):
        assert b" 413 " in api.raw(head + chunks + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 80)
    assert b" 413 " in api.raw(head + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert api.said == []


def test_garbage(api: Api) -> None:
    for data in (
        b"\r\n\r\n\r\n\r\nrubbish\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\x00" * 100 + b"\n\n",
    ):
        assert b" 400 " in api.raw(data + b"\r\n\r\n"), data
    two = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2
    assert api.raw(two).count(b"HTTP/1.1 200") == 1  # one request to a connection
    upgrade = b"GET /v1/run HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert b" 200 " in api.raw(upgrade)
    smuggled = (
        b"POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    assert b" 415 " in api.raw(smuggled) or b" 400 " in api.raw(smuggled)
    assert api.said == []
    assert api.ask("GET", "/v1/run").status == 200


@pytest.mark.parametrize("first", [b"", b"GET /v1/run HTTP/1.1\r\nHost: local"], ids=["idle", "half a head"])
def test_idle_ones_neither_keep_a_task_out_nor_hold_descriptors(api: Api, first: bytes) -> None:
    before = _settled(api)
    with connections(api, _IDLE, first) as made:
        _until_closed(made, _IDLE - door.MOST, 20)
        for _ in range(20):
            assert api.ask("GET", "/v1/run").status == 200
        held = _descriptors() - before - _IDLE  # ours are in this process too
        assert held <= _ROOM
    deadline = time.monotonic() + 20
    while _descriptors() > before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_idle_ones_before_their_handshake(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with serving(tmp_path, cert=cert, key=key) as api:
        api.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", context)  # its loop is there
        before = _descriptors()
        with connections(api, _IDLE) as made:
            _until_closed(made, _IDLE - door.MOST, 20)
            request = b"GET /v1/run HTTP/1.1\r\nHost: localhost\r\n\r\n"
            assert b" 200 " in api.raw(request, context)
            assert _descriptors() - before - _IDLE <= _ROOM
        assert api.said == []  # nor is any of it told of


def test_nobody_stays_for_long(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drip of bytes makes no connection last longer. The limit is shortened here: it is read at each look."""
    monkeypatch.setattr(door, "LIFE", 0.5)
    with connections(api, 3, b"GET /v1/run HTTP/1.1\r\n") as made:
        deadline = time.monotonic() + 20
        with contextlib.suppress(ConnectionError):
            while _closed(made) < len(made):
                for connection in made:
                    connection.sendall(b"X: y\r\n")
                assert time.monotonic() < deadline
                time.sleep(0.02)
        _until_closed(made, len(made), 20)
