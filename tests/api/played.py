"""Plays a platform's faults under a real run of all operations, and reads from its journal what was told of each."""

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.events import Ready
from harness.judge.quantiles import quantile
from harness.outcome import OWN_CAUSES
from harness.plan import load_plan
from harness.run import RunHandle, find_run, ledger_of, run
from harness.sandbox import Sandbox, SandboxConfig
from harness.statistics.kinds import DEGRADED, cause_of, component_of
from harness.statistics.ledger import Ledger
from harness.statistics.outages import Axis, Spell, outages
from tests.api.faults import OPERATIONS, TIMEOUT, Fault, Platform, Sign

RATE = 2.0  # of each operation, per second
NEAR = 0.5  # seconds by which a told time may be off: a tick
_PAUSE = 1.2  # seconds between all being well again and the next fault
_GOLDEN = 0.618  # so that faults begin at every phase of the schedule
_OF_AN_APP = ("app-stats", "watch-app")


@dataclass(frozen=True)
class Tick:
    """One that was not simply good. Seconds after the run's start."""

    at: float
    sign: Sign


@dataclass(frozen=True)
class Window:
    """When a fault was, by the sandbox's truth log. Seconds after the run's start."""

    fault: Fault
    begin: float
    end: float

    def holds(self, at: float) -> bool:
        """Whether what was told of this moment may come from this fault."""
        return self.begin - NEAR <= at <= self.end + max(0.0, self.fault.over[1]) + NEAR


@dataclass(frozen=True)
class Played:
    """A run that is over."""

    ledger: Ledger
    windows: dict[str, Window]

    def axis(self, operation: str) -> Axis:
        """The judged ticks of an operation."""
        judged = self.ledger.judged
        assert judged is not None
        return self.ledger.axis(operation, *judged)

    def ticks(self, operation: str) -> Iterator[Tick]:
        """Those that were not simply good, in their order."""
        axis = self.axis(operation)
        for stretch in self.ledger.stretches(operation, axis):
            sign = Sign(cause_of(stretch.kind), component_of(stretch.kind))
            for tick in range(stretch.first, stretch.last + 1):
                yield Tick(axis.time(tick), sign)

    def outages(self, operation: str, window: Window) -> list[Spell]:
        """The verdict's, around a fault."""
        axis = self.axis(operation)
        bad = [stretch for stretch in self.ledger.stretches(operation, axis) if stretch.kind not in DEGRADED]
        return [spell for spell in outages(axis, bad) if window.holds(spell.start)]

    def evidence(self, operation: str, window: Window) -> list[str]:
        """What the examples of an operation say around a fault; our own causes need none."""
        axis = self.axis(operation)
        return [
            kept.outcome.evidence
            for kept in self.ledger.runners[operation].examples
            if window.holds(axis.time(kept.tick)) and kept.outcome.cause not in OWN_CAUSES
        ]

    def lag(self, operation: str) -> float:
        """The 99th percentile of an operation's lateness by our own doing, seconds."""
        lag = quantile(self.ledger.runners[operation].seconds.totals().lag, 0.99)
        assert lag is not None
        return lag


def play(platform: Platform, folder: Path) -> Played:
    """One run over all of a platform's faults, each after the other."""
    shape: dict[str, Any] = dict(platform.shape)
    config = SandboxConfig(api=2, dropped_for=0.05, health_every=0.05, folder=folder / "sandbox", **shape)
    ready, handle = threading.Event(), RunHandle()
    wrong: list[BaseException] = []

    def look(_: object, said: object) -> None:
        if isinstance(said, Ready):
            ready.set()

    with Sandbox(config) as sandbox:

        def act() -> None:
            try:
                assert ready.wait(60), "the run was never ready"
                for number, fault in enumerate(platform.faults):
                    time.sleep(_PAUSE + number * _GOLDEN % 1 / RATE)
                    with sandbox.during(fault.step):
                        time.sleep(fault.length)
                    time.sleep(max(0.0, fault.over[1]))
                time.sleep(_PAUSE)
            except BaseException as error:  # the main thread raises it
                wrong.append(error)
            finally:
                handle.request("the script")

        actor = threading.Thread(target=act, name="faults")
        actor.start()
        try:
            plan = folder / "plan.yml"
            plan.write_text(_plan(sandbox))
            environ = {**os.environ, "CF_CLIENT_ID": sandbox.client_id, "CF_CLIENT_SECRET": sandbox.client_secret}
            run(load_plan(plan), runs_dir=folder, run_id="r", handle=handle, observers=[look], environ=environ)
        finally:
            ready.set()
            actor.join()
        if wrong:
            raise wrong[0]
        truth = [json.loads(line) for line in sandbox.truth.read_text().splitlines()]
    ledger = ledger_of(find_run(folder, "r").journal)
    return Played(ledger, {window.fault.name: window for window in _windows(platform, truth, ledger)})


def _plan(sandbox: Sandbox) -> str:
    app = f", app: {sandbox.app_name}, org: {sandbox.org}, space: {sandbox.space}"
    tls = f", tls: {{ca: {sandbox.ca}}}" if sandbox.ca else ""
    runners = [
        f'  - {{name: {name}, probe: cf-api, api: "{sandbox.api}", operation: {name}, rate: {RATE:g}/s, '
        f"timeout: {TIMEOUT:g}s{app if name in _OF_AN_APP else ''}{tls}}}\n"
        for name in OPERATIONS
    ]
    return "runners:\n" + "".join(runners)


def _windows(platform: Platform, truth: list[dict[str, Any]], ledger: Ledger) -> Iterator[Window]:
    """A step's begin is noted before it takes effect, its end when it is over: in the order of the faults."""
    start = ledger.anchors[0].monotonic
    edges = [line for line in truth if line["event"] in ("begin", "end")]
    assert [line["event"] for line in edges] == ["begin", "end"] * len(platform.faults)
    for fault, begin, end in zip(platform.faults, edges[::2], edges[1::2], strict=True):
        assert begin["step"] == end["step"] == fault.step.label
        yield Window(fault, begin["monotonic"] - start, end["monotonic"] - start)
