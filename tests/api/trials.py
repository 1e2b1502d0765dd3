"""Trials of attribution: an operation, a fault, a moment, drawn by a seed; was the right one named?

Sessions of the client alone, without a run: many at once, each in a thread, against faults switched by hand.
"""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

from harness.cf.session import Session
from harness.cf.target import ApiTarget, Asked, Credentials, Limits
from harness.sandbox import Sandbox, SandboxConfig
from tests.api.faults import OPERATIONS, PLATFORMS, Fault, Platform, Sign

_TIMEOUT = 1.5  # seconds of an operation
_BEGINS = (-0.1, 1.3)  # after the fault's begin: those that begin then are over before it ends, but for the first …
_LENGTH = _BEGINS[1] + _TIMEOUT + 0.2  # … and what stalls is seen to
_AT_ITS_END = 0.1  # share of trials that begin later, and see it end
_AT_ONCE = 16  # trials of one fault
_SIDE_BY_SIDE = 3
_LIMITS = Limits(connect=_TIMEOUT, read=_TIMEOUT, total=_TIMEOUT)
_PATIENCE = 20.0  # seconds for a platform to be well again


@dataclass(frozen=True)
class Trial:
    """One of them. The moment is in seconds after the fault's begin."""

    platform: Platform
    fault: Fault
    operation: str
    moment: float


@dataclass(frozen=True)
class Judged:
    """What came of it."""

    trial: Trial
    inside: bool  # it began and ended within the fault
    told: Sign | None
    words: str
    right: bool


@dataclass(frozen=True)
class _Ended:
    """When it was, monotonic seconds, and what was told."""

    began: float
    ended: float
    told: Sign | None
    words: str


def draw(seed: int, trials: int) -> list[Trial]:
    """Every fault and operation is as likely as another."""
    dice = random.Random(seed)
    every = [(platform, fault) for platform in PLATFORMS for fault in platform.faults]
    return [Trial(*dice.choice(every), dice.choice(OPERATIONS), _moment(dice)) for _ in range(trials)]


def _moment(dice: random.Random) -> float:
    begins = (_BEGINS[1], _LENGTH) if dice.random() < _AT_ITS_END else _BEGINS
    return dice.uniform(*begins)


def judge(trials: Sequence[Trial]) -> list[Judged]:
    """Make them, sorted by platform and fault; some platforms side by side, since faults are mostly waited for."""
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return list(chain.from_iterable(pool.map(lambda platform: list(_judge_at(platform, trials)), PLATFORMS)))


def _judge_at(platform: Platform, trials: Sequence[Trial]) -> Iterator[Judged]:
    here = sorted(
        (trial for trial in trials if trial.platform is platform),
        key=lambda trial: platform.faults.index(trial.fault),
    )
    shape: dict[str, Any] = dict(platform.shape)
    with Sandbox(SandboxConfig(api=2, dropped_for=0.05, health_every=0.05, **shape)) as sandbox:
        for fault, group in groupby(here, key=lambda trial: trial.fault):
            of_fault = list(group)
            for first in range(0, len(of_fault), _AT_ONCE):
                yield from _window(sandbox, fault, of_fault[first : first + _AT_ONCE])


def _window(sandbox: Sandbox, fault: Fault, trials: Sequence[Trial]) -> Iterator[Judged]:
    """One fault, and all these trials in it."""
    sessions = [_session(sandbox) for _ in trials]
    with ThreadPoolExecutor(len(trials)) as pool:
        list(pool.map(_warm, sessions))
        strikes = time.monotonic() - 2 * _BEGINS[0]
        made = [
            pool.submit(_make, session, _asked(sandbox, trial.operation), strikes + trial.moment)
            for session, trial in zip(sessions, trials, strict=True)
        ]
        _sleep_until(strikes)
        with sandbox.during(fault.step):
            begun = time.monotonic()
            _sleep_until(begun + _LENGTH)
            over = time.monotonic()
        ends = [future.result() for future in made]
    for session in sessions:
        session.close()
    for trial, end in zip(trials, ends, strict=True):
        inside = end.began >= begun + fault.takes and end.ended <= over
        right = fault.right(trial.operation) if inside else fault.right_midway(trial.operation)
        yield Judged(trial, inside, end.told, end.words, end.told in right)


def _session(sandbox: Sandbox) -> Session:
    assert sandbox.api is not None
    return Session(
        ApiTarget(api=sandbox.api, ca=str(sandbox.ca) if sandbox.ca else None),
        Credentials(
            kind="client", client_id=sandbox.client_id, client_secret=sandbox.client_secret, origin="the sandbox"
        ),
        _LIMITS,
        user_agent="cf-harness/trial",
    )


def _warm(session: Session) -> None:
    """As in a run: discovered, and logged in, before anything happens. The platform is well again by then."""
    end = time.monotonic() + _PATIENCE
    while (fault := session.perform(Asked(operation="list-spaces"), time.monotonic() + 5).fault) is not None:
        assert time.monotonic() < end, fault
        time.sleep(0.05)


def _asked(sandbox: Sandbox, operation: str) -> Asked:
    return Asked(operation=operation, app=sandbox.app_name)


def _make(session: Session, asked: Asked, at: float) -> _Ended:
    _sleep_until(at)
    began = time.monotonic()
    fault = session.perform(asked, began + _TIMEOUT).fault
    told = None if fault is None else Sign(fault.cause, fault.component)
    words = "" if fault is None else f"{fault.detail} | {fault.evidence}"
    return _Ended(began, time.monotonic(), told, words)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
