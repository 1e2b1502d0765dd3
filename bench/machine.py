"""What machine a figure comes from, and what a process tree costs it."""

import os
import platform
import shutil
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

_PACKAGES = ("cf-harness", "uvloop", "httptools", "httpx", "locust", "k6")
_DEBIAN = ("nginx", "wrk", "hey")


def describe() -> dict[str, Any]:
    """Processor, cores, kernel, and the versions of what took part."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    if shutil.which("dpkg-query"):
        for name in _DEBIAN:
            query = ["dpkg-query", "--show", "--showformat=${Version}", name]
            done = subprocess.run(query, capture_output=True, text=True, check=False)
            if done.returncode == 0 and done.stdout:
                versions[name] = done.stdout
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release(), "versions": versions}


def tree(root: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def pss(pids: list[int]) -> int:
    """Proportional set size of processes, bytes: shared pages count once."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def runs(pid: int, module: str) -> bool:
    """Whether a process runs this Python module."""
    try:
        return module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def alive(pids: list[int]) -> list[int]:
    """Those that still run; one that waits for its parent to take note of its end does not."""
    found = []
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
    return found


def peak_rss(pid: int) -> int:
    """A process's highest resident size so far, bytes; 0 once it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def cpu_seconds(pids: list[int]) -> float:
    """CPU that processes have used so far, user and system."""
    hertz = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / hertz


class Clock(NamedTuple):
    """What the machine has done so far, seconds of CPU: all work, and what its host stole."""

    busy: float
    stolen: float


def clock() -> Clock:
    """From /proc/stat, all cores together."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(word) for word in words[:8])
    hertz = os.sysconf("SC_CLK_TCK")
    return Clock((user + nice + system + irq + softirq) / hertz, steal / hertz)
