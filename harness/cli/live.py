"""The live view of a terminal: `LiveView` observes the conductor, and a thread of its own draws what it saw.

Looking at the ledger happens in the conductor's loop, and is cheap; drawing and writing don't, so that a terminal that
stands still never holds up a run. `screen` says what is drawn.
"""

import threading
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from harness.cli.screen import Headline, draw
from harness.conductor.observe import Tick
from harness.events import Closed, Event, NeverReady, Ready, StopRequested
from harness.frames import Bye, Frame, Hello, Message
from harness.glance import Glance, Onlooker
from harness.plan import Plan
from harness.report.layout import WIDTH
from harness.statistics.ledger import Ledger

_EVERY = 0.25  # seconds between two drawings
_CLOSE_WITHIN = 1.0  # seconds that a terminal which stands still may take at the end


class LiveView:
    """A context manager: what it drew is gone afterwards, and the report stands in its place."""

    def __init__(self, plan: Plan) -> None:
        self._headline = Headline(plan)
        self._onlooker = Onlooker([runner.name for runner in plan.file.runners])
        self._glance: Glance | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="live view", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join(_CLOSE_WITHIN)

    def __call__(self, ledger: Ledger, said: Message | Event | Tick) -> None:
        """The observer."""
        if isinstance(said, Hello | Frame | Bye):
            self._onlooker.hear(said)
        if self._onlooker.due() or isinstance(said, Ready | NeverReady | StopRequested | Closed):
            self._glance = self._onlooker.look(ledger, said.at if isinstance(said, Tick) else ledger.heard_at)

    def _draw(self) -> None:
        console = Console(stderr=True, highlight=False)
        try:
            with Live(
                console=console,
                auto_refresh=False,
                transient=True,
                vertical_overflow="crop",
                redirect_stdout=False,
                redirect_stderr=False,
            ) as live:
                while True:
                    width = min(WIDTH, console.width)
                    live.update(draw(self._glance, self._headline, width, console.height - 1), refresh=True)
                    if self._done.wait(_EVERY):
                        return
        except (OSError, ValueError):  # the terminal is gone
            return
