"""What a run owes its pipeline, from the first moment to the last: claim its place, be seen, listen, leave the verdict.

`on_duty` is around everything that a start does, so that a run which can't begin says so to those who wait for it.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from harness.channel.address import is_watched, open_store
from harness.channel.claim import Claim, claim, without_secrets
from harness.channel.live import LiveRun
from harness.channel.presence import Presence, publish
from harness.channel.process import this_process
from harness.channel.records import Ended, Owner
from harness.channel.runs import ended_of
from harness.channel.store import ChannelError
from harness.conductor.observe import Observer
from harness.control.listen import Listen
from harness.errors import HarnessError
from harness.report import FILES
from harness.run_folder import next_attempt
from harness.stop import SIGNALS, RunHandle, signals_kept
from harness.verdict import Verdict

_WHILE_WAITED_FOR = 600.0  # seconds that the verdict is offered to a channel that does not answer …
_WHEN_SIGNALLED = 3.0  # … and after a TERM, which a KILL follows ten seconds later: five of them are gone


class AbortedError(HarnessError):
    """A start that a signal ended: as a run that was stopped before it was ready."""

    exit_code = 4


@dataclass(frozen=True)
class Meeting:
    """Where a run meets its pipeline; without any of it, nowhere."""

    run_id: str | None = None
    channels: tuple[str, ...] = ()  # URLs
    listen: Listen | None = None
    log: str = ""  # of a detached run

    @property
    def awaited(self) -> bool:
        """Somebody is to stop it."""
        return bool(self.channels) or self.listen is not None

    @property
    def stopped_by(self) -> str:
        """What its pipeline stops it by, for people."""
        if self.listen is not None or self.gated:
            return "cf-harness stop"
        return "the end of the watched job" if self.channels else ""

    @property
    def gated(self) -> bool:
        """Its verdict is kept for tasks that go on by it."""
        return any(not is_watched(url) for url in self.channels)


@dataclass
class Duty:
    """A run's side of its meeting."""

    handle: RunHandle
    attempt: int | None  # None: the next one in the folder of runs
    live: LiveRun | None
    runs_dir: Path
    say: Callable[[str], None]
    url: str = ""  # of the control API
    _claim: Claim | None = None
    _linger: Callable[[], None] = lambda: None
    _over: bool = field(default=False)

    @property
    def observers(self) -> tuple[Observer, ...]:
        """For the conductor."""
        return (self.live,) if self.live is not None else ()

    def skipped(self, reason: str) -> None:
        """Nothing was watched, on purpose."""
        self._end(Ended(outcome="skipped", exit_code=0, at=time.time(), reasons=[reason]), {}, signalled=False)

    def refused(self, error: HarnessError) -> None:
        """It could not begin."""
        outcome = "never_ready" if error.exit_code == 4 else "refused"
        reasons = [line for line in str(error).splitlines() if line.strip()]
        self._end(
            Ended(outcome=outcome, exit_code=error.exit_code, at=time.time(), reasons=reasons), {}, signalled=True
        )

    def done(self, verdict: Verdict) -> None:
        """Leave the verdict and its reports where the pipeline looks for them."""
        folder = self.runs_dir / verdict.run / str(verdict.attempt)
        reports = {file: (folder / file).read_bytes() for file in FILES.values() if (folder / file).is_file()}
        self._end(ended_of(verdict, sorted(reports)), reports, signalled="SIG" in verdict.stopped_by)

    def _end(self, ended: Ended, reports: Mapping[str, bytes], *, signalled: bool) -> None:
        self._over = True
        if self.live is not None:
            self.live.end(ended, reports)
        patience = _WHEN_SIGNALLED if signalled else _WHILE_WAITED_FOR
        end = time.monotonic() + patience
        cut = threading.Event()
        handle = RunHandle()
        handle.attach(lambda _: cut.set())
        with signals_kept(handle):  # a signal ends the waiting, and not the process
            if self._claim is not None:
                over = lambda: cut.is_set() or time.monotonic() > end  # noqa: E731
                publish(self._claim, ended, reports, until=over, say=self.say)
        self._linger()


@contextmanager
def on_duty(
    meeting: Meeting,
    *,
    target: str,
    runs_dir: Path,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    handle: RunHandle | None = None,
) -> Iterator[Duty]:
    """Claim the run's place, be there for its pipeline until the end, and tell it of a start that failed. `target`:
    what is to be run, for people. `say`: takes what the person at the keyboard should know. Raises ChannelError."""
    handle = handle if handle is not None else RunHandle()
    if not meeting.awaited:
        yield Duty(handle, None, None, runs_dir, say)
        return
    with _aborted_before(handle), ExitStack() as stack:
        duty = _claimed(meeting, target, runs_dir, environ, say, handle)
        try:
            _attend(duty, meeting, environ, stack)
            yield duty
        except HarnessError as error:
            if not duty._over:
                duty.refused(error)
            raise


@contextmanager
def _aborted_before(handle: RunHandle) -> Iterator[None]:
    """Until its run begins a TERM or INT ends a start, which says so; while it goes on they are its own; afterwards
    they come too late to keep the verdict from the pipeline. Raises AbortedError."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    aborted = False

    def received(number: int, frame: FrameType | None) -> None:
        nonlocal aborted
        if not (handle.begun or aborted):
            aborted = True
            raise AbortedError(f"stopped by {signal.Signals(number).name} before anything was watched")

    before = {number: signal.signal(number, received) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _claimed(
    meeting: Meeting,
    target: str,
    runs_dir: Path,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    handle: RunHandle,
) -> Duty:
    assert meeting.run_id is not None  # whoever makes a meeting names the run
    stores = [url for url in meeting.channels if not is_watched(url)]
    if len(stores) > 1:
        raise ChannelError(f"one channel at a time, besides a Concourse job that is watched: {' and '.join(stores)}")
    floor = next_attempt(runs_dir, meeting.run_id)
    folder = str((runs_dir / meeting.run_id).absolute())
    mine: Claim | None = None
    if stores:
        store = open_store(stores[0], environ)
        mine = claim(store, meeting.run_id, floor=floor, target=target, log=meeting.log, folder=folder)
    owner = mine.owner if mine is not None else _owner(meeting, target, floor, folder)
    return Duty(handle, owner.attempt, LiveRun(owner, handle), runs_dir, say, _claim=mine)


def _attend(duty: Duty, meeting: Meeting, environ: Mapping[str, str], stack: ExitStack) -> None:
    assert duty.live is not None
    if duty._claim is not None:
        stack.enter_context(Presence(duty._claim, duty.live))
    if meeting.listen is not None:
        from harness.control.server import ControlServer  # slow to import, and not always wanted

        server = stack.enter_context(ControlServer(duty.live, meeting.listen, duty.runs_dir))
        duty.say(f"the control API listens at {server.url}")
        duty.url = server.url
        duty._linger = server.linger
    for url in _watched(meeting.channels):
        from harness.channel.concourse.watcher import Watcher  # likewise

        stack.enter_context(Watcher(url, duty.live, environ))


def _owner(meeting: Meeting, target: str, attempt: int, folder: str) -> Owner:
    """Of a run that only its own API tells of."""
    process = this_process()
    assert meeting.run_id is not None
    return Owner(
        run=meeting.run_id,
        attempt=attempt,
        id=f"{process.host}-{process.pid}",
        at=time.time(),
        host=process.host,
        pid=process.pid,
        boot=process.boot,
        namespace=process.namespace,
        version="",
        target=without_secrets(target),
        log=meeting.log,
        folder=folder,
    )


def _watched(channels: Sequence[str]) -> list[str]:
    return [url for url in channels if is_watched(url)]
