"""Answers from bytes: framing, bounds and refusals. The fuzz holds that all ends as an answer or an AnswerError."""

import itertools
import time
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engine.answer import HEAD_LIMIT, AnswerError, AnswerReader


class Read(NamedTuple):
    """What a reader made of a stream. `surplus`: bytes that it was not given, since the answer was whole."""

    end: str  # "whole", "cut short" or "refused"
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    truncated: bool = False
    reusable: bool = False
    surplus: bool = False


def read(pieces: list[bytes], *, bodyless: bool = False, limit: int = 1 << 20, eof: bool = True) -> Read:
    """Feed the pieces as a connection would: until the answer is whole, then the end of the stream."""
    reader = AnswerReader(bodyless=bodyless, body_limit=limit, keep_body=True)
    by_end = False
    left = list(pieces)
    try:
        while left:
            piece = left.pop(0)
            if piece and reader.feed(piece):
                break
        else:
            by_end = eof and reader.eof()
            if not by_end:
                return Read("cut short")
    except AnswerError:
        return Read("refused")
    rest = b"".join(left)
    return Read(
        "whole",
        reader.status,
        tuple(sorted(reader.headers().items())),
        reader.body,
        reader.truncated,
        reader.can_be_reused() if not by_end else False,
        bool(rest if bodyless else rest.strip(b"\r\n")) and not reader.truncated,
    )


def verdict_of(result: Read) -> Read:
    """Surplus bytes in a piece of their own reach nobody who could refuse them: the same answer with more behind it."""
    return Read("refused") if result.surplus else result


def head(*lines: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    """A status line, headers, and the empty line."""
    return "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""]).encode("latin-1")


LENGTH = head("Content-Length: 5", "X-A: 1", "x-a:  2 ") + b"hello"
CHUNKED = head("Transfer-Encoding: chunked") + b"3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
TO_END = head("Server: old") + b"hello"


def test_content_length() -> None:
    assert read([LENGTH]) == Read("whole", 200, (("content-length", "5"), ("x-a", "1, 2")), b"hello", reusable=True)


def test_chunked() -> None:
    result = read([CHUNKED])
    assert (result.end, result.body, result.reusable) == ("whole", b"hello", True)


@pytest.mark.parametrize("coding", ["", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked, gzip"])
def test_an_end_by_closing(coding: str) -> None:
    """Without a length, or where chunked is not the last coding, the connection's end is the answer's (RFC 9112
    §6.3)."""
    answer = head(*([coding] if coding else [])) + b"hello"
    assert read([answer])[:4:3] == ("whole", b"hello")
    assert read([answer], eof=False).end == "cut short"


@pytest.mark.parametrize("answer", [LENGTH[:-1], CHUNKED[:-1], LENGTH[:30], b"H", head()[:-1]])
def test_a_connection_that_ends_too_early(answer: bytes) -> None:
    assert read([answer]).end == "cut short"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_statuses_without_a_body(status: str) -> None:
    result = read([head("ETag: x", status=status)], eof=False)
    assert (result.end, result.status, result.reusable) == ("whole", int(status[:3]), True)


def test_interim_answers_are_set_aside() -> None:
    interim = head("Link: </x>", "X-Early: 1", status="103 Early Hints")
    result = read([head(status="100 Continue") + interim + LENGTH])
    assert result == read([LENGTH])
    reader = AnswerReader(bodyless=False, body_limit=10, keep_body=False)
    assert reader.feed(interim) is False
    assert reader.interim
    assert not reader.begun
    assert not reader.eof()


def test_a_switch_of_protocols_is_refused() -> None:
    assert read([head("Upgrade: websocket", "Connection: Upgrade", status="101 Switching")]).end == "refused"


@pytest.mark.parametrize(
    ("lines", "version", "reusable"),
    [
        ((), "1.1", True),
        (("Connection: close",), "1.1", False),
        (("Connection: Keep-Alive",), "1.0", True),
        ((), "1.0", False),
    ],
)
@pytest.mark.parametrize("bodyless", [False, True])
def test_whether_a_connection_can_be_used_again(
    lines: tuple[str, ...], version: str, reusable: bool, bodyless: bool
) -> None:
    answer = head("Content-Length: 0", *lines, version=version)
    assert read([answer], bodyless=bodyless).reusable is reusable


def test_head_has_no_body_whatever_its_length_says() -> None:
    announced = head("Content-Length: 5")
    assert read([announced], bodyless=True, eof=False).end == "whole"
    assert read([announced + b"hello"], bodyless=True).end == "refused"
    assert read([head("Transfer-Encoding: chunked") + b"0\r\n\r\n"], bodyless=True).end == "refused"


def test_one_reader_reads_many_answers() -> None:
    for bodyless, answer in ((False, LENGTH), (False, CHUNKED), (True, head("Content-Length: 5"))):
        reader = AnswerReader(bodyless=bodyless, body_limit=100, keep_body=True)
        for _ in range(3):
            assert reader.feed(answer[:9]) is False
            assert reader.feed(answer[9:])
            assert reader.body == (b"" if bodyless else b"hello")
            assert reader.can_be_reused()
            reader.reset()
            assert not reader.begun
            assert not reader.head_done


@pytest.mark.parametrize("surplus", [LENGTH, b"x", b"\0", b"\r\n\r\nHTTP/1.1 500 smuggled\r\n\r\n"])
def test_more_than_one_answer(surplus: bytes) -> None:
    """Nothing was asked for a second one: what comes next could not be told from an answer to the next request."""
    assert read([LENGTH + surplus]).end == "refused"


@pytest.mark.parametrize(
    "answer",
    [
        head("Content-Length: 5", "Content-Length: 6") + b"hello!",
        head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        head("Content-Length: -1"),
        head("Content-Length: 99999999999999999999999"),
        head("Transfer-Encoding: chunked") + b"zz\r\n",
        head("Transfer-Encoding: chunked") + b"fffffffffffffffffff\r\n",
        head("X: a\r\n folded"),
        head("X\0: a"),
        head("Content-Length: 0", status="000 none"),
        head("Content-Length: 0", status="99"),
        b"HTTP/1.1 200 OK\n\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"\0" * 100,
    ],
)
def test_malformed_answers(answer: bytes) -> None:
    assert read([answer]).end == "refused"


def test_empty_lines_before_an_answer() -> None:
    """llhttp lets them pass, so the headers must be found behind them."""
    for lines in (b"\r\n", b"\r\n\r\n"):
        assert read([lines + LENGTH]) == read([LENGTH])
        assert read([lines + head(status="100 Continue") + lines + LENGTH]) == read([LENGTH])


def test_large_heads() -> None:
    fits = head("Content-Length: 0", "X: " + "x" * (HEAD_LIMIT - 100))
    exceeds = head("Content-Length: 0", "X: " + "x" * HEAD_LIMIT)
    assert read([fits]).end == "whole"
    assert read([exceeds]).end == "refused"
    assert read([exceeds[:-1], exceeds[-1:]]).end == "refused"
    assert read([b"HTTP/1.1 200 " + b"x" * HEAD_LIMIT]).end == "refused"


def test_body_limit() -> None:
    """As much is kept, the rest is not waited for, and the connection is not used again."""
    assert not read([LENGTH], limit=5).truncated
    for limit in range(5):
        for answer in (LENGTH, CHUNKED, TO_END, LENGTH[:-1]):
            result = read([answer], limit=limit, eof=False)
            assert result.end == "whole" or len(answer) < len(LENGTH)
            if result.end == "whole":
                assert (result.truncated, result.reusable, result.body) == (True, False, b"hello"[:limit])


def test_what_lies_behind_a_body_over_the_limit_is_no_answer() -> None:
    """An error stays one, though a good answer came in the same piece."""
    error = head("Content-Length: 5", status="500 Internal Server Error") + b"sorry"
    result = read([error + LENGTH], limit=2)
    assert (result.end, result.status, result.truncated) == ("whole", 500, True)


def test_a_body_in_tiny_chunks_takes_time_in_proportion() -> None:
    """A kept body must not be copied for every chunk."""
    one = head("Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    ten = head("Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 400_000 + b"0\r\n\r\n"

    def cost(answer: bytes) -> float:
        began = time.process_time()
        assert read([answer]).end == "whole"
        return time.process_time() - began

    assert cost(ten) < 200 * min(cost(one) for _ in range(3))


STATUSES = st.sampled_from(["200 OK", "100 C", "103 Hints", "101 S", "204 No", "304 Not", "500 x", "000 z", "99"])
LINES = st.lists(
    st.sampled_from(
        [
            "Content-Length: 0",
            "Content-Length: 3",
            "Content-Length: 3, 3",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: gzip",
            "Connection: close",
            "Connection: keep-alive",
            "Connection: upgrade",
            "Upgrade: h2c",
            "Keep-Alive: timeout=5",
            "X: \xff\x80",
            "no colon",
            ": empty",
            "Content-Length : 3",
        ]
    ),
    max_size=3,
)
BODIES = st.sampled_from([b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n", b"3\r\nab", b"\r\n", b"abcdef"])
ONE = st.builds(
    lambda status, lines, version, body: head(*lines, status=status, version=version) + body,
    STATUSES,
    LINES,
    st.sampled_from(["1.1", "1.0", "2", "0.9"]),
    BODIES,
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Answers in a row, some damaged in one place, some cut off."""
    stream = bytearray(b"".join(draw(st.lists(ONE | st.binary(max_size=20), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(0, 2))):
        if stream:
            place = draw(st.integers(0, len(stream) - 1))
            stream[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(stream[: draw(st.integers(0, len(stream)))] if draw(st.booleans()) else stream)


@given(
    stream=streams(), cuts=st.lists(st.integers(0, 300)), bodyless=st.booleans(), limit=st.sampled_from([0, 2, 3, 1000])
)
def test_any_bytes_end_alike_however_they_are_split(stream: bytes, cuts: list[int], bodyless: bool, limit: int) -> None:
    """An answer or an AnswerError, never anything else; and where the network splits the bytes makes no difference."""
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[begin:end] for begin, end in itertools.pairwise(places)]
    single = [stream[i : i + 1] for i in range(len(stream))]
    whole = verdict_of(read([stream], bodyless=bodyless, limit=limit))
    assert verdict_of(read(pieces, bodyless=bodyless, limit=limit)) == whole
    assert verdict_of(read(single, bodyless=bodyless, limit=limit)) == whole


def test_interim_answers_without_end_are_malformed() -> None:
    flood = b"HTTP/1.1 100 Continue\r\n\r\n" * 100
    with pytest.raises(AnswerError, match="interim"):
        AnswerReader(bodyless=False, body_limit=100, keep_body=False).feed(flood)


ANSWERS = [
    head("Content-Length: 2") + b"ok",
    head("Content-Length: 2") + b"no",
    head("Content-Length: 2", "Connection: close") + b"ok",
    head("Content-Length: 0", status="204 No Content"),
    head("Content-Length: 3", status="503 Service Unavailable") + b"bad",
    head("Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + head("Content-Length: 2") + b"ok",
]


@given(st.lists(st.tuples(st.sampled_from(ANSWERS), st.integers(0, 60)), min_size=1, max_size=12), st.booleans())
def test_an_answer_like_the_last_one_is_read_as_if_it_were_the_first(
    turns: list[tuple[bytes, int]], keep: bool
) -> None:
    """Whole or in two pieces: a reader that has read others says the same of it as a new one."""

    def told(reader: AnswerReader, answer: bytes, cut: int) -> tuple[object, ...]:
        for piece in filter(None, (answer[:cut], answer[cut:])):
            complete = reader.feed(piece)
        return (
            complete,
            reader.status,
            reader.body_bytes,
            reader.body,
            reader.headers(),
            reader.can_be_reused(),
            reader.begun,
            reader.head_done,
            reader.interim,
        )

    used = AnswerReader(bodyless=False, body_limit=1 << 20, keep_body=keep)
    for answer, cut in turns:
        new = AnswerReader(bodyless=False, body_limit=1 << 20, keep_body=keep)
        assert told(used, answer, cut) == told(new, answer, cut)
        if not used.can_be_reused():
            used = AnswerReader(bodyless=False, body_limit=1 << 20, keep_body=keep)
        used.reset()
