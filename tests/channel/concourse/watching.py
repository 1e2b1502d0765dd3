"""A watcher on a run of which only its handle is real, and what it says to it."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from harness.channel.concourse import Watcher
from harness.channel.concourse.pace import Pace
from harness.channel.live import LiveRun
from harness.channel.records import Owner
from harness.stop import Mark, Remark, Request, RunHandle, Word

HURRY = Pace(
    look=0.05, again=0.05, again_at_most=0.2, remark=0.4, newer=1.0, none=1000.0, pipeline=0.1, last_events=5.0
)

W = TypeVar("W", Mark, Remark, Request)


@dataclass
class Heard:
    """What was said, in order."""

    words: list[Word] = field(default_factory=list)
    _grown: threading.Condition = field(default_factory=threading.Condition)

    def hear(self, word: Word) -> None:
        with self._grown:
            self.words.append(word)
            self._grown.notify_all()

    def _of(self, kind: type[W]) -> list[W]:
        return [word for word in self.words if isinstance(word, kind)]

    @property
    def remarks(self) -> list[str]:
        return [word.text for word in self._of(Remark)]

    @property
    def marks(self) -> list[Mark]:
        return self._of(Mark)

    @property
    def edges(self) -> list[tuple[str, str]]:
        return [(mark.name, mark.edge) for mark in self.marks]

    @property
    def stops(self) -> list[str]:
        return [word.by for word in self._of(Request)]

    def until(self, it_is_so: Callable[[], bool], seconds: float = 20.0) -> None:
        with self._grown:
            assert self._grown.wait_for(it_is_so, seconds), self.words

    def until_stopped(self) -> str:
        self.until(lambda: bool(self.stops))
        return self.stops[0]

    def until_remarked(self, what: str) -> None:
        self.until(lambda: any(what in text for text in self.remarks))

    def until_marked(self, name: str, edge: str) -> None:
        self.until(lambda: (name, edge) in self.edges)


@contextlib.contextmanager
def watching(url: str, environ: Mapping[str, str] | None = None, pace: Pace = HURRY) -> Iterator[Heard]:
    """A run that is being watched for."""
    handle, heard = RunHandle(), Heard()
    handle.attach(heard.hear)
    owner = Owner(run="v1", attempt=1, id="x", at=0.0, host="h", pid=1, boot="", namespace="", version="", target="t")
    with Watcher(url, LiveRun(owner, handle), environ or {}, pace):
        yield heard
    assert not any(thread.name == "concourse" for thread in threading.enumerate())
