"""What the target and the network do, as pure functions of a script and of time: the same for everyone who asks.

The virtual network asks for every packet that the engine sends; `truth` asks for a user at any moment whatever.
Times are seconds after the run's start.
"""

import math
from typing import NamedTuple

from tests.oracle.script import Fault, Script

_RESEND = 0.2  # seconds until a lost packet is sent again, twice as long each time (RFC 6298)
_RESEND_SYN = 1.0
_TRIES = 7


class Answer(NamedTuple):
    """What the target makes of a request: an answer handed to the network at `at` (infinity: never), or a reset."""

    at: float
    status: int  # 0: the connection is reset instead


class Platform:
    """A target with one address or several."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._faults = script.faults

    def _now(self, address: int, at: float, *kinds: str) -> Fault | None:
        for fault in self._faults:
            if fault.kind in kinds and fault.at <= at < fault.end and fault.address in (None, address):
                return fault
        return None

    def carried(self, address: int, at: float, *, syn: bool = False) -> float:
        """When a packet that is sent now arrives, in either direction."""
        wait = _RESEND_SYN if syn else _RESEND
        for _ in range(_TRIES):
            if self._now(address, at, "hole") is None:
                return at + self._script.one_way
            at += wait
            wait *= 2
        return math.inf

    def accepts(self, address: int, at: float) -> bool:
        """A new connection is accepted."""
        return self._now(address, at, "down", "refuse") is None

    def cuts(self, address: int, *, hard: bool) -> list[float]:
        """When the target closes its connections: `hard` with a reset, else in order once they are idle."""
        kinds = ("down", "reset") if hard else ("drain",)
        return sorted(f.at for f in self._faults if f.kind in kinds and f.address in (None, address))

    def names_known(self, at: float) -> bool:
        """The name server answers."""
        return self._now(0, at, "dns") is None

    def takes(self, at: float) -> float:
        """How long a request that arrives now is worked on, without faults. It varies slowly, so that two that come
        almost at once take almost as long."""
        phase = at * 0.7 % 1.0
        return self._script.service + self._script.spread * abs(2 * phase - 1)

    def answers(self, address: int, at: float) -> Answer:
        """What becomes of a request that arrives now, if its connection lives on."""
        if self._now(address, at, "reset") is not None:
            return Answer(at, 0)
        done = at + self.takes(at)
        slow = self._now(address, at, "slow")
        if slow is not None:
            done += slow.extra
        status = 200
        wrong = self._now(address, at, "503", "502", "router")
        if wrong is not None:
            status = {"503": 503, "502": 502, "router": 404}[wrong.kind]
        if self._now(address, at, "mute") is not None:
            return Answer(math.inf, status)
        stall = self._now(address, at, "stall")
        if stall is not None:
            done += stall.end - at
        for fault in sorted(self._faults, key=lambda fault: fault.at):
            if fault.kind == "freeze" and fault.address in (None, address) and at < fault.end and done > fault.at:
                done += fault.end - max(fault.at, at)
        return Answer(done, status)
