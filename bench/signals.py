"""Each CI system's way of killing: the verdict lies in the run's folder and in its channel before the KILL, against a
target that stands still.

`python -m bench.signals [--times 100] [--side-by-side 4] [--way NAME]`. A run with a `file://` channel is started
through the shell that the system uses; once it watches, the target stalls, and a moment later the job is aborted. What
is written is looked at just before the KILL, which goes to all that is left.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench import machine
from bench.claims import Claim, conclude
from bench.faulty import Faulty
from harness.channel.folder import FolderStore
from harness.channel.pipeline import StorePipeline
from harness.channel.process import Process, is_gone
from harness.cli.met import Met

_RATE = 20
_STALLED = 0.1  # seconds before the abort at least: two ticks that nobody answers
_EVERY = 0.01  # seconds between looks
_OTHERS = 10  # times that a way is tried that can't work


class Abort(NamedTuple):
    """What a CI system does to a job, from the first signal on; seconds after that one."""

    signals: tuple[tuple[float, signal.Signals], ...]
    kill: float
    whom: Callable[[int], list[int]]


class Way(NamedTuple):
    """A system, and the shell through which it runs the harness: words before the program's own, or a script."""

    name: str
    shell: tuple[str, ...]
    script: str
    abort: Abort
    heard: bool  # the signal reaches the harness


def _leader(pid: int) -> list[int]:
    return [pid]


_CONCOURSE = Abort(((0.0, signal.SIGTERM),), 10.0, _leader)
_GITHUB = Abort(((0.0, signal.SIGINT), (7.5, signal.SIGTERM)), 10.0, _leader)
_GITLAB = Abort(((0.0, signal.SIGTERM),), 10.0, _leader)  # its grace is longer where nobody shortened it
_JENKINS = Abort(((0.0, signal.SIGTERM),), 10.0, machine.tree)

_EXEC = 'exec "$@"\n'
_PLAIN = '"$@"\necho over\n'
_PASSED_ON = """\
"$@" &
run=$!
trap 'kill -TERM $run' TERM INT
wait $run; wait $run
"""

WAYS = (
    Way("Concourse, sh -c 'exec …'", ("sh", "-ec"), _EXEC, _CONCOURSE, heard=True),
    Way("GitHub, bash with exec", ("bash", "-e"), _EXEC, _GITHUB, heard=True),
    Way("GitLab, bash with exec", ("bash", "-e"), _EXEC, _GITLAB, heard=True),
    Way("GitLab, bash that passes TERM on", ("bash",), _PASSED_ON, _GITLAB, heard=True),
    Way("Jenkins, sh, TERM to the tree", ("sh", "-e"), _PLAIN, _JENKINS, heard=True),
    Way("Concourse, sh without exec", ("sh", "-ec"), _PLAIN, _CONCOURSE, heard=False),
    Way("GitHub, bash without exec", ("bash", "-e"), _PLAIN, _GITHUB, heard=False),
    Way("GitLab, bash without exec", ("bash", "-e"), _PLAIN, _GITLAB, heard=False),
)


def _job(way: Way, folder: Path, url: str) -> "subprocess.Popen[bytes]":
    """The system's shell at work, as the leader of its own process group."""
    plan = {
        "runners": [{"name": "app", "url": url, "rate": f"{_RATE}/s", "timeout": "30s"}],
        "baseline": "2s",
        "ready_timeout": "60s",
    }
    (folder / "plan.yml").write_text(json.dumps(plan))
    command = [sys.executable, "-m", "harness", "run", str(folder / "plan.yml"), "--quiet", "--run-id", "r"]
    command += ["--runs-dir", str(folder / "runs"), "--channel", (folder / "channel").as_uri()]
    if way.shell[-1].endswith("c"):
        words = [*way.shell, way.script, "task", *command]
    else:
        (folder / "script").write_text(way.script)
        words = [*way.shell, str(folder / "script"), *command]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _abort(way: Way, job: "subprocess.Popen[bytes]", written: Callable[[], tuple[bool, bool]]) -> tuple[float, float]:
    """Do it. Returns after how many seconds the folder and the channel had the verdict; infinity: not before the
    KILL."""
    begun = time.monotonic()
    left = list(way.abort.signals)
    at = [float("inf")] * 2
    while (now := time.monotonic() - begun) < way.abort.kill:
        if left and now >= left[0][0]:
            _, number = left.pop(0)
            for pid in way.abort.whom(job.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        for index, there in enumerate(written()):
            if there:
                at[index] = min(at[index], time.monotonic() - begun)
        if job.poll() is not None and all(value < float("inf") for value in at):
            break
        time.sleep(_EVERY)
    return at[0], at[1]


def _kill(job: "subprocess.Popen[bytes]", harness: Process | None) -> None:
    """All that is left of it, also what lost its parent."""
    left = machine.tree(harness.pid) if harness is not None and not is_gone(harness) else []
    for one in {*machine.tree(job.pid), *left}:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    job.wait()
    while harness is not None and not is_gone(harness):
        time.sleep(_EVERY)


def _try_one(way: Way, number: int) -> dict[str, Any]:
    stalled_for = _STALLED + (number % 10) * 0.2
    with tempfile.TemporaryDirectory() as name, Faulty() as target:
        folder = Path(name)
        channel = StorePipeline(FolderStore(folder / "channel"))
        job = _job(way, folder, target.url)
        harness: Process | None = None
        try:
            harness = _await_watching(channel, job, folder)
            time.sleep((number % 7) * 0.1)
            target.say("stall")
            time.sleep(stalled_for)
            to_folder, to_channel = _abort(
                way,
                job,
                lambda: (
                    (folder / "runs/r/1/verdict.json").exists(),
                    (folder / "channel/runs/r/1/ended.json").exists(),
                ),
            )
        finally:
            _kill(job, harness)
        gate = Met(channel, "r").gate()
    return {
        "way": way.name,
        "stalled_for": stalled_for,
        "folder_after": to_folder if to_folder < float("inf") else None,
        "channel_after": to_channel if to_channel < float("inf") else None,
        "outcome": gate.attempts[0].outcome,
        "gate": gate.exit_code,
    }


def _await_watching(channel: StorePipeline, job: "subprocess.Popen[bytes]", folder: Path) -> Process | None:
    """The harness's process, once it watches. Raises RuntimeError."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and job.poll() is None:
        state = channel.look("r", 1)
        if state.pulse is not None and state.pulse.state == "watching":
            return state.process
        time.sleep(_EVERY)
    raise RuntimeError(f"it never watched: {(folder / 'log').read_text()[-2000:]}")


def _claims(way: Way, rows: list[dict[str, Any]]) -> list[Claim]:
    times = len(rows)
    outcomes = Counter(row["outcome"] for row in rows)
    shown = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    passes = sum(row["gate"] == 0 for row in rows)
    if not way.heard:
        claim = Claim(f"{way.name}: killed unheard, the gate stays shut", f"{times}", shown, passes == 0)
        return [claim]
    there = [row for row in rows if row["folder_after"] is not None and row["channel_after"] is not None]
    slowest = max((row["channel_after"] for row in there), default=0.0)
    return [
        Claim(
            f"{way.name}: verdict in folder and channel before the KILL",
            f"{times} of {times}",
            f"{len(there)}, slowest {slowest:.2f} s",
            len(there) == times,
        ),
        Claim(f"{way.name}: no pass", "0", shown, passes == 0),
    ]


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--side-by-side", type=int, default=4)
    parser.add_argument("--way", help="only those whose name has this in it")
    arguments = parser.parse_args()
    claims: list[Claim] = []
    rows: list[dict[str, Any]] = []
    for way in WAYS:
        if arguments.way and arguments.way not in way.name:
            continue
        times = arguments.times if way.heard else min(_OTHERS, arguments.times)
        with ThreadPoolExecutor(arguments.side_by_side) as pool:
            here = list(pool.map(lambda number, way=way: _try_one(way, number), range(times)))
        for row in here:
            print(row, flush=True)
        rows += here
        claims += _claims(way, here)
    conclude("signals", claims, {"rows": rows})


if __name__ == "__main__":
    main()
