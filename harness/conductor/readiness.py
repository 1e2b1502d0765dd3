"""When a run counts as ready: a clean stretch of every runner. Pure: frames and times come in, a second comes out.

A baseline is clean for a runner if, in the whole seconds that it spans, all ticks are settled, at least one was
answered well and none badly. Ticks that are unknown by our own doing don't make it unclean. A runner slower than the
baseline is looked at over the time between two of its ticks. What is known to be bad after the stretch spoils it.
"""

import math
from collections import Counter
from collections.abc import Iterable

from harness.brief import RunnerBrief
from harness.frames import Frame
from harness.schedule import Schedule


class _Shard:
    """How far one worker's ticks are settled."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.watermark = 0
        self.heard_at = 0.0

    def settled(self, second: int) -> bool:
        return self.heard_at >= second and self.watermark >= self.schedule.first_from(second)


class _Runner:
    """What one runner has shown so far."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.good: Counter[int] = Counter()  # by intended second
        self.bad: Counter[int] = Counter()
        self.attempts = 0
        self.causes: Counter[str] = Counter()
        self.example = ""
        self.shards: dict[int, _Shard] = {}

    def clean_until(self, second: int, length: int) -> bool:
        begin = max(0, second - max(length, math.ceil(1 / self.rate)))
        return (
            all(shard.settled(second) for shard in self.shards.values())
            and any(begin <= key < second for key in self.good)
            and all(key < begin for key in self.bad)
        )


class Baseline:
    """Gathers what the workers say until every runner had its clean stretch."""

    def __init__(self, schedules: Iterable[tuple[str, Schedule]], seconds: float) -> None:
        """Runners' names with the schedule of each shard; `seconds`: the stretch's length, rounded up to whole ones."""
        self._length = math.ceil(seconds)
        self._runners: dict[str, _Runner] = {}
        for name, schedule in schedules:
            runner = self._runners.setdefault(name, _Runner(schedule.rate))
            runner.shards[schedule.shard] = _Shard(schedule)

    def hear(self, brief: RunnerBrief, shard: int, frame: Frame) -> None:
        """Take a frame in."""
        seen = self._runners[brief.name]
        for key, second in frame.seconds.items():
            seen.attempts += second.sent
            if second.good:
                seen.good[key] += second.good
            for cause, count in second.causes.items():
                seen.causes[cause] += count
                if brief.counts_as(cause) == "bad":
                    seen.bad[key] += count
        for example in frame.examples:
            if example.cause is not None and example.detail:
                seen.example = example.detail
        self.settle(brief.name, shard, frame.watermark, frame.at)

    def settle(self, runner: str, shard: int, watermark: int, at: float) -> None:
        """All ticks below `watermark` are settled, by time `at`: told by a frame, or because the worker died."""
        state = self._runners[runner].shards[shard]
        state.watermark = max(state.watermark, watermark)
        state.heard_at = max(state.heard_at, at)

    def ready_at(self, now: float) -> float | None:
        """From which instant on ticks are judged: the next whole second after `now`; None: no clean stretch yet."""
        newest = math.floor(now)
        for second in range(newest, max(self._length, 1, newest - 5) - 1, -1):
            if all(runner.clean_until(second, self._length) for runner in self._runners.values()):
                return float(math.floor(now) + 1)
        return None

    def impression(self) -> str:
        """What was seen of each runner: the reason of a run that never began."""
        return "; ".join(_describe(name, runner) for name, runner in self._runners.items())


def _describe(name: str, runner: _Runner) -> str:
    good = sum(runner.good.values())
    text = f"{name}: {runner.attempts} attempts, {good} good"
    if runner.causes:
        text += ", " + ", ".join(f"{count} {cause}" for cause, count in runner.causes.most_common(3))
    if runner.example:
        text += f" (such as: {runner.example})"
    return text
