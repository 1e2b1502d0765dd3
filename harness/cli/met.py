"""Where a verb meets its run: the channel and the run's id, from options, the environment, or what is newest there."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.channel.address import open_pipeline
from harness.channel.alive import Attempt, Watch
from harness.channel.pipeline import Pipeline
from harness.channel.runs import RunsPipeline
from harness.channel.store import ChannelError, SilentError
from harness.cli import complain
from harness.cli.ci import run_id_of
from harness.errors import HarnessError
from harness.gate import Acceptance, AttemptSummary, Gate, died, gate, running
from harness.run_folder import check_run_id

PATIENCE = 60.0  # seconds for which a channel that does not answer is asked again
_AGAIN = 1.0
_TOLD_AFTER = 5.0  # seconds

T = TypeVar("T")


class NoRunError(HarnessError):
    """There is no such run: nothing was watched, so nothing may go on."""

    exit_code = 3


@dataclass(frozen=True)
class Met:
    """A run, and where it is met."""

    pipeline: Pipeline
    run: str

    def attempts(self) -> list[int]:
        """Their numbers, in order."""
        return patiently(lambda: self.pipeline.attempts(self.run))

    def look(self, attempt: int) -> Attempt:
        """What is known of one."""
        return patiently(lambda: self.pipeline.look(self.run, attempt))

    def fate(self, attempt: int, watch: Watch) -> tuple[Attempt, bool | None]:
        """What is known of one, and whether it died without a word; None while that can't be told."""
        return fate(lambda: self.look(attempt), watch)

    def acceptances(self) -> list[Acceptance]:
        """Who let it pass."""
        return patiently(lambda: self.pipeline.acceptances(self.run))

    def report(self, attempt: int, file: str) -> bytes | None:
        """One of its reports, by its file's name."""
        return patiently(lambda: self.pipeline.report(self.run, attempt, file))

    def gate(self) -> Gate:
        """What all of them come to. One that shows no sign of life is watched for some seconds. Raises NoRunError."""
        attempts = self.attempts()
        if not attempts:
            raise self.missing()
        summaries = [_summary(self.look(attempt), older=True) for attempt in attempts[:-1]]
        summaries.append(self._newest(attempts[-1]))
        return gate(self.run, summaries, self.acceptances())

    def _newest(self, attempt: int) -> AttemptSummary:
        watch = Watch()
        while True:
            state, dead = self.fate(attempt, watch)
            if dead is not None:
                return _summary(state, older=dead or isinstance(self.pipeline, RunsPipeline))
            time.sleep(_AGAIN)

    def missing(self) -> NoRunError:
        """No attempt of it is known."""
        newest = patiently(self.pipeline.newest)
        there = f"the newest there is {newest}" if newest is not None else "there is none at all"
        return NoRunError(f"there is no run {self.run} at {self.pipeline.name}; {there}. Nothing was watched")


def _summary(state: Attempt, *, older: bool) -> AttemptSummary:
    """`older`: it does not go on, so one without an end died."""
    if state.ended is None:
        return died(state.attempt) if older else running(state.attempt)
    return AttemptSummary(
        attempt=state.attempt,
        outcome=state.ended.outcome,
        exit_code=state.ended.exit_code,
        reasons=state.ended.reasons,
        ended=state.ended.at,
    )


def meet(channel: str | None, run: str | None, runs_dir: Path | None = None) -> Met:
    """By --channel or CF_HARNESS_CHANNEL, and by --run-id, CF_HARNESS_RUN_ID, the CI system's, or the newest one.
    `runs_dir`: read it where no channel is given. Raises ChannelError, NoRunError."""
    pipeline, named = place(channel, run, runs_dir)
    name = named or patiently(pipeline.newest)
    if name is None:
        raise NoRunError(f"there is no run at {pipeline.name}. Nothing was watched")
    return Met(pipeline, check_run_id(name))


def place(channel: str | None, run: str | None, runs_dir: Path | None = None) -> tuple[Pipeline, str | None]:
    """Where to look, and which run was named; None: the newest one is meant. Raises ChannelError, RunError."""
    url = channel or os.environ.get("CF_HARNESS_CHANNEL")
    named = run or run_id_of(os.environ)
    if named is not None:
        check_run_id(named)
    if url:
        return open_pipeline(url, os.environ), named
    if runs_dir is not None:
        return RunsPipeline(runs_dir), named
    raise ChannelError("which channel? Say --channel URL, or set CF_HARNESS_CHANNEL, as the run was started with")


def fate(look: Callable[[], Attempt], watch: Watch) -> tuple[Attempt, bool | None]:
    """What an attempt looks like, and whether it died without a word; None while that can't be told."""
    state = look()
    dead = False if state.ended is not None else watch.is_dead(state, time.monotonic(), time.time())
    if dead:  # its last word may have come, and its process gone, while we looked
        state = look()
        dead = state.ended is None
    return state, dead


def patiently(ask: Callable[[], T], patience: float = PATIENCE) -> T:
    """Ask a channel again while it does not answer, for as long as that is of use. Raises SilentError in the end."""
    begun = time.monotonic()
    told = False
    while True:
        try:
            return ask()
        except SilentError as error:
            waited = time.monotonic() - begun
            if waited > min(patience, error.patience):
                raise type(error)(f"{error}; asked for {waited:.0f} s") from error
            if waited > _TOLD_AFTER and not told:
                told = True
                complain(f"{error}; asking again for {min(patience, error.patience):.0f} s")
            time.sleep(_AGAIN)
