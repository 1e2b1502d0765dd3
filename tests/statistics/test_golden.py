"""Raw frames, kept as workers said them, come to the same figures for ever: the format is held to that.

Each folder of `golden/` is one run: a stream of each worker as `python -m harness.worker | tee` would keep it, what the
conductor noted, and the figures. `restart`: a router's restart with two causes and missed ticks inside its outage.
`killed`: two shards, one of them killed and started again. `scattered`: every other tick failed, told as a bitmap.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.brief import Brief, RunnerBrief
from harness.events import Event, WorkerDied, decode_event
from harness.frames import Bye, Frame, Hello, Message, decode_message, encode_message
from harness.histogram import percentile_bounds
from harness.statistics.ledger import Ledger
from harness.statistics.outages import outages
from harness.statistics.view import view_of

GOLDEN = Path(__file__).with_name("golden")
CASES = ("restart", "killed", "scattered")


def messages(stream: Path) -> list[Message]:
    """A worker's lines."""
    return [decode_message(line) for line in stream.read_bytes().splitlines()]


def events(folder: Path) -> list[Event]:
    """The conductor's."""
    return [decode_event(line) for line in (folder / "events.ndjson").read_bytes().splitlines()]


def replay(folder: Path) -> Ledger:
    """All of it in the order in which it happened, as far as order matters: a death lies between two incarnations."""
    streams = {tuple(map(int, path.stem.split("-")[1:])): messages(path) for path in folder.glob("worker-*.ndjson")}
    hello = streams[0, 0][0]
    assert isinstance(hello, Hello)
    runner = RunnerBrief(name=hello.runner, probe="app", target="x", rate=hello.rate, shards=hello.shards)
    ledger = Ledger(Brief(run="r", attempt=1, version="0", python="3", runners=(runner,), objectives=()))
    noted = events(folder)
    ledger.note(noted[0])
    said = [(-1.0 if isinstance(one, Hello) else one.at, key, one) for key, lines in streams.items() for one in lines]
    timed: list[tuple[float, int, Any]] = [
        *(
            (0.0, shard, (shard, incarnation, one))
            for at, (shard, incarnation), one in said
            if at < 0 and not incarnation
        ),
        *((at, 1000, (shard, incarnation, one)) for at, (shard, incarnation), one in said if at >= 0),
        *((one.at, 0, one) for one in noted[1:]),
    ]
    for _, _, entry in sorted(timed, key=lambda one: one[:2]):
        if isinstance(entry, tuple):
            shard, incarnation, message = entry
            ledger.hear(hello.runner, shard, incarnation, message)
        else:
            ledger.note(entry)
            if isinstance(entry, WorkerDied):
                ledger.hear(hello.runner, entry.shard, 1, streams[entry.shard, 1][0])
    return ledger


def figures(folder: Path) -> dict[str, Any]:
    """What a run comes to."""
    ledger = replay(folder)
    assert ledger.judged is not None
    assert ledger.problems == []
    (name,) = ledger.runners
    view = view_of(ledger, name, *ledger.judged)
    low, high = view.silences
    return {
        "planned": view.planned,
        "succeeded": view.succeeded,
        "failed": view.failed,
        "degraded": view.degraded,
        "unknown": view.unknown,
        "causes": ledger.tally(name, *ledger.judged).causes,
        "outages": [
            {
                "start": round(spell.start, 6),
                "end": round(spell.end, 6) if spell.end is not None else None,
                "seconds": round(spell.seconds, 6),
                "low": round(spell.low, 6),
                "high": round(spell.high, 6),
                "failures": spell.failures,
            }
            for spell in outages(view.axis, view.stretches)
        ][:5],
        "silence": [round(quiet.seconds, 6) if quiet is not None else None for quiet in (low, high)],
        "latency": {str(q): percentile_bounds(view.latency, q) for q in (0.5, 0.9, 0.99, 1.0)},
        "phases": [list(phase[:3]) for phase in ledger.phases()],
    }


@pytest.mark.parametrize("case", CASES)
def test_kept_frames_come_to_the_same_figures(case: str) -> None:
    """As on the day on which they were kept."""
    expected = json.loads((GOLDEN / case / "figures.json").read_bytes())
    assert json.loads(json.dumps(figures(GOLDEN / case))) == expected


@pytest.mark.parametrize("stream", sorted(GOLDEN.glob("*/worker-*.ndjson")), ids=lambda path: "/".join(path.parts[-2:]))
def test_frames_are_written_as_they_were(stream: Path) -> None:
    """Byte by byte: what is read and written again is the same line, in the order hello, frames, bye."""
    lines = stream.read_bytes().splitlines(keepends=True)
    assert [encode_message(decode_message(line)) for line in lines] == lines
    kinds = [type(message) for message in messages(stream)]
    assert kinds[0] is Hello
    assert set(kinds[1:-1]) == {Frame}
    assert kinds[-1] in (Frame, Bye)


@pytest.mark.parametrize("case", CASES)
def test_events_are_written_as_they_were(case: str) -> None:
    """As the journal holds them."""
    lines = (GOLDEN / case / "events.ndjson").read_bytes().splitlines()
    assert [msgspec.json.encode(event) for event in events(GOLDEN / case)] == lines


def test_scattered_failures_are_told_as_a_bitmap() -> None:
    """So that this form, too, is held."""
    told = messages(GOLDEN / "scattered" / "worker-0-0.ndjson")
    assert any(message.bitmaps for message in told if isinstance(message, Frame))


def test_later_keys_are_ignored() -> None:
    """An older reader reads what a newer worker says, as far as it understands it."""
    line = (GOLDEN / "restart" / "worker-0-0.ndjson").read_bytes().splitlines()[5]
    newer = msgspec.json.encode({**msgspec.json.decode(line), "of_a_later_version": {"x": [1]}})
    assert decode_message(newer) == decode_message(line)
