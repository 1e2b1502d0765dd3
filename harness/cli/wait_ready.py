"""The verb `wait-ready`: from the start of a run until it really watches, for the task that is about to deploy."""

import time
from datetime import UTC, datetime
from functools import partial

from harness.channel.alive import Attempt, Watch
from harness.channel.pipeline import Pipeline
from harness.channel.store import NobodyError, SilentError
from harness.cli import complain
from harness.cli.met import fate
from harness.errors import HarnessError

_AGAIN = 0.5  # seconds
_NEWER_WITHIN = 20.0  # seconds that a newer attempt gets to appear where the newest one is over
_TOLD_EVERY = 10.0  # seconds


class UnreadyError(HarnessError):
    """It is not ready, and won't be."""

    exit_code = 4


def wait_ready(pipeline: Pipeline, named: str | None, timeout: float) -> int:
    """0 once every runner had its clean baseline, and loudly where the run was skipped: an environment that is being
    made is deployed unwatched, on purpose. Raises UnreadyError with the reason if that does not come within `timeout`
    seconds, and at once if the run ends or dies meanwhile. `named`: which run; None: the newest there is."""
    begun = told = time.monotonic()
    watch, watched, seen_alive = Watch(), ("", 0), False
    while True:
        now = time.monotonic()
        seen: tuple[Attempt, bool | None] | None = None
        try:
            newest = _newest(pipeline, named)
            if newest is not None:
                if newest != watched:
                    watch, watched, seen_alive = Watch(), newest, False
                seen = fate(partial(pipeline.look, *newest), watch)
            why = f"there is no {'run' if named is None else f'run {named}'} at {pipeline.name} yet"
        except SilentError as error:  # where nobody listens, the run may still begin
            if seen_alive and isinstance(error, NobodyError):
                raise UnreadyError(f"the run was there, and is there no more: {error}") from error
            why = str(error)
        if seen is not None:
            state, dead = seen
            if dead is False and state.ended is None:  # None: an old pulse, which says nothing yet
                seen_alive = True
                if state.pulse is not None and state.pulse.ready is not None and state.pulse.state == "watching":
                    print(_ready(state, state.pulse.ready), flush=True)
                    return 0
            over = _over(state, dead)
            if over is not None and (seen_alive or now - begun > min(_NEWER_WITHIN, timeout)):
                if state.ended is not None and state.ended.outcome == "skipped":
                    complain(f"SKIPPED, NOTHING IS WATCHED: {over}")
                    return 0
                raise UnreadyError(over)
            why = over or _so_far(state)
        if now - begun > timeout:
            raise UnreadyError(f"not ready within {timeout:g} s: {why}")
        if now - told > _TOLD_EVERY:
            told = now
            complain(f"waiting: {why}")
        time.sleep(_AGAIN)


def _newest(pipeline: Pipeline, named: str | None) -> tuple[str, int] | None:
    run = named or pipeline.newest()
    attempts = pipeline.attempts(run) if run is not None else []
    return (run, attempts[-1]) if run is not None and attempts else None


def _over(state: Attempt, dead: bool | None) -> str | None:
    """Why it will not be ready any more; None while it may."""
    name = f"the run {state.run}, attempt {state.attempt},"
    if state.ended is not None:
        why = f": {'; '.join(state.ended.reasons)}" if state.ended.reasons else ""
        return f"{name} is over, {state.ended.outcome.replace('_', ' ')}{why}"
    if dead:
        return f"{name} died without a word: look at the log of its start"
    if state.pulse is not None and state.pulse.stopped_by:
        return f"{name} is being stopped by {state.pulse.stopped_by}"
    return None  # one that is judged without a stop says why in a moment


def _so_far(state: Attempt) -> str:
    name = f"the run {state.run}, attempt {state.attempt}"
    if state.pulse is None:
        return f"{name} has begun"
    told = "; ".join(
        f"{runner.name}: {runner.good} of {runner.good + runner.bad + runner.unknown} good"
        for runner in state.pulse.runners
    )
    return f"{name} waits for a clean baseline" + (f" ({told})" if told else "")


def _ready(state: Attempt, since: float) -> str:
    when = datetime.fromtimestamp(since, UTC).strftime("%H:%M:%S")
    return f"ready: the run {state.run}, attempt {state.attempt}, watches since {when} UTC"
