"""What a user meets who sends one request at a given moment, by the rules that any user has: a time-out, and one retry
on a fresh connection when a kept-alive one turns out to have been closed. Naive, and knows nothing of the engine.

A user either comes with a connection or has to open one. Where both are thinkable both are told, and where a fault's
edge is nearer than `EDGE`, both sides of it.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.oracle.platform import Platform
from tests.oracle.script import Script

EDGE = 0.0006  # seconds: a wake of the schedule serves all ticks of 0.2 ms, and every turn of a loop takes a little
_STALE = 0.01  # seconds beside four round trips of connecting: so soon a stale connection shows itself
_NAMES_AGAIN = 0.6  # seconds after the name server is back until it is asked again


@dataclass(frozen=True)
class Fate:
    """What may become of a request that is due at `at`. Times are of good answers; None: there may be none."""

    at: float
    good: tuple[float, ...]  # when a good answer may be there, seconds after the run's start
    bad: bool  # there may be none in time
    ended: float  # when the user knows at the latest

    @property
    def surely_good(self) -> bool:
        return not self.bad

    @property
    def surely_bad(self) -> bool:
        return not self.good


class Users:
    """All the users that one script can have."""

    def __init__(self, script: Script, platform: Platform) -> None:
        self._script = script
        self._platform = platform
        self._round = 2 * script.one_way

    def fate(self, address: int, at: float, moments: Iterable[float] = ()) -> Fate:
        """Of a request due at `at`. `moments`: when it was sent, if not (only) then."""
        deadline = at + self._script.timeout
        sends = dict.fromkeys(edge for moment in (at, *moments) for edge in (moment - EDGE, moment + EDGE))
        found = [answer for send in sends for answer in self._answers(address, send, deadline)]
        good = tuple(sorted(answer for answer in found if answer <= deadline + EDGE))
        bad = any(answer > deadline - EDGE for answer in found)
        return Fate(at, good, bad, deadline if bad else good[-1])

    def _answers(self, address: int, at: float, deadline: float) -> Iterator[float]:
        """When the answer is there, for each kind of user; infinity: never."""
        fresh = self._script.fresh
        unnamed = any(
            fault.kind == "dns" and fault.at <= at < fault.end + _NAMES_AGAIN for fault in self._script.faults
        )
        closed = self._closed_before(address, at)
        warm = not fresh and self._reopened(address, closed, at)
        if warm:
            yield self._exchange(address, at, opened=closed, idle=True)
        if not fresh and self._behind_lost_packets(address, at):
            yield math.inf
        if unnamed:  # one who does not know the address already
            yield math.inf
        yield self._connect(address, at, deadline)

    def _closed_before(self, address: int, at: float) -> float:
        """The last cut that every user has heard of by then."""
        cuts = [*self._platform.cuts(address, hard=True), *self._platform.cuts(address, hard=False)]
        return max((cut for cut in cuts if self._platform.carried(address, cut) <= at), default=-math.inf)

    def _behind_lost_packets(self, address: int, at: float) -> bool:
        """The network is whole again, but a pool, as a browser's, may be full of connections whose first packet was
        lost and will be sent again a second or more later: who shares it waits in line behind them."""
        return any(
            fault.kind == "hole"
            and fault.address in (None, address)
            and fault.end <= at < fault.end + min(self._script.timeout, max(1.0, fault.seconds)) + self._round
            for fault in self._script.faults
        )

    def _reopened(self, address: int, closed: float, at: float) -> bool:
        """A connection could be opened since."""
        if closed == -math.inf:
            return True
        steps = int((at - closed) / 0.005) + 1
        return any(self._platform.accepts(address, closed + step * 0.005) for step in range(steps))

    def _connect(self, address: int, at: float, deadline: float, *, again: bool = False) -> float:
        platform = self._platform
        arrives = platform.carried(address, at, syn=True)
        if arrives == math.inf or not platform.accepts(address, arrives):
            return math.inf
        connected = platform.carried(address, arrives)
        if connected > deadline + EDGE:
            return math.inf
        return self._exchange(address, connected, opened=arrives, idle=False)

    def _exchange(self, address: int, sent: float, *, opened: float, idle: bool) -> float:
        """A request on a connection that the target accepted at `opened`."""
        platform = self._platform
        hard = platform.cuts(address, hard=True)
        soft = platform.cuts(address, hard=False)
        arrives = platform.carried(address, sent)
        if arrives == math.inf:
            return math.inf
        before = [cut for cut in (*hard, *soft) if opened < cut <= arrives]
        if before:
            told = platform.carried(address, before[0])
            refused = platform.carried(address, arrives)
            return self._broken(address, sent, min(told, refused) if told > sent else refused, idle)
        answer = platform.answers(address, arrives)
        if not answer.status:
            return self._broken(address, sent, platform.carried(address, arrives), idle)
        for cut in hard:
            if arrives < cut <= answer.at:
                return self._broken(address, sent, platform.carried(address, cut), idle)
        return platform.carried(address, answer.at) if answer.status == 200 and answer.at < math.inf else math.inf

    def _broken(self, address: int, sent: float, told: float, idle: bool) -> float:
        """The connection ended before an answer. If it had been idle, and that soon, it was stale: once more."""
        if idle and told - sent <= 4 * self._round + _STALE:
            return self._connect(address, told, math.inf)
        return math.inf
