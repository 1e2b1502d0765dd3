"""The driver's rules, on a virtual clock."""

import asyncio
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine.blame import Blame, Stage
from harness.outcome import Cause, Component
from harness.probes.flight import Flight
from harness.spec import Pool, Timeouts
from tests.conductor.virtual import VirtualLoop, in_no_time
from tests.probes.scripted import Drive, blames, causes, for_ever, good, taking

RESET = Blame(Cause.RESET, Component.NETWORK, "reset by the test")
REFUSED = Blame(Cause.STATUS_5XX, Component.APP, "status 500")


def loop() -> VirtualLoop:
    return cast(VirtualLoop, asyncio.get_running_loop())


def pool(cap: int) -> Pool:
    return Pool(warm=0, cap=cap, handshakes=1)


def total(seconds: float, **more: float) -> Timeouts:
    limits = {"connect": 60.0, "tls": 60.0, "first_byte": 60.0} | more
    return Timeouts(total=seconds, **limits)


# the schedule, slots and the line


@in_no_time
async def test_slow_answers_do_not_slow_the_schedule() -> None:
    drive = Drive(taking(0.95))
    frame = await drive.run(until=3.0)
    assert good(frame) == 30
    assert [flight.reached for flight in drive.probe.flights] == pytest.approx([k / 10 for k in range(30)], abs=0.001)
    assert drive.probe.most == 10
    assert drive.now == pytest.approx(2.9 + 0.95, abs=0.05)


@in_no_time
async def test_never_more_at_once_than_slots_and_the_first_come_is_served_first() -> None:
    drive = Drive(taking(0.5), pool=pool(2), timeouts=total(30.0))
    frame = await drive.run(until=2.0)
    assert good(frame) == 20
    assert drive.probe.most == 2
    assert [flight.ordinal for flight in drive.probe.flights] == list(range(20))
    last = drive.probe.flights[-1]  # two each half second: the last begins at 4.6 s, though it was due at 1.9 s
    assert last.intended == pytest.approx(1.9)
    assert last.queued == pytest.approx(4.6 - 1.9, abs=0.01)
    slowest = max(value for second in frame.seconds.values() for value in second.whole_latency())
    assert slowest > max(value for value in frame.seconds[0].whole_service())
    assert "queue" in frame.stages


@pytest.mark.parametrize(
    ("cap", "cause", "component"),
    [(10, Cause.STALLED, Component.TARGET), (9, Cause.POOL_LIMIT, Component.HARNESS)],
)
def test_whose_fault_a_line_is(cap: int, cause: Cause, component: Component) -> None:
    """Slots for rate x timeout would have been enough, had the target let go of any."""

    async def never_ends(_: Flight) -> Blame | None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(10.0)
        return None

    @in_no_time
    async def run() -> None:
        drive = Drive(never_ends, pool=pool(cap), timeouts=total(1.0))
        frame = await drive.run(until=2.0)
        assert causes(frame) == {Cause.TOTAL_TIMEOUT: cap, cause: 20 - cap}
        assert blames(frame) == {(Cause.TOTAL_TIMEOUT, Component.TARGET), (cause, component)} or blames(frame) == {
            (Cause.TOTAL_TIMEOUT, Component.NETWORK),
            (cause, component),
        }
        of_line = [run for run in (*frame.bad, *frame.unknown) if run.cause is cause]
        assert [(run.first, run.last) for run in of_line] == [(cap, 19)]
        assert frame.watermark == 20

    run()


@in_no_time
async def test_open_ticks_are_told_as_such() -> None:
    drive = Drive(taking(0.95), pool=pool(2), timeouts=total(30.0))
    seen: list[tuple[int, list[int], list[range], int]] = []

    def look() -> None:
        waiting, flying = drive.driver.open_ordinals()
        seen.append((drive.driver.in_flight, flying, waiting, drive.driver.waiting))

    drive.at(0.55, look)
    await drive.run(until=1.0)
    assert seen == [(2, [0, 1], [range(2, 6)], 4)]


# deadlines


@in_no_time
async def test_out_of_time_from_the_schedule() -> None:
    drive = Drive(for_ever)
    frame = await drive.run(until=0.5)
    assert causes(frame) == {Cause.TOTAL_TIMEOUT: 5}
    for example in frame.examples:
        assert example.finished - example.intended == pytest.approx(1.0, abs=0.01)
        assert example.component is Component.NETWORK
        assert example.detail == f"not answered within 1 s, {Stage.CONNECT}"


@in_no_time
async def test_a_stage_has_a_limit_of_its_own_until_it_is_left() -> None:
    connecting = Blame(Cause.CONNECT_TIMEOUT, Component.NETWORK, "not connected")
    silent = Blame(Cause.FIRST_BYTE_TIMEOUT, Component.TARGET, "no first byte")

    async def attempt(flight: Flight) -> Blame | None:
        flight.enter(Stage.CONNECT, 0.2, connecting)
        await asyncio.sleep(0.1 if flight.ordinal else 5.0)
        flight.enter(Stage.FIRST_BYTE, 0.3, silent)
        flight.is_sent()
        await asyncio.sleep(0.25 if flight.ordinal != 1 else 5.0)
        flight.has_begun()
        await asyncio.sleep(0.5 if flight.ordinal != 2 else 5.0)
        return None

    drive = Drive(attempt)
    frame = await drive.run(until=0.4)
    assert good(frame) == 1
    ends = {example.tick: example.finished - example.intended for example in frame.examples}
    assert ends == {0: pytest.approx(0.2, abs=0.03), 1: pytest.approx(0.4, abs=0.03), 2: pytest.approx(1.0, abs=0.03)}
    assert {example.tick: example.cause for example in frame.examples} == {
        0: Cause.CONNECT_TIMEOUT,
        1: Cause.FIRST_BYTE_TIMEOUT,
        2: Cause.TOTAL_TIMEOUT,
    }
    words = {example.tick: example.detail for example in frame.examples}
    assert words[2] == f"not answered within 1 s, {Stage.BODY}"


@in_no_time
async def test_a_deadline_only_nominates() -> None:
    """An answer that comes while the loop looks once more is an answer."""
    drive = Drive(taking(1.001))
    frame = await drive.run(until=0.5)
    assert (good(frame), causes(frame)) == (5, {})


# our own pauses


@in_no_time
async def test_what_answers_after_our_pause_and_its_deadline_is_nobodys() -> None:
    drive = Drive(taking(0.8))
    drive.at(0.75, loop().pause, 0.5)  # ticks 0 to 2 would have been answered in time, the next still are
    frame = await drive.run(until=0.7)
    assert frame.pauses
    assert causes(frame) == {Cause.TAINTED: 3}
    assert blames(frame) == {(Cause.TAINTED, Component.HARNESS)}
    assert good(frame) == 4
    assert "answered past its deadline; 0.490 s of it are ours" in frame.examples[0].detail
    assert frame.examples[0].paused == pytest.approx(0.5, abs=0.03)


@in_no_time
async def test_a_silent_target_gets_the_time_that_we_were_away() -> None:
    drive = Drive(for_ever)
    drive.at(0.05, loop().pause, 0.5)
    frame = await drive.run(until=0.1)
    assert causes(frame) == {Cause.TOTAL_TIMEOUT: 1}
    assert frame.examples[0].finished == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize(
    ("blame", "cause", "component"),
    [
        (RESET, Cause.TAINTED, Component.HARNESS),
        (REFUSED, Cause.STATUS_5XX, Component.APP),  # the peer said so itself
    ],
)
def test_what_breaks_across_our_pause(blame: Blame, cause: Cause, component: Component) -> None:
    async def attempt(flight: Flight) -> Blame | None:
        await asyncio.sleep(0.5)
        return blame

    @in_no_time
    async def run() -> None:
        drive = Drive(attempt)
        drive.at(0.3, loop().pause, 0.1)
        frame = await drive.run(until=0.1)
        assert blames(frame) == {(cause, component)}

    @in_no_time
    async def without_a_pause() -> None:
        frame = await Drive(attempt).run(until=0.1)
        assert blames(frame) == {(blame.cause, blame.component)}

    run()
    without_a_pause()


@in_no_time
async def test_what_we_came_to_too_late_is_not_sent() -> None:
    drive = Drive(taking(0.01), max_lag=0.1)
    drive.at(0.25, loop().pause, 1.0)
    frame = await drive.run(until=2.0)
    missed = causes(frame)[Cause.MISSED]
    assert 8 <= missed <= 10
    assert good(frame) == 20 - missed
    assert blames(frame) == {(Cause.MISSED, Component.HARNESS)}
    assert len(drive.probe.flights) == 20 - missed


# the end


@in_no_time
async def test_what_is_in_flight_gets_the_drain() -> None:
    drive = Drive(taking(0.8))
    frame = await drive.run(until=1.0, drain=0.9)
    assert good(frame) == 10


@in_no_time
async def test_and_is_cut_then() -> None:
    drive = Drive(for_ever, pool=pool(4), timeouts=total(30.0))
    frame = await drive.run(until=1.0, drain=0.5)
    assert blames(frame) == {(Cause.CUT, Component.HARNESS)}
    assert causes(frame) == {Cause.CUT: 10}  # four in flight, six in line
    assert [example.finished for example in frame.examples] == [pytest.approx(1.5, abs=0.05)] * len(frame.examples)
    assert drive.now == pytest.approx(1.5, abs=0.05)


@in_no_time
async def test_a_second_stop_cuts_the_drain_short() -> None:
    """Its drain, too, counts from the last tick: one that is over by now ends at once."""
    for drain in (0.0, 0.9):
        drive = Drive(for_ever, timeouts=total(60.0))
        drive.at(2.0, drive.driver.stop, 1.0, drain)
        frame = await drive.run(until=1.0, drain=30.0)
        assert causes(frame) == {Cause.CUT: 10}
        assert drive.now == pytest.approx(2.0, abs=0.1)


@in_no_time
async def test_a_probe_that_breaks_is_told() -> None:
    async def attempt(flight: Flight) -> Blame | None:
        raise KeyError("of the probe's own")

    drive = Drive(attempt)
    with pytest.raises(ExceptionGroup) as raised:
        await drive.run(until=1.0)
    assert raised.group_contains(KeyError)
    assert not drive.probe.ready


@in_no_time
async def test_torn_down_it_leaves_nothing_behind() -> None:
    drive = Drive(for_ever)
    task = asyncio.create_task(drive.run(until=1.0))
    await asyncio.sleep(1.3)
    assert drive.probe.in_flight > 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert drive.probe.in_flight == 0
    assert not drive.probe.ready


@settings(max_examples=30, deadline=None)
@given(
    seconds=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=20),
    cap=st.integers(1, 12),
    rate=st.floats(1.0, 40.0),
    limit=st.floats(0.1, 2.0),
    drain=st.floats(0.0, 4.0),
    pause=st.tuples(st.floats(0.0, 2.0), st.floats(0.0, 1.0)),
)
def test_every_tick_has_one_end(
    seconds: list[float], cap: int, rate: float, limit: float, drain: float, pause: tuple[float, float]
) -> None:
    @in_no_time
    async def run() -> None:
        drive = Drive(taking(*seconds), pool=pool(cap), rate=rate, timeouts=total(limit))
        drive.at(pause[0], loop().pause, pause[1])
        frame = await drive.run(until=2.0, drain=drain)
        planned = drive.driver.metronome.reached
        assert good(frame) + causes(frame).total() == planned
        assert frame.watermark == planned
        settled = [tick for run in (*frame.bad, *frame.unknown) for tick in range(run.first, run.last + 1)]
        assert len(settled) == len(set(settled)) == causes(frame).total()
        assert drive.probe.most <= cap
        begun = [flight.ordinal for flight in drive.probe.flights]
        assert begun == sorted(set(begun))
        if not frame.pauses:
            # one that takes just its limit is late by the few microseconds that we came late to its tick
            at_the_limit = any(abs(taken - limit) < 0.001 for taken in seconds)
            assert at_the_limit or Cause.TAINTED not in causes(frame)
            assert Cause.MISSED not in causes(frame)

    run()
