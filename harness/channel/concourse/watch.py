"""From look to look: which build is followed, and when the run is to stop. Pure, but for the time that it is given.

The rule: the run stops when no build of the version is pending or started any more. One that was over before the run
began gets a minute in which a newer one may appear: somebody started deployment and run again, and the run came first.
"""

from dataclasses import dataclass, field

from harness.channel.concourse.builds import Build
from harness.channel.concourse.pace import Pace


@dataclass(frozen=True)
class Remark:
    """For the record."""

    text: str


@dataclass(frozen=True)
class Follow:
    """Its steps are the phases; told at every look, with what is known of it now."""

    build: Build


@dataclass(frozen=True)
class Stop:
    """The deployment is over."""

    by: str


Act = Remark | Follow | Stop


@dataclass
class Watch:
    """What was seen so far."""

    sought: str  # the job and the version, for people
    pace: Pace
    build: Build | None = None  # that counts
    _over_since: dict[int, float] = field(default_factory=dict)  # a build that was over before the run began
    _none_since: float | None = None
    _none_told: bool = False

    def saw(self, newest: Build | None, *, now: float, over_before: bool) -> list[Act]:
        """A look's result. `now`: monotonic, seconds; `over_before`: it was over when the run began. A build that is
        not there any more is not over."""
        if newest is None:
            return self._saw_none(now)
        acts: list[Act] = []
        if self.build is not None and newest.id > self.build.id:
            again = f"the build {newest.title} is of the same version, and watched instead of {self.build.title}"
            acts.append(Remark(again))
        self.build = newest
        if not newest.over:
            return [*acts, Follow(newest)]
        if over_before:
            since = self._over_since.get(newest.id)
            if since is None:
                self._over_since[newest.id] = now
                text = f"the build {newest.title} {newest.status} before this run began: a newer one is waited for "
                return [*acts, Remark(f"{text}for {self.pace.newer:.0f} s")]
            if now - since < self.pace.newer:
                return acts
            return [*acts, Stop(f"the build {newest.title} {newest.status} before this run began")]
        return [*acts, Follow(newest), Stop(f"the build {newest.title} {newest.status}")]

    def _saw_none(self, now: float) -> list[Act]:
        if self._none_since is None:
            self._none_since = now
        if self.build is not None or self._none_told or now - self._none_since < self.pace.none:
            return []
        self._none_told = True
        text = f"no build of {self.sought} was seen in {self.pace.none / 60:.0f} minutes; it is looked for all the same"
        return [Remark(text)]
