"""The tasks' side of a channel: what the verbs ask of it, and how a store answers.

`harness.channel.http` answers by the control API of the run itself, `harness.channel.runs` by a local folder of runs.
"""

from collections.abc import Sequence
from typing import Protocol

from harness.channel import layout
from harness.channel.alive import Attempt
from harness.channel.records import (
    Ended,
    MarkNote,
    Owner,
    Pulse,
    StopWish,
    Turn,
    decode,
    encode,
)
from harness.channel.store import Store
from harness.gate import Acceptance


class Pipeline(Protocol):
    """What a task can ask. Every method raises ChannelError, and SilentError where asking again may help. All may be
    asked again, and all at once."""

    @property
    def name(self) -> str:
        """The channel's URL without secrets."""

    def newest(self) -> str | None:
        """The id of the run that began last."""

    def attempts(self, run: str) -> list[int]:
        """The numbers of its attempts, in order; empty: there is no such run."""

    def look(self, run: str, attempt: int) -> Attempt:
        """What is known of one of them."""

    def mark(self, run: str, attempt: int, notes: Sequence[MarkNote]) -> None:
        """Tell it what the pipeline does."""

    def marks(self, run: str, attempt: int) -> list[MarkNote]:
        """What was marked so far, in no order."""

    def stop(self, run: str, attempt: int, wish: StopWish) -> None:
        """Ask it to end. The first wish counts."""

    def report(self, run: str, attempt: int, file: str) -> bytes | None:
        """One of its reports, by its file's name."""

    def accept(self, run: str, acceptance: Acceptance) -> None:
        """Keep that a person lets it pass."""

    def acceptances(self, run: str) -> list[Acceptance]:
        """Who did so, in order of time."""


class StorePipeline:
    """By the keys of a store."""

    def __init__(self, store: Store) -> None:
        """`store`: where the run and its pipeline meet."""
        self._store = store

    @property
    def name(self) -> str:
        """See Pipeline, as all that follows."""
        return self._store.name

    def newest(self) -> str | None:  # noqa: D102
        for key in reversed(self._store.list(layout.TURNS)):
            turn = decode(self._store.get(key), Turn)
            if turn is not None:
                return turn.run
        return None

    def attempts(self, run: str) -> list[int]:  # noqa: D102
        return layout.attempts_of(run, self._store.list(layout.of_run(run)))

    def look(self, run: str, attempt: int) -> Attempt:  # noqa: D102
        def key(name: str) -> bytes | None:
            return self._store.get(layout.of_attempt(run, attempt, name))

        ended = decode(key("ended.json"), Ended)  # first: what follows is not older
        return Attempt(
            run=run,
            attempt=attempt,
            owner=decode(key("owner.json"), Owner),
            pulse=decode(key("pulse.json"), Pulse),
            stop=decode(key("stop.json"), StopWish),
            ended=ended,
        )

    def mark(self, run: str, attempt: int, notes: Sequence[MarkNote]) -> None:  # noqa: D102
        for note in notes:
            self._store.create(f"{layout.marks(run, attempt)}{note.id}.json", encode(note))

    def marks(self, run: str, attempt: int) -> list[MarkNote]:  # noqa: D102
        keys = self._store.list(layout.marks(run, attempt))
        found = (decode(self._store.get(key), MarkNote) for key in keys)
        return [note for note in found if note is not None]

    def stop(self, run: str, attempt: int, wish: StopWish) -> None:  # noqa: D102
        self._store.create(layout.of_attempt(run, attempt, "stop.json"), encode(wish))

    def report(self, run: str, attempt: int, file: str) -> bytes | None:  # noqa: D102
        return self._store.get(layout.report(run, attempt, file))

    def accept(self, run: str, acceptance: Acceptance) -> None:  # noqa: D102
        number = len(self._store.list(layout.accepted(run))) + 1
        while not self._store.create(f"{layout.accepted(run)}{number:04d}.json", encode(acceptance)):
            number += 1

    def acceptances(self, run: str) -> list[Acceptance]:  # noqa: D102
        keys = self._store.list(layout.accepted(run))
        found = [decode(self._store.get(key), Acceptance) for key in keys]
        return [acceptance for acceptance in found if acceptance is not None]
