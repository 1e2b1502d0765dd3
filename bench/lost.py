"""Nothing lost: SIGKILL of the conductor at random moments, and everything that may befall a run besides.

`python -m bench.lost [--kills 50] [--times 10] [--side-by-side 3]`. After each kill the report must build, at most half
a second of settled ticks may be missing from it, it is no PASS, and no process is left after three seconds. The moments
are random from the one on at which the run's journal exists. `bench.disturbed` holds the other ordeals.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench import machine
from bench.claims import Claim, conclude
from bench.contender import Running, plan
from bench.disturbed import ORDEALS, claims_of
from bench.evidence import last_settled
from bench.faulty import Faulty
from harness.run import ledger_of

_RATE = 200
_MISSING = 0.5  # seconds
_ORPHANS = 3.0  # seconds after which nobody is left


def _kill_one(number: int, delay: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, Faulty() as target:
        folder = Path(name)
        with Running(plan(folder, target.url, _RATE), folder) as run:
            journal = run.await_journal()
            time.sleep(delay)
            pids = machine.tree(run.pid)[1:]
            os.kill(run.pid, signal.SIGKILL)
            killed = time.monotonic()
            run.wait()
            deadline = killed + _ORPHANS
            while (left := machine.alive(pids)) and time.monotonic() < deadline:
                time.sleep(0.05)
            gone = time.monotonic() - killed
            report = [sys.executable, "-m", "harness", "report", "r", "--runs-dir", name, "--format", "json"]
            done = subprocess.run(report, capture_output=True, text=True, check=False)
            row: dict[str, Any] = {
                "delay": delay,
                "orphans": len(left),
                "gone_after": gone,
                "code": done.returncode,
                "traceback": "Traceback" in done.stderr,
            }
            try:
                verdict = json.loads(done.stdout)
            except ValueError:
                return {**row, "built": False, "error": (done.stderr or done.stdout)[-300:]}
            settled = last_settled(ledger_of(journal))
        return {
            **row,
            "built": True,
            "verdict": verdict["verdict"],
            "ready": verdict["ready"] is not None,
            "failed": sum(runner["failed"] for runner in verdict["runners"]),
            "missing": None if settled is None else killed - settled,
            "reason": verdict["reasons"][0] if verdict["reasons"] else "",
        }


def _kill_claims(rows: list[dict[str, Any]]) -> list[Claim]:
    times = len(rows)
    built = [row for row in rows if row["built"]]
    missing = [row["missing"] for row in built if row["missing"] is not None]
    verdicts = {name: sum(row["verdict"] == name for row in built) for name in ("pass", "fail", "inconclusive")}
    orphans = sum(row["orphans"] for row in rows)
    worst = max(missing, default=0.0)
    slowest = max(row["gone_after"] for row in rows)
    ready = sum(row["ready"] for row in built)
    told = ", ".join(f"{count} {name.upper()}" for name, count in verdicts.items() if count)
    what = "conductor killed"
    return [
        Claim(
            f"{what}: the report builds",
            f"{times} of {times}",
            f"{len(built)} ({ready} were ready)",
            len(built) == times,
        ),
        Claim(f"{what}: settled ticks missing", "<= 0.5 s", f"{worst:.2f} s at most", worst <= _MISSING),
        Claim(f"{what}: no PASS, no wrong FAIL", "0", told, not verdicts["pass"] and not verdicts["fail"]),
        Claim(f"{what}: orphans after 3 s", "0", f"{orphans}, all gone after {slowest:.2f} s", orphans == 0),
    ]


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--times", type=int, default=10, help="each of the other ordeals")
    parser.add_argument("--side-by-side", type=int, default=3)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--only", default="", help="ordeals whose name begins so; then nobody is killed")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    kills: list[dict[str, Any]] = []
    claims: list[Claim] = []
    ordeals: dict[str, list[dict[str, Any]]] = {}
    with ThreadPoolExecutor(arguments.side_by_side) as pool:
        if not arguments.only:
            delays = [rng.uniform(0, 6) for _ in range(arguments.kills)]
            for row in pool.map(_kill_one, range(arguments.kills), delays):
                kills.append(row)
                print(len(kills), row, flush=True)
            claims += _kill_claims(kills)
        for name, ordeal in ORDEALS.items():
            if not name.startswith(arguments.only):
                continue
            seeds = [f"{arguments.seed}/{name}/{number}" for number in range(arguments.times)]
            ordeals[name] = []
            for row in pool.map(ordeal.once, seeds):
                ordeals[name].append(row)
                print(name, row, flush=True)
            claims += claims_of(name, ordeal, ordeals[name])
    conclude("lost", claims, {"seed": arguments.seed, "kills": kills, "ordeals": ordeals})


if __name__ == "__main__":
    main()
