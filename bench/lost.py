"""Nothing lost: SIGKILL of the conductor at random moments.

`python -m bench.lost [--times 50]`. Each time: the report builds, at most half a second of settled ticks is missing, the
verdict is no PASS, and no process is left after three seconds.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import machine
from bench.contender import save
from bench.target import nginx

_RATE = 200


def _alive(pids: list[int]) -> list[int]:
    alive = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            alive.append(pid)
    return alive


def _kill_one(url: str, delay: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "harness", "run", url, "--rate", f"{_RATE}/s", "--yes", "--quiet"]
        process = subprocess.Popen(
            [*command, "--runs-dir", runs, "--run-id", "r"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(delay)
        pids = machine.tree(process.pid)[1:]
        os.kill(process.pid, signal.SIGKILL)
        killed = time.time()
        process.wait()
        deadline = time.monotonic() + 3
        while (left := _alive(pids)) and time.monotonic() < deadline:
            time.sleep(0.05)
        report = subprocess.run(
            [sys.executable, "-m", "harness", "report", "r", "--runs-dir", runs, "--format", "json"],
            capture_output=True,
            text=True,
            check=False,
        )
        result: dict[str, Any] = {"delay": delay, "orphans": len(left), "report_code": report.returncode}
        try:
            verdict = json.loads(report.stdout)
        except ValueError:
            return {**result, "built": False, "error": (report.stderr or report.stdout)[-300:]}
        runner = verdict["runners"][0]
        ended = _epoch(verdict["ended"])
        return {
            **result,
            "built": True,
            "verdict": verdict["verdict"],
            "ready": verdict["ready"] is not None,
            "succeeded": runner["succeeded"],
            "failed": runner["failed"],
            "missing_seconds": killed - ended,
        }


def _epoch(text: str) -> float:
    import datetime

    return datetime.datetime.fromisoformat(text).timestamp()


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=4)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    rows = []
    with nginx(1) as target:
        for number in range(arguments.times):
            row = _kill_one(target.plain, rng.uniform(0.6, 6))
            rows.append(row)
            print(number + 1, row, flush=True)
    built = [row for row in rows if row["built"]]
    summary = {
        "kills": len(rows),
        "built": len(built),
        "passes": sum(row["verdict"] == "pass" for row in built),
        "fails": sum(row["verdict"] == "fail" for row in built),
        "orphans": sum(row["orphans"] for row in rows),
        "worst_missing_seconds": max((row["missing_seconds"] for row in built if row["ready"]), default=None),
    }
    print(summary)
    print(save("lost", {"summary": summary, "rows": rows}))


if __name__ == "__main__":
    main()
