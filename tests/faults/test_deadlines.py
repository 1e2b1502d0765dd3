"""Answers that come too late: each limit is a cause of its own, and one that only nearly passed is none."""

import pytest

from harness.outcome import Cause, Component
from harness.spec import Pool, Timeouts
from tests.faults.server import FaultyServer, Peer, answering
from tests.faults.trial import PROBES, attempt, spec_of

BOTH = pytest.mark.parametrize("probe", PROBES)
THIRD = range(3, 4)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"


def url_of(server: FaultyServer) -> str:
    return f"http://127.0.0.1:{server.port}/"


@BOTH
@pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])
def test_no_first_byte(probe: str, fresh: bool) -> None:
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.2, total=5.0)
    with FaultyServer(answering(Peer.stall, requests=THIRD)) as server:
        spec = spec_of(probe, url_of(server), timeouts=limits, fresh=fresh)
        example = attempt(spec, before=server.forget).one_is(Cause.FIRST_BYTE_TIMEOUT, Component.TARGET)
    assert example.detail.startswith("no first byte within 0.2 s of the request")
    assert example.sent is not None
    assert example.timings.first_byte is not None
    assert example.timings.first_byte >= 0.2
    assert example.timings.body is None


@BOTH
def test_no_answer_in_all_the_time_there_is(probe: str) -> None:
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.2, total=0.2)
    with FaultyServer(answering(Peer.stall, requests=THIRD)) as server:
        spec = spec_of(probe, url_of(server), timeouts=limits)
        example = attempt(spec, before=server.forget).one_is(Cause.TOTAL_TIMEOUT, Component.TARGET)
    assert example.detail.startswith("not answered within 0.2 s, waiting for the first byte")
    assert example.status is None


@BOTH
def test_a_body_that_dribbles(probe: str) -> None:
    """The first byte is in time, and the last is not."""

    def dribble(peer: Peer) -> None:
        peer.say(HEAD)
        peer.dribble(b"x" * 40, 0.02)

    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.2, total=0.3)
    with FaultyServer(answering(dribble, requests=THIRD)) as server:
        spec = spec_of(probe, url_of(server), timeouts=limits)
        example = attempt(spec, before=server.forget).one_is(Cause.TOTAL_TIMEOUT, Component.TARGET)
    assert example.detail.startswith("not answered within 0.3 s, reading the body")
    assert example.status == 200
    assert example.timings.body is not None


@pytest.mark.parametrize(
    ("probe", "cause", "stage"),
    [
        ("app", Cause.TOTAL_TIMEOUT, "reading the body"),
        ("http", Cause.FIRST_BYTE_TIMEOUT, ""),  # the first byte is known with the last of the headers
    ],
)
def test_headers_that_dribble(probe: str, cause: Cause, stage: str) -> None:
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.2, total=0.4)
    with FaultyServer(answering(lambda peer: peer.dribble(HEAD, 0.02), requests=THIRD)) as server:
        spec = spec_of(probe, url_of(server), timeouts=limits)
        example = attempt(spec, before=server.forget).one_is(cause, Component.TARGET)
    assert stage in example.detail


@BOTH
def test_slow_and_in_time(probe: str) -> None:
    def dribble(peer: Peer) -> None:
        peer.say(HEAD)
        peer.dribble(b"x" * 40, 0.005)

    limits = Timeouts(connect=5.0, tls=5.0, first_byte=2.0, total=4.0)
    with FaultyServer(answering(dribble)) as server:
        trial = attempt(spec_of(probe, url_of(server), timeouts=limits))
    trial.all_good()
    assert max(trial.frame.stages["body"]) > 0


@BOTH
def test_a_pool_that_is_too_small_is_our_fault(probe: str) -> None:
    """Ticks come faster than the one connection can be replaced, so that some never have it."""
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.2, total=0.2)
    with FaultyServer(answering(Peer.stall)) as server:
        spec = spec_of(probe, url_of(server), timeouts=limits, pool=Pool(warm=1, cap=1, handshakes=1), rate=2000.0)
        trial = attempt(spec, ticks=100)
    assert trial.good == 0
    assert trial.causes.total() == 100
    assert set(trial.causes) == {Cause.TOTAL_TIMEOUT, Cause.POOL_LIMIT}
    assert {(run.cause, run.component) for run in trial.frame.unknown} == {(Cause.POOL_LIMIT, Component.HARNESS)}
    assert "rate x timeout asks for more" in trial.example(Cause.POOL_LIMIT).detail


@BOTH
def test_cut_at_the_stop(probe: str) -> None:
    with FaultyServer(answering(Peer.stall, requests=THIRD)) as server:
        spec = spec_of(probe, url_of(server), drain=0.2)
        example = attempt(spec, before=server.forget).one_is(Cause.CUT, Component.HARNESS)
    assert example.detail.startswith("in flight when the drain ended")
