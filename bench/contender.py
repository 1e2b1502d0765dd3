"""Runs our harness and the others against a target, pinned to a core, and reads what they say and cost."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from bench import machine
from bench.evidence import FromTheFirstTick, from_the_first_tick

FIGURES = Path(__file__).parent / "figures"
_SETTLE = 3.0  # seconds after the start from which on CPU is counted as steady
_EVERY = 0.5  # seconds between two looks at a process tree


class Cost(NamedTuple):
    """A finished process tree: output, seconds, CPU of all its processes, peaks of memory (bytes)."""

    code: int
    out: str
    err: str
    seconds: float
    cpu: float
    cores: float  # CPU a second, start and end left out
    pss: int
    pss_middle: int  # half-way through
    worker_rss: int  # of the largest of our workers; 0 for other tools


def measured(command: list[str], *, core: int | None, env: dict[str, str] | None = None, limit: float = 300) -> Cost:
    """Run a command to its end, `core` for the whole of it, sampling its tree."""
    pinned = ["taskset", "-c", str(core), *command] if core is not None else command
    before = os.times()
    began = time.monotonic()
    process = subprocess.Popen(
        pinned, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    samples: list[tuple[float, float, int]] = []  # seconds, CPU, PSS
    worker = 0
    over = threading.Event()

    def sample() -> None:
        nonlocal worker
        while not over.wait(_EVERY):
            pids = machine.tree(process.pid)
            samples.append((time.monotonic() - began, machine.cpu_seconds(pids), machine.pss(pids)))
            worker = max(worker, *(machine.peak_rss(pid) for pid in pids if machine.runs(pid, "harness.worker")), 0)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    over.set()
    sampler.join()
    seconds = time.monotonic() - began
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    steady = [(at, used) for at, used, _ in samples if _SETTLE <= at <= seconds - 1.5]
    cores = cpu / seconds
    if len(steady) >= 2:
        (first, used), (last, used_then) = steady[0], steady[-1]
        cores = (used_then - used) / (last - first)
    sizes = [pss for _, _, pss in samples] or [0]
    middle = max(sizes[len(sizes) // 3 : 1 + len(sizes) // 2], default=0)
    return Cost(process.returncode, out, err, seconds, cpu, cores, max(sizes), middle, worker)


def wrk(url: str, *, core: int, seconds: float, connections: int = 64) -> float:
    """Requests a second that wrk with one thread reaches."""
    cost = measured(["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", url], core=core)
    found = re.search(r"Requests/sec:\s+([\d.]+)", cost.out)
    if found is None:
        raise RuntimeError(f"wrk said: {cost.out} {cost.err}")
    return float(found[1])


class Ours(NamedTuple):
    """One run of cf-harness: its verdict.json, its cost, and all that its journal holds."""

    verdict: dict[str, Any]
    cost: Cost
    whole: FromTheFirstTick | None

    @property
    def runner(self) -> dict[str, Any]:
        """The first runner's figures; one that never became ready has none."""
        return dict(self.verdict["runners"][0]) if self.verdict["runners"] else {}

    @property
    def per_request(self) -> float:
        """CPU of the whole harness for one attempt, microseconds, start and end of its processes left out."""
        return self.cost.cores / max(1.0, float(self.runner.get("rate_achieved", 0.0))) * 1e6


def plan(
    folder: Path,
    url: str,
    rate: float,
    *,
    duration: float | None = None,
    ready_timeout: float = 30,
    objectives: tuple[str, ...] = (),
    **runner: Any,
) -> Path:
    """A plan with one runner, in `folder`; `runner` are further keys of it. Durations in seconds."""
    stop = {} if duration is None else {"stop": {"duration": f"{duration:g}s"}}
    ready = {"ready_timeout": f"{ready_timeout:g}s", "allow_load": True}
    content = {"runners": [{"name": "app", "url": url, "rate": f"{rate:.0f}/s", **runner}], **stop, **ready}
    if objectives:
        content["objectives"] = list(objectives)
    path = folder / "plan.yml"
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


def command(what: Path | str, runs: Path, *arguments: str) -> list[str]:
    """`cf-harness run` with its verdict on standard output, the run's folder being `runs/r/1`."""
    program = [sys.executable, "-m", "harness", "run", str(what)]
    return [*program, "--runs-dir", str(runs), "--run-id", "r", "--format", "json", "--quiet", *arguments]


def ours(
    url: str,
    rate: float,
    seconds: float,
    *,
    core: int | None,
    wrapper: tuple[str, ...] = (),
    ready_timeout: float = 30,
    **runner: Any,
) -> Ours:
    """`cf-harness run` for `seconds` after readiness; `runner`: further keys of the plan's runner."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        what = plan(folder, url, rate, duration=seconds, ready_timeout=ready_timeout, **runner)
        cost = measured([*wrapper, *command(what, folder)], core=core)
        journal = folder / "r" / "1" / "journal.sqlite"
        whole = from_the_first_tick(journal) if journal.exists() else None
    try:
        return Ours(json.loads(cost.out), cost, whole)
    except ValueError:
        raise RuntimeError(f"cf-harness ended with {cost.code}: {cost.err[-2000:]} {cost.out[-500:]}") from None


class Running:
    """`cf-harness run` under way, to be disturbed. A context manager that leaves nothing behind."""

    def __init__(self, what: Path | str, runs: Path, *arguments: str) -> None:
        self.folder = runs / "r" / "1"
        self._process = subprocess.Popen(
            command(what, runs, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        self.out = self.err = ""

    @property
    def workers(self) -> list[int]:
        """Its workers' process ids."""
        return [pid for pid in machine.tree(self.pid) if machine.runs(pid, "harness.worker")]

    def await_journal(self, limit: float = 30) -> Path:
        """Its journal, as soon as there is one. Raises RuntimeError."""
        path = self.folder / "journal.sqlite"
        deadline = time.monotonic() + limit
        while not path.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise RuntimeError(f"no journal; cf-harness ended with {self.wait()}: {self.err[-2000:]}")
            time.sleep(0.002)
        return path

    def send(self, number: signal.Signals) -> None:
        """A signal to the conductor."""
        self._process.send_signal(number)

    def wait(self, limit: float = 60) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        self.out, self.err = self._process.communicate(timeout=limit)
        return self._process.returncode

    def verdict(self, limit: float = 60) -> dict[str, Any]:
        """Its verdict, once it has ended."""
        code = self.wait(limit)
        try:
            return dict(json.loads(self.out))
        except ValueError:
            raise RuntimeError(f"cf-harness ended with {code}: {self.err[-2000:]} {self.out[-500:]}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pid in reversed(machine.tree(self.pid)):
            with suppress(ProcessLookupError):
                if self._process.poll() is None or pid != self.pid:
                    os.kill(pid, signal.SIGKILL)
        with suppress(ValueError):  # it was waited for
            self._process.communicate()


def save(name: str, figures: dict[str, Any]) -> Path:
    """Write a bench's figures beside the code, with the machine they come from."""
    FIGURES.mkdir(exist_ok=True)
    path = FIGURES / f"{name}.json"
    path.write_text(json.dumps({"machine": machine.describe(), **figures}, indent=1) + "\n")
    return path


def kept(name: str) -> dict[str, Any]:
    """A bench's figures as they were saved last; empty if they never were."""
    path = Path(__file__).parent / "figures" / f"{name}.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}
