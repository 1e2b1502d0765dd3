"""What workers say: bitmaps, settled ranges, merging, and that everything survives its encoding."""

import base64
import copy
import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.frames import (
    RUNS_BEFORE_BITMAP,
    Address,
    Bitmap,
    Bye,
    Frame,
    Hello,
    Pause,
    Run,
    Second,
    Silence,
    bitmaps_of,
    decode_message,
    encode_message,
    merge_second,
    runs_of,
    settled_above,
    settled_state,
)
from harness.outcome import Cause, Component, Outcome, Timings

ENDS = st.sampled_from(
    [(Cause.RESET, Component.NETWORK), (Cause.ROUTER, Component.ROUTER), (Cause.MISSED, Component.HARNESS)]
)


def ticks_of(runs: list[Run]) -> dict[tuple[Cause, Component], set[int]]:
    found: dict[tuple[Cause, Component], set[int]] = {}
    for run in runs:
        found.setdefault((run.cause, run.component), set()).update(range(run.first, run.last + 1))
    return found


@given(st.dictionaries(st.integers(0, 3000), ENDS, max_size=300), st.integers(0, 10**12))
def test_bitmaps_hold_what_runs_hold(ends: dict[int, tuple[Cause, Component]], base: int) -> None:
    runs = [Run(base + tick, base + tick, *end) for tick, end in ends.items()]
    back = [run for bitmap in bitmaps_of(runs) for run in runs_of(bitmap)]
    assert ticks_of(back) == ticks_of(runs)
    for one, other in itertools.pairwise(back):
        if one[2:] == other[2:]:
            assert one.last < other.first, "runs are in order"


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 400)), max_size=20))
def test_long_runs_in_bitmaps(spans: list[tuple[int, int]]) -> None:
    runs = [Run(first, first + length, Cause.RESET, Component.NETWORK) for first, length in spans]
    back = [run for bitmap in bitmaps_of(runs) for run in runs_of(bitmap)]
    assert ticks_of(back) == ticks_of(runs)


def test_a_bitmap_is_little_endian() -> None:
    """As written down in its docstring, for readers in other languages."""
    runs = [Run(8, 8, Cause.RESET, Component.NETWORK), Run(17, 19, Cause.RESET, Component.NETWORK)]
    (bitmap,) = bitmaps_of(runs)
    assert bitmap.first == 8
    assert base64.b64decode(bitmap.bits) == bytes([0b0000_0001, 0b0000_1110])
    assert list(runs_of(bitmap)) == runs
    assert list(runs_of(Bitmap(5, "", Cause.RESET, Component.NETWORK))) == []


@st.composite
def open_ticks(draw: st.DrawFn) -> tuple[int, list[range], list[int]]:
    """(reached, in line, in flight): disjoint, below `reached`."""
    reached = draw(st.integers(0, 1500))
    step = draw(st.integers(1, 3))
    ordinals = set(range(reached))
    waiting = []
    for first, count in draw(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 300)), max_size=4)):
        part = range(first, first + count * step, step)
        if ordinals.issuperset(part):
            ordinals.difference_update(part)
            waiting.append(part)
    every = draw(st.sampled_from([1, 2, 5, 10**6]))
    flying = [n for n in sorted(ordinals) if n % every == every - 1][: draw(st.integers(0, 800))]
    return reached, waiting, flying


@given(open_ticks())
def test_settled_is_what_is_not_open(state: tuple[int, list[range], list[int]]) -> None:
    reached, waiting, flying = state
    opened = {n for part in waiting for n in part} | set(flying)
    watermark, settled, bits = settled_state(reached, waiting, flying)
    frame = Frame(seq=1, at=0.0, reached=reached, watermark=watermark, settled=settled, settled_bits=bits)
    assert watermark == min(opened, default=reached)
    told = settled_above(decode(frame))
    assert {n for first, last in told for n in range(first, last + 1)} == set(range(watermark, reached)) - opened
    assert all(first <= last for first, last in told)
    assert not (settled and bits)


def decode(frame: Frame) -> Frame:
    message = decode_message(encode_message(frame))
    assert isinstance(message, Frame)
    return message


def test_many_settled_ranges_are_told_as_a_bitmap() -> None:
    few = settled_state(10_000, [], range(0, 2 * RUNS_BEFORE_BITMAP, 2))
    many = settled_state(10_000, [], range(0, 2 * RUNS_BEFORE_BITMAP + 2, 2))
    assert (few[2], many[1]) == ("", [])
    assert len(many[2]) < 10_000 / 8 * 4 / 3 + 4


def test_messages_survive_their_encoding() -> None:
    run = Run(3, 9, Cause.RESET, Component.NETWORK)
    outcome = Outcome(tick=3, intended=0.3, reached=0.3, finished=0.4, cause=Cause.RESET, timings=Timings(connect=0.01))
    frame = Frame(
        seq=7,
        at=1.75,
        reached=20,
        watermark=3,
        settled=[(5, 9)],
        bad=[run],
        bitmaps=list(bitmaps_of([run])),
        seconds={1: Second(sent=3, good=2, causes={"reset": 1}, addresses={"[::1]:443": Address(good=2)})},
        examples=[outcome],
        silences=[Silence(0.1, 0.4, 0.0)],
        pauses=[Pause(0.2, 0.3)],
        quiet_since=0.5,
    )
    hello = Hello(runner="ä", shard=0, shards=2, incarnation=1, first=5, rate=0.1, start=1e5, pid=3)
    bye = Bye(seq=8, at=2.0, planned=20, reason="told to stop")
    for message in (hello, frame, bye):
        line = encode_message(message)
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
        assert decode_message(line) == message
    assert [outcome.latency, outcome.latency_low] == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize("line", [b"", b"{}", b"nonsense", b'{"type":"frame"}', b'{"type":"other"}', b'["frame"]'])
def test_what_is_no_message(line: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_message(line)


HISTOGRAMS = st.dictionaries(st.integers(0, 20), st.integers(1, 5), max_size=4)
COUNTS = st.dictionaries(st.sampled_from(["reset", "missed", "dns"]), st.integers(1, 5), max_size=3)
SECONDS = st.builds(
    Second,
    sent=st.integers(0, 9),
    good=st.integers(0, 9),
    degraded=st.integers(0, 9),
    causes=COUNTS,
    latency=HISTOGRAMS,
    latency_low=HISTOGRAMS,
    service=HISTOGRAMS,
    lag=HISTOGRAMS,
    statuses=st.dictionaries(st.sampled_from([200, 502]), st.integers(1, 5)),
    addresses=st.dictionaries(
        st.sampled_from(["a", "b"]), st.builds(Address, good=st.integers(0, 9), causes=COUNTS, latency=HISTOGRAMS)
    ),
)


def leaves(value: object, path: tuple[object, ...] = ()) -> dict[tuple[object, ...], int]:
    """Every number in it, by its place."""
    if isinstance(value, int):
        return {path: value} if value else {}
    items = value.items() if isinstance(value, dict) else msgspec.structs.asdict(value).items()  # type: ignore[arg-type]
    return {place: number for key, inner in items for place, number in leaves(inner, (*path, key)).items()}


@given(st.lists(SECONDS, min_size=1, max_size=4))
def test_seconds_add_up_number_by_number(parts: list[Second]) -> None:
    before = copy.deepcopy(parts)
    total = Second()
    for part in parts:
        merge_second(total, part)
    expected: dict[tuple[object, ...], int] = {}
    for part in parts:
        for place, number in leaves(part).items():
            expected[place] = expected.get(place, 0) + number
    assert leaves(total) == expected
    assert parts == before, "what is added stays as it was"
