"""An event stream in pieces."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.channel.concourse.sse import LIMIT, Event, EventStream

_EVENTS = st.lists(
    st.tuples(st.sampled_from(["event", "end"]), st.binary(max_size=40).map(lambda data: data.replace(b"\r", b""))),
    max_size=8,
)


def _written(number: int, name: str, data: bytes) -> bytes:
    lines = [b"data: " + line if line else b"data" for line in data.split(b"\n")]
    return b"id: %d\nevent: %s\n%s\n\n" % (number, name.encode(), b"\n".join(lines))


@given(_EVENTS, st.lists(st.integers(0, 600), max_size=12))
def test_any_cut_gives_the_same_events(events: list[tuple[str, bytes]], cuts: list[int]) -> None:
    whole = b"".join(_written(number, *event) for number, event in enumerate(events))
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    stream, found = EventStream(), []
    for begin, end in pairwise(edges):
        found += stream.feed(whole[begin:end])
    assert found == [Event(str(number), name, data) for number, (name, data) in enumerate(events)]


def test_one_that_is_too_long_keeps_its_id_and_takes_no_memory() -> None:
    stream = EventStream()
    assert stream.feed(b"id: 4\nevent: event\ndata: ") == []
    for _ in range(40):
        assert stream.feed(b"x" * (LIMIT // 16)) == []
        assert len(stream._line) <= LIMIT
    assert stream.feed(b"\n\nid: 5\nevent: event\ndata: y\n\n") == [Event("4", "event", b""), Event("5", "event", b"y")]


@given(st.binary(max_size=200))
def test_garbage_is_no_error(data: bytes) -> None:
    for event in EventStream().feed(data + b"\n\n"):
        assert isinstance(event.data, bytes)


def test_lines_may_end_as_http_lines_do() -> None:
    assert EventStream().feed(b"id: 1\r\nevent: event\r\ndata: x\r\n\r\n") == [Event("1", "event", b"x")]
