"""The engine's rules about time, on a virtual clock: deadlines, pauses of its own, lateness, the line."""

import asyncio
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine.blame import Blame
from harness.engine.resolver import Address
from harness.histogram import lowest_of
from harness.outcome import Cause, Component
from harness.spec import Pool
from tests.engine.stage import ONE, TWO, Answer, Names, Network, in_no_time, run_engine, spec_of, with_timeouts

SOON = 0.02  # seconds that a healthy target takes


def healthy(now: float, address: Address) -> float:
    return SOON


def stalled_from(begin: float, end: float = math.inf) -> Answer:
    """No answer to what comes within; a healthy target before and after."""
    return lambda now, address: None if begin <= now < end else SOON


@in_no_time
async def test_a_healthy_target() -> None:
    network = Network(healthy)
    seen = await run_engine(spec_of(), network, ticks=300)
    assert (seen.good, seen.causes) == (300, {})
    assert [when for when, *_ in network.requests] == pytest.approx([k / 100 for k in range(300)], abs=2e-4)
    assert seen.frame.pauses == []


@in_no_time
async def test_a_pause_is_never_the_targets_fault() -> None:
    """SIGSTOP, three times 1.2 s, a target that answers in 20 ms, a timeout of a second."""
    seen = await run_engine(spec_of(), Network(healthy), ticks=800, pauses=[(1.003, 1.2), (3.1, 1.2), (5.5, 1.2)])
    assert set(seen.causes) <= {Cause.MISSED, Cause.TAINTED}
    assert seen.frame.bad == []
    assert [pause.end - pause.begin for pause in seen.frame.pauses] == pytest.approx([1.2] * 3, abs=0.011)
    missed = seen.ticks(Cause.MISSED)
    assert 3 * 100 < len(missed) < 3 * 120
    assert len(seen.ticks(Cause.TAINTED)) <= 3 * 3


@given(
    pauses=st.lists(st.tuples(st.floats(0.0, 2.0), st.floats(0.03, 2.0)), max_size=4),
    connect=st.sampled_from([0.001, 0.02, 0.2]),
    rate=st.sampled_from([10.0, 100.0, 250.0]),
    fresh=st.booleans(),
    warm=st.sampled_from([0, 4]),
)
@settings(max_examples=60, deadline=None)
def test_no_pause_makes_a_false_failure(
    pauses: list[tuple[float, float]], connect: float, rate: float, fresh: bool, warm: int
) -> None:
    """Whenever and for however long we stand still: connecting, in line, waiting for an answer."""

    @in_no_time
    async def run() -> None:
        network = Network(healthy, connect=lambda now: connect)
        spec = spec_of(rate=rate, fresh=fresh, warm=warm, cap=int(rate))
        seen = await run_engine(spec, network, ticks=int(3 * rate), pauses=pauses)
        assert set(seen.causes) <= {Cause.MISSED, Cause.TAINTED, Cause.CUT}

    run()


@given(pauses=st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(0.03, 0.8)), max_size=3))
@settings(max_examples=30, deadline=None)
def test_no_pause_hides_an_outage(pauses: list[tuple[float, float]]) -> None:
    """Whatever was sent to a target that answers nothing is bad, however we stood still meanwhile."""

    @in_no_time
    async def run() -> None:
        spec = msgspec.structs.replace(spec_of(), drain=20.0)
        seen = await run_engine(spec, Network(lambda now, address: None), ticks=400, pauses=pauses)
        assert seen.good == 0
        assert set(seen.causes) <= {Cause.FIRST_BYTE_TIMEOUT, Cause.TOTAL_TIMEOUT, Cause.STALLED, Cause.MISSED}

    run()


@in_no_time
async def test_a_tick_in_line_has_its_time_extended_by_our_pause() -> None:
    """The handshake that it waits for needs a little longer than we slept past its deadline."""
    network = Network(healthy, connect=lambda now: 0.3)
    seen = await run_engine(spec_of(warm=0, rate=10.0), network, ticks=20, pauses=[(0.05, 1.2)])
    assert seen.frame.bad == []
    assert seen.ticks(Cause.TAINTED) == [0]


@in_no_time
async def test_a_stalled_target_times_out_exactly() -> None:
    spec = with_timeouts(spec_of(), first_byte=5.0)
    seen = await run_engine(spec, Network(stalled_from(1.0, 1.5)), ticks=300)
    assert seen.ticks(Cause.TOTAL_TIMEOUT) == list(range(100, 150))
    assert seen.good == 250
    assert all(1.0 <= outcome.latency < 1.006 for outcome in seen.frame.examples)


@in_no_time
async def test_a_late_first_byte_has_its_own_limit() -> None:
    spec = with_timeouts(spec_of(), first_byte=0.25)
    seen = await run_engine(spec, Network(stalled_from(1.0, 1.5)), ticks=300)
    assert seen.ticks(Cause.FIRST_BYTE_TIMEOUT) == list(range(100, 150))
    assert all(0.25 <= outcome.latency < 0.256 for outcome in seen.frame.examples)


@in_no_time
async def test_answers_past_the_deadline_are_not_good() -> None:
    """Whichever way a request came to its connection: the order of sending is not the order of deadlines here, since
    some waited a long time for theirs."""
    slow = {0: 0.9}

    def connect(now: float) -> float:
        return slow.pop(0) if slow and now > 0.2 else 0.001

    def answer(now: float, address: Address) -> float:
        return 0.4

    seen = await run_engine(spec_of(rate=20.0, fresh=True), Network(answer, connect=connect), ticks=60)
    (late,) = seen.ticks(Cause.TOTAL_TIMEOUT)
    assert seen.good == 59
    (outcome,) = seen.frame.examples
    assert outcome.tick == late
    assert 1.0 <= outcome.latency < 1.006


@in_no_time
async def test_each_address_keeps_its_deadlines() -> None:
    """One address is slow, and its ticks wait in line; the other's later deadlines must not hide theirs."""

    def answer(now: float, address: Address) -> float | None:
        return 0.9 if address == ONE else 0.95

    spec = msgspec.structs.replace(spec_of(rate=40.0, cap=24, warm=24))
    seen = await run_engine(spec, Network(answer), ticks=200, names=Names((0.0, (ONE, TWO))))
    assert seen.causes[Cause.POOL_LIMIT] > 0
    for second in seen.frame.seconds.values():
        assert all(lowest_of(index) < 1_006_000 for index in second.whole_latency())


@in_no_time
async def test_connecting_has_its_own_limit() -> None:
    spec = with_timeouts(spec_of(fresh=True), connect=0.2)
    network = Network(healthy, connect=lambda now: None if 1.0 <= now < 1.5 else 0.001)
    seen = await run_engine(spec, network, ticks=200)
    ticks = seen.ticks(Cause.CONNECT_TIMEOUT)
    assert len(ticks) in (50, 51)
    assert seen.good == 200 - len(ticks)
    assert all(0.2 <= outcome.latency < 0.206 for outcome in seen.frame.examples)


@in_no_time
async def test_the_schedule_never_waits_for_answers() -> None:
    """Open-loop: a stalled target is asked as often as a healthy one, as long as there are connections."""
    network = Network(stalled_from(0.5))
    await run_engine(spec_of(cap=1000), network, ticks=200)
    sent = [when for when, *_ in network.requests]
    assert len(sent) == 200
    assert sent == pytest.approx([k / 100 for k in range(200)], abs=0.01)


@pytest.mark.parametrize(("cap", "cause"), [(100, Cause.STALLED), (99, Cause.POOL_LIMIT)])
def test_whose_fault_is_a_wait_for_a_connection(cap: int, cause: Cause) -> None:
    """The target's, if we would have had connections for all that it can stall within the timeout; else our setting's.
    No connection comes free here, and none can be opened: those in line end at their deadline exactly."""

    @in_no_time
    async def run() -> None:
        spec = msgspec.structs.replace(
            with_timeouts(spec_of(), connect=30.0, first_byte=30.0),
            pool=Pool(warm=2, cap=cap, handshakes=2),
            drain=5.0,
        )
        network = Network(stalled_from(0.0), connect=lambda now: 0.001 if now < 0 else None)
        seen = await run_engine(spec, network, ticks=150)
        assert seen.ticks(Cause.TOTAL_TIMEOUT) == [0, 1]
        assert seen.ticks(cause) == list(range(2, 150))
        assert all(1.0 <= outcome.latency < 1.006 for outcome in seen.frame.examples)

    run()


@in_no_time
async def test_two_limits_that_are_over_at_once_end_an_attempt_once() -> None:
    """A wake that is late, yet no pause, finds both."""
    spec = with_timeouts(spec_of(rate=2.0), first_byte=0.25, total=0.255)
    seen = await run_engine(spec, Network(stalled_from(0.0)), ticks=2, pauses=[(0.245, 0.019)])
    assert seen.causes == {Cause.FIRST_BYTE_TIMEOUT: 2}


@in_no_time
async def test_late_ticks_are_missed_past_the_lag_and_caught_up_within_it() -> None:
    spec = spec_of(rate=1000.0, cap=2000)
    network = Network(healthy)
    seen = await run_engine(spec, network, ticks=3000, pauses=[(1.0, 0.5)])
    missed = seen.ticks(Cause.MISSED)
    # the pause makes 500 late; the newest 100 are within max_lag, and some of them run out of it while we catch up
    assert missed[0] <= 1001
    assert 400 <= len(missed) <= 405
    sent = [when for when, *_ in network.requests if when >= 1.5]
    for begin in range(len(sent) - 20):
        assert sent[begin + 20] - sent[begin] >= 20 / 2000 - 0.0021, "no more than twice the rate"
    assert seen.frame.bad == []


@in_no_time
async def test_a_short_pause_costs_no_tick() -> None:
    seen = await run_engine(spec_of(), Network(healthy), ticks=200, pauses=[(0.5, 0.09)])
    assert (seen.good, seen.causes) == (200, {})


@in_no_time
async def test_what_breaks_across_a_pause_is_tainted() -> None:
    """A reset while we stood still may be our silence's doing; one while we were awake is not."""

    async def run(pause: float) -> tuple[Network, object]:
        network = Network(lambda now, address: 0.5)
        loop = network.loop
        loop.call_at(network.start + 0.3 + pause, lambda: network.transports[0].lose(ConnectionResetError("reset")))
        seen = await run_engine(spec_of(rate=2.0, warm=1), network, ticks=1, pauses=[(0.2, pause)] if pause else [])
        return network, seen.causes

    assert (await run(0.0))[1] == {Cause.RESET: 1}
    assert (await run(0.15))[1] == {Cause.TAINTED: 1}


@in_no_time
async def test_attempts_in_flight_at_the_end_are_cut_after_the_drain() -> None:
    network = Network(stalled_from(0.5))
    spec = spec_of(timeout=30.0, cap=20)
    seen = await run_engine(spec, network, ticks=100)
    assert seen.ticks(Cause.CUT) == list(range(50, 100))
    assert 0.995 + 0.5 <= network.now() < 1.6


@in_no_time
async def test_a_second_stop_cuts_the_drain_short() -> None:
    """Its drain, too, counts from the last tick: one that is over by now ends at once."""
    network = Network(stalled_from(0.5))
    loop = network.loop
    spec = msgspec.structs.replace(spec_of(timeout=30.0), drain=20.0)
    seen = await run_engine(
        spec,
        network,
        ticks=100,
        meanwhile=lambda engine: loop.call_at(network.start + 2.0, engine.stop, 0.995, 0.9),
    )
    assert seen.causes == {Cause.CUT: 50}
    assert 2.0 <= network.now() < 2.2


@in_no_time
async def test_a_stop_during_a_dial_that_never_ends() -> None:
    """Nothing outlives the drain: not a dial for the pool, not one for a tick."""
    for fresh in (False, True):
        network = Network(healthy, connect=lambda now: None)
        spec = spec_of(timeout=60.0, fresh=fresh)
        seen = await run_engine(spec, network, ticks=20)
        assert seen.causes == {Cause.CUT: 20}
        assert network.now() < 1.0


@in_no_time
async def test_no_tick_before_the_names_are_known() -> None:
    """A slow look-up at the beginning is not a host without addresses."""

    class SlowNames(Names):
        async def resolve(self) -> None:
            await asyncio.sleep(0.5)
            await super().resolve()

    seen = await run_engine(spec_of(), Network(healthy), ticks=200, names=SlowNames())
    assert Cause.DNS not in seen.causes
    assert seen.good + seen.causes[Cause.MISSED] == 200


@in_no_time
async def test_names_that_fail() -> None:
    """Without any address each tick fails for that reason, and the next look-up mends it."""
    gone = Blame(Cause.DNS, Component.DNS, "no such host")
    seen = await run_engine(spec_of(), Network(healthy), ticks=400, names=Names((0.0, gone), (1.5, (ONE,))))
    dns = seen.ticks(Cause.DNS)
    assert dns == list(range(len(dns)))
    assert 140 <= len(dns) <= 250
    assert seen.good == 400 - len(dns)


@in_no_time
async def test_addresses_that_change_are_followed() -> None:
    """New ticks go to the new address; what is under way at the old one ends there."""
    network = Network(healthy)
    seen = await run_engine(spec_of(), network, ticks=400, names=Names((0.0, (ONE,)), (1.5, (TWO,))))
    assert (seen.good, seen.causes) == (400, {})
    to = [address for _, address, _ in network.requests]
    assert to == sorted(to), "first the one, then the other"
    assert 100 < to.count(TWO) < 260


@in_no_time
async def test_addresses_take_turns() -> None:
    network = Network(healthy)
    seen = await run_engine(spec_of(), network, ticks=100, names=Names((0.0, (ONE, TWO))))
    assert [address for _, address, _ in network.requests] == [ONE, TWO] * 50
    addresses = seen.frame.seconds[0].addresses
    assert {name: address.good for name, address in addresses.items()} == {"10.0.0.1:80": 50, "10.0.0.2:80": 50}


@in_no_time
async def test_connections_take_turns() -> None:
    """First in, first out: every warm connection is used, not one alone."""
    network = Network(healthy)
    await run_engine(spec_of(rate=10.0, warm=5), network, ticks=50)
    used = [connection for *_, connection in network.requests]
    assert len(set(used)) == 5
    assert used == used[:5] * 10


@in_no_time
async def test_the_pool_is_warm_before_the_first_tick() -> None:
    network = Network(healthy, connect=lambda now: 0.01)
    seen = await run_engine(
        msgspec.structs.replace(spec_of(), pool=Pool(warm=40, cap=100, handshakes=8)), network, ticks=50
    )
    assert len(network.dialed) == 40
    assert max(network.dialed) < 0
    assert network.most_dialing == 8
    assert seen.frame.counters == {"opened": 40, "kept": 50}


@in_no_time
async def test_a_pool_grows_no_faster_than_it_may() -> None:
    """A hiccup of the target is not answered with a storm of handshakes."""
    network = Network(lambda now, address: 0.1, connect=lambda now: 0.005)
    spec = msgspec.structs.replace(spec_of(rate=5000.0), pool=Pool(warm=0, cap=2000, handshakes=100))
    await run_engine(spec, network, ticks=1000)
    dialed = [when for when in network.dialed if when >= 0]
    assert network.most_dialing <= 100
    for begin in range(len(dialed) - 150):
        assert dialed[begin + 150] - dialed[begin] >= (150 - 16 - 4) / 2000 - 0.001


@in_no_time
async def test_idle_connections_are_not_used_past_their_limit() -> None:
    """The server may have closed them already; a fresh one is opened instead, and nothing fails."""
    network = Network(healthy)
    spec = msgspec.structs.replace(spec_of(rate=1.0), pool=Pool(warm=1, cap=4, handshakes=4, idle=0.6))
    seen = await run_engine(spec, network, ticks=6)
    assert seen.good == 6
    assert len({connection for *_, connection in network.requests}) == 6


@in_no_time
async def test_our_lateness_is_no_part_of_the_targets_time() -> None:
    """Answers take 70 ms of the 100 that they may; pauses of 85 ms make ticks late, which are sent all the same."""
    spec = with_timeouts(spec_of(rate=50.0, cap=16, warm=8), connect=0.1, tls=0.1, first_byte=0.1, total=0.1)
    pauses = [(0.5 + n / 3, 0.085) for n in range(8)]
    seen = await run_engine(spec, Network(lambda now, address: 0.07), ticks=200, pauses=pauses)
    assert set(seen.causes) <= {Cause.TAINTED}
    assert seen.good > 100
