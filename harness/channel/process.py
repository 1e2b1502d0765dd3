"""Which process conducts a run, and whether it still lives: what a reader on the same machine can look up."""

import os
import socket
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """Where a process runs, so that another one can tell whether it could look for it."""

    host: str
    pid: int
    boot: str  # with the process's birth; "" where the system does not say
    namespace: str


def this_process() -> Process:
    """The one that asks."""
    pid = os.getpid()
    return Process(socket.gethostname(), pid, _boot_and_birth(pid), _namespace())


def is_here(process: Process) -> bool:
    """It certainly runs here. Where that can't be known: False."""
    return _of_this_machine(process) and _boot_and_birth(process.pid) == process.boot


def is_gone(process: Process) -> bool:
    """It certainly ran here and runs no more. Where that can't be known: False."""
    if not _of_this_machine(process):
        return False
    if not _stat(process.pid) and _exists(process.pid):  # somebody else's, and /proc hides it (hidepid, proc(5))
        return False
    return _boot_and_birth(process.pid) != process.boot


def _of_this_machine(process: Process) -> bool:
    if not process.boot or not process.namespace or process.namespace != _namespace():
        return False
    return process.boot.partition(" ")[0] == _boot()


def _boot() -> str:
    return _read(Path("/proc/sys/kernel/random/boot_id")).strip()


def _boot_and_birth(pid: int) -> str:
    """The boot's id, and the process's start in clock ticks after it (proc_pid_stat(5), field 22). A zombie is gone."""
    fields = _stat(pid)
    if len(fields) < 20 or fields[0] in "ZX":
        return ""
    return f"{_boot()} {fields[19]}"


def _stat(pid: int) -> list[str]:
    return _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
