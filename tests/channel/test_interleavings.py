"""Two hundred random interleavings of start, mark, stop, status, verdict, accept, TERM and KILL, as real processes on a
`file://` channel: no mark is lost, no attempt has two verdicts or two owners, nothing hangs, and the gate is what the
attempts came to."""

import json
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.channel import layout
from tests.channel.zygote import Child, Zygote
from tests.cli.commanding import Ended, Target, target
from tests.cli.meeting import Place

TIMES = 200
CHUNK = 25
SIDE_BY_SIDE = 10
STEPS = 7

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ACTIONS = {"mark": 5, "status": 2, "verdict": 2, "stop": 2, "start": 3, "await": 3, "accept": 1, "TERM": 1, "KILL": 1}


class Interleaving:
    """One of them: what was done, and what came of it."""

    def __init__(self, place: Place, zygote: Zygote, url: str, seed: int) -> None:
        self.random = Random(seed)
        self.place = place
        self.zygote = zygote
        self.plans = [
            place.plan(url, "good.yml", ready_timeout="15s"),
            place.plan(url, "slow.yml", ready_timeout="15s", objectives=["p50 < 0.01ms"]),
        ]
        self.runs: list[Child] = []
        self.killed: set[int] = set()  # process ids
        self.marks: dict[int, set[str]] = {}  # by attempt: acknowledged before any stop was asked for
        self.stopping: set[int] = set()  # attempts for which that may have happened
        self.told: dict[int, set[str]] = {}  # by attempt: the outcomes that were told of it
        self.failed = False  # somebody was told so, before what goes on now
        self.accepted = 0
        self.log: list[str] = []
        self._named = 0

    def go(self) -> None:
        """Do it, end it, and look at what is there."""
        self.batch(["start"])
        for _ in range(STEPS):
            count = self.random.choice([1, 1, 2, 3])
            self.batch(self.random.choices(list(ACTIONS), list(ACTIONS.values()), k=count))
        while any(not run.over for run in self.runs):
            self.batch(["stop"])
        for run in self.runs:
            self.log.append(f"{run.words} ended with {run.ended().code}")
        self.check()

    def batch(self, actions: list[str]) -> None:
        """All of them at once, to their ends; a run goes on."""
        self.log.append(" & ".join(actions))
        if {"stop", "TERM", "KILL"} & set(actions):
            self.stopping.update(self.place.pipeline.attempts("42"))
        self.failed = any("fail" in outcomes for outcomes in self.told.values())
        verbs = [(action, child) for action in actions for child in self._begin(action)]
        for action, child in verbs:
            self._heard(action, child.ended())

    def _begin(self, action: str) -> Iterator[Child]:
        channel = (*self.place.channel, "--run-id", "42")
        match action:
            case "start":
                plan = self.random.choice(self.plans)
                self.runs.append(self.zygote.start(self.place.folder, "run", plan, "--quiet", *channel))
            case "TERM" | "KILL":
                for run in self.runs:
                    if run.signal(signal.Signals[f"SIG{action}"]) and action == "KILL":
                        self.killed.add(run.process.pid)
            case "mark":
                self._named += 1
                yield self.zygote.start(self.place.folder, "mark", f"m{self._named}", "--begin", *channel)
            case "await":
                yield self.zygote.start(self.place.folder, "wait-ready", "--timeout", "8s", *channel)
            case "accept":
                words = ("accept", "42", "--by", "Ada", "--reason", "known", *self.place.channel)
                yield self.zygote.start(self.place.folder, *words)
            case "stop":
                yield self.zygote.start(self.place.folder, "stop", "--format", "json", "--runs-dir", "h", *channel)
            case "verdict":
                yield self.zygote.start(self.place.folder, "verdict", "--format", "json", *channel)
            case _:
                yield self.zygote.start(self.place.folder, "status", *channel)

    def _heard(self, action: str, ended: Ended) -> None:
        self.log.append(f"  {action}: {ended.code} {ended.err.strip()}")
        assert "Traceback" not in ended.err, self.log
        assert ended.code in {"mark": (0, 3), "await": (0, 4), "status": (0, 3), "accept": (0, 2, 3)}.get(
            action, (0, 1, 3, 4)
        ), self.log
        if action == "mark" and ended.code == 0:
            found = re.fullmatch(r"marked for the run 42, attempt (\d+): (m\d+) began\n", ended.out)
            assert found is not None, ended.out
            if int(found[1]) not in self.stopping:
                self.marks.setdefault(int(found[1]), set()).add(found[2])
        if action == "accept" and "ACCEPTED" in ended.out:
            self.accepted += 1
        if action in ("stop", "verdict") and ended.out:
            self._gate(json.loads(ended.out), ended.code)

    def _gate(self, gate: dict[str, Any], code: int) -> None:
        assert gate["exit_code"] == code, self.log
        for one in gate["attempts"]:
            self.told.setdefault(one["attempt"], set()).add(one["outcome"])
        if self.failed and not gate["accepted"]:
            assert code == 1, self.log

    def check(self) -> None:
        """What must hold at the end."""
        said = self.place.verb("verdict", "--format", "json")
        if not self.place.pipeline.attempts("42"):  # it was killed before it had its place
            assert said.code == 3
            assert not self.told, self.log
            return
        gate = said.value
        self._gate(gate, said.code)
        outcomes = {one["attempt"]: one["outcome"] for one in gate["attempts"]}
        assert "running" not in outcomes.values(), self.log
        for attempt, told in self.told.items():
            assert len(told - {"running"}) <= 1, (attempt, told, self.log)
        for attempt, outcome in outcomes.items():
            self._one(attempt, outcome)
        assert said.code == expected(outcomes, gate["accepted"]), (outcomes, gate["accepted"], self.log)
        assert len(gate["accepted"]) == self.accepted, self.log
        assert sorted(outcomes) == list(range(1, len(outcomes) + 1)), self.log
        turns = self.place.store.list(layout.TURNS)
        assert len(turns) <= len(outcomes), self.log

    def _one(self, attempt: int, outcome: str) -> None:
        state = self.place.pipeline.look("42", attempt)
        assert state.owner is not None, self.log
        by_us = state.owner.pid in self.killed
        assert (outcome == "died") <= by_us, (attempt, outcome, self.log)
        root = self.place.folder / "channel" / "runs" / "42"
        older = root / str(attempt - 1)
        if (older / "ended.json").exists():  # else it was killed: nobody owns a run beside its owner
            assert (older / "ended.json").stat().st_mtime_ns <= (root / str(attempt) / "owner.json").stat().st_mtime_ns
        if outcome not in ("pass", "fail", "inconclusive"):
            return
        data = self.place.pipeline.report("42", attempt, "verdict.json")
        assert data is not None, self.log
        verdict = json.loads(data)
        assert verdict["verdict"] == outcome, self.log
        noted = {phase["name"] for phase in verdict["phases"]}
        assert self.marks.get(attempt, set()) <= noted, (attempt, verdict["stopped_by"], self.marks, noted, self.log)


def expected(outcomes: dict[int, str], accepted: list[dict[str, Any]]) -> int:
    """The gate's exit code, told once more."""
    covered = {
        attempt
        for one in accepted
        for attempt in one["attempts"]
        if one["outcome"] == "fail" or outcomes[attempt] != "fail"
    }
    left = [outcome for attempt, outcome in outcomes.items() if attempt not in covered]
    if "fail" in left:
        return 1
    if {"inconclusive", "died"} & set(left):
        return 3
    return {"pass": 0, "never_ready": 4}[left[-1]] if left else 0


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as made:
        yield made


@pytest.fixture(scope="module")
def server() -> Iterator[Target]:
    with target() as made:
        yield made


@pytest.mark.parametrize("first", range(0, TIMES, CHUNK))
def test_whatever_comes_in_whatever_order(first: int, tmp_path: Path, zygote: Zygote, server: Target) -> None:
    made = [Interleaving(Place(tmp_path / str(seed)), zygote, server.url, seed) for seed in range(first, first + CHUNK)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for _ in pool.map(Interleaving.go, made):
            pass
    assert sum(len(told) > 0 for one in made for told in one.marks.values()) > CHUNK / 5, (
        "marks were noted, and looked for"
    )
