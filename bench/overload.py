"""Overload is ours: asked for ten times what the machine can do, short of descriptors, short of ports.

`python -m bench.overload`. The last one makes a network namespace of its own (root), with twenty ephemeral ports.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.contender import measured, save
from bench.target import nginx


def _run(arguments: list[str], wrapper: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "harness", "run", *arguments, "--yes", "--format", "json", "--runs-dir", runs]
        cost = measured([*wrapper, *command, "--quiet"], core=None)
    verdict = json.loads(cost.out)
    runner = verdict["runners"][0] if verdict["runners"] else {}
    return {
        "code": cost.code,
        "verdict": verdict["verdict"],
        "reasons": verdict["reasons"][:3],
        "unknown": runner.get("unknown"),
        "failed": runner.get("failed"),
        "largest_process_mb": cost.rss / 1e6,
        "problems": verdict["harness"]["problems"][:3],
    }


def _few_ports() -> dict[str, Any]:
    """Nginx and the harness in a namespace with twenty ports: fresh connections run out of them."""
    script = Path(__file__).parent / "few_ports.sh"
    done = subprocess.run(
        ["unshare", "--net", "bash", str(script), sys.executable], capture_output=True, text=True, check=False
    )
    verdict = json.loads(done.stdout)
    runner = verdict["runners"][0] if verdict["runners"] else {}
    return {"verdict": verdict["verdict"], "reasons": verdict["reasons"][:3], "unknown": runner.get("unknown")}


def main() -> None:
    """Measure and save."""
    figures: dict[str, Any] = {}
    with nginx(1) as target:
        figures["ten_times"] = _run([target.plain, "--rate", "1000000/s", "--duration", "10s"], ["taskset", "-c", "0"])
        print(figures["ten_times"], flush=True)
        limited = ["bash", "-c", 'ulimit -n 64; exec "$@"', "bash"]
        figures["descriptors"] = _run([target.plain, "--rate", "500/s", "--fresh", "--duration", "5s"], limited)
        print(figures["descriptors"], flush=True)
    if os.geteuid() == 0 and shutil.which("unshare"):
        figures["ports"] = _few_ports()
        print(figures["ports"])
    print(save("overload", figures))


if __name__ == "__main__":
    main()
