"""What was true of a deployment, found naively, and held against what the harness said.

For every tick that was judged, `users` tells what a user met who sent at its intended time, with the same time-out and
one retry of a stale connection. That is the truth: it comes from the script alone, and also tells of ticks that the
harness never sent. Where a tick was sent late by our own doing (at most `max_lag`, or the engine would have left it
out), what happened at that later moment is as true of it: `bounds: max_lag` is how exact a run's word is in time.

A tick's truth is *good*, *bad* or *either*: when it lies within `users.EDGE` of a fault's edge, or when a user with a
connection and one without meet different things and the target's own record of this request does not settle it. Every
indicator is therefore computed twice: kindly, with either as good, and harshly, with either as bad. An objective is

- truly violated, if it does not hold even kindly;
- truly met, if it holds even harshly.

The words of an objective are about ticks, and so is its truth: `longest_outage` is the time from the last good intended
start before a stretch of bad ticks to the first good one after it (the longer bound, which is what the objective
judges), within the judged time. It is longer than what the platform did, by two spacings at most.

Wrong is: PASS, or an objective met, though one is truly violated; FAIL, or an objective violated, though it is truly
met. INCONCLUSIVE is never wrong, but costs. With mercy (`bounds: max_blind`), ticks that the harness named as unknown,
between ones that it named as good, may be set aside up to 1 % of the run and 5 s at a stretch: the kind reading sets
aside those (`blind_ticks`) and no others. Without mercy nothing is set aside.
"""

import math
from dataclasses import dataclass, replace

from harness.objectives import Indicator, Objective
from harness.schedule import Schedule
from harness.statistics.indicators import rank_of
from harness.statistics.kinds import UNKNOWN
from harness.verdict import Decision, State
from tests.oracle.deployment import Played
from tests.oracle.users import EDGE, Fate, Users

_DIGITS = 0.002  # relative error of recorded latencies
_MOST_BLIND = 0.01  # of the judged time
_MOST_IN_A_ROW = 5.0 + 1e-6  # seconds
_BEAT = 0.021  # seconds of a pause that may go unseen
_SLACK = 0.002  # seconds of latency that our own turns and a pool's line may add


@dataclass(frozen=True)
class Reading:
    """An indicator, kindly and harshly."""

    kind: float
    harsh: float


@dataclass(frozen=True)
class Tick:
    """One judged tick: what was true, and whether it is set aside."""

    number: int
    fate: Fate
    aside: bool  # in the kind reading, because the harness says that it does not know
    sent: float | None


class Truth:
    """Of one deployment."""

    def __init__(self, played: Played) -> None:
        judged = played.ledger.judged
        assert judged is not None
        self.begin, self.end = judged
        self._played = played
        self._script = script = played.script
        users = Users(script, played.platform)
        axis = played.ledger.axis("app", self.begin, self.end)
        blind = blind_ticks(played, axis.first, axis.stop) if script.mercy else set()
        self.ticks: list[Tick] = []
        schedule = Schedule(script.rate)
        for number in range(axis.first, axis.stop):
            ordinal, shard = divmod(number, script.shards)
            sent = played.network.sent.get((shard, ordinal))
            at = schedule.intended(number)
            late = [] if sent is None or sent - at < EDGE else [sent]
            fate = users.fate(ordinal % script.addresses, at, late)
            if fate.good and fate.bad and not late:
                fate = settled(fate, played.network.answered.get((shard, ordinal)), at + script.timeout)
            self.ticks.append(Tick(number, fate, number in blind, sent))
        self._set_aside = [tick.fate.at for tick in self.ticks if tick.aside]  # few, and asked for at every answer
        self.indefinite = sum(1 for tick in self.ticks if tick.fate.good and tick.fate.bad)

    # readings

    def read(self, objective: Objective) -> Reading:
        """An objective's indicator."""
        match objective.indicator:
            case Indicator.SUCCESS:
                return self._success(objective)
            case Indicator.FAILURES:
                return Reading(float(len(self._bad(harsh=False))), float(len(self._bad(harsh=True))))
            case Indicator.LATENCY | Indicator.MAX:
                return self._latency(objective)
            case Indicator.LONGEST_OUTAGE:
                return Reading(*(max((e - b for b, e in self._gaps(harsh)), default=0.0) for harsh in (False, True)))
            case Indicator.TOTAL_OUTAGE:
                return Reading(*(sum(e - b for b, e in self._gaps(harsh)) for harsh in (False, True)))
            case Indicator.OUTAGES:
                return self._outages()
            case Indicator.SILENCE:
                return self._silence()
        raise AssertionError(objective.indicator)

    def _is_bad(self, tick: Tick, harsh: bool) -> bool:
        if harsh:
            return tick.fate.bad
        return tick.fate.surely_bad and not tick.aside

    def _bad(self, harsh: bool) -> list[Tick]:
        return [tick for tick in self.ticks if self._is_bad(tick, harsh)]

    def _success(self, objective: Objective) -> Reading:
        found = []
        for harsh in (False, True):
            counted = [[0, 0] for _ in range(self._seconds)]
            for tick in self.ticks:
                if tick.aside and not harsh:
                    continue
                cell = counted[self._second(tick)]
                cell[0] += 1
                cell[1] += self._is_bad(tick, harsh)
            worst = 1.0
            for begin, end in self._windows(objective):
                window = counted[begin:end]
                total, bad = sum(cell[0] for cell in window), sum(cell[1] for cell in window)
                if total:
                    worst = min(worst, 1 - bad / total)
            found.append(worst)
        return Reading(*found)

    def _gaps(self, harsh: bool) -> list[tuple[float, float]]:
        """From the last good intended start before each stretch of bad ticks to the first good one after it."""
        gaps = []
        last_good, inside = self.begin, False
        for tick in self.ticks:
            if self._is_bad(tick, harsh):
                inside = True
                continue
            if inside:
                gaps.append((last_good, tick.fate.at))
            last_good, inside = tick.fate.at, False
        if inside:
            gaps.append((last_good, self.end))
        return gaps

    def _outages(self) -> Reading:
        """How many: either-ticks may join two or part one, so the bounds are the fewest and the most."""
        few = many = 0
        inside = possible = False
        for tick in self.ticks:
            bad, may = tick.fate.surely_bad and not tick.aside, tick.fate.bad
            if bad and not inside:
                few += 1
            inside = bad or (inside and (may or tick.aside))
            if may and (not possible or not bad):
                many += 1
            possible = may and bad
        return Reading(float(few), float(max(few, many)))

    def _latency(self, objective: Objective) -> Reading:
        """The worst window's percentile by nearest rank."""
        found = []
        for harsh in (False, True):
            by_second: list[list[float]] = [[] for _ in range(self._seconds)]
            for tick in self.ticks:
                if harsh or not tick.aside:
                    by_second[self._second(tick)].append(self._latency_of(tick, harsh))
            worst = 0.0
            for begin, end in self._windows(objective):
                values = sorted(value for second in by_second[begin:end] for value in second)
                if values:
                    worst = max(worst, values[rank_of(objective.quantile or 1.0, len(values)) - 1])
            found.append(worst)
        return Reading(found[0] * (1 - _DIGITS) - _SLACK, found[1] * (1 + _DIGITS) + _SLACK)

    def _latency_of(self, tick: Tick, harsh: bool) -> float:
        fate = tick.fate
        if harsh:
            return math.inf if fate.bad else fate.good[-1] - fate.at + EDGE
        began = fate.at if tick.sent is None or self._script.undisturbed else max(fate.at, tick.sent)
        return fate.good[0] - began - EDGE if fate.good else math.inf

    @property
    def _seconds(self) -> int:
        return max(1, math.ceil(self.end - self.begin - 1e-9))

    def _second(self, tick: Tick) -> int:
        return min(self._seconds - 1, int(tick.fate.at - self.begin + 1e-9))

    def _windows(self, objective: Objective) -> list[tuple[int, int]]:
        """Whole seconds [begin, end)."""
        length = self._seconds if objective.window is None else min(self._seconds, math.ceil(objective.window))
        return [(begin, begin + length) for begin in range(self._seconds - length + 1)]

    def _silence(self) -> Reading:
        """The longest time between two good answers while somebody waited, at least and at most."""
        sure = sorted(tick.fate.good[0] for tick in self.ticks if tick.fate.surely_good)
        may = sorted(answer for tick in self.ticks if not tick.aside or tick.fate.good for answer in tick.fate.good)
        spread = max((t.fate.good[-1] - t.fate.good[0] for t in self.ticks if t.fate.surely_good), default=0.0)
        asked = [tick.fate.at for tick in self.ticks]
        drained = min(self.end + self._script.drain, max(tick.fate.ended for tick in self.ticks)) + EDGE
        kind = harsh = 0.0
        before = self.begin
        for answer in [*sure, drained]:
            if answer > before:
                harsh = max(harsh, answer - before)
                before = answer
        before = self.begin
        waiting = 0
        for answer in [*may, self.end]:
            while waiting < len(asked) and asked[waiting] <= before:
                waiting += 1
            if waiting < len(asked):
                begin = asked[waiting] if answer != self.end or asked[waiting] < self.end else answer
                kind = max(kind, answer - begin - self._blind(begin, answer))
            before = max(before, answer)
        return Reading(kind - _SLACK, harsh + spread + _SLACK)

    def _blind(self, begin: float, end: float) -> float:
        """Time in which the harness saw nothing, by its own word."""
        pauses = [pause for pause in self._script.pauses if pause.who != "conductor"]
        asides = sum(begin <= at < end for at in self._set_aside) / self._script.rate
        few = sum(max(0.0, p.seconds - _BEAT) for p in pauses) <= _MOST_BLIND * (self.end - self.begin)
        if not self._script.mercy or not few:
            return asides
        return max(asides, sum(max(0.0, min(end, p.at + p.seconds) - max(begin, p.at)) for p in pauses))

    # what the harness made of it

    def wrong(self) -> list[str]:
        """Everything that the verdict says and that is not so."""
        found = []
        verdict = self._played.verdict
        brief = self._played.ledger.brief
        states = []
        for objective, judgement in zip(brief.objectives, verdict.objectives, strict=True):
            reading = self.read(objective)
            kind, harsh = (_holds(objective, value) for value in (reading.kind, reading.harsh))
            states.append((kind, harsh))
            if judgement.state is State.MET and not kind:
                found.append(f"{objective.text} is called met, and is {reading}: {judgement.why}")
            if judgement.state is State.VIOLATED and harsh:
                found.append(f"{objective.text} is called violated, and is {reading}: {judgement.why}")
        if verdict.verdict is Decision.PASS and not all(kind for kind, _ in states):
            found.append("PASS though an objective was truly violated")
        if verdict.verdict is Decision.FAIL and all(harsh for _, harsh in states):
            found.append("FAIL though every objective was truly met")
        return found

    def definite(self) -> bool:
        """The truth leaves no doubt whether an objective was violated."""
        readings = [(objective, self.read(objective)) for objective in self._played.ledger.brief.objectives]
        held = [(_holds(o, r.kind), _holds(o, r.harsh)) for o, r in readings]
        return all(harsh for _, harsh in held) or not all(kind for kind, _ in held)


def settled(fate: Fate, answered: float | None, deadline: float) -> Fate:
    """Where users may have met either, what this very request met, by the target's and our kernel's word."""
    if answered is None or abs(answered - deadline) < EDGE:
        return fate
    if answered > deadline:
        return replace(fate, good=())
    return replace(fate, good=tuple(sorted((*fate.good, answered))), bad=False, ended=max(answered, fate.good[-1]))


def blind_ticks(played: Played, first: int, stop: int) -> set[int]:
    """The unknown ticks that may be set aside: between good ones, not too many in a row nor in all."""
    assert played.ledger.judged is not None
    begin, end = played.ledger.judged
    said = dict.fromkeys(range(first, stop), "good")
    for stretch in played.ledger.stretches("app", played.ledger.axis("app", begin, end)):
        for number in range(max(first, stretch.first), min(stop, stretch.last + 1)):
            said[number] = "unknown" if stretch.kind in UNKNOWN else "bad"
    found: set[int] = set()
    row: list[int] = []
    clean = False  # the row began after a good tick and has none that is bad
    for number, word in said.items():
        if word == "good":
            if clean and len(row) / played.script.rate <= _MOST_IN_A_ROW:
                found.update(row)
            row, clean = [], True
        elif word == "unknown":
            row.append(number)
        else:
            clean = False
    return found if len(found) / played.script.rate <= _MOST_BLIND * (end - begin) + 1e-6 else set()


def _holds(objective: Objective, value: float) -> bool:
    assert objective.operator in ("<", ">="), objective.text
    value = round(value, 9)  # as the judge: ten ticks at 10/s are a second, wherever they lie
    return value < objective.threshold if objective.operator == "<" else value >= objective.threshold
