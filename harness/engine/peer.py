"""What a peer's answers and endings mean: as expected or not, from a platform's router or not, stale or broken.

Rules without I/O: the engine asks them, and does what follows.
"""

from harness.engine.answer import AnswerReader
from harness.engine.blame import Blame, Judge
from harness.engine.connection import Connection
from harness.engine.request import IDEMPOTENT
from harness.outcome import Cause, Component
from harness.spec import Spec

_STALE_SLACK = 0.01  # seconds beside the round trips within which a stale connection shows
_KEEP_ALIVE_MARGIN = 0.8  # of the server's own keep-alive timeout
_TELLING = (b"x-vcap-request-id", b"x-cf-routererror", b"keep-alive:")


class Peer:
    """What is expected of a runner's target, and what its first answers told of it."""

    __slots__ = ("_judge", "_platform", "_retry_allowed", "needs_body", "plain")

    def __init__(self, spec: Spec) -> None:
        self._judge = Judge(spec.expect)
        self._platform = False
        self._retry_allowed = spec.method in IDEMPOTENT and not spec.fresh
        self.needs_body = self._judge.needs_body
        self.plain = self._judge.plain
        """Status codes that are ok without a look at anything else."""

    def learn(self, connection: Connection) -> None:
        """From a connection's first answer: is a Cloud Foundry router there, and how long does it keep connections?"""
        head = connection.reader.head.lower()  # most have none of these: no need to take every header apart
        if not any(name in head for name in _TELLING):
            return
        headers = connection.reader.headers()
        if "x-vcap-request-id" in headers or "x-cf-routererror" in headers:
            self._platform = True
        for part in headers.get("keep-alive", "").split(","):
            name, _, value = part.strip().partition("=")
            if name.lower() == "timeout" and value.isdigit() and len(value) < 6:
                connection.idle_limit = min(connection.idle_limit, int(value) * _KEEP_ALIVE_MARGIN)

    def blame(self, reader: AnswerReader) -> Blame | None:
        """None if a whole answer is as expected."""
        if reader.status in self.plain:
            return None
        return self._judge.blame(reader.status, reader.headers(), reader.body, platform=self._platform)

    def is_stale(self, connection: Connection, now: float, *, paused: float) -> bool:
        """The peer had closed the idle connection before our request reached it: not one byte of an answer, and the
        end came within a few round trips of the write, our own pauses (`paused`, seconds) apart. Sent again once, for
        idempotent methods (RFC 9110 §9.2.2)."""
        return (
            self._retry_allowed
            and connection.was_idle
            and not connection.retried
            and not (connection.reader.begun or connection.reader.interim)
            and now - connection.sent - paused <= 4 * connection.connect_seconds + _STALE_SLACK
        )


def late_by_us(connection: Connection, now: float, *, total: float, paused: float) -> Blame | None:
    """An answer past its deadline, `total` seconds after the intended start, that may have been in time but for us: we
    came late to the tick, or stood still meanwhile (`paused`, seconds)."""
    if paused <= 0 and now - connection.reached > total:
        return None
    ours = connection.reached - connection.intended + paused
    return Blame(Cause.TAINTED, Component.HARNESS, f"answered past its deadline; {ours:.3f} s of it are ours")
