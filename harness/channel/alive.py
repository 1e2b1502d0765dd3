"""Whether a run still lives, told from its pulse. Pure but for what it is shown.

Clocks of two machines may differ by minutes, so an old pulse alone proves nothing: it must also stand still while it is
watched. A process of this very machine is looked up.
"""

from dataclasses import dataclass, field

from harness.channel.process import Process, is_gone
from harness.channel.records import Ended, Owner, Pulse, StopWish

PULSE_EVERY = 5.0  # seconds
STALE = 30.0  # seconds without a pulse
_WATCHED = 2 * PULSE_EVERY + 2.0  # seconds that an old pulse is watched for


@dataclass(frozen=True)
class Attempt:
    """What a channel says of one attempt."""

    run: str
    attempt: int
    owner: Owner | None
    pulse: Pulse | None
    stop: StopWish | None
    ended: Ended | None

    @property
    def process(self) -> Process | None:
        """Whose run it is."""
        owner = self.owner
        return Process(owner.host, owner.pid, owner.boot, owner.namespace) if owner is not None else None

    @property
    def last_sign(self) -> float:
        """Of its life, seconds since the epoch by its own clock."""
        signs = [record.at for record in (self.owner, self.pulse, self.ended) if record is not None]
        return max(signs, default=0.0)


@dataclass
class Watch:
    """Looks at one attempt again and again."""

    moved: bool = False  # its pulse went on while it was watched: it lives, whatever its clock says
    _beat: int | None = None
    _since: float = field(default=0.0)  # monotonic
    _dead: bool = False  # as it was told, until the pulse goes on after all

    def is_dead(self, attempt: Attempt, monotonic: float, utc: float) -> bool | None:
        """True, False, or None while it can't be told yet."""
        beat = attempt.pulse.beat if attempt.pulse is not None else 0
        if beat != self._beat:
            first = self._beat is None
            self._beat, self._since = beat, monotonic
            if not first:
                self.moved, self._dead = True, False
                return False
        if attempt.process is not None and is_gone(attempt.process):
            return True
        still = monotonic - self._since
        if self._dead or still > STALE:
            return True
        if self.moved or abs(utc - attempt.last_sign) <= STALE:  # from the future it proves as little as an old one
            return False
        self._dead = still >= _WATCHED
        return self._dead or None
