"""Ordeals of a run that go on to a verdict: its processes killed or stopped, its target gone at the end.

Each is told what verdicts are right. `bench.lost` runs them. The target is `bench.faulty`'s, at 100 requests a second.
"""

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench import machine
from bench.claims import Claim
from bench.contender import Running, plan
from bench.faulty import Faulty

_RATE = 100
_UNDISTURBED = 0.05  # seconds between two requests at most, while the conductor stands still

Deed = Callable[[Running, Faulty, random.Random], dict[str, Any]]


class Ordeal(NamedTuple):
    """What is done to a run that is ready, and what may come of it."""

    deed: Deed  # returns what it measured
    right: tuple[str, ...]  # verdicts
    blameless: bool  # the target is well: not one failure may be told
    settings: dict[str, Any]  # of the plan's runner
    delay: float = 0.0  # the target answers after this, seconds
    after: float = 1.5  # seconds from the deed to the stop

    def once(self, seed: str) -> dict[str, Any]:
        """One run."""
        rng = random.Random(seed)
        with tempfile.TemporaryDirectory() as name, Faulty(self.delay) as target:
            folder = Path(name)
            with Running(plan(folder, target.url, _RATE, **self.settings), folder) as run:
                target.await_requests(5 * _RATE + rng.randrange(_RATE))
                measured = self.deed(run, target, rng)
                time.sleep(self.after)
                run.send(signal.SIGTERM)
                verdict = run.verdict()
        runner = verdict["runners"][0]
        return {
            **measured,
            "verdict": verdict["verdict"],
            "ready": verdict["ready"] is not None,
            "failed": runner["failed"],
            "unknown": runner["unknown"],
            "outages": runner["outages_total"],
            "lag_max_ms": (runner["lag"]["max"] or 0) * 1e3,
            "reason": verdict["reasons"][0] if verdict["reasons"] else "",
        }


def _kill_worker(run: Running, target: Faulty, rng: random.Random) -> dict[str, Any]:
    time.sleep(rng.uniform(0, 1))
    os.kill(run.workers[0], signal.SIGKILL)
    return {}


def _stop_worker(run: Running, target: Faulty, rng: random.Random) -> dict[str, Any]:
    for _ in range(3):
        time.sleep(rng.uniform(0.3, 1.3))
        _stand_still(run.workers, 1.2)
    return {}


def _stop_conductor(run: Running, target: Faulty, rng: random.Random) -> dict[str, Any]:
    time.sleep(rng.uniform(0, 1))
    before = target.say("look")
    _stand_still([run.pid], 5.0)
    after = target.say("look")
    rate = (after.requests - before.requests) / (after.monotonic - before.monotonic)
    return {"gap_ms": after.longest_gap * 1e3, "rate": rate}


def _stop_all(run: Running, target: Faulty, rng: random.Random) -> dict[str, Any]:
    time.sleep(rng.uniform(0, 1))
    _stand_still(machine.tree(run.pid), 3.0)
    return {}


def _stop_all_during_outage(run: Running, target: Faulty, rng: random.Random) -> dict[str, Any]:
    time.sleep(rng.uniform(0, 1))
    pids = machine.tree(run.pid)
    _signal(pids, signal.SIGSTOP)
    target.say(rng.choice(("refuse", "reset", "stall", "503")))
    time.sleep(3.0)
    target.say("serve")
    _signal(pids, signal.SIGCONT)
    return {}


def _proven_outage(run: Running, target: Faulty, rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(("refuse", "reset", "stall", "503", "frozen"))
    if kind == "frozen":
        target.freeze()
    else:
        target.say(kind)
    time.sleep(3 + rng.uniform(0, 1))
    return {"kind": kind}


def _silent(run: Running, target: Faulty, rng: random.Random) -> dict[str, Any]:
    time.sleep(rng.uniform(0, 1))
    target.say("stall")
    silent = rng.uniform(0.03, 0.6)
    time.sleep(silent)
    return {"silent_for": silent}


def _stand_still(pids: list[int], seconds: float) -> None:
    _signal(pids, signal.SIGSTOP)
    time.sleep(seconds)
    _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


_WELL = ("pass", "inconclusive")
ORDEALS = {
    "worker killed": Ordeal(_kill_worker, _WELL, True, {"timeout": "1s"}),
    "worker stopped 3 x 1.2 s": Ordeal(_stop_worker, _WELL, True, {"timeout": "1s"}, delay=0.02),
    "conductor stopped 5 s": Ordeal(_stop_conductor, _WELL, True, {"timeout": "1s"}),
    "everything stopped 3 s": Ordeal(_stop_all, _WELL, True, {"timeout": "1s"}, delay=0.02),
    "everything stopped, target gone": Ordeal(
        _stop_all_during_outage, ("inconclusive", "fail"), False, {"timeout": "1s"}
    ),
    "stop during a proven outage": Ordeal(_proven_outage, ("fail",), False, {"timeout": "1s"}, after=0),
    "silent before the stop": Ordeal(_silent, ("inconclusive", "fail"), False, {"timeout": "5s"}, after=0),
}


def claims_of(name: str, ordeal: Ordeal, rows: list[dict[str, Any]]) -> list[Claim]:
    """What an ordeal's runs were to show."""
    times = len(rows)
    right = sum(row["verdict"] in ordeal.right and row["ready"] for row in rows)
    told = ", ".join(
        f"{count} {verdict.upper()}"
        for verdict in ("pass", "inconclusive", "fail")
        if (count := sum(row["verdict"] == verdict for row in rows))
    )
    claims = [Claim(f"{name}: verdict", " or ".join(word.upper() for word in ordeal.right), told, right == times)]
    if ordeal.blameless:
        failed = sum(row["failed"] for row in rows)
        claims.append(Claim(f"{name}: false failures", "0", str(failed), failed == 0))
    if ordeal.deed is _stop_conductor:
        gap = max(row["gap_ms"] for row in rows)
        least = min(row["rate"] for row in rows)
        shown = f"{gap:.0f} ms between two requests at most, {least:.1f}/s at least"
        steady = gap <= _UNDISTURBED * 1e3 and least >= 0.99 * _RATE
        claims.append(Claim(f"{name}: schedule undisturbed", "gaps <= 50 ms, 100/s", shown, steady))
    return claims
