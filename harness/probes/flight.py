"""What the driver and a probe that is a function have between them: one attempt in flight, and the probe's shape."""

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from harness.engine.blame import Blame, Stage
from harness.outcome import Timings


class Flight:
    """One attempt in flight: what the probe is told, and where it notes its evidence as it goes, so that an attempt
    that is ended from outside still tells how far it came."""

    __slots__ = (
        "_on_limit",
        "address",
        "connect",
        "dns",
        "epoch",
        "expired",
        "first_at",
        "fresh",
        "intended",
        "now",
        "ordinal",
        "paused_before",
        "queued",
        "reached",
        "request_id",
        "retried",
        "sent",
        "stage",
        "status",
        "task",
        "tls",
    )

    def __init__(
        self,
        ordinal: int,
        *,
        intended: float,
        reached: float,
        paused_before: float,
        now: Callable[[], float],
        on_limit: Callable[["Flight", float, Blame], None],
    ) -> None:
        self.now = now
        self._on_limit = on_limit
        self.ordinal = ordinal
        self.intended = intended
        self.reached = reached
        self.paused_before = paused_before
        self.queued = max(0.0, now() - reached)
        self.task: asyncio.Task[Blame | None] | None = None
        self.expired: Blame | None = None
        self.epoch = 0  # counts stages: a limit belongs to the one that it was set in
        self.stage = Stage.CONNECT
        self.sent: float | None = None
        self.first_at: float | None = None
        self.dns: float | None = None
        self.connect: float | None = None
        self.tls: float | None = None
        self.status: int | None = None
        self.address = ""
        self.fresh = False
        self.retried = False
        self.request_id = ""

    def enter(self, stage: str, limit: float = math.inf, blame: Blame | None = None) -> None:
        """The attempt comes to another stage, which is to end within `limit` seconds, or `blame` is why it failed."""
        self.epoch += 1
        self.stage = stage
        if blame is not None and limit < math.inf:
            self._on_limit(self, self.now() + limit, blame)

    def is_sent(self) -> None:
        """The request is written, the first time or again."""
        self.sent = self.now()
        self.first_at = None

    def has_begun(self) -> None:
        """The answer has begun."""
        self.first_at = self.now()
        self.enter(Stage.BODY)

    def timings(self, now: float) -> Timings:
        """The stages so far."""
        begun = self.first_at
        return Timings(
            queue=self.queued or None,
            dns=self.dns,
            connect=self.connect,
            tls=self.tls,
            first_byte=(begun if begun is not None else now) - self.sent if self.sent is not None else None,
            body=now - begun if begun is not None else None,
        )


class Probe(Protocol):
    """What one attempt does."""

    @property
    def connections(self) -> int:
        """Connections held now."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Make ready before the first tick, and release everything after the last."""

    async def attempt(self, flight: Flight) -> Blame | None:
        """Try once; None if all is well. Evidence goes to the flight. It may be cancelled at any await."""
