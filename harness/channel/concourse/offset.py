"""How far the ATC's clock is from ours, by the Date of its answers (RFC 9110 §6.6.1, whole seconds), and where that
puts a moment that it tells. Pure."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

LEAST = 1.0  # seconds: what may be wrong at the least; several ATCs have clocks of their own


@dataclass
class Offset:
    """Ours minus its own lies in [low, high], seconds; each answer narrows that."""

    _low: float | None = None
    _high: float | None = None

    def saw(self, date: str | None, sent: float, received: float) -> None:
        """An answer with that Date header; when its request was sent and its head received, by our clock."""
        try:
            told = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return
        low, high = sent - told - 1.0, received - told
        if self._low is None or self._high is None or max(self._low, low) > min(self._high, high):
            self._low, self._high = low, high  # the first one, or a clock that was set
        else:
            self._low, self._high = max(self._low, low), min(self._high, high)

    def place(self, told: int) -> tuple[float, float]:
        """A whole second of the ATC: when it was by our clock, and by how many seconds that may be wrong."""
        low, high = told + (self._low or 0.0), told + 1.0 + (self._high or 0.0)
        return (low + high) / 2, max(LEAST, (high - low) / 2)
