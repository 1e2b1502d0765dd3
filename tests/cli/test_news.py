"""Every outage is told to begin once and to end once, however often one looks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.news import MOST, Began, Ended, OutageNews
from harness.outcome import Cause, Component
from harness.statistics.kinds import kind_of
from harness.statistics.outages import Spell
from harness.statistics.sweep import Stretch

PARTS = (Stretch(0, 0, kind_of(Cause.RESET, Component.NETWORK)),)


def spell(start: float, end: float | None) -> Spell:
    seconds = (end if end is not None else start + 1) - start
    return Spell(start, end, seconds, seconds, seconds, 1, PARTS)


def seen_at(whole: list[tuple[float, float]], now: float) -> tuple[Spell, ...]:
    """What a look at `now` shows of these outages."""
    return tuple(spell(start, end if end <= now else None) for start, end in whole if start <= now)


def test_one_outage_seen_going_on_and_over() -> None:
    news = OutageNews()
    assert news.look(()) == []
    assert news.look((spell(1.0, None),)) == [Began(spell(1.0, None))]
    assert news.look((spell(1.0, None),)) == []
    assert news.look((spell(1.0, 2.0),)) == [Ended(spell(1.0, 2.0), known=True)]
    assert news.look((spell(1.0, 2.0),)) == []


def test_one_that_is_over_when_first_seen_is_told_once() -> None:
    news = OutageNews()
    assert news.look((spell(1.0, 1.2),)) == [Ended(spell(1.0, 1.2), known=False)]
    assert news.look((spell(1.0, 1.2), spell(3.0, None))) == [Began(spell(3.0, None))]


outage_lists = st.lists(st.integers(1, 20), min_size=2, max_size=12).map(
    lambda steps: [float(sum(steps[: n + 1])) for n in range(len(steps) - len(steps) % 2)]
)


@settings(max_examples=200, deadline=None)
@given(outage_lists, st.lists(st.floats(0, 20), max_size=20))
def test_each_begins_at_most_once_and_ends_exactly_once(edges: list[float], looks: list[float]) -> None:
    whole = list(zip(edges[::2], edges[1::2], strict=True))
    news = OutageNews()
    began: list[float] = []
    ended: list[float] = []
    for now in [*sorted(looks), 1000.0]:
        for piece in news.look(seen_at(whole, now)):
            (began if isinstance(piece, Began) else ended).append(piece.spell.start)
            if isinstance(piece, Ended):
                assert piece.known == (piece.spell.start in began)
        news.next_span()
    assert ended == [start for start, _ in whole]
    assert len(began) == len(set(began))


def test_a_target_that_flaps_is_counted_not_told() -> None:
    news = OutageNews()
    told = news.look(tuple(spell(float(n), n + 0.5) for n in range(1, 50)))
    assert len(told) == MOST
    assert news.next_span() == 49 - MOST
    assert news.next_span() == 0
    assert len(news.look((spell(60.0, 60.5),))) == 1


def test_the_end_of_a_known_outage_is_told_however_many_there_were() -> None:
    news = OutageNews()
    flapping = tuple(spell(float(n), n + 0.5) for n in range(1, MOST))
    assert len(news.look((*flapping, spell(50.0, None)))) == MOST
    assert news.look((*flapping, spell(50.0, 51.0))) == [Ended(spell(50.0, 51.0), known=True)]
