"""A call ends when it must: at its deadline wherever it hangs, and when another thread cuts it short."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.cf.performed import Performed
from harness.cf.session import Session
from harness.cf.target import ApiTarget, Asked, Limits
from harness.outcome import Cause, Component
from tests.cf.foundation import Foundation, Reply, stalling, trickling, trickling_head, trickling_to_the_end
from tests.cf.ways import LIMITS, blamed, ours, perform, session
from tests.faults.authority import Authority
from tests.faults.server import FaultyServer, Peer

PATIENT = Limits(connect=10.0, read=10.0, total=10.0)
LATE = 0.2  # seconds


@pytest.fixture
def foundation() -> Iterator[Foundation]:
    with Foundation() as one:
        yield one


def timed(one: Session, asked: Asked | str = "list-apps", seconds: float = 0.5) -> Performed:
    """Sees that it ends at its deadline."""
    began = time.monotonic()
    performed = perform(one, asked, seconds)
    assert seconds - 0.01 <= time.monotonic() - began <= seconds + LATE
    return performed


@pytest.mark.parametrize("reply", [stalling, trickling, trickling_head, trickling_to_the_end])
@pytest.mark.parametrize("path", ["/v3/apps", "/v3/processes", "/oauth/token", "/"])
def test_the_whole_operation_ends_at_its_deadline(foundation: Foundation, path: str, reply: Reply) -> None:
    foundation.on[path] = reply
    with session(foundation, limits=PATIENT) as one:
        performed = timed(one)
    assert performed.fault is not None
    assert performed.fault.cause is Cause.TOTAL_TIMEOUT
    assert performed.calls[-1].ended - performed.calls[-1].began <= 0.5 + LATE
    foundation.over.set()


def test_a_stall_of_the_stats_points_to_diego(foundation: Foundation) -> None:
    foundation.on["/v3/processes/process-of-app-1/stats"] = stalling
    with session(foundation, limits=PATIENT) as one:
        told = blamed(timed(one, Asked(operation="app-stats", app="shop")), Cause.TOTAL_TIMEOUT, Component.DIEGO)
        assert told.startswith("stats: ")
        assert perform(one).fault is None  # the next operation is well


def test_silence_of_the_log_in_is_uaas(foundation: Foundation) -> None:
    foundation.on["/oauth/token"] = stalling
    limits = Limits(connect=1, read=0.3, total=5)
    performed = ours(foundation, limits=limits)
    assert "no answer within 0.3 s" in blamed(performed, Cause.FIRST_BYTE_TIMEOUT, Component.UAA)


def test_a_handshake_that_never_ends() -> None:
    def dribble(peer: Peer) -> None:
        peer.read()
        peer.dribble(b"\x16\x03\x03\x40\x00" + b"\x02" * 400, 0.05)

    with FaultyServer(dribble) as server:
        url = f"https://127.0.0.1:{server.port}"
        with session(url, limits=PATIENT) as one:
            blamed(timed(one, seconds=0.4), Cause.TOTAL_TIMEOUT, Component.NETWORK)
        limits = Limits(connect=0.3, read=5, total=5)
        blamed(ours(url, limits=limits), Cause.TLS_TIMEOUT, Component.NETWORK)


def test_a_connect_that_never_ends() -> None:
    """A listener whose line is full answers no SYN."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        url = "http://{}:{}".format(*listener.getsockname())
        blamed(ours(url, limits=Limits(connect=0.3, read=5, total=5)), Cause.CONNECT_TIMEOUT, Component.NETWORK)
        with session(url, limits=PATIENT) as one:
            blamed(timed(one, seconds=0.3), Cause.TOTAL_TIMEOUT, Component.NETWORK)
            blamed(cut_after(one, 0.2), Cause.CUT, Component.HARNESS)


def test_a_look_up_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    over, asked = threading.Event(), []

    def hang(*_: object, **__: object) -> list[object]:
        asked.append(1)
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "no name server")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with session("http://api.test", limits=PATIENT) as one:
        blamed(timed(one, seconds=0.3), Cause.TOTAL_TIMEOUT, Component.DNS)
        blamed(cut_after(one, 0.1), Cause.CUT, Component.HARNESS)
        assert len(asked) == 1  # the same look-up, waited for again
        over.set()
        assert "no name server" in blamed(perform(one), Cause.DNS, Component.DNS)
    over.clear()
    limits = Limits(connect=0.2, read=5, total=5)
    assert "no name server" in blamed(ours("http://api.test", limits=limits), Cause.DNS, Component.DNS)
    over.set()


def cut_after(one: Session, seconds: float) -> Performed:
    timer = threading.Timer(seconds, one.cut)
    timer.start()
    began = time.monotonic()
    performed = perform(one, seconds=10.0)
    assert time.monotonic() - began < seconds + LATE
    timer.join()
    return performed


@pytest.mark.parametrize("reply", [stalling, trickling, trickling_head, trickling_to_the_end])
@pytest.mark.parametrize("path", ["/", "/oauth/token", "/v3/apps"])
def test_cut_from_another_thread(foundation: Foundation, path: str, reply: Reply) -> None:
    foundation.on[path] = reply
    with session(foundation, limits=PATIENT) as one:
        blamed(cut_after(one, 0.15), Cause.CUT, Component.HARNESS)
        foundation.on.clear()
        assert perform(one).fault is None  # a cut is of one call


def test_cut_in_a_tls_session(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Foundation(tls=authority.good()) as foundation:
        foundation.on["/v3/apps"] = trickling
        target = ApiTarget(api=foundation.url, ca=str(authority.ca))
        with session(foundation, limits=PATIENT, target=target) as one:
            blamed(cut_after(one, 0.3), Cause.CUT, Component.HARNESS)
            blamed(timed(one), Cause.TOTAL_TIMEOUT, Component.TARGET)
        foundation.over.set()


def test_a_cut_without_a_call_does_nothing(foundation: Foundation) -> None:
    with session(foundation) as one:
        one.cut()
        assert perform(one).fault is None
        one.cut()
        assert perform(one).fault is None


def test_nothing_is_left_behind(foundation: Foundation) -> None:
    """Neither descriptors nor threads, whatever the calls came to."""
    with session(foundation, limits=LIMITS) as one:
        perform(one)
        before = len(list(Path("/proc/self/fd").iterdir()))
        replies: list[Callable[..., None] | None] = [None, stalling, trickling, None]
        for reply in replies * 3:
            foundation.on.clear()
            if reply is not None:
                foundation.on["/v3/apps"] = reply
            perform(one, seconds=0.15)
    foundation.over.set()
    until = time.monotonic() + 10

    def left() -> tuple[bool, list[threading.Thread]]:
        timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
        return len(list(Path("/proc/self/fd").iterdir())) > before, timers

    while left() != (False, []) and time.monotonic() < until:
        time.sleep(0.02)
    assert left() == (False, [])
