"""The `http` probe over HTTP/2: one connection, many streams, and what a peer may do to either."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from h2.errors import ErrorCodes

from harness.outcome import Cause, Component
from harness.spec import Timeouts, Tls
from tests.faults.authority import Authority
from tests.faults.server import OK, FaultyServer, Peer
from tests.faults.trial import TICKS, Trial, attempt, shown_stale, spec_of
from tests.probes.h2_server import Answer, Exchange, H2Server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("authority")))


Try = Callable[..., Trial]


@pytest.fixture
def tried(authority: Authority) -> Try:
    def run(answer: Answer, ticks: int = TICKS, **more: Any) -> Trial:
        with H2Server(answer, authority.good(protocols=("h2",))) as server:
            spec = spec_of("http2", server.url, tls=Tls(ca=str(authority.ca)), **more)
            trial = attempt(spec, ticks, before=server.forget)
            trial.counters["connections"] = server.connections
        return trial

    return run


# A connection that ends takes all of its streams with it. Of four ticks, 0.1 s apart, each has an end before the next.
APART: dict[str, Any] = {"ticks": 4, "rate": 10.0}


def fine(exchange: Exchange) -> None:
    exchange.answer(200)


def at_the_third(what: Answer) -> Answer:
    def answer(exchange: Exchange) -> None:
        if exchange.number == 3:
            what(exchange)
        else:
            exchange.answer(200)

    return answer


def test_many_streams_on_one_connection(tried: Try) -> None:
    seen: list[dict[str, str]] = []

    def answer(exchange: Exchange) -> None:
        seen.append(exchange.headers)
        exchange.answer(200)

    trial = tried(answer, headers=(("Connection", "keep-alive"), ("X-Own", "1")))
    trial.all_good()
    assert trial.counters["opened"] == 1
    assert trial.counters["http2"] == TICKS
    assert seen[0][":path"] == "/"
    assert seen[0][":authority"].startswith("127.0.0.1:")
    assert seen[0]["x-own"] == "1"
    assert "connection" not in seen[0]


def test_a_fresh_connection_for_each(tried: Try) -> None:
    trial = tried(fine, fresh=True)
    trial.all_good()
    assert trial.counters["opened"] == trial.counters["fresh"] == trial.counters["http2"] == TICKS


def test_a_server_without_it_speaks_http_1(authority: Authority) -> None:
    def behave(peer: Peer) -> None:
        while True:
            peer.request()
            peer.say(OK)

    with FaultyServer(behave, tls=authority.good(protocols=("http/1.1",))) as server:
        url = f"https://127.0.0.1:{server.port}/"
        trial = attempt(spec_of("http2", url, tls=Tls(ca=str(authority.ca))))
    trial.all_good()
    assert "http2" not in trial.counters


def test_no_protocol_in_common(authority: Authority) -> None:
    """Without `http2` none but HTTP/1.1 is offered."""
    tls = authority.good(protocols=("h2",))
    offered: list[str | None] = []

    def behave(peer: Peer) -> None:
        offered.append(peer.protocol)
        peer.request()
        peer.say(OK)

    with FaultyServer(behave, tls=tls) as server:
        url = f"https://127.0.0.1:{server.port}/"
        attempt(spec_of("http", url, tls=Tls(ca=str(authority.ca)), fresh=True)).all_good()
    assert set(offered) == {None}


@pytest.mark.parametrize(
    ("what", "cause", "component", "words"),
    [
        (Exchange.reset_stream, Cause.RESET, Component.NETWORK, "stream reset by the peer (INTERNAL_ERROR)"),
        (
            lambda exchange: exchange.go_away(exchange.stream, ErrorCodes.ENHANCE_YOUR_CALM),
            Cause.RESET,
            Component.NETWORK,
            "GOAWAY from the peer (ENHANCE_YOUR_CALM)",
        ),
        (Exchange.nonsense, Cause.PROTOCOL, Component.TARGET, ""),
        (
            lambda exchange: exchange.answer(503, x_vcap_request_id="abc"),
            Cause.STATUS_5XX,
            Component.APP,
            "status 503",
        ),
        (
            lambda exchange: exchange.answer(502, x_cf_routererror="endpoint_failure"),
            Cause.ROUTER,
            Component.ROUTER,
            "502 by the router: endpoint_failure",
        ),
    ],
    ids=["stream reset", "goaway", "nonsense", "503", "router"],
)
def test_one_bad_answer(tried: Try, what: Answer, cause: Cause, component: Component, words: str) -> None:
    trial = tried(at_the_third(what), method="POST", **APART)  # or a lost connection might be a stale one
    example = trial.one_is(cause, component)
    assert words in example.detail
    assert not example.fresh


@pytest.mark.parametrize("what", [Exchange.close, Exchange.reset], ids=["closed", "reset"])
def test_the_connection_ends(tried: Try, what: Answer) -> None:
    again = shown_stale(lambda: tried(at_the_third(what), **APART))
    again.all_good()
    assert again.counters["retried"] == 1
    never = tried(at_the_third(what), method="POST", **APART)
    assert never.one_is(next(iter(never.blames))[0], Component.NETWORK).cause in (Cause.CLOSED_EARLY, Cause.RESET)


def test_what_a_goaway_left_out_is_sent_again(tried: Try) -> None:
    """RFC 9113 §6.8: streams above its last were not looked at. httpcore sends them anew, and it is counted."""
    trial = tried(at_the_third(lambda exchange: exchange.go_away(exchange.stream - 2)), **APART)
    trial.all_good()
    assert trial.counters["retried"] == 1


def test_a_silent_stream_does_not_silence_the_others(tried: Try) -> None:
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.2, total=5.0)
    trial = tried(at_the_third(lambda _: None), timeouts=limits)
    trial.one_is(Cause.FIRST_BYTE_TIMEOUT, Component.TARGET)


def test_a_body_that_does_not_end(tried: Try) -> None:
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=0.3, total=0.3)
    trial = tried(at_the_third(lambda exchange: exchange.begin(b"abc")), timeouts=limits)
    example = trial.one_is(Cause.TOTAL_TIMEOUT, Component.TARGET)
    assert example.detail == "not answered within 0.3 s, reading the body"
    assert example.status == 200


def test_a_body_over_the_limit(tried: Try) -> None:
    trial = tried(lambda exchange: exchange.answer(200, b"a" * 5000), body_limit=1000)
    trial.all_good()
    assert trial.counters["truncated"] == TICKS
