"""The tasks' side of the control API: what it asks, how it places marks, and what it says when nothing comes."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.channel.http import HttpPipeline
from harness.channel.records import MarkNote, StopWish
from harness.channel.store import ChannelError, NobodyError, SilentError
from harness.gate import Acceptance
from harness.stop import Request
from tests.control.serving import ENDED, REPORTS, Api, serving


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path, token="s3same") as made:
        yield made


@pytest.fixture
def pipeline(api: Api) -> HttpPipeline:
    return HttpPipeline(api.url, {"CF_HARNESS_TOKEN": "s3same"})


def _note(name: str, **more: object) -> MarkNote:
    return MarkNote(**{"id": name.encode().hex()[:64], "name": name, "edge": "", "at": time.time(), **more})  # type: ignore[arg-type]


def test_it_knows_its_own_run_alone(api: Api, pipeline: HttpPipeline) -> None:
    assert pipeline.newest() == "r"
    assert pipeline.attempts("r") == [1]
    assert pipeline.attempts("other") == []
    seen = pipeline.look("r", 1)
    assert seen.owner == api.live.owner
    assert seen.pulse is not None
    assert seen.pulse.state == "preparing"
    with pytest.raises(ChannelError, match="tells of the run r, attempt 1, not of other"):
        pipeline.look("other", 1)
    with pytest.raises(ChannelError, match="not of r, attempt 2") as caught:
        pipeline.stop("r", 2, StopWish(by="me", at=0.0))
    assert caught.value.exit_code == 3
    assert api.said == []


def test_earlier_attempts(tmp_path: Path) -> None:
    (tmp_path / "r" / "1").mkdir(parents=True)
    (tmp_path / "r" / "1" / "report.txt").write_text("first\n")
    with serving(tmp_path, attempt=2) as api:
        pipeline = HttpPipeline(api.url, {})
        assert pipeline.attempts("r") == [1, 2]
        assert pipeline.look("r", 1).ended is None
        assert pipeline.report("r", 1, "report.txt") == b"first\n"
        assert pipeline.report("r", 1, "verdict.json") is None


def test_a_mark_of_a_moment_goes_by_its_age(api: Api, pipeline: HttpPipeline) -> None:
    """Where the two clocks differ by hours, the age is still the same."""
    pipeline.mark("r", 1, [_note("now"), _note("old", at=time.time() - 30.0), _note("future", at=time.time() + 1e6)])
    ages = {mark.name: time.monotonic() - mark.monotonic for mark in api.marks}
    assert ages["old"] - ages["now"] == pytest.approx(30.0, abs=0.1)
    assert 0 <= ages["future"] <= ages["now"] + 1e-3


def test_a_mark_told_afterwards_keeps_its_time(api: Api, pipeline: HttpPipeline) -> None:
    at = time.time() - 40.0
    pipeline.mark("r", 1, [_note("router/0", edge="begin", at=at, within=1.0, source="bosh")])
    (mark,) = api.marks
    assert (mark.edge, mark.within, mark.source) == ("begin", 1.0, "bosh")
    assert time.monotonic() - mark.monotonic == pytest.approx(time.time() - at, abs=0.5)


def test_many_marks_go_in_several_requests_and_none_twice(api: Api, pipeline: HttpPipeline) -> None:
    notes = [_note("é" * 150 + f"{number:04d}", id=f"n{number}") for number in range(1200)]
    for _ in range(2):
        pipeline.mark("r", 1, notes)
    assert sorted(mark.name for mark in api.marks) == [note.name for note in notes]


def test_a_name_too_long_is_cut(api: Api, pipeline: HttpPipeline) -> None:
    pipeline.mark("r", 1, [_note("x" * 300)])
    assert api.marks[0].name == "x" * 200


def test_a_stop_may_be_asked_for_again(api: Api, pipeline: HttpPipeline) -> None:
    for by in ("one", "two"):
        pipeline.stop("r", 1, StopWish(by=by, at=0.0))
    assert api.stops == [Request("one", insists=False)]
    seen = pipeline.look("r", 1)
    assert seen.stop is not None
    assert seen.stop.by == "one"


def test_the_end(api: Api, pipeline: HttpPipeline) -> None:
    assert pipeline.report("r", 1, "verdict.json") is None
    api.live.end(ENDED, REPORTS)
    pipeline.stop("r", 1, StopWish(by="late", at=0.0))
    assert pipeline.look("r", 1).ended == ENDED
    assert pipeline.report("r", 1, "verdict.json") == REPORTS["verdict.json"]
    with pytest.raises(ChannelError, match="nothing can be marked any more") as caught:
        pipeline.mark("r", 1, [_note("late")])
    assert caught.value.exit_code == 3
    acceptance = Acceptance(by="me", reason="known", at=1.0, attempts=[1], outcome="fail")
    for _ in range(2):
        pipeline.accept("r", acceptance)
    (kept,) = pipeline.acceptances("r")
    assert (kept.by, kept.reason, kept.attempts, kept.outcome) == ("me", "known", [1], "fail")
    assert abs(kept.at - time.time()) < 60  # by the run's clock


def test_the_token(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s3same\n")
    assert HttpPipeline(api.url, {"CF_HARNESS_TOKEN_FILE": str(file)}).newest() == "r"
    with pytest.raises(ChannelError, match=r"wants a token.*; set CF_HARNESS_TOKEN or CF_HARNESS_TOKEN_FILE"):
        HttpPipeline(api.url, {}).newest()
    with pytest.raises(ChannelError, match="not this run's token; another one is in CF_HARNESS_TOKEN") as caught:
        HttpPipeline(api.url, {"CF_HARNESS_TOKEN": "wr0ng"}).newest()
    assert not isinstance(caught.value, SilentError)
    assert "wr0ng" not in str(caught.value)
    with pytest.raises(ChannelError, match="CF_HARNESS_TOKEN: a token is one line of ASCII") as caught:
        HttpPipeline(api.url, {"CF_HARNESS_TOKEN": "two\r\nX: lines"})
    assert "two" not in str(caught.value)
    with pytest.raises(ChannelError, match=r"CF_HARNESS_TOKEN_FILE=.*absent: No such file"):
        HttpPipeline(api.url, {"CF_HARNESS_TOKEN_FILE": str(tmp_path / "absent")})


@pytest.mark.parametrize("url", ["http://me:s3same@127.0.0.1:1", "https://s3same@h:1"])
def test_a_password_in_the_url_is_refused(url: str) -> None:
    with pytest.raises(ChannelError, match="no password belongs into a channel's URL") as caught:
        HttpPipeline(url, {})
    assert "s3same" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://", "http://h:99999", "http://h:1/path", "http://h:1?x=1", "http://h:x", "http://[::1"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ChannelError, match=r"expected http\(s\)://host:port"):
        HttpPipeline(url, {})


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")  # is not for loopback
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        pipeline = HttpPipeline(f"http://127.0.0.1:{closed.getsockname()[1]}", {})
        with pytest.raises(NobodyError, match=r"nothing listens at http://127.*cf-harness verdict RUN --runs-dir"):
            pipeline.newest()


@contextlib.contextmanager
def _answering(answer: bytes) -> Iterator[str]:
    """Something else that listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("status", ["500 X", "502 Bad Gateway", "503 X", "429 X"])
def test_asking_again_may_help(status: str) -> None:
    said = f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode()
    with _answering(said) as url, pytest.raises(SilentError, match=status[:3]):
        HttpPipeline(url, {}).newest()
    with _answering(b"") as url, pytest.raises(SilentError, match="http://127"):
        HttpPipeline(url, {}).newest()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<html",
        b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 X\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_something_else_listens_there(answer: bytes) -> None:
    with _answering(answer) as url, pytest.raises(ChannelError) as caught:
        HttpPipeline(url, {}).newest()
    assert not isinstance(caught.value, SilentError)
    assert url in str(caught.value)
