"""The demo's deployment: begins when the run is ready, and asks for the stop a little after its last step.

Steps of one group overlap, as instance groups of one `bosh deploy` may; groups follow one another.
"""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from harness.conductor.observe import Tick
from harness.errors import HarnessError
from harness.events import Event, Ready
from harness.frames import Message
from harness.run import RunHandle
from harness.sandbox import Sandbox, Step
from harness.sandbox.platform import Ended
from harness.statistics.ledger import Ledger

_BEFORE = 3.0  # seconds of calm before the first step …
_BETWEEN = 1.0  # … between two groups …
_AFTER = 3.0  # … and after the last
_APART = 0.2  # seconds between the begins of two steps of a group


class Deployment:
    """A context manager around a run, and an observer of it. Leaving it ends the sandbox's steps, too."""

    def __init__(self, sandbox: Sandbox, groups: Sequence[Sequence[Step]], handle: RunHandle) -> None:
        self._sandbox = sandbox
        self._groups = groups
        self._handle = handle
        self._over = threading.Event()  # the run has ended
        self._thread = threading.Thread(target=self._deploy, name="deployment")
        self._problem: HarnessError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._problem is not None and error is None:
            raise self._problem

    def __call__(self, ledger: Ledger, said: Message | Event | Tick) -> None:
        """The observer: the run is ready."""
        if isinstance(said, Ready):
            self._thread.start()

    def _deploy(self) -> None:
        calm = _BEFORE
        for group in self._groups:
            if self._over.wait(calm):
                return
            self._perform_all(group)
            calm = _BETWEEN
        if not self._over.wait(_AFTER):
            self._handle.request("the end of the deployment")

    def _perform_all(self, group: Sequence[Step]) -> None:
        under_way: list[threading.Thread] = []
        for step in group:
            thread = threading.Thread(target=self._perform, args=(step,), name=step.label)
            thread.start()
            under_way.append(thread)
            if self._over.wait(_APART):
                break
        for thread in under_way:
            thread.join()

    def _perform(self, step: Step) -> None:
        try:
            self._sandbox.perform(step)
        except Ended:
            return
        except HarnessError as problem:
            self._problem = problem
