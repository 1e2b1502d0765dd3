"""Which outages are news: each begins once and ends once, however often one looks. Pure."""

from typing import NamedTuple

from harness.statistics.outages import Spell

MOST = 6  # pieces of news in a span, for each runner; a target that flaps would fill the terminal


class Began(NamedTuple):
    """An outage came to light that goes on."""

    spell: Spell


class Ended(NamedTuple):
    """An outage is over. Its beginning may be news too: `known` says that it was told."""

    spell: Spell
    known: bool


class OutageNews:
    """Remembers what was told of one runner's outages."""

    def __init__(self) -> None:
        self._open: float | None = None  # start of the one that was told to have begun
        self._ended_before = 0.0  # all that started before this was told
        self._told = 0
        self.untold = 0  # since the last `next_span`

    def next_span(self) -> int:
        """Begin another span. Returns how many outages ended untold in the last one."""
        untold, self.untold, self._told = self.untold, 0, 0
        return untold

    def look(self, spells: tuple[Spell, ...]) -> list[Began | Ended]:
        """What is new among the outages of the last seconds, in order of time."""
        news: list[Began | Ended] = []
        for spell in spells:
            if spell.start < self._ended_before or (spell.end is None and spell.start == self._open):
                continue
            known = spell.start == self._open
            if spell.end is not None:
                self._ended_before = spell.end
                self._open = None
                if known or self._told < MOST:
                    news.append(Ended(spell, known))
                    self._told += not known
                else:
                    self.untold += 1
            elif self._told < MOST:
                self._open = spell.start
                self._told += 1
                news.append(Began(spell))
        return news
