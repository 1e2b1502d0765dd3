"""Deadlines, the line and the pool: state without I/O, held against plain lists."""

import math
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from harness.engine.deadlines import Deadlines
from harness.engine.line import Line
from harness.engine.pool import FREE_GROWTH, GROWTH, Lane, Pool
from harness.engine.resolver import Address


@given(st.lists(st.tuples(st.sampled_from("aad"), st.integers(0, 9)), max_size=60))
def test_deadlines_in_order(steps: list[tuple[str, int]]) -> None:
    """What fell due leaves, in order, exactly then; `soonest` never lies after the earliest."""
    deadlines: Deadlines[int] = Deadlines()
    waiting: dict[int, float] = {}
    now, number = 0.0, 0
    for kind, amount in steps:
        now += amount / 10
        if kind == "a":
            deadlines.add(number, now + 1.0)
            waiting[number] = now + 1.0
            number += 1
        else:
            deadlines.discard(amount)
            waiting.pop(amount, None)
        assert deadlines.soonest <= min(waiting.values(), default=math.inf)
        due = [thing for thing, when in waiting.items() if when <= now]
        assert deadlines.take_due(now) == due
        for thing in due:
            del waiting[thing]
        assert deadlines.members() == list(waiting)
        assert len(deadlines) == len(waiting)
        assert all(thing in deadlines for thing in waiting)


@given(st.lists(st.integers(0, 6), max_size=8))
def test_a_deadline_out_of_order_is_never_early(offsets: list[int]) -> None:
    deadlines: Deadlines[int] = Deadlines()
    for thing, when in enumerate(offsets):
        deadlines.add(thing, float(when))
    taken: list[int] = []
    for now in range(8):
        for thing in deadlines.take_due(float(now)):
            assert offsets[thing] <= now
            taken.append(thing)
    assert taken == list(range(len(offsets)))


@given(
    st.lists(st.none() | st.tuples(st.sampled_from([1, 1, 2, 5]), st.sampled_from([0.0, 0.0002, 0.05]), st.booleans())),
    st.integers(1, 3),
)
def test_the_line_is_first_come_first_served(steps: list[tuple[int, float, bool] | None], step: int) -> None:
    line = Line(step)
    model: deque[tuple[int, float, float]] = deque()
    ordinal, paused = 0, 0.0
    for joined in steps:
        if joined is not None:
            ordinal += step * joined[0]
            paused += 0.5 * joined[2]
            line.join(ordinal, joined[1], paused)
            model.append((ordinal, joined[1], paused))
        elif model:
            assert line.head == model[0][0]
            assert line.head_paused == model[0][2]
            left, lag, was_paused = line.leave()
            wanted = model.popleft()
            assert (left, was_paused) == (wanted[0], wanted[2])
            assert abs(lag - wanted[1]) <= 0.001
        assert len(line) == len(model)
        assert [n for part in line.ordinals() for n in part] == [entry[0] for entry in model]


def test_a_stall_costs_no_memory() -> None:
    """A million ticks in line over two addresses are one range."""
    line = Line(2)
    for ordinal in range(1, 2_000_001, 2):
        line.join(ordinal, 0.0001, 0.0)
    assert list(line.ordinals()) == [range(1, 2_000_000, 2)]
    assert len(line) == 1_000_000


class PoolMachine(RuleBasedStateMachine):
    """Any order of ticks, dials that end either way, and lost connections."""

    CAP, HANDSHAKES = 30, 7

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(cap=self.CAP, handshakes=self.HANDSHAKES)
        self.lanes = [Lane(Address((f"10.0.0.{n}", 80)), 2) for n in (1, 2)]
        self.pool.replace_lanes(self.lanes)
        self.dials = [0, 0]
        self.connections = [0, 0]
        self.now = 0.0
        self.ordinal = 0
        self.grown: list[float] = []

    @rule(amount=st.integers(1, 40), passed=st.sampled_from([0.0, 0.001, 0.1]))
    def ticks(self, amount: int, passed: float) -> None:
        self.now += passed
        for _ in range(amount):
            self.pool.lanes[self.ordinal % len(self.pool.lanes)].line.join(self.ordinal, 0.0, 0.0)
            self.ordinal += 1

    @rule(which=st.integers(0, 1), passed=st.sampled_from([0.0, 0.0001, 0.002, 0.5]))
    def grow(self, which: int, passed: float) -> None:
        self.now += passed
        lane = self.lanes[which]
        room = max(0, FREE_GROWTH - lane.open)
        taken = self.pool.take_growth(lane, self.now)
        assert taken <= max(0, len(lane.line) - lane.dialing), "no dial but for a tick in line"
        assert taken <= room + 4 + passed * GROWTH or taken <= room + 4
        for _ in range(taken):
            self.pool.opening(lane)
        self.dials[which] += taken

    @precondition(lambda self: sum(self.dials) > 0)
    @rule(good=st.booleans())
    def dial_ends(self, good: bool) -> None:
        which = 0 if self.dials[0] else 1
        lane = self.lanes[which]
        self.dials[which] -= 1
        if good:
            self.pool.opened(lane)
            self.connections[which] += 1
            if len(lane.line):
                lane.line.leave()
        elif self.pool.failed(lane):
            assert len(lane.line) > lane.dialing
            lane.line.leave()

    @precondition(lambda self: sum(self.connections) > 0)
    @rule()
    def loses(self) -> None:
        which = 0 if self.connections[0] else 1
        self.connections[which] -= 1
        self.pool.gone(self.lanes[which])

    @invariant()
    def counts(self) -> None:
        assert [lane.dialing for lane in self.lanes] == self.dials
        assert [lane.open for lane in self.lanes] == [
            dials + made for dials, made in zip(self.dials, self.connections, strict=True)
        ]
        assert self.pool.dialing == sum(self.dials) <= self.HANDSHAKES
        assert self.pool.open == sum(self.dials) + sum(self.connections) <= self.CAP


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestPool = PoolMachine.TestCase


def test_growth_beyond_the_free_ones_has_a_pace() -> None:
    pool = Pool(cap=1000, handshakes=1000)
    (lane,) = lanes = [Lane(Address(("10.0.0.1", 80)), 1)]
    pool.replace_lanes(lanes)
    for ordinal in range(500):
        lane.line.join(ordinal, 0.0, 0.0)
    taken = []
    for millisecond in range(101):
        amount = pool.take_growth(lane, millisecond / 1000)
        taken.append(amount)
        for _ in range(amount):
            pool.opening(lane)
    assert taken[0] == FREE_GROWTH
    assert sum(taken) - FREE_GROWTH in range(195, 202), "2,000 a second"


def test_lanes_that_are_replaced() -> None:
    pool = Pool(cap=10, handshakes=10)
    one, two, three = (Lane(Address((f"10.0.0.{n}", 80)), 2) for n in (1, 2, 3))
    assert pool.replace_lanes([one, two]) == []
    assert pool.replace_lanes([two, three]) == [one]
    assert (one.retired, two.retired) == (True, False)
    assert (one.name, str(Address(("::1", 443)))) == ("10.0.0.1:80", "[::1]:443")
