"""How a Concourse that does not answer is asked again, and when that is worth a remark. Pure."""

from dataclasses import dataclass, field

from harness.channel.concourse.pace import Pace


@dataclass
class Patience:
    """With one that answers or not."""

    name: str  # whose
    pace: Pace
    delay: float = 0.0  # seconds to wait now
    _step: float = 0.0
    _since: float | None = None
    _remarked: set[str] = field(default_factory=set)

    def silent(self, why: str, now: float) -> str | None:
        """It did not answer. Returns a remark, or None. `now`: seconds of a steady clock, as below."""
        since = self._wait(now)
        rest = since + self.pace.remark - now
        if "" in self._remarked:
            return None
        if rest > 0:
            self.delay = min(self.delay, rest)  # asked once more before it is told of
            return None
        self._remarked.add("")
        return f"{self.name} does not answer, and is asked again: {why}"

    def unfit(self, why: str, now: float) -> str | None:
        """It answered, but with nothing that helps: no rights, no such job. That is told at once, and once."""
        self._wait(now)
        if why in self._remarked:
            return None
        self._remarked.add(why)
        return f"{why}; it is asked again"

    def answered(self, now: float) -> str | None:
        """It did. Returns a remark, or None."""
        since, told = self._since, bool(self._remarked)
        self.delay, self._step, self._since, self._remarked = 0.0, 0.0, None, set()
        return f"{self.name} answers again, after {now - since:.0f} s" if since is not None and told else None

    def _wait(self, now: float) -> float:
        self._step = min(max(self.pace.again, 2 * self._step), self.pace.again_at_most)
        self.delay = self._step
        self._since = now if self._since is None else self._since
        return self._since
