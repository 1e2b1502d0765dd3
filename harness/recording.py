"""Reading a journal: a finished one, one that is still being written, and one that a killed process left behind.

Nothing here changes the journal. Where SQLite must write (recovering a write-ahead log on a read-only medium) a copy
serves.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from harness.brief import Brief, decode_brief
from harness.events import Event, decode_event
from harness.frames import Message, decode_message
from harness.journal import APPLICATION_ID, SCHEMA_VERSION, JournalError

_ENTRIES = """
SELECT id, runner, shard, incarnation, line FROM frames
UNION ALL SELECT id, NULL, NULL, NULL, line FROM events ORDER BY id
"""


class Said(NamedTuple):
    """What a worker said."""

    runner: str
    shard: int
    incarnation: int
    message: Message


class Recording:
    """An open journal. Close it, or use it as a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, resources: ExitStack, meta: dict[str, str]) -> None:
        self.path = path
        self._connection = connection
        self._resources = resources
        try:
            self.brief: Brief = decode_brief(meta["brief"].encode())
            self.plan: dict[str, Any] = msgspec.json.decode(meta["plan"], type=dict[str, Any])
        except (KeyError, msgspec.MsgspecError) as error:
            raise _damaged(path, f"its description does not read: {error}") from error

    def entries(self) -> Iterator[Said | Event]:
        """Everything, in the order in which the conductor took it. Raises JournalError where it is damaged."""
        try:
            for number, runner, shard, incarnation, line in self._connection.execute(_ENTRIES):
                try:
                    if runner is None:
                        yield decode_event(line)
                    else:
                        yield Said(runner, shard, incarnation, decode_message(line))
                except (msgspec.MsgspecError, TypeError) as error:  # TypeError: a damaged column is no text at all
                    raise _damaged(self.path, f"entry {number} does not read: {error}") from error
        except sqlite3.Error as error:
            raise _damaged(self.path, str(error)) from error

    def close(self) -> None:
        """Let go of the file."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_journal(path: Path) -> Recording:
    """Open a journal for reading, its integrity checked. Raises JournalError: missing, damaged, foreign, newer."""
    if path.is_dir():
        raise JournalError(f"{path} is a folder, not a journal: give a run's folder, its id, or its journal.sqlite")
    if not path.exists():
        raise JournalError(f"there is no journal at {path}")
    with ExitStack() as resources:
        connection = _connect(path, resources)
        try:
            meta = _check(path, connection)
        except sqlite3.Error as error:
            raise _damaged(path, str(error)) from error
        return Recording(path, connection, resources.pop_all(), meta)


def _connect(path: Path, resources: ExitStack) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    resources.callback(connection.close)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection
    except sqlite3.OperationalError:
        # A write-ahead log needs a -shm file beside it, which a read-only medium refuses: recover a copy
        # (https://sqlite.org/wal.html#read_only_databases).
        try:
            folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="cf-harness-")))
            copy = folder / "journal.sqlite"
            shutil.copyfile(path, copy)
            log = path.with_name(path.name + "-wal")
            if log.exists():
                shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
        except OSError as error:
            raise JournalError(f"the journal {path} can't be read: {error}") from error
        copied = sqlite3.connect(copy, isolation_level=None)
        resources.callback(copied.close)
        return copied
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error


def _check(path: Path, connection: sqlite3.Connection) -> dict[str, str]:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise JournalError(f"{path} is no journal of cf-harness")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(path, found)
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    schema = meta.get("schema", "")
    if not (schema.isascii() and schema.isdigit()):
        raise _damaged(path, f"its schema version is {schema!r}")
    if int(schema) > SCHEMA_VERSION:
        raise JournalError(
            f"{path} was written by a newer version (schema {schema}, this one reads {SCHEMA_VERSION}): "
            "update cf-harness"
        )
    return meta


def _damaged(path: Path, why: str) -> JournalError:
    why = " ".join(why.split())  # SQLite's findings come as several lines
    return JournalError(f"the journal {path} is damaged: {why}; nothing can be reported from it")
