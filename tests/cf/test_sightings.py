"""A restart shows, and nothing else looks like one."""

from hypothesis import given
from hypothesis import strategies as st

from harness.cf.shapes import Instance
from harness.cf.sightings import Restart, Sightings


def running(index: int, uptime: float) -> Instance:
    return Instance(state="RUNNING", index=index, uptime=uptime)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 70)), max_size=20))
def test_no_restart_without_one(looks: list[tuple[float, float]]) -> None:
    """However slow the answers: uptime is told in whole seconds, at some moment of the call."""
    sightings, now = Sightings(), 1000.0
    for wait, stall in looks:
        now += wait
        for moment in (now, now + stall):
            assert sightings.look("p", [running(0, int(moment - 900.0))], now, now + stall) == []


@given(st.floats(5, 1000), st.floats(0, 3))
def test_a_restart_shows(before: float, after: float) -> None:
    sightings = Sightings()
    sightings.look("p", [running(0, int(before)), running(1, 7)], 1000.0, 1000.1)
    now = 1000.0 + after + 3
    found = sightings.look("p", [running(0, int(after)), running(1, int(7 + after + 3))], now, now + 0.1)
    assert found == [Restart(0, int(after))]
    assert sightings.look("p", [running(0, int(after))], now, now + 0.1) == []


@given(st.floats(-2, 2), st.lists(st.floats(0, 2), max_size=10))
def test_clocks_that_are_a_little_apart_make_no_restart(drift: float, waits: list[float]) -> None:
    """Each Cloud Controller tells the uptime by its own clock."""
    sightings, now = Sightings(), 1000.0
    for number, wait in enumerate(waits):
        now += wait
        skew = 0.4 * drift * (number % 2)
        assert sightings.look("p", [running(0, int(now - 900 + skew))], now, now + 0.01) == []


def test_a_restart_between_two_rare_looks_shows() -> None:
    """Its uptime has not fallen."""
    sightings = Sightings()
    sightings.look("p", [running(0, 5)], 1000.0, 1000.1)
    assert sightings.look("p", [running(0, 40)], 1060.0, 1060.1) == [Restart(0, 40)]


def test_only_running_instances_are_seen() -> None:
    sightings = Sightings()
    sightings.look("p", [running(0, 100)], 10, 10)
    assert sightings.look("p", [Instance(state="DOWN", uptime=0), Instance(state="RUNNING")], 20, 20) == []
