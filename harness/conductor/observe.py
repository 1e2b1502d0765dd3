"""Those who look on while a run goes on: the live view, the lines in a pipe, the metrics. They can't disturb it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.events import Event
from harness.frames import Message

if TYPE_CHECKING:
    from harness.statistics.ledger import Ledger


@dataclass(frozen=True)
class Tick:
    """A second went by; `at` is seconds after the start."""

    at: float


Observer = Callable[["Ledger", Message | Event | Tick], None]
"""Called in the conductor's loop with what was just taken into the ledger. It must be quick, and must not change it."""


class Observers:
    """Tells all of them; one that raises is dropped."""

    def __init__(self, observers: Iterable[Observer], ledger: "Ledger") -> None:
        self._observers = list(observers)
        self._ledger = ledger

    def tell(self, said: Message | Event | Tick) -> list[str]:
        """Returns what went wrong with those that were dropped."""
        faults: list[str] = []
        for observer in tuple(self._observers):
            try:
                observer(self._ledger, said)
            except Exception as error:  # a report writer: it is recorded, and heard no more
                self._observers.remove(observer)
                name = getattr(observer, "__qualname__", type(observer).__qualname__)
                faults.append(f"the observer {name} broke and was dropped: {type(error).__name__}: {error}")
        return faults
