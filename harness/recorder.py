"""Gathers what a worker's attempts came to, until a frame carries it away.

Every probe records here; `harness.worker` takes the frames. While the pipe is full nothing is taken, and gathering goes
on: that is how pending frames merge. The good path is hot (once a request, 100,000 a second) and therefore plain.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import compress
from math import floor

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
from harness.histogram import Histogram, count_of, index_of, record
from harness.outcome import Cause, Component, Outcome, is_own

EXAMPLES_PER_CAUSE_AND_SECOND = 3
EXAMPLES_IN_A_FRAME = 400
SILENCE_FROM = 0.05  # seconds; shorter ones are not worth telling


DIRECT = 1024  # values (µs) below are counted in a list, which is twice as quick as a dictionary


class Counts:
    """A histogram being gathered: `direct[v]` is the count of the value v."""

    __slots__ = ("beyond", "direct")

    def __init__(self) -> None:
        self.direct = [0] * DIRECT
        self.beyond: Histogram = defaultdict(int)

    def add(self, value: int) -> None:
        """Count one observation of `value` (µs; negatives count as 0)."""
        if value >= DIRECT:
            self.beyond[index_of(value)] += 1
        else:
            self.direct[max(0, value)] += 1

    def histogram(self) -> Histogram:
        """All of it, by index."""
        direct = self.direct
        if not any(direct):
            return dict(self.beyond)
        return {**dict(zip(compress(range(DIRECT), direct), filter(None, direct), strict=True)), **self.beyond}


class Tally:
    """One second being gathered, from `begin` to `end`. What other figures tell is not counted beside them: attempts
    are the observations of lag, good answers those of latency, which is kept by address. `alike` holds answers whose
    service time is their lower latency too."""

    __slots__ = (
        "addresses",
        "alike",
        "begin",
        "causes",
        "degraded",
        "end",
        "kept",
        "lag",
        "latency",
        "low",
        "odd",
        "other_latency",
        "service",
        "statuses",
    )

    def __init__(self, second: int) -> None:
        self.begin = float(second)
        self.end = second + 1.0
        self.degraded = 0
        self.kept = 0  # of the good answers, those on connections that had served before, as far as told here
        self.causes: dict[str, int] = {}
        self.latency: dict[str, Counts] = defaultdict(Counts)  # of good answers, by address
        self.other_latency: Histogram = {}  # of degraded ones
        self.alike = Counts()
        self.low = Counts()
        self.service = Counts()
        self.lag = Counts()
        self.odd: dict[int, int] = {}  # good answers whose status is not the usual one
        self.statuses: dict[int, int] = {}  # of answers that are not simply good
        self.addresses: dict[str, Address] = {}  # what is not simply good

    def second(self, usual_status: int) -> Second:
        """As the frame has it."""
        addresses = self.addresses
        latencies = {name: counts.histogram() for name, counts in self.latency.items()}
        for name, latency in latencies.items():
            at = addresses.setdefault(name, Address())
            at.latency = latency
            at.good += count_of(latency)
        statuses = self.statuses
        for status, count in self.odd.items():
            statuses[status] = statuses.get(status, 0) + count
        good = sum(count_of(latency) for latency in latencies.values())
        if usual := good - sum(self.odd.values()):
            statuses[usual_status] = statuses.get(usual_status, 0) + usual
        lag = self.lag.histogram()
        return Second(
            sent=count_of(lag),
            good=good + self.degraded,
            degraded=self.degraded,
            causes=self.causes,
            latency=self.other_latency,
            alike=self.alike.histogram(),
            latency_low=self.low.histogram(),
            service=self.service.histogram(),
            lag=lag,
            statuses=statuses,
            addresses=addresses,
        )


_NONE = Tally(-1)  # no tick is due in its second


class Recorder:
    """The one place where a worker counts. Times are seconds after the run's start.

    What the engine's usual path reads and writes itself is public: `tally`, `quiet_since`, `quiet_paused`, `last_good`.
    """

    def __init__(self) -> None:
        self._seq = 0
        self._tallies: dict[int, Tally] = {}
        self.tally = _NONE
        self._runs: dict[str, list[Run]] = {"bad": [], "unknown": [], "degraded": []}
        self._stages: dict[str, Histogram] = {}
        self._queued = Counts()
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
        self.quiet_since: float | None = None
        self.quiet_paused = 0.0
        self.last_good: float | None = None
        self.usual_status = -1  # of the first good answer
        self.paused = 0.0  # seconds that the harness has been paused, in all

    def turn_to(self, second: int) -> Tally:
        """Gather for another second, one that was turned to before or a new one."""
        tally = self._tallies.get(second)
        if tally is None:
            tally = self._tallies[second] = Tally(second)
        self.tally = tally
        return tally

    def reached(self, intended: float, now: float) -> None:
        """The loop came to a tick that is to be sent."""
        tally = self.tally
        if not tally.begin <= intended < tally.end:
            tally = self.turn_to(int(intended))
        value = floor((now - intended) * 1e6)
        if 0 <= value < DIRECT:
            tally.lag.direct[value] += 1
        else:
            tally.lag.add(value)
        if self.quiet_since is None:
            self.begin_silence(intended, now)

    def begin_silence(self, intended: float, now: float) -> None:
        """A tick that is due since `intended` waits for an answer, and no other does."""
        good = self.last_good  # the tick may be due before the last good answer came, and be reached after it
        self.quiet_since = since = intended if good is None or good < intended else good
        self.quiet_paused = self.paused - (now - since)  # our own lateness is no silence of the target's

    def end_silence(self, now: float) -> None:
        """A good answer came, the first for longer than `SILENCE_FROM`."""
        assert self.quiet_since is not None
        self._silences.append(Silence(self.quiet_since, now, self.paused - self.quiet_paused))

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
        tally = self.tally
        if not tally.begin <= intended < tally.end:
            tally = self.turn_to(int(intended))
        tally.latency[address].add(floor((now - intended) * 1e6))
        service = floor((now - sent) * 1e6)
        if sent == reached and not paused:
            tally.alike.add(service)
        else:
            tally.service.add(service)
            tally.low.add(floor((now - reached - paused) * 1e6))
        if first != now:
            record(self._pieces, service)
            self.stage("first_byte", first - sent)
            self.stage("body", now - first)
        if status != self.usual_status:
            if self.usual_status < 0:
                self.usual_status = status
            else:
                tally.odd[status] = tally.odd.get(status, 0) + 1
        self._answered(now, outstanding)

    def _answered(self, now: float, outstanding: bool) -> None:
        since = self.quiet_since
        if since is not None and now - since > SILENCE_FROM:
            self.end_silence(now)
        if outstanding:
            self.quiet_since = now
            self.quiet_paused = self.paused
        else:
            self.quiet_since = None
        self.last_good = now

    def outcome(self, outcome: Outcome, *, outstanding: bool) -> None:
        """An attempt that is not simply good: bad, unknown or degraded. Its tick was `reached` before."""
        cause = outcome.cause
        assert cause is not None
        component = outcome.component or Component.TARGET
        self._settle(outcome.tick, outcome.tick, cause, component)
        second = int(outcome.intended)
        tally = self.turn_to(second)
        if cause is Cause.DEGRADED:
            tally.degraded += 1
            record(tally.other_latency, int(outcome.latency * 1e6))
            tally.low.add(int(outcome.latency_low * 1e6))
            if outcome.sent is not None:
                tally.service.add(int((outcome.finished - outcome.sent) * 1e6))
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
            tally = self.turn_to(second)
            tally.causes[Cause.MISSED] = tally.causes.get(Cause.MISSED, 0) + count

    def unsent(
        self, first: int, last: int, cause: Cause, component: Component, seconds: Iterable[tuple[int, int]]
    ) -> None:
        """Ordinals that were reached, waited in line and ended there. `seconds`: (intended second, ticks in it)."""
        self._settle(first, last, cause, component)
        for second, count in seconds:
            tally = self.turn_to(second)
            tally.causes[cause] = tally.causes.get(cause, 0) + count

    def _settle(self, first: int, last: int, cause: Cause, component: Component) -> None:
        kind = "unknown" if is_own(cause, component) else "degraded" if cause is Cause.DEGRADED else "bad"
        runs = self._runs[kind]
        if runs:
            tail = runs[-1]
            if tail.last + 1 == first and tail.cause is cause and tail.component is component:
                runs[-1] = Run(tail.first, last, cause, component)
                return
        runs.append(Run(first, last, cause, component))

    def queued(self, seconds: float) -> None:
        """How long a tick had waited in line when its turn came."""
        self._queued.add(floor(seconds * 1e6))

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
        for key, tally in self._tallies.items():
            seconds[key] = tally.second(self.usual_status)
            if tally.kept:
                self.count("kept", tally.kept)
        if queued := self._queued.histogram():
            self._stages["queue"] = queued
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
            pieces=self._pieces,
            counters=self._counters,
            examples=self._examples,
            silences=self._silences,
            quiet_since=self.quiet_since,
            last_good=self.last_good,
            pauses=self._pauses,
            health=self._health,
            canary=self._canary,
            problems=self._problems,
        )
        self._begin_anew(at)
        return frame

    def _begin_anew(self, at: float) -> None:
        self._tallies = {}
        self.tally = _NONE
        self._stages = {}
        self._queued = Counts()
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
