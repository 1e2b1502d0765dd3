"""Every carrier that keeps things keeps them in the same way: a directory, a directory without hard links, a bucket."""

import errno
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.channel.folder import FolderStore
from harness.channel.objects import ObjectStore
from harness.channel.store import ChannelError, SilentError, Store
from tests.channel.bucket import NAME, leading_to
from tests.conftest import as_nobody

ROOT = Path(__file__).parents[2]
Make = Callable[[], Store]


@pytest.fixture(params=["folder", "folder without links", "bucket"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Another view of the same store, each time."""
    if request.param == "bucket":
        environ = request.getfixturevalue("in_the_environment")
        prefix = secrets.token_hex(4)
        return lambda: ObjectStore(f"s3://{NAME}/{prefix}", environ)
    if request.param == "folder without links":

        def refused(*_: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refused)  # as on SMB and FAT, where nothing here could mount one
    return lambda: FolderStore(tmp_path / "channel")


def test_what_is_created_is_there_once(make: Make) -> None:
    store = make()
    assert store.get("runs/42/1/stop.json") is None
    assert store.create("runs/42/1/stop.json", b"first")
    assert store.create("runs/42/1/stop.json", b"first"), "asked again after a lost answer"
    assert not make().create("runs/42/1/stop.json", b"second")
    assert make().get("runs/42/1/stop.json") == b"first"


def test_of_many_that_create_one_does(make: Make) -> None:
    with ThreadPoolExecutor(25) as crowd:
        created = list(crowd.map(lambda number: make().create("turns/1", b"%d" % number), range(50)))
    assert created.count(True) == 1
    assert make().get("turns/1") == b"%d" % created.index(True)


def test_what_is_put_replaces_what_was_there(make: Make) -> None:
    store = make()
    store.put("runs/42/1/pulse.json", b"1")
    store.put("runs/42/1/pulse.json", b"22")
    assert make().get("runs/42/1/pulse.json") == b"22"


def test_a_reader_never_sees_a_part(make: Make) -> None:
    store, other = make(), make()
    values = [bytes([64 + number]) * 20_000 for number in range(30)]
    store.put("pulse", values[0])
    over = threading.Event()
    seen: set[bytes] = set()

    def look() -> None:
        while not over.is_set():
            seen.add(other.get("pulse") or b"")

    watcher = threading.Thread(target=look)
    watcher.start()
    for value in values:
        store.put("pulse", value)
    over.set()
    watcher.join()
    assert seen <= set(values)


def test_a_list_has_the_keys_of_a_prefix_in_order(make: Make) -> None:
    store = make()
    names = ["runs/a/1/owner.json", "runs/a/2/owner.json", "runs/a/10/marks/x.json", "runs/ab/1/owner.json", "turns/1"]
    for name in reversed(names):
        store.create(name, b"{}")
    assert store.list("runs/a/") == sorted(names[:3])
    assert store.list("runs/a/", after="runs/a/10/marks/x.json") == names[1:2]
    assert store.list("runs/a/2") == names[1:2]
    assert store.list("turns/", after="turns/1") == []
    assert store.list("nothing/") == []


def test_a_long_list_is_whole(make: Make) -> None:
    store = make()
    names = [f"turns/{number:012d}.json" for number in range(1050)]
    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(lambda name: store.create(name, b"x"), names))
    assert store.list("turns/") == names
    assert store.list("turns/", after=names[1000]) == names[1001:]


@pytest.mark.parametrize("name", ["a", "2026.11.27-1_x", "v1.2.3-rc.1", "A" * 100])
def test_every_run_id_is_a_key(make: Make, name: str) -> None:
    assert make().create(f"runs/{name}/1/owner.json", b"x")
    assert make().list(f"runs/{name}/") == [f"runs/{name}/1/owner.json"]


# What goes wrong


def test_a_directory_that_nobody_may_write_to_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o755)
    with as_nobody(), pytest.raises(ChannelError) as told:
        FolderStore(closed / "x").create("a", b"1")
    assert not isinstance(told.value, SilentError)
    assert "Permission denied; give a directory that all tasks can write to" in str(told.value)


@pytest.fixture
def answering() -> Iterator[Callable[[int, bytes], dict[str, str]]]:
    """A store that answers everything alike."""
    servers: list[ThreadingHTTPServer] = []

    def serve(status: int, body: bytes) -> dict[str, str]:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_HEAD = answer

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return leading_to(f"http://127.0.0.1:{server.server_port}")

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


CALLS: list[Callable[[Store], object]] = [
    lambda store: store.get("a"),
    lambda store: store.put("a", b"1"),
    lambda store: store.create("a", b"1"),
    lambda store: store.list("a/"),
]


@pytest.mark.parametrize(
    ("status", "body", "passing"),
    [
        (403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", False),
        (403, b"<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>", False),
        (404, b"<Error><Code>NoSuchBucket</Code><Message>There is no such bucket</Message></Error>", False),
        (503, b"<Error><Code>SlowDown</Code><Message>Please reduce your rate</Message></Error>", True),
        (429, b"", True),
        (500, b"oops", True),
    ],
)
def test_what_a_store_says_no_with_is_told_apart(
    answering: Callable[[int, bytes], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: bytes,
    passing: bool,
) -> None:
    for name, value in answering(status, body).items():
        monkeypatch.setenv(name, value)
    for call in CALLS:
        with pytest.raises(ChannelError) as told:
            call(ObjectStore(f"s3://{NAME}/x", os.environ))
        assert isinstance(told.value, SilentError) is passing, told.value
        assert "hunter2" not in str(told.value)
        assert "127.0.0.1" not in str(told.value)
        assert "\n" not in str(told.value)


def test_a_store_that_is_away_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in leading_to("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    for call in CALLS:
        with pytest.raises(SilentError):
            call(ObjectStore(f"s3://{NAME}/x", os.environ))


@pytest.mark.parametrize(
    ("url", "why"), [("s3:///x", "which bucket?"), ("az://container/x", "can't be used"), ("s3://", "which bucket?")]
)
def test_a_url_that_leads_nowhere_is_told(url: str, why: str) -> None:
    with pytest.raises(ChannelError, match=why):
        ObjectStore(url, {})


def test_without_obstore_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['obstore'] = None\n"
        "from harness.cli import main\n"
        "sys.exit(main(['status', '--channel', 's3://bucket/x']))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert ran.returncode == 2
    assert "cf-harness[objectstore]" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
