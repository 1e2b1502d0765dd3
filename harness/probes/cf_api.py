"""The `cf-api` probe: one operation on a foundation's API, by `harness.cf`, on threads of its own.

The library underneath blocks, so each call slot is a thread with a client; the driver never hands out more attempts
than there are slots. The deadline is the driver's, which our own pauses extend; the operation that it ends says which
call was late.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from queue import SimpleQueue

from harness.cf.identity import Identity
from harness.cf.session import Performed, Session
from harness.cf.sightings import Sightings
from harness.cf.target import ApiTarget, Credentials
from harness.engine.blame import Blame
from harness.engine.timer import best_timer
from harness.outcome import Cause, Component
from harness.probes.drive import Driver
from harness.probes.flight import Flight
from harness.recorder import Recorder
from harness.spec import Operation, Spec

_AGAIN = 0.05  # seconds
_LONGER = 10.0  # seconds: an operation's own deadline is for the case that the driver's, which our pauses extend, fails


def make(spec: Spec, *, start: float, user_agent: str, clock: Callable[[], float], recorder: Recorder) -> Driver:
    """A driver for a spec. Raises ValueError without an operation, HarnessError on a bad URL."""
    if spec.operation is None:
        raise ValueError("the cf-api probe needs an operation")
    operation = spec.operation
    agent = f"{user_agent} ({operation.run})" if operation.run else user_agent
    identity = _identity(operation.target, operation.credentials)
    sightings = Sightings()
    slots = [
        Slot(
            Session(
                operation.target,
                operation.credentials,
                operation.limits,
                user_agent=agent,
                clock=clock,
                identity=identity,
                sightings=sightings,
            ),
            name=f"{spec.runner}/{number}",
        )
        for number in range(spec.pool.cap)
    ]
    return Driver(
        spec,
        start=start,
        clock=clock,
        make_timer=best_timer(asyncio.get_running_loop()),
        recorder=recorder,
        probe=CfApiProbe(operation, slots, start=start, recorder=recorder),
    )


@cache
def _identity(target: ApiTarget, credentials: Credentials) -> Identity:
    """One for all runners of this process that call the same API as the same user: a wrong password is tried once."""
    return Identity()


class Slot:
    """A thread that performs one operation at a time. It is a daemon: what a system call holds up must not keep the
    process."""

    def __init__(self, session: Session, *, name: str) -> None:
        self.session = session
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def perform(self, operation: Operation, until: float) -> "asyncio.Future[Performed]":
        """Begin an operation that ends by `until` (monotonic seconds); a future of the running loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Performed] = loop.create_future()

        def settle(performed: Performed | None, error: BaseException | None) -> None:
            if future.done():
                return
            if performed is not None:
                future.set_result(performed)
            else:
                future.set_exception(error or RuntimeError("an operation ended without a result"))

        def work() -> None:
            performed = error = None
            try:
                performed = self.session.perform(operation.asked, until)
            except BaseException as raised:  # goes on in the loop, where it ends the worker in words
                error = raised
            loop.call_soon_threadsafe(settle, performed, error)

        self._work.put(work)
        return future

    def close(self) -> None:
        """End the thread after what it is at."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
        self.session.close()


class CfApiProbe:
    """Attempts on the slots; `attempt` is what the driver calls at every tick."""

    def __init__(self, operation: Operation, slots: list[Slot], *, start: float, recorder: Recorder) -> None:
        """`start`: of the schedule, monotonic seconds."""
        self._operation = operation
        self._idle = list(slots)
        self._slots = slots
        self._start = start
        self._recorder = recorder

    @property
    def connections(self) -> int:
        """Slots at work: each holds a connection or two."""
        return len(self._slots) - len(self._idle)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Slots make themselves ready at their first operation."""
        try:
            yield
        finally:
            for slot in self._slots:
                slot.close()

    async def attempt(self, flight: Flight) -> Blame | None:
        """One operation. Cancelled, because it is late or because the run ends, it is ended, says how far it came, and
        this returns when its slot is free again."""
        slot = self._idle.pop()
        flight.stage = "in the operation"
        longest = self._start + flight.reached + 2 * self._operation.limits.total + _LONGER
        future = slot.perform(self._operation, longest)
        try:
            performed = await asyncio.shield(future)
        except asyncio.CancelledError:
            late = flight.expired is not None and flight.expired.cause is Cause.TOTAL_TIMEOUT
            performed = await _ended(future, slot.session.expire if late else slot.session.cut)
            self._note(flight, performed)
            if not late or performed.fault is None:  # an answer that came in the last moment counts
                flight.expired = flight.expired if performed.fault is not None else None
            else:
                flight.expired = _blame(performed)
            if flight.expired is not None:
                raise
            return None
        finally:
            self._idle.append(slot)
        self._note(flight, performed)
        return _blame(performed)

    def _note(self, flight: Flight, performed: Performed) -> None:
        flight.fresh = True
        flight.status = performed.status
        flight.request_id = performed.request_id
        flight.address = performed.address
        if performed.sent is not None:
            flight.sent = performed.sent - self._start
        if performed.retried:
            flight.retried = True
            self._recorder.count("retried", performed.retried)
        self._recorder.count("calls", len(performed.calls))
        for call in performed.calls:
            self._recorder.stage(call.name, call.ended - call.began)


async def _ended(future: "asyncio.Future[Performed]", end: Callable[[], None]) -> Performed:
    """What came of an operation that is to end now. Said again: the thread may not have begun it."""
    while not future.done():
        end()
        await asyncio.wait([future], timeout=_AGAIN)
    return future.result()


def _blame(performed: Performed) -> Blame | None:
    fault = performed.fault
    if fault is None:
        return None
    if fault.cause is Cause.THROTTLED:  # too many requests are our mistake: no evidence about the platform
        return Blame(Cause.THROTTLED, Component.HARNESS, fault.detail, f"{fault.component}: {fault.evidence}")
    return Blame(fault.cause, fault.component, fault.detail, fault.evidence)
