"""Connections that the server closed while they were idle: retried once, and counted (RFC 9110 §9.2.2)."""

from typing import Any

import pytest

from harness.outcome import Cause, Component
from tests.faults.server import OK, Behaviour, FaultyServer, Peer, answering, saying
from tests.faults.trial import PROBES, TICKS, Trial, attempt, shown_stale, spec_of

BOTH = pytest.mark.parametrize("probe", PROBES)
CLOSED_OR_RESET = pytest.mark.parametrize(
    ("end", "cause"), [(Peer.close, Cause.CLOSED_EARLY), (Peer.reset, Cause.RESET)], ids=["closed", "reset"]
)


def tried(probe: str, behave: Behaviour, **more: Any) -> Trial:
    with FaultyServer(behave) as server:
        return attempt(spec_of(probe, f"http://127.0.0.1:{server.port}/", **more), before=server.forget)


@BOTH
@CLOSED_OR_RESET
def test_ended_as_the_request_was_written(probe: str, end: Behaviour, cause: Cause) -> None:
    trial = shown_stale(lambda: tried(probe, answering(end, requests=range(3, 4))))
    trial.all_good()
    assert trial.counters["retried"] == 1


@BOTH
@CLOSED_OR_RESET
def test_and_ended_again(probe: str, end: Behaviour, cause: Cause) -> None:
    trial = shown_stale(lambda: tried(probe, answering(end, requests=range(3, 5))))
    example = trial.one_is(cause, Component.NETWORK)
    assert example.retried
    assert example.fresh
    assert trial.counters["retried"] == 1


@BOTH
def test_not_what_may_not_be_sent_twice(probe: str) -> None:
    trial = tried(probe, answering(Peer.close, requests=range(3, 4)), method="POST")
    example = trial.one_is(Cause.CLOSED_EARLY, Component.NETWORK)
    assert not example.retried
    assert "retried" not in trial.counters


@BOTH
def test_not_what_ended_long_after(probe: str) -> None:
    def late(peer: Peer) -> None:
        peer.wait(0.3)
        peer.close()

    trial = tried(probe, answering(late, requests=range(3, 4)))
    trial.one_is(Cause.CLOSED_EARLY, Component.NETWORK)
    assert "retried" not in trial.counters


@BOTH
def test_not_what_had_begun_to_answer(probe: str) -> None:
    def begun(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        peer.close()

    trial = tried(probe, answering(begun, requests=range(3, 4)))
    trial.one_is(Cause.CLOSED_EARLY, Component.NETWORK)
    assert "retried" not in trial.counters


@pytest.mark.parametrize(
    ("probe", "retried"),
    [
        ("app", 0),
        ("http", 1),  # half a head is no answer yet
    ],
)
def test_half_a_head(probe: str, retried: int) -> None:
    def begun(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\nConte")
        peer.close()

    def run() -> Trial:
        return tried(probe, answering(begun, requests=range(3, 4)))

    trial = shown_stale(run) if retried else run()
    assert trial.counters.get("retried", 0) == retried
    assert trial.good == TICKS - 1 + retried


@BOTH
def test_closed_while_idle_is_nobodys_fault(probe: str) -> None:
    def behave(peer: Peer) -> None:
        peer.request()
        peer.say(OK)  # and closed, though the answer said nothing of it

    trial = tried(probe, behave, rate=20.0)
    trial.all_good()
    assert trial.counters.get("retried", 0) == 0


@BOTH
def test_one_connection_serves_them_all(probe: str) -> None:
    with FaultyServer(answering(saying(OK))) as server:
        trial = attempt(spec_of(probe, f"http://127.0.0.1:{server.port}/", rate=10.0), ticks=6)
    assert trial.good == 6
    assert trial.counters["opened"] <= 2
    assert trial.counters["kept"] >= 4


@BOTH
def test_a_fresh_one_for_each(probe: str) -> None:
    with FaultyServer(answering(saying(OK))) as server:
        trial = attempt(spec_of(probe, f"http://127.0.0.1:{server.port}/", fresh=True))
        trial.all_good()
    assert trial.counters["opened"] == trial.counters["fresh"] == TICKS
    assert "kept" not in trial.counters
