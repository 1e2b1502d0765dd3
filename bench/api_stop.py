"""The stop of API runners: within five seconds with every call stalled and a deadline of a minute, and never a PASS.

`python -m bench.api_stop [--times 40] [--side-by-side 2]`. The platform answers until the run is ready; then every
Cloud Controller and UAA stalls, trickles, freezes or loses its packets, so that all call slots are taken; TERM comes a
moment later.
"""

import argparse
import json
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.claims import Claim, conclude
from bench.contender import Running
from harness.sandbox import Sandbox, SandboxConfig, Step
from harness.sandbox.script import Action
from tests.api.foundation_plan import runner, write_plan
from tests.api.watched import await_answers

_LIMIT = 5.0  # seconds
_FAULTS: tuple[Action, ...] = ("stall", "trickle", "freeze", "black_hole")
_NAMES = ("login", "list-apps", "app-stats", "info")


def _plan(folder: Path, sandbox: Sandbox) -> Path:
    credentials = folder / "credentials.json"
    credentials.touch(0o600)
    credentials.write_text(json.dumps({"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}))
    shared = {"rate": "4/s", "timeout": "60s", "slots": 2, "credentials": credentials.name}
    return write_plan(
        folder,
        *(
            runner(sandbox.api, name, **shared, **({"app": sandbox.app_name} if name == "app-stats" else {}))
            for name in _NAMES
        ),
    )


def _stop_one(number: int) -> dict[str, Any]:
    fault = _FAULTS[number % len(_FAULTS)]
    stalled_for = 0.6 + (number % 10) * 0.2
    config = SandboxConfig(api=1, routers=1, instances=1)
    with tempfile.TemporaryDirectory() as name, Sandbox(config) as sandbox, ExitStack() as faults:
        folder = Path(name)
        with Running(_plan(folder, sandbox), folder) as run:
            run.await_journal()
            await_answers(sandbox, "/v3/info", 20 + number % 7)  # five seconds: it is ready
            for target in ("apis", "uaa"):
                faults.enter_context(sandbox.during(Step(do=fault, target=target)))
            time.sleep(stalled_for)
            asked = time.monotonic()
            run.send(signal.SIGTERM)
            verdict = run.verdict()
            took = time.monotonic() - asked
    return {
        "fault": fault,
        "stalled_for": stalled_for,
        "seconds": took,
        "code": verdict["exit_code"],
        "verdict": verdict["verdict"],
        "ready": verdict["ready"] is not None,
        "cut": sum(runner["unknown"].get("cut", 0) for runner in verdict["runners"]),
        "failed": sum(runner["failed"] for runner in verdict["runners"]),
    }


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--side-by-side", type=int, default=2)
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
    cut = sum(row["cut"] >= len(_NAMES) for row in rows)
    shown = ", ".join(f"{count} {name.upper()}" for name, count in counts.items() if count)
    claims = [
        Claim(
            "verdict within 5 s of the TERM", f"{times} of {times}", f"{quick}, slowest {slowest:.2f} s", quick == times
        ),
        Claim("no PASS", "0", shown, counts["pass"] == 0),
        Claim("runs that were ready before", f"{times}", f"{ready}", ready == times),
        Claim("runs with a call cut for each runner", f"{times}", f"{cut}", cut == times),
    ]
    conclude("api_stop", claims, {"verdicts": counts, "slowest_seconds": slowest, "rows": rows})


if __name__ == "__main__":
    main()
