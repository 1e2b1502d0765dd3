"""Watches the build for as long as the run lasts, and stops the run when it is over. A Concourse that does not answer
is asked again and remarked on; it never stops anything."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.channel.concourse.access import Access
from harness.channel.concourse.atc import Atc, MissingError
from harness.channel.concourse.builds import Build, Input, matches, newest
from harness.channel.concourse.place import place_of
from harness.channel.concourse.steps import names_of, notes_of, notes_of_build
from harness.channel.live import LiveRun
from harness.channel.records import StopWish
from harness.channel.store import ChannelError

_LOOK_EVERY = 2.0  # seconds
_LONGEST_PAUSE = 15.0  # seconds between two questions to one that does not answer
_REMARK_AFTER = 30.0  # seconds of silence, or without a build, that are worth a word
_LAST_EVENTS = 5.0  # seconds that the events of a build which is over get to arrive
_JOIN = 0.5


class Watcher:
    """A context manager around one run."""

    def __init__(self, url: str, live: LiveRun, environ: Mapping[str, str]) -> None:
        """Raises ChannelError where the URL can't be read."""
        self._place = place_of(url)
        self._live = live
        self._environ = environ
        self._done = threading.Event()
        self._began = time.time()
        self._inputs: dict[int, list[Input]] = {}  # of builds that had begun
        self._told: set[str] = set()
        self._steps: dict[int, threading.Thread] = {}
        self._atcs: list[Atc] = []
        self._thread = threading.Thread(target=self._watch, name="concourse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join(_JOIN)
        for atc in self._atcs:  # whoever still waits for an answer waits no more
            atc.close()
        for thread in self._steps.values():
            thread.join(_JOIN)

    def _atc(self) -> Atc:
        """One for each thread."""
        atc = Atc(self._place, Access(self._place.base, self._environ, Path.home()), self._environ)
        self._atcs.append(atc)
        return atc

    def _watch(self) -> None:
        atc = self._atc()
        pause, silent_since, remarked = _LOOK_EVERY, None, False
        while not self._done.is_set():
            try:
                if self._look(atc):
                    return
                if remarked and silent_since is not None:
                    self._remark(f"Concourse answers again, after {time.monotonic() - silent_since:.0f} s")
                pause, silent_since, remarked = _LOOK_EVERY, None, False
            except Exception as error:  # a stop handler: it is recorded, and asks again
                said = str(error) if isinstance(error, ChannelError) else f"{type(error).__name__}: {error}"
                silent_since = silent_since if silent_since is not None else time.monotonic()
                if not remarked and time.monotonic() - silent_since > _REMARK_AFTER:
                    remarked = True
                    self._remark(f"Concourse can't be watched, and is asked again: {said}{self._why(atc)}")
                pause = min(_LONGEST_PAUSE, pause * 2)
            self._done.wait(pause)

    def _look(self, atc: Atc) -> bool:
        """Whether the build is over, and the run told so."""
        build = newest(build for build in atc.builds() if self._is_ours(atc, build))
        if build is None:
            if time.time() - self._began > _REMARK_AFTER:
                self._once(f"no build of {self._place.name} has the version {self._place.version} yet: waiting for it")
            return False
        if build.over and build.id not in self._steps and (build.end_time or self._began) < self._began - 1:
            self._once(f"{build.words} of that version was over before this run began: waiting for a newer one")
            return False
        if build.id not in self._steps and build.status != "pending":
            self._once(f"watching {build.words} of {self._place.name}")
            thread = threading.Thread(target=self._follow, args=(build,), name="concourse events", daemon=True)
            self._steps[build.id] = thread
            thread.start()
        if not build.over:
            return False
        thread = self._steps[build.id]
        thread.join(_LAST_EVENTS)
        self._live.stop(StopWish(by=f"the build {build.words} {build.status}", at=time.time()))
        return True

    def _is_ours(self, atc: Atc, build: Build) -> bool:
        if build.id not in self._inputs:
            inputs = atc.resources(build.id).inputs
            if build.status == "pending" and not inputs:
                return False
            self._inputs[build.id] = inputs
        return matches(self._inputs[build.id], self._place.version, self._place.resource)

    def _follow(self, build: Build) -> None:
        """Mark the build's steps as they come; where they can't be read, the build as a whole."""
        atc = self._atc()
        while not self._done.is_set():
            try:
                names = names_of(atc.plan(build.id))
                with atc.events(build.id) as lines:
                    for note in notes_of(lines, build.id, names):
                        if note is None:
                            return
                        self._live.mark([note], not_before=0.0)
            except MissingError:  # nobody may read them
                self._whole(atc, build)
                return
            except ChannelError:  # from its beginning again: what was marked is known
                self._done.wait(_LOOK_EVERY)
            except Exception as error:  # a stop handler: it is recorded, and asks again
                self._once(f"the steps of {build.words}: {type(error).__name__}: {error}")
                self._done.wait(_LOOK_EVERY)

    def _whole(self, atc: Atc, build: Build) -> None:
        self._once(f"the steps of {build.words} can't be read: the build is marked as a whole")
        while not self._done.is_set():
            try:
                now = atc.build(build.id)
            except ChannelError:
                now = build
            self._live.mark(notes_of_build(now.id, now.words, now.start_time, now.end_time), not_before=0.0)
            if now.over:
                return
            self._done.wait(_LOOK_EVERY)

    def _why(self, atc: Atc) -> str:
        """What else may be wrong."""
        try:
            return "; its pipeline is archived" if atc.archived() else ""
        except ChannelError:
            return ""

    def _once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._remark(text)

    def _remark(self, text: str) -> None:
        self._live.handle.remark(text)
