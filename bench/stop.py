"""The stop: within five seconds against a target that stalls with a time-out of thirty, and never a PASS.

`python -m bench.stop [--times 100] [--side-by-side 4]`. The target answers until the run is ready, then stands still;
TERM comes a moment later. Several runs go side by side, since each spends its time waiting.
"""

import argparse
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.claims import Claim, conclude
from bench.contender import Running, plan
from bench.faulty import Faulty

_RATE = 20
_LIMIT = 5.0  # seconds
_STALLED = 0.1  # seconds before the TERM at least: two ticks that nobody answers


def _stop_one(number: int) -> dict[str, Any]:
    stalled_for = _STALLED + (number % 10) * 0.2
    with tempfile.TemporaryDirectory() as name, Faulty() as target:
        folder = Path(name)
        with Running(plan(folder, target.url, _RATE, timeout="30s"), folder) as run:
            target.await_requests(5 * _RATE + number % 17)
            target.say("stall")
            time.sleep(stalled_for)
            asked = time.monotonic()
            run.send(signal.SIGTERM)
            verdict = run.verdict()
            took = time.monotonic() - asked
    return {
        "stalled_for": stalled_for,
        "seconds": took,
        "code": verdict["exit_code"],
        "verdict": verdict["verdict"],
        "ready": verdict["ready"] is not None,
    }


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--side-by-side", type=int, default=4)
    arguments = parser.parse_args()
    rows = []
    with ThreadPoolExecutor(arguments.side_by_side) as pool:
        for row in pool.map(_stop_one, range(arguments.times)):
            rows.append(row)
            print(len(rows), row, flush=True)
    times = len(rows)
    slowest = max(row["seconds"] for row in rows)
    quick = sum(row["seconds"] <= _LIMIT for row in rows)
    counts = {name: sum(row["verdict"] == name for row in rows) for name in ("pass", "fail", "inconclusive")}
    ready = sum(row["ready"] for row in rows)
    shown = ", ".join(f"{count} {name.upper()}" for name, count in counts.items() if count)
    claims = [
        Claim(
            "verdict within 5 s of the TERM", f"{times} of {times}", f"{quick}, slowest {slowest:.2f} s", quick == times
        ),
        Claim("no PASS", "0", shown, counts["pass"] == 0),
        Claim("runs that were ready before", f"{times}", f"{ready}", ready == times),
    ]
    conclude("stop", claims, {"verdicts": counts, "slowest_seconds": slowest, "rows": rows})


if __name__ == "__main__":
    main()
