"""The journal as it is written, read, damaged, left behind, and refused by its disk."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness import journal as writing
from harness.brief import Brief
from harness.events import Problem, Ready
from harness.frames import Frame, encode_message
from harness.journal import Journal, JournalError
from harness.recording import Said, open_journal

BRIEF = Brief(run="r", attempt=2, version="0", python="3", runners=(), objectives=())
ROOT = Path(__file__).parent.parent


def frame(seq: int) -> bytes:
    return encode_message(Frame(seq=seq, at=seq / 4))


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def count(path: Path) -> int:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return int(connection.execute("SELECT count(*) FROM frames").fetchone()[0])


def written(path: Path, frames: int = 3) -> Path:
    journal = Journal(path, BRIEF, {"a": 1})
    for seq in range(1, frames + 1):
        journal.frame("app", 0, 0, seq, frame(seq))
    assert journal.close() == ""
    return path


def test_what_is_written_is_read_in_its_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j?100%.sqlite", BRIEF, {"runners": ["ä"]})
    journal.frame("app", 0, 0, 1, frame(1))
    journal.event(msgspec.json.encode(Ready(at=2.0)))
    journal.frame("app", 0, 0, 2, frame(2))
    journal.frame("app", 0, 0, 2, frame(2))  # said twice, kept once
    assert journal.close() == ""
    with open_journal(tmp_path / "j?100%.sqlite") as recording:
        assert recording.brief == BRIEF
        assert recording.plan == {"runners": ["ä"]}
        first, ready, second = recording.entries()
    assert isinstance(first, Said)
    assert isinstance(second, Said)
    assert first[:3] == ("app", 0, 0)
    assert ready == Ready(at=2.0)
    assert isinstance(second.message, Frame)
    assert second.message.seq == 2
    assert [path.name for path in tmp_path.iterdir()] == ["j?100%.sqlite"]


def test_a_journal_is_never_written_twice(tmp_path: Path) -> None:
    written(tmp_path / "j")
    with pytest.raises(JournalError, match=r"can't be created.*exists"):
        Journal(tmp_path / "j", BRIEF, {})


def test_reading_while_it_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", BRIEF, {})
    try:
        journal.frame("app", 0, 0, 1, frame(1))
        wait_until(lambda: count(tmp_path / "j") == 1)
        with open_journal(tmp_path / "j") as recording:
            assert len(list(recording.entries())) == 1
    finally:
        journal.close()


LEFT_BEHIND = """
import os, sys
from pathlib import Path
from tests.test_journal import BRIEF, Journal, count, frame, wait_until
journal = Journal(Path(sys.argv[1]), BRIEF, {})
for seq in range(1, 51):
    journal.frame("app", 0, 0, seq, frame(seq))
wait_until(lambda: count(Path(sys.argv[1])) == 50)
os.kill(os.getpid(), 9)
"""


def left_behind(path: Path) -> None:
    """A journal whose writer was killed: a write-ahead log lies beside it."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", LEFT_BEHIND, str(path)], env=environ, check=False).returncode == -9
    assert path.with_name(path.name + "-wal").stat().st_size > 0


def test_an_interrupted_journal_is_read(tmp_path: Path) -> None:
    left_behind(tmp_path / "j")
    for _ in range(2):
        with open_journal(tmp_path / "j") as recording:
            assert len(list(recording.entries())) == 50


def test_an_interrupted_journal_is_read_from_a_read_only_medium(tmp_path: Path) -> None:
    left_behind(tmp_path / "j")
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=False).returncode:
        pytest.skip("needs to mount")
    try:
        for name in ("j", "j-wal"):
            shutil.copy(tmp_path / name, disk / name)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with open_journal(disk / "j") as recording:
            assert len(list(recording.entries())) == 50
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_journal_from_a_newer_version(tmp_path: Path) -> None:
    path = written(tmp_path / "j")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '3' WHERE key = 'schema'")
    connection.close()
    with pytest.raises(JournalError, match=r"written by a newer version \(schema 3, this one reads 1\): update cf-har"):
        open_journal(path)


def damage_header(path: Path) -> None:
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def damage_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = os.urandom(64)
    path.write_bytes(data)


def truncate(path: Path) -> None:
    os.truncate(path, 5000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("runners:\n" * 1000)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def remove(path: Path) -> None:
    path.unlink()


def foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()


def without_brief(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'brief'")
    connection.close()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (damage_header, "damaged: file is not a database"),
        (damage_middle, "damaged"),
        (truncate, "damaged"),
        (empty, "no journal of cf-harness"),
        (text, "damaged: file is not a database"),
        (folder, "is a folder, not a journal"),
        (remove, "there is no journal at"),
        (foreign, "no journal of cf-harness"),
        (without_brief, "damaged: its description does not read"),
    ],
)
def test_what_can_not_be_read_is_told(tmp_path: Path, harm: Callable[[Path], None], says: str) -> None:
    path = written(tmp_path / "j", 200)
    harm(path)
    with pytest.raises(JournalError, match=says):
        open_journal(path)


def test_an_entry_that_does_not_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", BRIEF, {})
    journal.event(b"{}")
    journal.close()
    with open_journal(tmp_path / "j") as recording, pytest.raises(JournalError, match="entry 1 does not read"):
        list(recording.entries())


def test_a_damaged_column_is_no_text(tmp_path: Path) -> None:
    """And what SQLite says of a damage, line by line, is one message."""
    path = written(tmp_path / "j", 1)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE frames SET line = 5")
    connection.close()
    with open_journal(path) as recording, pytest.raises(JournalError, match="entry 1 does not read"):
        list(recording.entries())
    path = written(tmp_path / "k", 200)
    damage_middle(path)
    with pytest.raises(JournalError) as raised:
        open_journal(path)
    assert len(str(raised.value).splitlines()) == 1


def test_an_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="can't be created"):
        Journal(tmp_path / "no" / "j", BRIEF, {})
    with pytest.raises(JournalError, match="can't be created"):
        Journal(Path("/proc/j"), BRIEF, {})


def test_a_disk_that_can_not_keep_up_never_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process holds the database: what exceeds the bound is dropped and said, the rest is written later."""
    monkeypatch.setattr(writing, "QUEUED_BYTES", 10_000)
    path = tmp_path / "j"
    journal = Journal(path, BRIEF, {})
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    for seq in range(1, 1001):
        journal.frame("app", 0, 0, seq, frame(seq))
    journal.event(msgspec.json.encode(Problem(at=1.0, text="x", spoils=True)))
    assert time.monotonic() - begun < 0.5
    assert "can't keep up: frames were dropped" in journal.trouble
    blocker.execute("ROLLBACK")
    blocker.close()
    assert "frames were dropped" in journal.close()
    with open_journal(path) as recording:
        entries = list(recording.entries())
    assert 10 < len(entries) < 1000
    assert isinstance(entries[-1], Problem)


def test_a_full_disk_that_is_mended(tmp_path: Path) -> None:
    """What the disk refused is kept and written once there is room; that there was trouble stays known."""
    path = tmp_path / "j"
    journal = Journal(path, BRIEF, {})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        line = encode_message(Frame(seq=1, at=0, problems=["x" * 1000]))
        for seq in range(1, 501):
            journal.frame("app", 0, 0, seq, line)
        wait_until(lambda: journal.trouble)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "can't be written" in journal.trouble
    assert "can't be written" in journal.close()
    with open_journal(path) as recording:
        assert len(list(recording.entries())) == 500


def test_a_full_disk_that_stays_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs to mount")
    try:
        journal = Journal(disk / "j", BRIEF, {})
        line = encode_message(Frame(seq=1, at=0, problems=["x" * 1000]))
        for seq in range(1, 1001):
            journal.frame("app", 0, 0, seq, line)
        wait_until(lambda: journal.trouble)
        begun = time.monotonic()
        assert "full" in journal.close()
        assert time.monotonic() - begun < 2.5
        with open_journal(disk / "j") as recording:
            list(recording.entries())
    finally:
        subprocess.run(["umount", str(disk)], check=True)
