"""The run as its pipeline sees it, inside the run's own process: an observer of the conductor that keeps the newest
pulse, and the one way in which channels speak to the run.

Carriers that look for messages (`presence`) and the control API, which is told, both go through here.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from harness.channel.records import Ended, MarkNote, Owner, Pulse, RunnerPulse, StopWish
from harness.conductor.observe import Tick
from harness.events import Closed, Event, NeverReady, Ready, StopRequested
from harness.frames import Bye, Frame, Hello, Message
from harness.glance import Glance, Onlooker
from harness.statistics.ledger import Ledger
from harness.stop import RunHandle

_LOOK_EVERY = 1.0  # seconds
_PROBLEMS = 3


class LiveRun:
    """Its methods may be called from any thread; as an observer it belongs to the conductor's loop."""

    def __init__(self, owner: Owner, handle: RunHandle) -> None:
        """`handle`: of the run that `owner` conducts."""
        self.owner = owner
        self.handle = handle
        self.changed = threading.Event()  # the state is another one; whoever waits for it clears it
        self._lock = threading.Lock()
        self._onlooker: Onlooker | None = None
        self._looked = 0.0
        self._state = "preparing"
        self._glance: Glance | None = None
        self._ready: float | None = None
        self._stopped_by = ""
        self._marked: dict[str, MarkNote] = {}
        self._wish: StopWish | None = None
        self._beat = 0
        self.ended: Ended | None = None
        self.reports: Mapping[str, bytes] = {}

    def __call__(self, ledger: Ledger, said: Message | Event | Tick) -> None:
        """The observer."""
        if self._onlooker is None:
            self._onlooker = Onlooker(list(ledger.runners))
            self._turn("waiting")
        match said:
            case Frame() | Hello() | Bye():
                self._onlooker.hear(said)
            case Tick():
                if self._onlooker.due() and said.at - self._looked >= _LOOK_EVERY / 2:
                    self._look(ledger, said.at)
            case Ready():
                self._ready = ledger.placement().seconds(said.at)
                self._look(ledger, said.at)
                self._turn("watching")
            case StopRequested():
                self._stopped_by = said.by
                self._turn("stopping")
            case NeverReady() | Closed():
                self._look(ledger, ledger.heard_at)
                self._turn("judging")
            case _:
                pass

    def _look(self, ledger: Ledger, at: float) -> None:
        assert self._onlooker is not None
        self._looked = at
        self._glance = self._onlooker.look(ledger, at)

    def _turn(self, state: str) -> None:
        self._state = state
        self.changed.set()

    # What is told

    @property
    def state(self) -> str:
        """As in Pulse."""
        return self._state

    @property
    def wish(self) -> StopWish | None:
        """Who asked for the stop through a channel."""
        return self._wish

    def pulse(self) -> Pulse:
        """How it goes."""
        glance = self._glance
        with self._lock:
            self._beat += 1
            beat = self._beat
        return Pulse(
            beat=beat,
            at=time.time(),
            state=self._state,
            ready=self._ready,
            stopped_by=self._stopped_by,
            runners=list(_runners(glance)) if glance is not None else [],
            phases=[phase.name for phase in glance.phases] if glance is not None else [],
            problems=list(glance.problems[-_PROBLEMS:]) if glance is not None else [],
        )

    def end(self, ended: Ended, reports: Mapping[str, bytes]) -> None:
        """It is over: the last word, and what is to be read of it by their files' names."""
        self.reports = dict(reports)
        self.ended = ended
        self._turn("judging")

    def marks(self) -> list[MarkNote]:
        """What the pipeline marked itself; not what was told of others afterwards."""
        with self._lock:
            return [note for note in self._marked.values() if not note.source]

    # What is said to it

    def stop(self, wish: StopWish) -> StopWish:
        """The pipeline wants the verdict. Returns the wish that counts: the first one."""
        with self._lock:
            if self._wish is not None:
                return self._wish
            self._wish = wish
        self.handle.request(wish.by, insists=False)
        return wish

    def supersede(self, by: str) -> None:
        """A newer run took this one's place: nobody will stop it, and what it saw proves nothing."""
        with self._lock:
            if self._wish is not None:  # it ends as it was asked to
                return
            self._wish = StopWish(by=by, at=time.time())
        self.handle.request(by, insists=False, spoils=f"{by}: nobody stopped this one")

    def mark(self, notes: Sequence[MarkNote], *, not_before: float) -> None:
        """What the pipeline marked. One that was noted before is not noted again. `not_before` (CLOCK_MONOTONIC,
        seconds): what is told of this moment was not written earlier, whatever its writer's clock says."""
        with self._lock:
            new = [note for note in notes if note.id not in self._marked]
            self._marked.update({note.id: note for note in new})
        for note in sorted(new, key=lambda note: note.at):
            now = time.monotonic()
            when = now - (time.time() - note.at)
            if note.within is None:
                when = min(max(when, not_before), now)
            self.handle.mark(note.name, note.edge, when, within=note.within or 0.0, source=note.source)


def _runners(glance: Glance) -> Iterable[RunnerPulse]:
    for runner in glance.runners:
        counts = runner.counts
        yield RunnerPulse(
            name=runner.name,
            sent=counts.sent,
            good=counts.good,
            bad=counts.bad,
            unknown=counts.unknown,
            outage=max(0.0, glance.at - runner.outage.start) if runner.outage is not None else None,
        )
