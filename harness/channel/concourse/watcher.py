"""The thread that watches a job for as long as a run lasts: it asks what `look` wants to know, and does what `watch`
decides. Whatever goes wrong is remarked on, and asked again; it never ends a run, and spoils no verdict."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self, assert_never

from harness.channel.concourse.atc import Atc
from harness.channel.concourse.builds import Build, Input
from harness.channel.concourse.follow import Follower
from harness.channel.concourse.job import job_of
from harness.channel.concourse.look import AskInputs, AskPage, Look
from harness.channel.concourse.pace import Pace
from harness.channel.concourse.patience import Patience
from harness.channel.concourse.watch import Follow, Remark, Stop, Watch
from harness.channel.concourse.wire import MissingError
from harness.channel.live import LiveRun
from harness.channel.records import StopWish
from harness.channel.store import ChannelError, SilentError

_JOIN = 5.0  # seconds
_DEFAULT = Pace()


class Watcher:
    """Requests the stop of a run when the job's build is over. A context manager: it watches while it is open."""

    def __init__(self, url: str, live: LiveRun, environ: Mapping[str, str], pace: Pace = _DEFAULT) -> None:
        """`url`: the channel's. Raises ChannelError for one that can't be read, and for settings that can't work."""
        self._job = job_of(url)
        self._pace = pace
        self._atc = Atc(self._job, environ, pace)
        self._live = live
        self._watch = Watch(f"{self._job.name} with {self._job.version}", pace)
        self._patience = Patience(f"Concourse at {self._job.site}", pace)
        self._settled: Mapping[int, bool] = {}
        self._followers: dict[int, tuple[Follower, asyncio.Task[None]]] = {}
        self._told: set[str] = set()
        self._begun = 0.0  # by the wall clock
        self._pipeline_due = 0.0
        self._leave = asyncio.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="concourse", daemon=True)

    def __enter__(self) -> Self:
        self._begun = time.time()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listening.wait(_JOIN)
        with contextlib.suppress(RuntimeError):  # it may be over already, and its loop closed
            self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join(_JOIN)

    # While it lasts

    def _run(self) -> None:
        asyncio.run(self._keep())

    async def _keep(self) -> None:
        """Only the watching is ever cancelled: connections that are being closed would be left open."""
        self._loop = asyncio.get_running_loop()
        self._listening.set()
        leaving, watching = asyncio.ensure_future(self._leave.wait()), asyncio.ensure_future(self._until_stop())
        try:
            await asyncio.wait({leaving, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done() and (fault := watching.exception()) is not None:  # a stop handler: it is recorded
                self._live.handle.remark(f"Concourse is watched no more: {type(fault).__name__}: {fault}")
        finally:
            for task in (leaving, watching):
                task.cancel()
            await asyncio.wait({leaving, watching})
            await self._atc.close()
            await asyncio.sleep(0)  # a transport closes in the next round

    async def _until_stop(self) -> None:
        async with asyncio.TaskGroup() as group:
            by = await self._until_over(group)
            await self._last_events()
            self._live.stop(StopWish(by=by, at=time.time()))
            for _, task in self._followers.values():
                task.cancel()

    async def _until_over(self, group: asyncio.TaskGroup) -> str:
        """Returns what ended the deployment."""
        while True:
            try:
                by = await self._look(group)
                self._remark(self._patience.answered(self._loop.time()))
                if by is not None:
                    return by
            except SilentError as error:
                self._remark(self._patience.silent(str(error), self._loop.time()))
            except ChannelError as error:
                self._remark(self._patience.unfit(str(error), self._loop.time()))
            except Exception as error:  # a stop handler: it is recorded, and goes on
                self._remark(self._patience.silent(f"{type(error).__name__}: {error}", self._loop.time()))
            await asyncio.sleep(self._patience.delay or self._pace.look)

    async def _look(self, group: asyncio.TaskGroup) -> str | None:
        newest = await self._newest()
        over_before = False
        if newest is not None and newest.over and newest.end_time:
            at, within = self._atc.offset.place(newest.end_time)
            over_before = at + within < self._begun
        for act in self._watch.saw(newest, now=self._loop.time(), over_before=over_before):
            match act:
                case Remark():
                    self._remark(act.text)
                case Follow():
                    self._follow(act.build, group)
                case Stop():
                    return act.by
                case _:
                    assert_never(act)
        if newest is None or newest.over:
            await self._see_pipeline()
        return None

    async def _newest(self) -> Build | None:
        look = Look(self._job, self._settled)
        try:
            while (question := look.question()) is not None:
                match question:
                    case AskPage():
                        look.listed(*await self._atc.builds(question))
                    case AskInputs():
                        look.has(question.build, await self._inputs(question.build))
                    case _:
                        assert_never(question)
        except MissingError:
            return await self._without_job()
        finally:
            self._settled = look.settled
        return look.newest

    async def _inputs(self, build: Build) -> list[Input]:
        try:
            return await self._atc.inputs(build.id)
        except MissingError:  # it was reaped just now
            return []

    async def _without_job(self) -> Build | None:
        """The job can't be seen; a build of it that is known may be seen all the same. Raises MissingError."""
        why = await self._why_missing()
        if self._watch.build is None:
            raise MissingError(why)
        try:
            build = await self._atc.build(self._watch.build.id)
        except MissingError:
            raise MissingError(f"{why}, and the build {self._watch.build.title} is gone too") from None
        self._once(f"{why}; the build {build.title} is watched by its id")
        return build

    async def _why_missing(self) -> str:
        where = f"{self._job.team}/{self._job.pipeline}"
        try:
            pipeline = await self._atc.pipeline()
        except MissingError:
            return f"there is no pipeline {where} at {self._job.site}, or none that may be seen"
        if pipeline.archived:
            return f"the pipeline {where} is archived, and its jobs are gone"
        return f"there is no job {self._job.name} in the pipeline {where}"

    async def _see_pipeline(self) -> None:
        if self._loop.time() < self._pipeline_due:
            return
        self._pipeline_due = self._loop.time() + self._pace.pipeline
        if (await self._atc.pipeline()).paused:
            where = f"{self._job.team}/{self._job.pipeline}"
            self._once(f"the pipeline {where} is paused: no build begins there until it goes on")

    # What comes of it

    def _follow(self, build: Build, group: asyncio.TaskGroup) -> None:
        if not build.start_time:  # it waits, or never began
            return
        if build.id not in self._followers:
            follower = Follower(build, self._atc, self._live, self._pace)
            self._followers[build.id] = follower, group.create_task(follower.follow())
        self._followers[build.id][0].see(build)

    async def _last_events(self) -> None:
        """The ends of the last steps belong before the stop."""
        build = self._watch.build
        if build is None or build.id not in self._followers:
            return
        follower, task = self._followers[build.id]
        await asyncio.wait({task}, timeout=self._pace.last_events)
        follower.end(build)

    def _once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._live.handle.remark(text)

    def _remark(self, text: str | None) -> None:
        if text is not None:
            self._live.handle.remark(text)
