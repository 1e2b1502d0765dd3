"""Runs our harness and the others against a target, pinned to a core, and reads what they say and cost."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from bench import machine


class Cost(NamedTuple):
    """A finished process tree: output, seconds, CPU of all its processes, peaks of memory (bytes)."""

    code: int
    out: str
    err: str
    seconds: float
    cpu: float
    pss: int
    rss: int  # of its largest process


def measured(command: list[str], *, core: int | None, env: dict[str, str] | None = None, limit: float = 300) -> Cost:
    """Run a command to its end, `core` for the whole of it, sampling its tree's memory."""
    pinned = ["taskset", "-c", str(core), *command] if core is not None else command
    before = os.times()
    began = time.monotonic()
    process = subprocess.Popen(
        pinned, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    peaks = {"pss": 0, "rss": 0}
    over = threading.Event()

    def sample() -> None:
        while not over.wait(1.0):
            pids = machine.tree(process.pid)
            peaks["pss"] = max(peaks["pss"], machine.pss(pids))
            peaks["rss"] = max(peaks["rss"], *(machine.peak_rss(pid) for pid in pids))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    over.set()
    sampler.join()
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(process.returncode, out, err, time.monotonic() - began, cpu, peaks["pss"], peaks["rss"])


def wrk(url: str, *, core: int, seconds: float, connections: int = 64) -> float:
    """Requests a second that wrk with one thread reaches."""
    cost = measured(["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", url], core=core)
    found = re.search(r"Requests/sec:\s+([\d.]+)", cost.out)
    if not found:
        raise RuntimeError(f"wrk said: {cost.out} {cost.err}")
    return float(found[1])


class Ours(NamedTuple):
    """One run of cf-harness: its verdict.json and its cost."""

    verdict: dict[str, Any]
    cost: Cost

    @property
    def runner(self) -> dict[str, Any]:
        """The first runner's figures."""
        return dict(self.verdict["runners"][0])

    @property
    def per_request(self) -> float:
        """CPU of the whole harness for one attempt, microseconds, start and end of its processes included."""
        return self.cost.cpu / max(1, self.runner["attempts"]) * 1e6


def ours(arguments: list[str], *, core: int | None, limit: float = 300) -> Ours:
    """`cf-harness run …`, its verdict read from standard output."""
    with tempfile.TemporaryDirectory() as runs:
        command = [
            sys.executable,
            "-m",
            "harness",
            "run",
            *arguments,
            "--format",
            "json",
            "--runs-dir",
            runs,
            "--quiet",
        ]
        cost = measured(command, core=core, limit=limit)
    try:
        return Ours(json.loads(cost.out), cost)
    except ValueError:
        raise RuntimeError(f"cf-harness ended with {cost.code}: {cost.err[-2000:]} {cost.out[-500:]}") from None


def save(name: str, figures: dict[str, Any]) -> Path:
    """Write a bench's figures beside the code, with the machine they come from."""
    path = Path(__file__).parent / "figures" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": machine.describe(), **figures}, indent=2) + "\n")
    return path
