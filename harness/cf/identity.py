"""What the sessions of one process must know of each other: whether their password is right.

A wrong password, tried again, locks its user out at UAA. So log-ins take turns, and UAA's refusal is final.
"""

import contextlib
import threading
from collections.abc import Iterator

from harness.cf.performed import Failed, Fault
from harness.cf.watch import Watch
from harness.outcome import Cause, Component

_LOOK_AGAIN = 0.02  # seconds


class Identity:
    """Shared by all sessions with the same credentials; any thread may use it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._proven = False
        self._refusal: Fault | None = None

    @contextlib.contextmanager
    def log_in(self, watch: Watch) -> Iterator[None]:
        """Send the secret inside, one at a time, or raise Failed if it was refused before. Raises Over if the call ends
        while it waits."""
        while not self._turn.acquire(timeout=_LOOK_AGAIN):
            watch.limit(_LOOK_AGAIN)
        try:
            if self._refusal is not None:
                raise Failed(_again(self._refusal))
            yield
        finally:
            self._turn.release()

    def prove(self) -> None:
        """The password is right."""
        self._proven = True

    def refuse(self, refusal: Fault) -> None:
        """It is wrong, for good, if UAA says so, or if it never was right: a page by somebody else in between proves
        nothing against one that was."""
        if refusal.component is Component.UAA or not self._proven:
            self._refusal = refusal


def _again(refusal: Fault) -> Fault:
    """Nothing is sent, so it says nothing about the platform."""
    return Fault(
        cause=Cause.INTERNAL,
        component=Component.HARNESS,
        evidence=f"refused before: {refusal.evidence}"[:300],
        detail=f"{refusal.call}: refused before, and not tried again, which would lock the user out ({refusal.detail})"[
            :300
        ],
        call=refusal.call,
    )
