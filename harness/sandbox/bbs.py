"""What Diego knows of the app's instances: a file for each, which the instance holds locked as long as it lives.

The lock goes with the process, however it ends (flock(2)), so nobody has to be told of a death. Instances write,
Cloud Controllers read.
"""

import fcntl
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

_LENGTH = 200  # bytes of a file

State = Literal["STARTING", "RUNNING", "CRASHED", "STOPPING", "DOWN"]


@dataclass(frozen=True)
class Instance:
    """One instance, as it is now."""

    index: int
    state: State
    guid: str = ""  # a new one with each start; empty where there is none
    since: float = 0.0  # Unix seconds


class _Line(msgspec.Struct, frozen=True):
    guid: str
    since: float
    stopping: bool


class Report:
    """An instance's own word. Raises OSError where the file can't be had."""

    def __init__(self, folder: Path, index: int) -> None:
        self._file = os.open(_path(folder, index), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._guid = str(uuid.uuid4())
        fcntl.flock(self._file, fcntl.LOCK_EX)
        os.ftruncate(self._file, 0)

    def run(self) -> None:
        """It serves from now on."""
        self._write(_Line(self._guid, time.time(), stopping=False))

    def stop(self) -> None:
        """It was told to end."""
        self._write(_Line(self._guid, time.time(), stopping=True))

    def close(self) -> None:
        """It has ended."""
        os.close(self._file)

    def _write(self, line: _Line) -> None:
        os.pwrite(self._file, msgspec.json.encode(line).ljust(_LENGTH), 0)  # in one piece, for who reads meanwhile


def read_instance(folder: Path, index: int) -> Instance:
    """Look an instance up. One that ended without having been told to has crashed; one that was told is DOWN then."""
    try:
        file = os.open(_path(folder, index), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it has never been
        return Instance(index, "DOWN")
    try:
        alive = not _lock(file)
        data = os.pread(file, _LENGTH, 0)
    finally:
        os.close(file)
    if not data:
        return Instance(index, "STARTING" if alive else "CRASHED")
    line = msgspec.json.decode(data, type=_Line)
    if alive:
        return Instance(index, "STOPPING" if line.stopping else "RUNNING", line.guid, line.since)
    return Instance(index, "DOWN") if line.stopping else Instance(index, "CRASHED", line.guid, line.since)


def _lock(file: int) -> bool:
    """Whether nobody holds it; what is taken is given back when the file closes."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _path(folder: Path, index: int) -> Path:
    return folder / f"app-{index}.instance"
