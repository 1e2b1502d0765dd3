"""How long the API is still there once the run is over: until those who waited for the end have seen it. Pure but for
the clock's readings that it is given (CLOCK_MONOTONIC, seconds)."""

from dataclasses import dataclass

WAITED = 5.0  # seconds; who asked so shortly before the end waits for it
QUIET = 3.0  # seconds without a request after which those who were told of the end have all they want
LONGEST = 15.0  # seconds after the end
SIGNALLED = 3.0  # seconds after the end of a run that got a TERM, which a KILL follows ten seconds later


@dataclass
class Attention:
    """Who asks, and what they were told."""

    asked: float | None = None  # when somebody last asked something
    stopped: bool = False  # the stop came through this API
    told: bool = False  # somebody was told of the end

    def is_due(self, ended: float, now: float, *, signalled: bool) -> bool:
        """Whether the run, over since `ended`, must still answer."""
        if now - ended >= (SIGNALLED if signalled else LONGEST):
            return False
        if self.told:
            return self.asked is not None and now - self.asked < QUIET
        return self.stopped or (self.asked is not None and self.asked > ended - WAITED)
