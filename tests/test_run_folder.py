"""Run folders: claimed by one, found by all."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.run_folder import RunError, claim, find_run, new_run_id, write_whole


def test_a_second_attempt_never_overwrites_a_first(tmp_path: Path) -> None:
    assert claim(tmp_path, "r").path == tmp_path / "r" / "1"
    assert claim(tmp_path, "r").path == tmp_path / "r" / "2"


def test_two_that_race_never_share(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: claim(tmp_path, "r"), range(40)))
    assert sorted(folder.attempt for folder in folders) == list(range(1, 41))


def test_an_id_is_made_where_none_is_given(tmp_path: Path) -> None:
    assert re.fullmatch(r"20260102T030405Z-[a-z]{4}", new_run_id(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)))
    assert claim(tmp_path, None).run != claim(tmp_path, None).run


@pytest.mark.parametrize("run", ["", ".", "..", "a/b", "-x", "a b", "x" * 101, "ä", "a\n", "a\0"])
def test_ids_that_are_no_names(tmp_path: Path, run: str) -> None:
    with pytest.raises(RunError, match="can't be a run's id"):
        claim(tmp_path, run)


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for runs in (tmp_path / "file", Path("/proc/runs")):
        with pytest.raises(RunError, match=r"can't write the run to .*; choose another folder"):
            claim(runs, "r")


def test_a_disk_that_is_mounted_read_only(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "none", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs to mount")
    try:
        with pytest.raises(RunError, match="Read-only file system"):
            claim(tmp_path, "r")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_runs_are_found_by_id_and_by_path(tmp_path: Path) -> None:
    folders = [claim(tmp_path, "r") for _ in range(11)]
    for folder in folders:
        folder.journal.touch()
    assert find_run(tmp_path, "r") == folders[10]
    assert find_run(tmp_path, str(tmp_path / "r")) == folders[10]
    for path in (tmp_path / "r" / "3", tmp_path / "r" / "3" / "journal.sqlite"):
        found = find_run(tmp_path, str(path))
        assert (found.path, found.run, found.attempt) == (tmp_path / "r" / "3", "r", 3)


def test_runs_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"there is no run 'x' under .*, which is empty"):
        find_run(tmp_path, "x")
    with pytest.raises(RunError, match="which does not exist"):
        find_run(tmp_path / "no", "x")
    claim(tmp_path, "first")
    with pytest.raises(RunError, match="; there is first"):
        find_run(tmp_path, "x")
    with pytest.raises(RunError, match=r"there is no journal\.sqlite in"):
        find_run(tmp_path, str(tmp_path))


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_whole(tmp_path / "f", b"old")
    write_whole(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "folder"]
