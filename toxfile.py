"""Lets tox pass TERM and INT on to the suite that it runs, and wait for the verdict. tox loads this file by its name.

By itself tox dies of a TERM and leaves the suite running alone; on an INT it waits (`suicide_timeout`) before it tells
anybody, and exits with 1 whatever the verdict was. A Ctrl-C reaches the suite twice, from the terminal and from here:
the run takes the second one for an echo.
"""

import math
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from tox.plugin import impl
from tox.tox_env.api import ToxEnv

_SUITES = {path.parent.name for path in Path(__file__).parent.glob("suites/*/plan.yml")}
_ECHO = 2.0  # seconds after a suite's end in which a signal that it has heard too may still arrive here
_until: dict[str, float] = {}  # suite -> up to when signals are its own, monotonic seconds


def _children() -> list[int]:
    said = ""
    tasks = Path("/proc/self/task")
    if tasks.exists():
        for task in tasks.iterdir():
            with suppress(OSError):  # a thread that has ended since
                said += (task / "children").read_text()
    else:
        said = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True).stdout
    return [int(pid) for pid in said.split()]


def _received(number: int, frame: FrameType | None) -> None:
    if any(time.monotonic() < until for until in _until.values()):
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    elif number == signal.SIGINT:
        signal.default_int_handler(number, frame)
    else:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, _received)


@impl
def tox_before_run_commands(tox_env: ToxEnv) -> None:
    """From here on signals are the suite's."""
    if tox_env.name in _SUITES:
        _until[tox_env.name] = math.inf


@impl
def tox_after_run_commands(tox_env: ToxEnv) -> None:
    """Soon they are tox's again."""
    if tox_env.name in _until:
        _until[tox_env.name] = time.monotonic() + _ECHO
