"""The durable record of one attempt at one run: what the workers said and what the conductor noted, in SQLite.

Here is the writing: a thread of its own, a commit a batch, never blocking the loop that feeds it. `harness.recording`
reads what this leaves behind, also after the process was killed. The death of the machine is not promised for
(`synchronous=NORMAL`, https://sqlite.org/pragma.html#pragma_synchronous).
"""

import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.brief import Brief
from harness.errors import HarnessError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x63666861  # "cfha": tells our files from other SQLite databases
QUEUED_BYTES = 64 * 1024 * 1024  # frames waiting for a stuck disk; beyond it they are dropped, and the run can't pass
RETRY_EVERY = 0.5  # seconds between attempts while the disk refuses
CLOSE_WITHIN = 1.5  # seconds that a stuck disk is waited for at the end: the whole stop has five

_TABLES = f"""
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE frames (
    id INTEGER PRIMARY KEY, runner TEXT NOT NULL, shard INTEGER NOT NULL, incarnation INTEGER NOT NULL,
    seq INTEGER NOT NULL, line BLOB NOT NULL, UNIQUE (runner, shard, incarnation, seq)
);
CREATE TABLE events (id INTEGER PRIMARY KEY, line BLOB NOT NULL);
"""
_INSERT_FRAME = "INSERT OR IGNORE INTO frames VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_EVENT = "INSERT INTO events VALUES (?, ?)"


class JournalError(HarnessError):
    """A journal that can't be written or read: what, where, and what to do."""


class _Entry(NamedTuple):
    """One row to be; `id` orders frames and events among each other."""

    id: int
    size: int
    sql: str
    values: tuple[Any, ...]


class Journal:
    """Writes one attempt's record. The creator closes it. `frame` and `event` may be called from any thread."""

    def __init__(self, path: Path, brief: Brief, plan: Mapping[str, Any]) -> None:
        """Create the file, with what a report needs besides frames. Raises JournalError if that fails."""
        self._path = path
        self._connection = _create(path, brief, plan)
        self._wake = threading.Condition()
        self._queue: deque[_Entry] = deque()
        self._queued = 0
        self._next = 1
        self._dropped = 0
        self._closing = False
        self._trouble = ""
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """The first thing that went wrong with writing; empty while all is well."""
        return self._trouble

    def frame(self, runner: str, shard: int, incarnation: int, seq: int, line: bytes) -> None:
        """Keep a worker's line. Never blocks: beyond the bound it is dropped, and `trouble` says so."""
        with self._wake:
            if self._queued + len(line) > QUEUED_BYTES:
                self._dropped += 1
                self._trouble = self._trouble or f"the journal {self._path} can't keep up: frames were dropped"
                return
            self._append(len(line), _INSERT_FRAME, (runner, shard, incarnation, seq, line))

    def event(self, line: bytes) -> None:
        """Keep an event; they are few, and never dropped."""
        with self._wake:
            self._append(len(line), _INSERT_EVENT, (line,))

    def close(self) -> str:
        """Write what is queued, end as a single file. Returns `trouble`. Takes at most two seconds on a stuck disk."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(CLOSE_WITHIN + 0.5)
        if self._thread.is_alive():
            self._trouble = self._trouble or f"the disk under {self._path} did not answer at the end"
        return self._trouble

    def _append(self, size: int, sql: str, values: tuple[Any, ...]) -> None:
        self._queue.append(_Entry(self._next, size, sql, (self._next, *values)))
        self._next += 1
        self._queued += size
        self._wake.notify()

    def _write(self) -> None:
        """The thread: commit what is queued; keep and retry what the disk refuses."""
        give_up_at: float | None = None
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                batch = list(self._queue)
                if self._closing and give_up_at is None:
                    give_up_at = time.monotonic() + CLOSE_WITHIN
            if not batch:
                break
            try:
                self._commit(batch)
            except sqlite3.Error as error:
                self._trouble = self._trouble or f"the journal {self._path} can't be written: {error}"
                if give_up_at is not None and time.monotonic() + RETRY_EVERY > give_up_at:
                    break
                with self._wake:
                    self._wake.wait(RETRY_EVERY)
                continue
            with self._wake:
                for entry in batch:
                    self._queue.popleft()
                    self._queued -= entry.size
        self._finish()

    def _commit(self, batch: list[_Entry]) -> None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for entry in batch:
                connection.execute(entry.sql, entry.values)
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _finish(self) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:  # readable all the same, with its -wal beside it
            self._trouble = self._trouble or f"the journal {self._path} could not be made a single file: {error}"
        try:
            self._connection.close()
        except sqlite3.Error as error:
            self._trouble = self._trouble or f"the journal {self._path} could not be closed: {error}"


def _create(path: Path, brief: Brief, plan: Mapping[str, Any]) -> sqlite3.Connection:
    meta = {
        "schema": str(SCHEMA_VERSION),
        "run": brief.run,
        "attempt": str(brief.attempt),
        "brief": msgspec.json.encode(brief).decode(),
        "plan": json.dumps(plan),
    }
    try:
        # Exclusively: a journal is never written twice. The thread takes the connection over, nobody else uses it then.
        path.open("xb").close()
        connection = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(f"BEGIN; {_TABLES} COMMIT;")
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"the journal {path} can't be created: {error}; choose another folder for runs") from error
    return connection
