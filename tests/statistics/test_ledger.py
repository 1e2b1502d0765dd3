"""What the ledger refuses, complains about and remembers; runs that never became ready, ended early, or are long."""

import pytest

from harness.events import (
    Closed,
    CommandEnded,
    Event,
    Marked,
    NeverReady,
    Problem,
    Ready,
    StopRequested,
    Suspended,
    WorkerDied,
    WorkerStarted,
)
from harness.frames import VERSION, Bye, Frame, Hello, Pause, Run, Second
from harness.outcome import Cause, Component, Outcome
from harness.statistics.ledger import Ledger, Tally
from tests.statistics.world import ANCHOR, World, tell
from tests.statistics.worlds import spelled

HELLO = Hello(runner="app", shard=0, shards=1, incarnation=0, first=0, rate=10.0, start=ANCHOR, pid=1)


def fresh(world: World | None = None) -> Ledger:
    """One that has heard nothing."""
    return Ledger((world or spelled("g" * 30)).brief)


def complaints(ledger: Ledger) -> list[tuple[str, bool]]:
    """Texts, and whether they spoil the evidence."""
    return [(problem.text, problem.spoils) for problem in ledger.problems]


@pytest.mark.parametrize(("runner", "shard"), [("other", 0), ("app", 1), ("app", -1)])
def test_a_worker_that_the_plan_does_not_know_spoils_the_evidence(runner: str, shard: int) -> None:
    """Its frames are not counted."""
    ledger = fresh()
    ledger.hear(runner, shard, 0, Frame(seq=1, at=1.0, reached=5, watermark=5, seconds={0: Second(sent=5, good=5)}))
    assert complaints(ledger) == [(f"a worker spoke for {runner}/{shard}, which the plan does not know", True)]
    assert ledger.heard_at == 0.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": VERSION + 1}, "speaks frames of version"),
        ({"rate": 9.0}, "keeps another schedule"),
        ({"shards": 2}, "keeps another schedule"),
    ],
)
def test_a_worker_of_another_kind_spoils_the_evidence(change: dict[str, float], words: str) -> None:
    """Another version of frames, another schedule."""
    ledger = fresh()
    fields = {name: getattr(HELLO, name) for name in HELLO.__struct_fields__}
    ledger.hear("app", 0, 0, Hello(**{**fields, **change}))
    ((text, spoils),) = complaints(ledger)
    assert words in text
    assert spoils


def test_a_missing_frame_spoils_the_evidence() -> None:
    """Frames and goodbye are numbered without gaps; an old one is ignored without a word."""
    ledger = fresh()
    ledger.hear("app", 0, 0, HELLO)
    ledger.hear("app", 0, 0, Frame(seq=1, at=0.25))
    ledger.hear("app", 0, 0, Frame(seq=4, at=1.0))
    ledger.hear("app", 0, 0, Frame(seq=2, at=0.5))
    ledger.hear("app", 0, 0, Bye(seq=6, at=1.2, planned=10, reason="told to stop"))
    assert complaints(ledger) == [
        ("worker app/0: 2 of its frames are missing before number 4", True),
        ("worker app/0: 1 of its frames are missing before its goodbye", True),
    ]


def test_a_worker_s_own_problems_are_told_once_and_do_not_spoil() -> None:
    """Its fault at the end, too."""
    ledger = fresh()
    for seq in (1, 2):
        ledger.hear("app", 0, 0, Frame(seq=seq, at=seq / 4, problems=["few file descriptors"]))
    for _ in range(2):
        ledger.hear("app", 0, 0, Bye(seq=3, at=1.0, planned=3, reason="it broke", problem="OSError: no"))
    assert complaints(ledger) == [
        ("worker app/0: few file descriptors", False),
        ("worker app/0: OSError: no", False),
    ]


def test_the_problems_that_are_kept_are_bounded() -> None:
    """However much a broken worker complains."""
    ledger = fresh()
    for seq in range(1, 3000):
        ledger.hear("app", 0, 0, Frame(seq=seq, at=seq / 4, problems=[f"problem {seq}"]))
    assert len(ledger.problems) == 1000


def test_every_event_is_kept() -> None:
    """For the judge and the reports."""
    ledger = fresh()
    events: list[Event] = [
        WorkerStarted(at=0.1, runner="app", shard=0, incarnation=0, first=0, pid=1),
        Marked(at=1.0, name="router", edge="begin"),
        Suspended(at=2.0, seconds=3.0),
        Problem(at=2.5, text="full", spoils=True),
        CommandEnded(at=3.0, code=2),
        NeverReady(at=4.0, reason="nothing answers"),
        WorkerDied(at=4.5, runner="other", shard=0, incarnation=0, lost_until=0, how="killed"),
    ]
    for event in events:
        ledger.note(event)
    kept = [ledger.started, ledger.marks, ledger.suspensions, ledger.problems, [ledger.command], [ledger.never_ready]]
    assert [one for some in kept for one in some] == events[:6]
    assert ledger.deaths == events[6:]
    assert ledger.heard_at == 4.5


def test_nothing_is_judged_before_it_is_ready() -> None:
    """And from then on to the stop; without one, to what was heard last."""
    ledger = fresh()
    assert ledger.judged is None
    ledger.note(Ready(at=2.0))
    assert ledger.judged == (2.0, 2.0)
    ledger.hear("app", 0, 0, Frame(seq=1, at=7.5))
    assert ledger.judged == (2.0, 7.5)
    ledger.note(StopRequested(at=8.0, until=8.01, by="TERM"))
    assert ledger.judged == (2.0, 8.0)  # heard, and cut off before it came to its end
    ledger.note(Closed(at=9.0, cpu_seconds=1.0, peak_rss_bytes=1))
    assert ledger.judged == (2.0, 8.01)


def test_totals_and_examples_begin_with_readiness() -> None:
    """Frames come before it is told that the run was ready; what they say of later counts, what was before does not."""

    def bad(tick: int) -> Outcome:
        at = tick / 10
        return Outcome(
            tick=tick, intended=at, reached=at, finished=at, cause=Cause.RESET, component=Component.APP, address="a"
        )

    ledger = fresh()
    ledger.hear("app", 0, 0, HELLO)
    early = Frame(seq=1, at=1.0, reached=10, watermark=10, counters={"opened": 1}, examples=[bad(5)], canary={9: 1})
    late = Frame(
        seq=2, at=2.25, reached=22, watermark=22, counters={"opened": 2}, examples=[bad(15), bad(20)], canary={8: 1},
        pauses=[Pause(2.1, 2.2)],
    )  # fmt: skip
    ledger.hear("app", 0, 0, early)
    ledger.hear("app", 0, 0, late)
    ledger.note(Ready(at=2.0))
    ledger.hear(
        "app", 0, 0, Frame(seq=3, at=2.5, reached=25, watermark=25, counters={"opened": 4}, stages={"body": {5: 1}})
    )
    book = ledger.runners["app"]
    assert book.counters == {"opened": 6}
    assert book.canary == {8: 1}
    assert book.stage_times() == {"body": {5: 1}}
    assert [kept.tick for kept in book.examples] == [20]
    assert book.vital.paused == pytest.approx(0.1)


def test_examples_are_spread_over_time_and_causes() -> None:
    """An hour of one cause leaves room for another, and memory is bounded."""
    ledger = fresh(World(**{**spelled("g").__dict__, "rate": 100.0}))
    ledger.note(Ready(at=0.0))
    for seq in range(1, 4 * 3600):
        at = seq / 4
        cause = Cause.ROUTER if seq % 4000 == 0 else Cause.RESET
        outcome = Outcome(tick=25 * seq, intended=at, reached=at, finished=at, cause=cause, component=Component.APP)
        ledger.hear("app", 0, 0, Frame(seq=seq, at=at, reached=25 * seq + 1, examples=[outcome] * 3))
    kept = ledger.runners["app"].examples
    assert len(kept) <= 2000
    assert sum(one.outcome.cause is Cause.ROUTER for one in kept) == 9
    assert kept[-1].tick / 100 > 3590


def test_several_runners_are_kept_apart() -> None:
    """Each with its schedule; what one loses the other does not."""
    one, other = spelled("g" * 10 + "b" * 5 + "g" * 15), spelled("g" * 60, 20.0)
    runners = (
        *one.brief.runners,
        type(one.brief.runners[0])(name="fresh", probe="app", target="x", rate=20.0, shards=1),
    )
    fields = {name: getattr(one.brief, name) for name in one.brief.__struct_fields__}
    ledger = Ledger(type(one.brief)(**{**fields, "runners": runners}))
    tell(ledger, one.entries())
    for said in other.entries():
        if isinstance(said.entry, Hello | Frame | Bye):
            ledger.hear("fresh", said.shard, said.incarnation, said.entry)
    assert ledger.judged is not None
    assert ledger.tally("app", *ledger.judged)[:4] == (30, 25, 5, 0)
    assert ledger.tally("fresh", *ledger.judged)[:4] == (60, 60, 0, 0)


def test_what_a_dead_worker_had_reached_is_lost_with_it() -> None:
    """Even beyond the ticks that were due when its death was noted: its clock was read later than ours."""
    ledger = fresh()
    ledger.note(Ready(at=0.0))
    ledger.hear("app", 0, 0, HELLO)
    ledger.hear("app", 0, 0, Frame(seq=1, at=1.2, reached=12, watermark=8, seconds={0: Second(sent=8, good=8)}))
    ledger.note(WorkerDied(at=1.0, runner="app", shard=0, incarnation=0, lost_until=10, how="killed"))
    assert ledger.tally("app", 0.0, 2.0) == Tally(8, 8, 0, 4, {"lost": 4})


def test_the_first_cut_tells_how_long_all_had_waited_at_least() -> None:
    """Several workers cut what is in flight, each at its own moment."""
    world = spelled("g" * 20, shards=2)
    ledger = fresh(world)
    ledger.note(Ready(at=0.0))
    for shard, at in ((0, 5.0), (1, 4.5)):
        cut = Outcome(
            tick=9, intended=1.9, reached=1.9, finished=at, cause=Cause.CUT, component=Component.HARNESS
        )  # fmt: skip
        run = Run(9, 9, Cause.CUT, Component.HARNESS)
        ledger.hear("app", shard, 0, Frame(seq=1, at=at, reached=10, watermark=10, unknown=[run], examples=[cut]))
    assert ledger.runners["app"].cut_at == 4.5
