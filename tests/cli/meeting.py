"""A run and its pipeline at a `file://` channel, as processes."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.channel.pipeline import StorePipeline
from harness.channel.records import Pulse
from tests.channel.carrying import Elsewhere
from tests.cli.commanding import Ended, Going, cf

PLAN: dict[str, Any] = {"baseline": "1s", "ready_timeout": "30s", "objectives": ["success >= 90%"]}


class Place:
    """A folder with a channel, where tasks and runs are started; what they need is named once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store = Elsewhere(folder / "channel")
        self.pipeline = StorePipeline(self.store)
        self.channel = ("--channel", self.store.name)

    def plan(self, url: str, name: str = "plan.yml", **more: Any) -> str:
        """A plan with one runner at 20/s."""
        keys = {key: more.pop(key) for key in list(more) if key in ("headers", "timeout")}
        runner = {"name": "app", "url": url, "rate": "20/s", **keys}
        (self.folder / name).write_text(json.dumps({**PLAN, "runners": [runner], **more}))
        return name

    @contextmanager
    def running(self, plan: str, *more: str, run: str = "42") -> Iterator[Going]:
        """`run` at the channel, in a process of its own; killed at last if it still goes on."""
        words = ["run", plan, "--run-id", run, "--format", "json", *more]
        command = Going(self.folder, [*words, *self.channel])
        try:
            yield command
        finally:
            if command.process.poll() is None:
                command.process.kill()
            command.ended()

    def verb(self, *words: str, run: str | None = "42", **environ: str) -> Ended:
        """A task's command, to its end."""
        which = ("--run-id", run) if run is not None else ()
        return cf(self.folder, *words, *self.channel, *which, **environ)

    def accept(self, by: str = "Ada", reason: str = "a known fault", run: str = "42") -> Ended:
        return cf(self.folder, "accept", run, "--by", by, "--reason", reason, *self.channel)

    def pulse(self, run: str = "42", attempt: int = 1) -> Pulse | None:
        return self.pipeline.look(run, attempt).pulse

    def until(self, condition: Callable[[], object], seconds: float = 40.0) -> None:
        """Look until it holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, list((self.folder / "channel").rglob("*"))
            time.sleep(0.02)

    def until_state(self, state: str, run: str = "42", attempt: int = 1) -> None:
        """Look until the run says that it is so."""
        self.until(lambda: (pulse := self.pulse(run, attempt)) is not None and pulse.state == state)

    def until_seen(self, good: int, run: str = "42", attempt: int = 1) -> None:
        """Look until its pulse tells of so many good answers."""
        self.until(
            lambda: (pulse := self.pulse(run, attempt)) is not None and pulse.runners and pulse.runners[0].good >= good
        )
