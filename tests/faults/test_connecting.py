"""Faults before a request is written: names and TCP."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from harness.outcome import Cause, Component
from harness.spec import Timeouts
from tests.faults.server import OK, FaultyServer, Peer, answering, saying
from tests.faults.trial import attempt, spec_of

ALL = pytest.mark.parametrize("probe", ["app", "http", "http2"])
FRESH = pytest.mark.parametrize("fresh", [False, True], ids=["kept", "fresh"])


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is bound and not listened on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def full() -> Iterator[int]:
    """A port whose queue of connections is full: the kernel drops what else comes."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(16):
            sock = stack.enter_context(socket.socket())
            sock.settimeout(0.1)
            try:
                sock.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            pytest.fail("the kernel's queue never got full")
        yield listener.getsockname()[1]


@ALL
@FRESH
def test_refused(probe: str, fresh: bool, nobody: int) -> None:
    trial = attempt(spec_of(probe, f"http://127.0.0.1:{nobody}/", fresh=fresh))
    trial.all_are(Cause.CONNECT_REFUSED, Component.NETWORK)
    example = trial.example(Cause.CONNECT_REFUSED)
    assert example.address == f"127.0.0.1:{nobody}"
    assert example.sent is None


@ALL
def test_no_answer_to_the_syn(probe: str, full: int) -> None:
    limits = Timeouts(connect=0.2, tls=5.0, first_byte=5.0, total=5.0)
    trial = attempt(spec_of(probe, f"http://127.0.0.1:{full}/", timeouts=limits, fresh=True))
    trial.all_are(Cause.CONNECT_TIMEOUT, Component.NETWORK)
    example = trial.example(Cause.CONNECT_TIMEOUT)
    assert example.detail == "not connected within 0.2 s"
    assert example.timings.connect is not None
    assert example.timings.connect >= 0.2


@ALL
def test_no_answer_to_the_syn_in_all_the_time_there_is(probe: str, full: int) -> None:
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.2, total=0.2)
    trial = attempt(spec_of(probe, f"http://127.0.0.1:{full}/", timeouts=limits, fresh=True))
    trial.all_are(Cause.TOTAL_TIMEOUT, Component.NETWORK)
    assert trial.example(Cause.TOTAL_TIMEOUT).detail == "not answered within 0.2 s, connecting"


@pytest.mark.parametrize(
    ("probe", "cause", "component"),
    [
        ("app", Cause.STALLED, Component.TARGET),  # ticks wait for a connection of the pool
        ("http", Cause.TOTAL_TIMEOUT, Component.NETWORK),  # each attempt opens its own
    ],
)
def test_a_pool_that_can_not_grow(probe: str, cause: Cause, component: Component, full: int) -> None:
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.2, total=0.2)
    attempt(spec_of(probe, f"http://127.0.0.1:{full}/", timeouts=limits)).all_are(cause, component)


@ALL
def test_no_such_name(probe: str) -> None:
    trial = attempt(spec_of(probe, "http://nobody-is-called.invalid/"))
    trial.all_are(Cause.DNS, Component.DNS)


@ALL
def test_pinned_to_an_address_the_name_needs_no_server(probe: str) -> None:
    with FaultyServer(answering(saying(OK))) as server:
        url = f"http://nobody-is-called.invalid:{server.port}/"
        trial = attempt(spec_of(probe, url, resolve=(("nobody-is-called.invalid", "127.0.0.1"),)))
    trial.all_good()


@ALL
def test_unreachable(probe: str) -> None:
    # the kernel lets nobody connect to the broadcast address: no packet leaves
    trial = attempt(spec_of(probe, "http://255.255.255.255/"))
    trial.all_are(Cause.CONNECT_UNREACHABLE, Component.NETWORK)


@ALL
def test_reset_when_accepted(probe: str) -> None:
    with FaultyServer(Peer.reset) as server:
        trial = attempt(spec_of(probe, f"http://127.0.0.1:{server.port}/", fresh=True))
    trial.all_are(Cause.RESET, Component.NETWORK)


@ALL
def test_closed_when_accepted(probe: str) -> None:
    def close(peer: Peer) -> None:
        peer.request()

    with FaultyServer(close) as server:
        trial = attempt(spec_of(probe, f"http://127.0.0.1:{server.port}/", fresh=True))
    trial.all_are(Cause.CLOSED_EARLY, Component.NETWORK)
