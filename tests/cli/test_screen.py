"""What the live view draws fits the terminal, whatever is in it."""

import io
import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness.cli.screen import Headline, draw
from harness.events import Anchored, StopRequested
from harness.glance import Counts, Glance, OwnGlance, RunnerGlance
from harness.outcome import Cause, Component, Outcome
from harness.plan import plan_from_url
from harness.statistics.kinds import kind_of
from harness.statistics.outages import Spell
from harness.statistics.phases import Phase
from harness.statistics.placement import Placement
from harness.statistics.runner import Kept
from harness.statistics.sweep import Stretch
from harness.verdict import SecondCell

HEADLINE = Headline(plan_from_url("http://127.0.0.1:9/"))
PLACEMENT = Placement([Anchored(at=0.0, monotonic=0.0, boottime=0.0, utc=1e9)])

texts = st.text(max_size=100)
small = st.integers(0, 10**7)
seconds = st.none() | st.floats(0, 1e5)
cells = st.builds(
    SecondCell,
    offset=st.just(0),
    seconds=st.just(1),
    good=small,
    bad=small,
    unknown=small,
    p50=seconds,
    p99=seconds,
)
spells = st.builds(
    Spell,
    start=st.floats(0, 1e5),
    end=st.none(),
    seconds=st.floats(0, 1e5),
    low=st.just(0.0),
    high=st.just(1.0),
    failures=small,
    parts=st.just((Stretch(3, 9, kind_of(Cause.ROUTER, Component.ROUTER)),)),
)
kept = st.builds(
    Kept,
    tick=small,
    outcome=st.builds(
        Outcome,
        tick=small,
        intended=st.floats(0, 1e5),
        reached=st.just(0.0),
        finished=st.just(0.0),
        cause=st.sampled_from(Cause),
        component=st.sampled_from(Component),
        detail=texts,
    ),
)
runner_glances = st.builds(
    RunnerGlance,
    name=texts,
    target=texts,
    rate=st.floats(1e-3, 1e6),
    achieved=seconds,
    counts=st.builds(
        Counts, sent=small, good=small, bad=small, unknown=small, causes=st.dictionaries(st.sampled_from(Cause), small)
    ),
    p50=seconds,
    p99=seconds,
    lag=seconds,
    cells=st.lists(cells, max_size=20).map(
        lambda row: tuple(
            SecondCell(offset=at, seconds=1, good=cell.good, bad=cell.bad, unknown=cell.unknown, p50=None, p99=cell.p99)
            for at, cell in enumerate(row)
        )
    ),
    outages=st.lists(spells, max_size=1).map(tuple),
    quiet=st.floats(0, 1e5),
    newest=st.none() | kept,
)
glances = st.builds(
    Glance,
    at=st.floats(-1, 1e5),
    placement=st.just(PLACEMENT),
    ready=seconds,
    never_ready=texts,
    stop=st.none() | st.builds(StopRequested, at=st.just(1.0), until=st.just(1.0), by=texts),
    phases=st.lists(st.builds(Phase, name=texts, begin=st.floats(0, 1e5), end=st.none()), max_size=3).map(tuple),
    runners=st.lists(runner_glances, min_size=1, max_size=6).map(tuple),
    own=st.builds(OwnGlance, cpu=seconds, canary=seconds, wake_gap=st.floats(0, 100), steal=st.floats(0, 1)),
    problems=st.lists(texts, max_size=3).map(tuple),
)


def drawn(glance: Glance | None, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, highlight=False)
    with console.capture() as capture:
        console.print(draw(glance, HEADLINE, width, height))
    return capture.get().splitlines()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(glances, st.integers(20, 80), st.integers(8, 30))
def test_it_fits_the_terminal_and_commands_nothing(glance: Glance, width: int, height: int) -> None:
    lines = drawn(glance, width, height)
    assert len(lines) <= height
    for line in lines:
        assert Console(width=width).measure(line).maximum <= width
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)


def glance_of(**changed: object) -> Glance:
    known: dict[str, object] = {
        "at": 42.0,
        "placement": PLACEMENT,
        "ready": 2.0,
        "never_ready": "",
        "stop": None,
        "phases": (),
        "runners": (runner_of(),),
        "own": OwnGlance(0.02, 0.001, 0.0, 0.0),
        "problems": (),
    }
    return Glance(**{**known, **changed})  # type: ignore[arg-type]


def runner_of(**changed: object) -> RunnerGlance:
    known: dict[str, object] = {
        "name": "app",
        "target": "http://127.0.0.1:9/",
        "rate": 50.0,
        "achieved": 50.0,
        "counts": Counts(2000, 1981, 19, 0, {"reset": 19}),
        "p50": 0.0012,
        "p99": 0.0034,
        "lag": 0.0002,
        "cells": (),
        "outages": (),
        "quiet": 0.0,
        "newest": None,
    }
    return RunnerGlance(**{**known, **changed})  # type: ignore[arg-type]


def test_it_says_since_when_it_watches_and_how_to_end_it(tmp_path: Path) -> None:
    first = drawn(glance_of(), 80, 24)[0]
    assert first.startswith("cf-harness  watching since 01:46:42 UTC, 40 s")
    assert first.endswith("Ctrl-C stops and judges")


def test_it_says_what_it_waits_for() -> None:
    assert "waiting for 1s without failure, 5 s of 30s" in drawn(glance_of(ready=None, at=5.2), 80, 24)[0]
    assert "starting" in drawn(None, 80, 24)[0]
    assert "never became ready" in drawn(glance_of(ready=None, never_ready="it refuses"), 80, 24)[0]


def test_figures_stand_beside_the_name() -> None:
    line = next(line for line in drawn(glance_of(), 80, 24) if line.startswith("app"))
    for figure in ("50/s", "good 1,981", "bad 19", "p50 1.20 ms", "p99 3.40 ms"):
        assert figure in line


def test_an_outage_that_goes_on_takes_the_line_of_the_newest_failure() -> None:
    parts = (Stretch(1, 70, kind_of(Cause.CONNECT_REFUSED, Component.NETWORK)),)
    spell = Spell(38.0, None, 1.4, 1.4, 1.5, 70, parts)
    text = "\n".join(drawn(glance_of(runners=(runner_of(outages=(spell,)),)), 80, 24))
    assert "✖ OUTAGE since 01:47:18.000, 1.40 s: connect refused 70 (network 70)" in text


def test_open_phases_and_the_stop_are_told() -> None:
    text = "\n".join(drawn(glance_of(phases=(Phase("restart router 1", 30.0, None),)), 80, 24))
    assert "restart router 1 for 12 s" in text
    stopped = glance_of(stop=StopRequested(at=42.0, until=42.0, by="SIGINT"))
    assert "stopping: SIGINT" in drawn(stopped, 80, 24)[0]


def test_the_worst_of_many_runners_are_shown() -> None:
    runners = tuple(
        runner_of(name=f"app-{n}", counts=Counts(10, 10 - (n == 30), int(n == 30), 0, {})) for n in range(40)
    )
    lines = drawn(glance_of(runners=runners), 80, 24)
    assert lines[2].startswith("app-30")
    assert any("more runners, no worse" in line for line in lines)
