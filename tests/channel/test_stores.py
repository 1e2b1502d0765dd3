"""Every carrier that keeps things keeps them in the same way: a directory, a directory without hard links, a bucket."""

import errno
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.channel.folder import FolderStore
from harness.channel.objects import ObjectStore
from harness.channel.store import ChannelError, SilentError, Store
from tests.channel.bucket import NAME
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


CHILD = """
import errno, os, sys
from harness.channel.address import open_store

url, linked, me = sys.argv[1:]
if not int(linked):
    def refused(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    os.link = refused
store = open_store(url, os.environ)
store.get("warm")
print("here", flush=True)
sys.stdin.readline()
print(*[int(store.create(f"turns/{number}", me.encode())) for number in range(25)])
"""


def test_of_several_processes_that_create_one_does(make: Make, request: pytest.FixtureRequest) -> None:
    linked = "without" not in request.node.callspec.id
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, make().name, str(int(linked)), str(me)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in range(5)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "here\n"
        said = [child.communicate()[0].split() for child in _let_go(children)]
    finally:
        for child in children:
            child.kill()
            child.wait()
    for number in range(25):
        (winner,) = [me for me, created in enumerate(said) if created[number] == "1"]
        assert make().get(f"turns/{number}") == b"%d" % winner


def _let_go(children: list["subprocess.Popen[str]"]) -> list["subprocess.Popen[str]"]:
    """All at once, before the first is waited for."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return children


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
