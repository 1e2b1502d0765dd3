"""Gathers what a worker's attempts came to, until a frame carries it away.

Every probe records here; `harness.worker` takes the frames. While the pipe is full nothing is taken, and gathering goes
on: that is how pending frames merge. The good path is hot (once a request, 100,000 a second) and therefore plain.
"""

from collections import defaultdict
from collections.abc import Iterable

from harness.frames import (
    RUNS_BEFORE_BITMAP,
    Address,
    Bitmap,
    Frame,
    Health,
    Pause,
    Run,
    Second,
    Silence,
    bitmaps_of,
    settled_state,
)
from harness.histogram import Histogram, index_of, merge_into, merged, record
from harness.outcome import OWN_CAUSES, Cause, Component, Outcome

EXAMPLES_PER_CAUSE_AND_SECOND = 3
EXAMPLES_IN_A_FRAME = 400
SILENCE_FROM = 0.05  # seconds; shorter ones are not worth telling


class _Tally:
    """One second being gathered. What other figures tell is not counted beside them: attempts are the observations of
    lag, good answers those of latency, which is kept by address. `alike` holds answers whose service time is their
    lower latency too."""

    __slots__ = (
        "addresses",
        "alike",
        "causes",
        "degraded",
        "lag",
        "latency",
        "low",
        "odd",
        "other_latency",
        "service",
        "status",
        "statuses",
    )

    def __init__(self) -> None:
        self.degraded = 0
        self.causes: dict[str, int] = {}
        self.latency: dict[str, Histogram] = {}  # of good answers, by address
        self.other_latency: Histogram = {}  # of degraded ones
        self.alike: Histogram = defaultdict(int)
        self.low: Histogram = {}
        self.service: Histogram = {}
        self.lag: Histogram = defaultdict(int)
        self.status = -1  # of the first good answer
        self.odd: dict[int, int] = {}  # good answers with another one
        self.statuses: dict[int, int] = {}  # of answers that are not simply good
        self.addresses: dict[str, Address] = {}  # what is not simply good

    def second(self) -> Second:
        """As the frame has it."""
        addresses = self.addresses
        for name, latency in self.latency.items():
            at = addresses.setdefault(name, Address())
            at.latency = dict(latency)
            at.good += sum(latency.values())
        statuses = self.statuses
        for status, count in self.odd.items():
            statuses[status] = statuses.get(status, 0) + count
        good = sum(sum(latency.values()) for latency in self.latency.values())
        if usual := good - sum(self.odd.values()):
            statuses[self.status] = statuses.get(self.status, 0) + usual
        alike = dict(self.alike)
        return Second(
            sent=sum(self.lag.values()),
            good=good + self.degraded,
            degraded=self.degraded,
            causes=self.causes,
            latency=merged((*self.latency.values(), self.other_latency)),
            latency_low=merged((alike, self.low)) if self.low else alike,
            service=merged((alike, self.service)) if self.service else alike,
            lag=dict(self.lag),
            statuses=statuses,
            addresses=addresses,
        )


class Recorder:
    """The one place where a worker counts. Times are seconds after the run's start."""

    def __init__(self) -> None:
        self._seq = 0
        self._tallies: dict[int, _Tally] = {}
        self._key = -1
        self._tally = _Tally()
        self._runs: dict[str, list[Run]] = {"bad": [], "unknown": [], "degraded": []}
        self._stages: dict[str, Histogram] = {}
        self._pieces: Histogram = {}  # service times of answers that came in several pieces: their first byte is told
        self._counters: dict[str, int] = {}
        self._examples: list[Outcome] = []
        self._example_counts: dict[tuple[int, Cause], int] = {}
        self._silences: list[Silence] = []
        self._pauses: list[Pause] = []
        self._health: list[Health] = []
        self._canary: Histogram = {}
        self._problems: list[str] = []
        self._known_problems: set[str] = set()
        self._quiet_since: float | None = None
        self._quiet_paused = 0.0
        self._last_good: float | None = None
        self.paused = 0.0  # seconds that the harness has been paused, in all

    def _turn_to(self, second: int) -> _Tally:
        tally = self._tallies.get(second)
        if tally is None:
            tally = self._tallies[second] = _Tally()
        self._key = second
        self._tally = tally
        return tally

    def reached(self, intended: float, now: float) -> None:
        """The loop came to a tick that is to be sent."""
        second = int(intended)
        tally = self._tally if second == self._key else self._turn_to(second)
        lag = int((now - intended) * 1e6)
        tally.lag[lag if lag < 2048 else index_of(lag)] += 1
        if self._quiet_since is None:
            # A tick may be due before the last good answer came, and be reached after it.
            good = self._last_good
            self._quiet_since = since = intended if good is None or good < intended else good
            self._quiet_paused = self.paused - (now - since)  # our own lateness is no silence of the target's

    def good(
        self,
        intended: float,
        reached: float,
        sent: float,
        first: float,
        now: float,
        paused: float,
        status: int,
        address: str,
        outstanding: bool,
    ) -> None:
        """An answer as expected. `first`: when its first byte came; `paused`: seconds of ours meanwhile; `outstanding`:
        other attempts still wait for theirs. Positional, since keywords cost a tenth of this."""
        second = int(intended)
        tally = self._tally if second == self._key else self._turn_to(second)
        value = int((now - intended) * 1e6)
        histogram = tally.latency.get(address)
        if histogram is None:
            histogram = tally.latency[address] = defaultdict(int)
        histogram[value if value < 2048 else index_of(value)] += 1
        value = int((now - sent) * 1e6)
        index = value if value < 2048 else index_of(value)
        if sent == reached and not paused:
            tally.alike[index] += 1
        else:
            record(tally.service, value)
            record(tally.low, int((now - reached - paused) * 1e6))
        if first != now:
            self._pieces[index] = self._pieces.get(index, 0) + 1
            self.stage("first_byte", first - sent)
            self.stage("body", now - first)
        if status != tally.status:
            if tally.status < 0:
                tally.status = status
            else:
                tally.odd[status] = tally.odd.get(status, 0) + 1
        since = self._quiet_since
        if since is not None and now - since > SILENCE_FROM:
            self._silences.append(Silence(since, now, self.paused - self._quiet_paused))
        if outstanding:
            self._quiet_since = now
            self._quiet_paused = self.paused
        else:
            self._quiet_since = None
        self._last_good = now

    def _answered(self, now: float, outstanding: bool) -> None:
        since = self._quiet_since
        if since is not None and now - since > SILENCE_FROM:
            self._silences.append(Silence(since, now, self.paused - self._quiet_paused))
        if outstanding:
            self._quiet_since = now
            self._quiet_paused = self.paused
        else:
            self._quiet_since = None
        self._last_good = now

    def outcome(self, outcome: Outcome, *, outstanding: bool) -> None:
        """An attempt that is not simply good: bad, unknown or degraded. Its tick was `reached` before."""
        cause = outcome.cause
        assert cause is not None
        component = outcome.component or Component.TARGET
        self._settle(outcome.tick, outcome.tick, cause, component)
        second = int(outcome.intended)
        tally = self._tally if second == self._key else self._turn_to(second)
        if cause is Cause.DEGRADED:
            tally.degraded += 1
            record(tally.other_latency, int(outcome.latency * 1e6))
            record(tally.low, int(outcome.latency_low * 1e6))
            if outcome.sent is not None:
                record(tally.service, int((outcome.finished - outcome.sent) * 1e6))
            self._answered(outcome.finished, outstanding)
        tally.causes[cause] = tally.causes.get(cause, 0) + 1
        if outcome.address:
            address = tally.addresses.setdefault(outcome.address, Address())
            address.causes[cause] = address.causes.get(cause, 0) + 1
            if cause is Cause.DEGRADED:
                address.good += 1
        if outcome.status is not None:
            tally.statuses[outcome.status] = tally.statuses.get(outcome.status, 0) + 1
        key = (second, cause)
        count = self._example_counts.get(key, 0)
        self._example_counts[key] = count + 1
        if count < EXAMPLES_PER_CAUSE_AND_SECOND and len(self._examples) < EXAMPLES_IN_A_FRAME:
            self._examples.append(outcome)

    def missed(self, first: int, last: int, intended: Iterable[tuple[int, int]]) -> None:
        """Ordinals never sent, because the loop came too late. `intended`: (second, ticks in it)."""
        self._settle(first, last, Cause.MISSED, Component.HARNESS)
        for second, count in intended:
            tally = self._turn_to(second)
            tally.causes[Cause.MISSED] = tally.causes.get(Cause.MISSED, 0) + count

    def unsent(
        self, first: int, last: int, cause: Cause, component: Component, seconds: Iterable[tuple[int, int]]
    ) -> None:
        """Ordinals that were reached, waited in line and ended there. `seconds`: (intended second, ticks in it)."""
        self._settle(first, last, cause, component)
        for second, count in seconds:
            tally = self._turn_to(second)
            tally.causes[cause] = tally.causes.get(cause, 0) + count

    def _settle(self, first: int, last: int, cause: Cause, component: Component) -> None:
        kind = "unknown" if cause in OWN_CAUSES else "degraded" if cause is Cause.DEGRADED else "bad"
        runs = self._runs[kind]
        if runs:
            tail = runs[-1]
            if tail.last + 1 == first and tail.cause is cause and tail.component is component:
                runs[-1] = Run(tail.first, last, cause, component)
                return
        runs.append(Run(first, last, cause, component))

    def stage(self, name: str, seconds: float) -> None:
        """How long a stage of a good attempt, or a dial, took."""
        record(self._stages.setdefault(name, {}), int(seconds * 1e6))

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter: opened, kept, fresh, retried, truncated …"""
        self._counters[name] = self._counters.get(name, 0) + amount

    def pause(self, begin: float, end: float) -> None:
        """The harness stood still."""
        self._pauses.append(Pause(begin, end))
        self.paused += end - begin

    def health(self, health: Health) -> None:
        """The worker's state during one second."""
        self._health.append(health)

    def canary(self, seconds: float) -> None:
        """A round trip to our own responder."""
        record(self._canary, int(seconds * 1e6))

    def problem(self, text: str) -> None:
        """Something is wrong with the harness; each text is told once."""
        if text not in self._known_problems and len(self._known_problems) < 100:
            self._known_problems.add(text)
            self._problems.append(text)

    def frame(self, *, at: float, reached: int, waiting: Iterable[range], in_flight: Iterable[int]) -> Frame:
        """Everything gathered since the last frame. `waiting` and `in_flight` are the open ordinals below `reached`."""
        watermark, settled, bits = settled_state(reached, waiting, in_flight)
        packed: dict[str, list[Run]] = {}
        bitmaps: list[Bitmap] = []
        for kind, runs in self._runs.items():
            if len(runs) > RUNS_BEFORE_BITMAP:
                bitmaps += bitmaps_of(runs)
                packed[kind] = []
            else:
                packed[kind] = runs
            self._runs[kind] = []
        seconds = {}
        services: list[Histogram] = []
        for key, tally in self._tallies.items():
            seconds[key] = tally.second()
            services.append(seconds[key].service)
        self._add_first_bytes(services)
        self._seq += 1
        frame = Frame(
            seq=self._seq,
            at=at,
            reached=reached,
            watermark=watermark,
            settled=settled,
            settled_bits=bits,
            bad=packed["bad"],
            unknown=packed["unknown"],
            degraded=packed["degraded"],
            bitmaps=bitmaps,
            seconds=seconds,
            stages=self._stages,
            counters=self._counters,
            examples=self._examples,
            silences=self._silences,
            quiet_since=self._quiet_since,
            last_good=self._last_good,
            pauses=self._pauses,
            health=self._health,
            canary=self._canary,
            problems=self._problems,
        )
        self._begin_anew(at)
        return frame

    def _add_first_bytes(self, services: list[Histogram]) -> None:
        """An answer in one piece has its first byte when it has its last: its service time is the stage's."""
        whole = merged(services)
        for index, count in self._pieces.items():
            whole[index] -= count
        positive = {index: count for index, count in whole.items() if count > 0}
        if positive:
            merge_into(self._stages.setdefault("first_byte", {}), positive)

    def _begin_anew(self, at: float) -> None:
        self._tallies = {}
        self._key = -1
        self._stages = {}
        self._pieces = {}
        self._counters = {}
        self._examples = []
        horizon = int(at) - 120
        self._example_counts = {key: n for key, n in self._example_counts.items() if key[0] >= horizon}
        self._silences = []
        self._pauses = []
        self._health = []
        self._canary = {}
        self._problems = []
