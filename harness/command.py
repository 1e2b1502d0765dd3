"""The command of `--while -- CMD ARGS`: a process beside the run, whose end is a stop signal.

It has a session of its own (the terminal's Ctrl-C reaches it only through us) and reads nothing. All that it writes
goes to our standard error: standard output is the report's alone.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from harness.background import in_front

NOT_FOUND = 127  # as shells say it
NOT_STARTED = 126
_STDERR = 2


class Command:
    """Runs once. `run` belongs to one task, which owns the process; anyone may send signals."""

    def __init__(self, argv: Sequence[str]) -> None:
        """`argv`: the program and its arguments, at least one word."""
        if not argv:
            raise ValueError("a command needs at least one word")
        self.argv = tuple(argv)
        self.problem = ""  # why it could not be started
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """Started and not ended."""
        return self._process is not None and self._process.returncode is None

    async def run(self) -> int:
        """Start it and wait. Returns its code; negative: the signal that killed it. 126, 127: it never started."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.argv, stdin=asyncio.subprocess.DEVNULL, stdout=_STDERR, start_new_session=True
            )
        except FileNotFoundError:
            self.problem = f"the command {self.argv[0]!r} was not found"
            return NOT_FOUND
        except (OSError, ValueError) as error:
            self.problem = f"the command {self.argv[0]!r} could not be started: {error}"
            return NOT_STARTED
        in_front(self._process.pid)
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Signal it and whatever it started that stayed in its process group."""
        if self._process is not None and self.running:
            with suppress(ProcessLookupError):  # it ended in this instant
                os.killpg(self._process.pid, number)
