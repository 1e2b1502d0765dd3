"""The verb `stop`: ask the run to end, wait for its verdict, keep its reports here, and end with its exit code."""

import getpass
import socket
import time
from contextlib import suppress
from pathlib import Path

from harness.channel.alive import Attempt, Watch
from harness.channel.records import StopWish
from harness.cli import complain
from harness.cli.met import Met, patiently
from harness.cli.verdict import tell
from harness.figures import seconds
from harness.report import FILES
from harness.report.layout import plain
from harness.run_folder import RunError, write_whole

_AGAIN = 0.5  # seconds
_TOLD_EVERY = 10.0  # seconds


def stop(met: Met, form: str, files: tuple[Path, ...], runs_dir: Path, timeout: float, by: str | None) -> int:
    """Returns the exit code of all attempts together, also where the newest gave no verdict: that is inconclusive.
    Raises NoRunError where there is no run."""
    attempts = met.attempts()
    if not attempts:
        raise met.missing()
    state = met.look(attempts[-1])
    if state.ended is None:
        wish = StopWish(by=plain(by or f"cf-harness stop by {_who()}"), at=time.time())
        patiently(lambda: met.pipeline.stop(met.run, state.attempt, wish))
        for missing in _await_end(met, state.attempt, timeout):
            complain(missing)
    _keep(met, runs_dir)
    return tell(met, form, files)


def _await_end(met: Met, attempt: int, timeout: float) -> list[str]:
    """Nothing once there is a verdict; else why there is none, and the last that is known."""
    begun = told = time.monotonic()
    watch = Watch()
    while True:
        now = time.monotonic()
        state, dead = met.fate(attempt, watch)
        if state.ended is not None:
            return []
        if dead:
            return [f"the run {met.run}, attempt {attempt}, gave no verdict: {_last_sign(state)}"]
        if now - begun > timeout:
            return [f"the run {met.run}, attempt {attempt}, gave no verdict within {timeout:g} s: {_last_sign(state)}"]
        if now - told > _TOLD_EVERY:
            told = now
            doing = state.pulse.state if state.pulse is not None else "beginning"
            complain(f"waiting for the verdict of {met.run}: it is {doing}")
        time.sleep(_AGAIN)


def _last_sign(state: Attempt) -> str:
    """All that is known of a run that says nothing any more."""
    pulse = state.pulse
    if pulse is None:
        return "it has died, or never showed itself; nothing is known of it"
    age = seconds(max(0.0, time.time() - pulse.at))
    known = "; ".join(f"{one.name}: {one.good} good, {one.bad} failed, {one.unknown} unknown" for one in pulse.runners)
    return f"its last sign of life is {age} old, when it was {pulse.state}" + (f" ({known})" if known else "")


def _keep(met: Met, runs_dir: Path) -> None:
    """The reports of all attempts, under --runs-dir as the run itself keeps them. Raises RunError."""
    for attempt in met.attempts():
        folder = runs_dir / met.run / str(attempt)
        for file in FILES.values():
            data = met.report(attempt, file)
            if data is None:
                continue
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):
                    if (folder / file).read_bytes() == data:  # the run itself wrote it here
                        continue
                write_whole(folder / file, data)
            except OSError as error:
                raise RunError(
                    f"can't write the reports to {folder}: {error.strerror or error}; choose another --runs-dir"
                ) from error


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "somebody"
    return f"{user} on {socket.gethostname()}"
