"""`python -m harness.sandbox.api`: one Cloud Controller VM, nginx and Ruby behind it. What may be asked is in
`endpoints`, who asks in `callers`; here a request goes through all of it, and the faults that befall it."""

import asyncio
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from harness.sandbox import component
from harness.sandbox.bbs import Instance, read_instance
from harness.sandbox.callers import Caller, Callers
from harness.sandbox.cc_errors import ApiError, error_answer
from harness.sandbox.drain import drain_front
from harness.sandbox.endpoints import Asking, Endpoint, asks_bbs, find_endpoint
from harness.sandbox.fault import obey_fault
from harness.sandbox.front import Front
from harness.sandbox.message import Headers, Request, answer
from harness.sandbox.nginx import error_page, html_page, passed_on
from harness.sandbox.pages import Query, parse_query
from harness.sandbox.present import View
from harness.sandbox.rate_limits import Counted, RateLimits, refusal
from harness.sandbox.replies import Answer, Making, json_answer, send
from harness.sandbox.request_log import RequestLog
from harness.sandbox.resources import NOTHING, App, World, guid_of, make_world
from harness.sandbox.served import Answering, Served
from harness.sandbox.truth import Truth
from harness.sandbox.wire import ApiSpec, Command, Drain, Fault, FaultKind, Reply, Revoke, RotateKey, Spec

_GRACE = 10.0  # seconds that a drain gives to what is under way
_LOOK = 0.01  # seconds between two looks whether the BBS is back
_RETRY_AFTER = (b"Retry-After", b"5")  # seconds, where UAA limits
_WARNING = (b"X-Cf-Warnings", b"Stats+are+unavailable")
_NOBODY_COUNTS = (b"/", b"/v3", b"/healthz")


class Api:
    """Answers by what it knows of orgs, spaces and apps, and by what Diego and UAA tell it."""

    def __init__(self, spec: ApiSpec, truth: Truth, tasks: asyncio.TaskGroup) -> None:
        self._spec = spec
        self._truth = truth
        self._tasks = tasks
        self._world = make_world(spec.app, spec.instances)
        self._view = View(spec.url, spec.uaa_url, spec.born, spec.limit, spec.interval)
        self._callers = Callers(spec.uaa_port, spec.rev_sig)
        self._limits = RateLimits(spec.interval)
        self._folder = Path(spec.folder)
        self._log = RequestLog(Path(spec.requests), spec.name)
        self._front = Front((spec.port,), lambda front: Served(front, self._serve, self._refuse), None)

    async def open(self) -> None:
        """See `Component`."""
        await self._front.open()

    async def obey(self, command: Command) -> Reply:
        """See `Component`."""
        if isinstance(command, RotateKey):
            self._callers.forget_keys()
            return Reply(at=time.monotonic())
        if isinstance(command, Revoke):
            self._callers.rev_sig = command.rev_sig
            return Reply(at=time.monotonic())
        return await obey_fault(self._front, self._truth, self._spec.name, command)

    async def drain(self, order: Drain) -> None:
        """See `Component`."""
        await drain_front(self._front, self._truth, self._spec.name, order, wait=0.0, timeout=_GRACE)

    def close(self) -> None:
        """See `Component`."""
        self._front.close()
        self._log.close()

    def _bears(self, *kinds: FaultKind) -> Fault | None:
        """The fault that befalls it now, if it is of these kinds."""
        fault = self._front.fault
        return fault if fault is not None and fault.kind in kinds else None

    def _refuse(self, request: Request, fault: Fault) -> bytes:
        said = error_page(fault.code or 502)
        self._log.note(request, said.status, _routers_id(request))
        return answer(request, said.status, said.headers, said.body)

    def _serve(self, request: Request, served: Served) -> Answering | None:
        return Making(self._tasks, self._answer(request, served))

    async def _answer(self, request: Request, served: Served) -> None:
        """The whole way of a request, and its line in the log, even if its client goes before the end."""
        request_id = _routers_id(request)
        status: int | None = None
        try:
            said = self._nginx_says()
            if said is None:
                request_id = f"{request_id}::{uuid.uuid4()}"
                said = passed_on(await self._ruby_says(request), request_id.encode("latin-1"))
            status = said.status
        finally:
            self._log.note(request, status, request_id, query=request.target.partition(b"?")[2].decode("latin-1"))
        trickle = self._bears("trickle")
        await send(request, served, said, every=trickle.delay if trickle else None)

    def _nginx_says(self) -> Answer | None:
        if fault := self._bears("ruby_away"):
            return error_page(fault.code or 502)
        return html_page() if self._bears("html_page") else None

    async def _ruby_says(self, request: Request) -> Answer:
        """Through Cloud Controller's middleware in its order: who is it, how often did he ask, what does he want."""
        headers: Headers = ()
        now = time.time()
        try:
            caller = await self._know(request, now)
            counted = self._count(caller, request, now)
            if counted is not None and counted.over:
                return self._over_the_limit(caller, counted)
            headers = counted.headers if counted is not None else ()
            endpoint, guid = self._find(request, caller)
            query = parse_query(request.target)
            if asks_bbs(endpoint, query):
                await self._await_bbs(query)
            measured = self._bears("log_cache_away") is None
            if endpoint.stats and not measured:
                headers = (*headers, _WARNING)
            asking = Asking(
                request.path, query, self._view, self._seen_by(caller), self._look, time.time(), measured,
                endless=self._bears("endless_pages") is not None,
            )  # fmt: skip
            return json_answer(200, endpoint.act(asking, guid), headers)
        except ApiError as error:
            more = (_RETRY_AFTER,) if error.title == "CF-UaaRateLimited" else ()
            return error_answer(error.title, error.word, (*headers, *more))

    async def _know(self, request: Request, now: float) -> Caller:
        fault = self._bears("uaa_away", "uaa_limited")
        if fault and request.header(b"authorization") is not None:
            raise ApiError(fault.error)
        caller = await self._callers.know(request, now)
        return Caller("invalid") if caller.kind == "known" and self._bears("tokens_refused") else caller

    def _count(self, caller: Caller, request: Request, now: float) -> Counted | None:
        """None where nobody counts."""
        known = caller.kind == "known"
        limit = self._spec.limit if known else self._spec.ip_limit
        if request.target in _NOBODY_COUNTS:
            return None
        if self._bears("throttle"):  # administrators too: a platform may have a limit for them
            return self._limits.exceeded(limit or 0, now)
        if limit is None or caller.reads_all:
            return None
        return self._limits.count(caller.guid if known else _address(request), limit, now)

    def _over_the_limit(self, caller: Caller, counted: Counted) -> Answer:
        if fault := self._bears("throttle"):
            return refusal(fault.error, counted)
        if caller.kind == "invalid":
            return error_answer("CF-InvalidAuthToken", headers=counted.headers)
        return refusal("CF-RateLimitExceeded" if caller.kind == "known" else "CF-IPBasedRateLimitExceeded", counted)

    def _find(self, request: Request, caller: Caller) -> tuple[Endpoint, str]:
        """What is asked for, by somebody who may. Raises ApiError."""
        found = find_endpoint(request.path)
        if found is None or not found[0].open:
            if caller.kind == "invalid":
                raise ApiError("CF-InvalidAuthToken")
            if caller.kind == "nobody":
                raise ApiError("CF-NotAuthenticated")
            if fault := self._bears("database_away"):
                raise ApiError(fault.error)
        if found is None:
            raise ApiError("CF-NotFound")
        if request.method not in (b"GET", b"HEAD"):  # nothing can be written here
            raise ApiError("CF-NotAuthorized")
        return found

    async def _await_bbs(self, query: Query) -> None:
        """While the BBS is away the call stalls; it is answered if that ends in time. Raises ApiError."""
        fault = self._bears("bbs_away")
        if fault is None:
            return
        end = time.monotonic() + fault.delay
        while self._front.fault is fault:
            if time.monotonic() >= end:
                raise ApiError("UnknownError" if "embed" in query else fault.error)
            await asyncio.sleep(_LOOK)

    def _seen_by(self, caller: Caller) -> World:
        return NOTHING if caller.name == self._spec.stranger and not caller.reads_all else self._world

    def _look(self, app: App) -> Sequence[Instance]:
        """Ask Diego: by their processes for the sandbox's app, while those of the others always run."""
        if app.real:
            return [read_instance(self._folder, index) for index in range(app.instances)]
        if not app.started:
            return [Instance(index, "DOWN") for index in range(app.instances)]
        return [
            Instance(index, "RUNNING", guid_of("instance", app.guid, str(index)), self._spec.born)
            for index in range(app.instances)
        ]


def _routers_id(request: Request) -> str:
    return (request.header(b"x-vcap-request-id") or b"").decode("latin-1") or str(uuid.uuid4())


def _address(request: Request) -> str:
    """The client's, as the first proxy saw it."""
    return (request.header(b"x-forwarded-for") or b"").decode("latin-1").partition(",")[0]


def _build(spec: Spec, truth: Truth, group: asyncio.TaskGroup) -> Api:
    assert isinstance(spec, ApiSpec)
    return Api(spec, truth, group)


if __name__ == "__main__":
    sys.exit(component.run(_build))
