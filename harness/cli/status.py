"""The verb `status`: what a channel knows of a run, for people and for programs."""

import time
from datetime import UTC, datetime

import msgspec

from harness.channel.alive import STALE, Attempt
from harness.channel.records import Ended, Owner, Pulse, StopWish
from harness.cli.deliver import show
from harness.cli.met import Met
from harness.figures import count, seconds, share
from harness.gate import Acceptance
from harness.report.layout import WIDTH, left, plain, wrap


class AttemptStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt."""

    attempt: int
    owner: Owner | None
    pulse: Pulse | None
    stop: StopWish | None
    ended: Ended | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `status --format json` prints."""

    schema: str = "cf-harness/status/1"
    channel: str
    run: str
    attempts: list[AttemptStatus]
    accepted: list[Acceptance]


def status(met: Met, form: str) -> int:
    """0: it is known. Raises NoRunError where it is not."""
    states = [met.look(attempt) for attempt in met.attempts()]
    if not states:
        raise met.missing()
    if form == "json":
        told = Status(
            channel=met.pipeline.name,
            run=met.run,
            attempts=[
                AttemptStatus(
                    attempt=state.attempt, owner=state.owner, pulse=state.pulse, stop=state.stop, ended=state.ended
                )
                for state in states
            ],
            accepted=met.acceptances(),
        )
        show(msgspec.json.format(msgspec.json.encode(told)).decode() + "\n")
        return 0
    lines = [f"run {met.run} at {met.pipeline.name}"]
    for state in states:
        lines += _lines(state, time.time())
    for one in met.acceptances():
        lines += wrap(f"accepted by {plain(one.by)}: {plain(one.reason)}", WIDTH)
    show("".join(f"{line}\n" for line in lines), "text")
    return 0


def _lines(state: Attempt, now: float) -> list[str]:
    head = f"attempt {state.attempt}"
    if state.ended is not None:
        why = f": {'; '.join(state.ended.reasons)}" if state.ended.reasons else ""
        said = f"{head} is over since {_clock(state.ended.at)}, {state.ended.outcome.replace('_', ' ')}{why}"
        return wrap(plain(said), WIDTH)
    where = f" by process {state.owner.pid} on {state.owner.host}" if state.owner is not None else ""
    log = f", log {state.owner.log}" if state.owner is not None and state.owner.log else ""
    if state.pulse is None:
        return wrap(plain(f"{head} has begun{where}{log}"), WIDTH)
    pulse = state.pulse
    since = f" since {_clock(pulse.ready)}" if pulse.ready is not None else ""
    age = max(0.0, now - pulse.at)
    fresh = f"heard of {seconds(age)} ago"
    if age > STALE:
        fresh = f"NOTHING HEARD FOR {seconds(age)}: it has died, or its clock is another one"
    lines = wrap(plain(f"{head} {_STATES.get(pulse.state, pulse.state)}{since}{where}{log}; {fresh}"), WIDTH)
    for runner in pulse.runners:
        known = runner.good + runner.bad
        said = f"{count(runner.sent)} sent, {share(runner.good / known) if known else '–'} good"
        if runner.bad:
            said += f", {count(runner.bad)} failed"
        if runner.unknown:
            said += f", {count(runner.unknown)} unknown"
        if runner.outage is not None:
            said += f"; OUTAGE for {seconds(runner.outage)}"
        lines.append(f"  {left(plain(runner.name), 16)} {said}")
    if pulse.phases:
        lines += wrap(f"  under way: {plain(', '.join(pulse.phases))}", WIDTH)
    if state.stop is not None:
        lines += wrap(f"  stop asked for by {plain(state.stop.by)} at {_clock(state.stop.at)}", WIDTH)
    for problem in pulse.problems:
        lines += wrap(f"  problem: {plain(problem)}", WIDTH)
    return lines


_STATES = {
    "preparing": "is being prepared",
    "waiting": "waits for a clean baseline",
    "watching": "watches",
    "stopping": "is being stopped",
    "judging": "is being judged",
}


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")
