"""Cloud Controller's rate limiter (CC middleware/base_rate_limiter.rb): each VM keeps a count of its own. Pure, but for
the counts."""

from typing import NamedTuple

import msgspec

from harness.sandbox.cc_errors import error_value
from harness.sandbox.message import TEXT, Headers
from harness.sandbox.replies import Answer


class Counted(NamedTuple):
    """Where one stands after a request."""

    limit: int
    remaining: int  # an estimate, in tenths of the limit
    reset: int  # Unix seconds
    over: bool

    @property
    def headers(self) -> Headers:
        """What each counted answer carries."""
        return (
            (b"X-RateLimit-Limit", b"%d" % self.limit),
            (b"X-RateLimit-Remaining", b"%d" % self.remaining),
            (b"X-RateLimit-Reset", b"%d" % self.reset),
        )


class RateLimits:
    """Counts by user or address. `interval` in seconds."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._counts: dict[str, tuple[int, float]] = {}  # requests, and until when they count

    def count(self, who: str, limit: int, now: float) -> Counted:
        """One more request; one that is over the limit isn't counted. `now` in Unix seconds."""
        requests, until = self._counts.get(who, (0, 0.0))
        if until <= now:
            requests, until = 0, now + self._interval
        over = requests >= limit
        self._counts[who] = (requests if over else requests + 1, until)
        return Counted(limit, _remaining(limit, requests + 1), int(until), over)

    def exceeded(self, limit: int, now: float) -> Counted:
        """Where one stands who may ask nothing more."""
        return Counted(limit, 0, int(now + self._interval), True)


def refusal(title: str, counted: Counted) -> Answer:
    """429: JSON that is called text, and Retry-After as the moment of the reset rather than seconds to wait."""
    retry = (b"Retry-After", b"%d" % counted.reset)
    return Answer(429, msgspec.json.encode(error_value(title)), (TEXT, *counted.headers, retry))


def _remaining(limit: int, requests: int) -> int:
    """Rounded down to tenths of the limit."""
    return max(0, (limit - requests) * 10 // limit * limit // 10) if limit > 0 else 0
