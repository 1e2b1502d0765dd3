"""One build's events, read as they come and told to the run as marks. Where they can't be read, the build as a whole is
the phase."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from harness.channel.concourse.atc import Atc
from harness.channel.concourse.builds import Build
from harness.channel.concourse.pace import Pace
from harness.channel.concourse.patience import Patience
from harness.channel.concourse.steps import Steps, whole
from harness.channel.concourse.wire import MissingError, RefusedError
from harness.channel.live import LiveRun
from harness.channel.records import MarkNote
from harness.channel.store import ChannelError


class Follower:
    """Of a build that has started."""

    def __init__(self, build: Build, atc: Atc, live: LiveRun, pace: Pace) -> None:
        """`live`: the run that is told."""
        self._build = build
        self._atc = atc
        self._live = live
        self._pace = pace
        self._steps = Steps(build)
        self._events = f"the events of the build {build.title}"
        self._unreadable = False

    async def follow(self) -> None:
        """Until the last event, or until they turn out to be unreadable. A stream that breaks is begun anew where it
        broke; that Concourse is silent is for the watcher to tell, which asks it all the while."""
        patience = Patience("", self._pace)
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._read()
                patience.answered(loop.time())
            except (RefusedError, MissingError) as error:
                if not self._steps.begun:
                    return self._take_whole(error)
                patience.silent(str(error), loop.time())
            except ChannelError as error:
                patience.silent(str(error), loop.time())
            except Exception as error:  # a stop handler's part: it is recorded, and goes on
                self._live.handle.remark(f"{self._events}: {type(error).__name__}: {error}")
                patience.silent(str(error), loop.time())
            if self._steps.over:
                return None
            await asyncio.sleep(patience.delay or self._pace.again)

    def _take_whole(self, error: ChannelError) -> None:
        self._live.handle.remark(f"{self._events} can't be read, so it is one phase as a whole: {error}")
        self._unreadable = True
        self.see(self._build)

    async def _read(self) -> None:
        if not self._steps.named:
            self._steps.plan(await self._atc.plan(self._build.id))
        async with aclosing(self._atc.events(self._build.id, self._steps.last_id)) as events:
            async for event in events:
                self._tell(self._steps.hear(event, self._atc.offset))
                if self._steps.over:
                    break
        if self._steps.over and self._steps.open:
            self.end(await self._atc.build(self._build.id))

    def see(self, build: Build) -> None:
        """The build as it is now."""
        self._build = build
        if self._unreadable:
            self._tell(whole(build, self._atc.offset))

    def end(self, build: Build) -> None:
        """It is over, whether or not its events were all read."""
        self.see(build)
        self._tell(self._steps.close(build, self._atc.offset))

    def _tell(self, notes: Sequence[MarkNote]) -> None:
        if notes:
            self._live.mark(notes, not_before=0.0)
