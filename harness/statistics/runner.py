"""All that was said about one runner, folded: its shards' ticks, its seconds, and totals that have no second."""

from collections.abc import Iterable
from typing import NamedTuple

from harness.brief import RunnerBrief
from harness.frames import Frame, Hello
from harness.histogram import Histogram, merge_into
from harness.outcome import Cause, Outcome
from harness.schedule import Schedule
from harness.statistics.kinds import DEGRADED
from harness.statistics.seconds import SecondLog
from harness.statistics.shard import ShardBook

_EXAMPLE_SPAN = 10  # seconds in which …
_EXAMPLES_PER_SPAN = 5  # … so many examples of a cause are kept …
_EXAMPLES = 2000  # … and so many in all


class Kept(NamedTuple):
    """An example, by the tick of the whole schedule."""

    tick: int
    outcome: Outcome


class Vital(NamedTuple):
    """The worst of the workers' own state while ticks were judged."""

    wake_gap: float = 0.0  # seconds
    steal: float = 0.0  # share of a second
    paused: float = 0.0  # seconds in all


class RunnerBook:
    """One runner. Before the run is ready only its ticks and seconds are kept."""

    def __init__(self, brief: RunnerBrief) -> None:
        self.brief = brief
        self.shards = [ShardBook(Schedule(brief.rate, s, brief.shards)) for s in range(brief.shards)]
        self.seconds = SecondLog()
        self.offset = 0.0  # of the schedule's start after the run's, seconds
        self.timer = ""
        self.good_told = 0  # good answers that the seconds told of, from the start
        self._stages: dict[str, Histogram] = {}
        self._pieces: Histogram = {}
        self.counters: dict[str, int] = {}
        self.examples: list[Kept] = []
        self.canary: Histogram = {}
        self.vital = Vital()
        self.cut_at: float | None = None  # when the first attempt in flight was cut, the worker's time
        self._example_counts: dict[tuple[str, int], int] = {}

    def greet(self, shard: int, hello: Hello, anchor: float | None) -> None:
        """A worker began."""
        book = self.shards[shard]
        if anchor is not None:
            self.offset = hello.start - anchor
        self.timer = hello.timer or self.timer
        if hello.incarnation > max(0, book.incarnation):
            book.died(hello.first)

    def take(self, shard: int, incarnation: int, frame: Frame) -> str | None:
        """Take in a frame's ticks and seconds. Returns as `ShardBook.take`."""
        wrong = self.shards[shard].take(incarnation, frame)
        if wrong is not None:
            for key, second in frame.seconds.items():
                self.good_told += second.good
                self.seconds.add(key, second)
        return wrong

    def begin_at(self, ready: float) -> None:
        """The run is ready: forget the seconds before."""
        self.seconds.begin_at(round(ready - self.offset))
        for shard in self.shards:
            shard.silences.after(ready - self.offset)

    def total(self, frame: Frame) -> None:
        """Take in what of a frame has no second."""
        for stage, histogram in frame.stages.items():
            merge_into(self._stages.setdefault(stage, {}), histogram)
        merge_into(self._pieces, frame.pieces)
        for counter, count in frame.counters.items():
            self.counters[counter] = self.counters.get(counter, 0) + count
        merge_into(self.canary, frame.canary)
        if frame.health or frame.pauses:
            self.vital = Vital(
                wake_gap=max([self.vital.wake_gap, *(health.wake_gap for health in frame.health)]),
                steal=max([self.vital.steal, *(health.steal for health in frame.health)]),
                paused=self.vital.paused + sum(pause.end - pause.begin for pause in frame.pauses),
            )

    def stage_times(self) -> dict[str, Histogram]:
        """How long each stage took. The first byte of an answer in one piece came when the answer did. The stages of an
        API operation are its calls."""
        if self.brief.probe == "cf-api":
            return dict(self._stages)
        first_byte = dict(self._stages.get("first_byte", {}))
        for index, count in self.seconds.totals().whole_service().items():
            if alone := max(0, count - self._pieces.get(index, 0)):
                first_byte[index] = first_byte.get(index, 0) + alone
        return {**self._stages, "first_byte": first_byte} if first_byte else dict(self._stages)

    def good_by_ticks(self) -> int:
        """How many ticks ended well, by what was told of the ticks; the seconds must say the same."""
        good = 0
        for shard in self.shards:
            end = shard.newest_settled() + 1
            good += end - sum(last - first + 1 for first, last, kind in shard.runs(0, end) if kind not in DEGRADED)
        return good

    def keep_examples(self, shard: int, outcomes: Iterable[Outcome], since: float) -> None:
        """Keep some of those intended at or after `since` (the worker's time), spread over causes and time."""
        for outcome in outcomes:
            if outcome.intended >= since:
                self._keep(shard, outcome)

    def _keep(self, shard: int, outcome: Outcome) -> None:
        cause = str(outcome.cause)
        if outcome.cause is Cause.CUT:
            self.cut_at = outcome.finished if self.cut_at is None else min(self.cut_at, outcome.finished)
        key = (cause, int(outcome.intended) // _EXAMPLE_SPAN)
        count = self._example_counts.get(key, 0)
        if count < _EXAMPLES_PER_SPAN and len(self.examples) < _EXAMPLES:
            self._example_counts[key] = count + 1
            self.examples.append(Kept(self.shards[shard].schedule.tick(outcome.tick), outcome))
