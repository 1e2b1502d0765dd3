"""Which connection serves which tick: state and decisions without I/O. The engine does what is decided here.

One lane for each peer address. Ticks take turns over the lanes, connections are first in, first out within one: last
in, first out would watch a single connection at low rates.
"""

from collections import deque
from typing import TYPE_CHECKING

from harness.engine.line import Line
from harness.engine.resolver import Address

FREE_GROWTH = 16  # connections of a lane that are opened as soon as a tick wants one
GROWTH = 2000.0  # connections a second beyond that: a hiccup of milliseconds must not make a storm of handshakes

if TYPE_CHECKING:
    from harness.engine.connection import Connection


class Lane:
    """One address: its idle connections, those being opened, and the ticks that wait for either.

    Invariants: a tick waits only while no connection is idle; `open` counts every connection that exists or is being
    opened for the lane; a dial is begun only for the warm-up or for a tick in line.
    """

    __slots__ = ("address", "dialing", "growth", "grown_at", "idle", "line", "name", "open", "retired")

    def __init__(self, address: Address, step: int) -> None:
        self.address = address
        self.name = str(address)
        self.idle: deque[Connection] = deque()
        self.line = Line(step)
        self.open = 0
        self.dialing = 0
        self.growth = 0.0  # connections that may be opened now beyond the free ones
        self.grown_at = 0.0
        self.retired = False  # no longer among the host's addresses


class Pool:
    """Every lane, and the caps over all of them."""

    __slots__ = ("cap", "dialing", "handshakes", "lanes", "open")

    def __init__(self, *, cap: int, handshakes: int) -> None:
        self.cap = cap
        self.handshakes = handshakes
        self.lanes: list[Lane] = []
        self.open = 0
        self.dialing = 0

    def take_growth(self, lane: Lane, now: float) -> int:
        """How many connections to begin opening for a lane at `now`: one for each tick in line that has none coming,
        within the caps, and no faster than the pool may grow. What is returned is taken."""
        lane.growth = min(4.0, lane.growth + max(0.0, now - lane.grown_at) * GROWTH)
        lane.grown_at = now
        wanted = min(len(lane.line) - lane.dialing, self.cap - self.open, self.handshakes - self.dialing)
        if wanted <= 0:
            return 0
        free = max(0, FREE_GROWTH - lane.open)
        taken = min(wanted, free + int(lane.growth))
        lane.growth -= max(0, taken - free)
        return taken

    def opening(self, lane: Lane) -> None:
        """A dial begins."""
        lane.open += 1
        lane.dialing += 1
        self.open += 1
        self.dialing += 1

    def opened(self, lane: Lane) -> None:
        """A dial succeeded."""
        lane.dialing -= 1
        self.dialing -= 1

    def gone(self, lane: Lane) -> None:
        """A connection ended."""
        lane.open -= 1
        self.open -= 1

    def failed(self, lane: Lane) -> bool:
        """A dial failed. True if the tick at the head of the lane's line has to bear it: no other dial is left for
        it."""
        self.opened(lane)
        self.gone(lane)
        return len(lane.line) > lane.dialing

    def next_expired_idle(self, lane: Lane, now: float) -> "Connection | None":
        """The lane's longest idle connection, if it has been idle for too long; removed from the lane."""
        if lane.idle and now >= lane.idle[0].idle_until:
            return lane.idle.popleft()
        return None

    def replace_lanes(self, lanes: list[Lane]) -> list[Lane]:
        """The host's addresses changed: keep what stays, return the lanes that no tick will be dealt to any more."""
        gone = [lane for lane in self.lanes if lane not in lanes]
        for lane in gone:
            lane.retired = True
        self.lanes = lanes
        return gone
