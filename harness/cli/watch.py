"""Who looks on while a run goes on: a view that redraws itself in a terminal, lines in a pipe, nobody if quiet."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.conductor.observe import Observer
from harness.plan import Plan


@contextmanager
def watching(
    plan: Plan, *, quiet: bool, live: bool | None, command: Sequence[str] | None = None, awaited: str = ""
) -> Iterator[tuple[Observer, ...]]:
    """The observers for one run. `live` None: as the terminal allows. All they say goes to stderr."""
    if quiet:
        yield ()
        return
    # A command writes to the same terminal, and would be drawn over.
    if live if live is not None else command is None and redraws():
        from harness.cli.live import LiveView

        with LiveView(plan) as view:
            yield (view,)
    else:
        from harness.cli.progress import Progress

        with Progress(plan, command, awaited=awaited) as progress:
            yield (progress,)


def redraws() -> bool:
    """Standard error is a terminal that can move its cursor."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
