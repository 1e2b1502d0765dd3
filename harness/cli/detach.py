"""`run --detach`: the same run in a process of its own, which outlives the step that started it.

The starter waits until the run has its plan and its place in the channel, or has said why not. Through a pipe of theirs
the run says so (`tell_starter`); if that ends without a word, the run has ended.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.channel.records import Owner
from harness.cli import INCONCLUSIVE, complain
from harness.duty import Meeting
from harness.errors import HarnessError
from harness.report.layout import plain
from harness.run_folder import RunError

_PIPE = "CF_HARNESS_STARTER"  # the pipe's descriptor
_LOG = "CF_HARNESS_LOG"
_TAIL = 20  # lines of a log that say why it ended
_KEPT_ALIVE = {"JENKINS_NODE_COOKIE": "dontKillMe", "BUILD_ID": "dontKillMe"}
"""Jenkins kills what has the build's own cookie in its environment when the build ends (ProcessTreeKiller)."""


class DetachError(HarnessError):
    """It can't go on in the background."""


class Begun(msgspec.Struct, frozen=True):
    """What a run tells its starter."""

    owner: Owner | None = None
    url: str = ""  # of its control API
    taken: str = ""  # another process watches as this run already


def start_detached(meeting: Meeting, runs_dir: Path, words: Sequence[str]) -> int:
    """Start the run that the words describe. Returns 0 once it has begun, or had begun before; else its exit code."""
    if not meeting.awaited or meeting.run_id is None:
        raise DetachError(
            "--detach needs a place where the run is found again: --channel file:///a/dir, or --listen 127.0.0.1:8765"
        )
    log = runs_dir / meeting.run_id / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.log"
    reading, writing = os.pipe()
    environ = {
        **os.environ,
        **_KEPT_ALIVE,
        "CF_HARNESS_RUN_ID": meeting.run_id,
        _PIPE: str(writing),
        _LOG: str(log.absolute()),
    }
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("xb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness", *(word for word in words if word != "--detach")],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                pass_fds=(writing,),
                env=environ,
            )
    except OSError as error:
        raise RunError(f"can't write to {log.parent}: {error.strerror or error}; choose another --runs-dir") from error
    finally:
        os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        line = pipe.readline()
    if not line:
        code = process.wait()
        for said_line in _tail(log):
            complain(said_line)
        return code if code >= 0 else INCONCLUSIVE  # 0: it was skipped
    begun = msgspec.json.decode(line, type=Begun)
    if begun.taken:
        process.wait()
        log.unlink(missing_ok=True)
        print(f"nothing was started: {plain(begun.taken)}", flush=True)
        return 0
    assert begun.owner is not None
    where = f", control API {begun.url}" if begun.url else ""
    print(
        f"started: run {begun.owner.run}, attempt {begun.owner.attempt}, process {begun.owner.pid}{where}\n"
        f"its log: {log}\n"
        f"its verdict: cf-harness stop --channel {begun.url or meeting.channels[0]} --run-id {begun.owner.run}",
        flush=True,
    )
    return 0


def log_of(environ: Mapping[str, str]) -> str:
    """Where this process writes, if it was detached."""
    return environ.get(_LOG, "")


def tell_starter(begun: Begun) -> None:
    """Say once how the start went, if somebody waits for that."""
    descriptor = os.environ.pop(_PIPE, None)
    os.environ.pop(_LOG, None)
    if descriptor is None:
        return
    try:
        with os.fdopen(int(descriptor), "wb") as pipe:
            pipe.write(msgspec.json.encode(begun) + b"\n")
    except OSError:  # the starter has gone
        return


def _tail(log: Path) -> list[str]:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line.removeprefix("cf-harness: ") for line in lines[-_TAIL:] if line.strip()]
