"""The run's side of a channel that keeps things (a directory, a bucket): a thread that shows that the run is alive,
looks for what the pipeline left there, and in the end leaves the verdict.

Nothing here can disturb the run: a channel that does not answer is asked again, remarked on, and waited for only when
the verdict has been made.
"""

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from harness.channel import layout
from harness.channel.alive import PULSE_EVERY
from harness.channel.claim import Claim
from harness.channel.live import LiveRun
from harness.channel.records import Ended, MarkNote, StopWish, Turn, decode, encode
from harness.channel.store import ChannelError, SilentError

LOOK_EVERY = 1.0  # seconds between looks for messages
_AGAIN = 2.0  # seconds until a channel that did not answer is asked again
_REMARK_AFTER = 10.0  # seconds of silence that are worth a word
_JOIN = 0.5  # seconds that the thread gets to end; it may hang in the channel, and is left there


class Presence:
    """A context manager around one run."""

    def __init__(self, claim: Claim, live: LiveRun) -> None:
        """`claim`: the attempt that is ours. `live`: the run."""
        self._claim = claim
        self._store = claim.store
        self._live = live
        self._done = threading.Event()
        self._silent_since: float | None = None
        self._remarked = False
        self._seen: set[str] = set()  # keys of marks
        self._looked = time.monotonic()  # when the last look began that saw all
        self._thread = threading.Thread(target=self._keep, name="channel", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._live.changed.set()
        self._thread.join(_JOIN)

    # While it lasts

    def _keep(self) -> None:
        pulse_due = 0.0
        while not self._done.is_set():
            state = self._live.state
            self._live.changed.clear()
            silent = False
            now = time.monotonic()
            if now >= pulse_due:
                if self._goes_well(self._pulse):
                    pulse_due = now + PULSE_EVERY
                else:
                    silent = True
            if state != "judging":  # a full disk takes no pulse, and may hold a stop all the same
                silent = not self._goes_well(self._look) or silent
            if silent:
                self._done.wait(_AGAIN)
            else:
                self._answered()
                if self._live.changed.wait(LOOK_EVERY) and self._live.state != state:
                    pulse_due = 0.0  # readiness is waited for

    def _goes_well(self, do: Callable[[], None]) -> bool:
        try:
            do()
        except ChannelError as error:
            self._silent(str(error))
            return False
        except Exception as error:  # a stop handler: it is recorded, and goes on
            self._silent(f"{self._store.name}: {type(error).__name__}: {error}")
            return False
        return True

    def _pulse(self) -> None:
        key = layout.of_attempt(self._claim.run, self._claim.attempt, "pulse.json")
        self._store.put(key, encode(self._live.pulse()))

    def _look(self) -> None:
        """Marks are read after the stop: those that were written before it are noted before it."""
        began = time.monotonic()
        run, attempt = self._claim.run, self._claim.attempt
        wish = None
        if self._live.wish is None:
            wish = decode(self._store.get(layout.of_attempt(run, attempt, "stop.json")), StopWish)
        for key in self._store.list(layout.marks(run, attempt)):
            if key not in self._seen:
                note = decode(self._store.get(key), MarkNote)
                if note is not None:
                    self._live.mark([note], not_before=self._looked - self._store.staleness)
                    self._seen.add(key)
        self._looked = began
        if wish is not None:
            self._live.stop(wish)
        for key in self._store.list(layout.TURNS, after=self._claim.turn):
            turn = decode(self._store.get(key), Turn)
            if turn is not None and turn.owner != self._claim.owner.id:
                self._live.supersede(f"superseded by the run {turn.run}, attempt {turn.attempt}")
                break

    def _silent(self, error: str) -> None:
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since > _REMARK_AFTER and not self._remarked:
            self._remarked = True
            self._live.handle.remark(f"the channel does not answer, and is asked again: {error}")

    def _answered(self) -> None:
        if self._silent_since is not None and self._remarked:
            silent = time.monotonic() - self._silent_since
            self._live.handle.remark(f"the channel {self._store.name} answers again, after {silent:.0f} s")
        self._silent_since = None
        self._remarked = False


def publish(
    claim: Claim, ended: Ended, reports: Mapping[str, bytes], *, until: Callable[[], bool], say: Callable[[str], None]
) -> bool:
    """Leave the verdict and its reports in the channel, the verdict last. A channel that does not answer is asked again
    until `until`; what it says goes to `say`. Returns whether everything is there."""
    run, attempt = claim.run, claim.attempt
    left = [(layout.report(run, attempt, name), data) for name, data in reports.items()]
    told = False
    while True:
        try:
            while left:
                claim.store.put(*left[-1])
                left.pop()
            claim.store.create(layout.of_attempt(run, attempt, "ended.json"), encode(ended))
            return True
        except SilentError as error:
            if until():
                say(f"the verdict could not be left in the channel: {error}")
                return False
            if not told:
                told = True
                say(f"the channel does not take the verdict yet, trying again: {error}")
            time.sleep(_AGAIN / 4)
        except ChannelError as error:
            say(f"the verdict could not be left in the channel: {error}")
            return False
