"""What is wrong before any traffic: asked once, gently, and told in sentences that say what to do."""

import time
from collections.abc import Callable, Sequence

import msgspec

from harness.cf.api import Api
from harness.cf.budget import Known, known
from harness.cf.dial import site_of
from harness.cf.identity import Identity
from harness.cf.listing import calls_of_list_apps
from harness.cf.operations import operation_named
from harness.cf.performed import Fault
from harness.cf.resolve import Unresolved, resolved, sees_a_space
from harness.cf.session import Session
from harness.cf.shapes import Info
from harness.cf.target import ApiTarget, Asked, Credentials, Limits
from harness.cf.trail import Lack
from harness.errors import HarnessError
from harness.outcome import Cause

_WITHOUT_ROLE = frozenset({"info", "login"})
_OUT_OF_REACH = frozenset(
    {
        Cause.DNS,
        Cause.CONNECT_REFUSED,
        Cause.CONNECT_UNREACHABLE,
        Cause.CONNECT_TIMEOUT,
        Cause.TLS_TIMEOUT,
        Cause.FIRST_BYTE_TIMEOUT,
        Cause.TOTAL_TIMEOUT,
    }
)
_MISTAKEN = frozenset({Cause.TLS_CERTIFICATE, Cause.TLS_HANDSHAKE, Cause.PROTOCOL, Cause.STATUS_UNEXPECTED})
"""What a wrong address shows, and no deployment."""
_ROLE = "give it a role: `cf set-space-role USER ORG SPACE SpaceAuditor`, or cloud_controller.admin_read_only in UAA"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: problems (nothing may start while there are any), what is asked with its GUIDs, the requests that
    each operation makes, in the same order, and the API's limits."""

    problems: tuple[str, ...]
    asked: tuple[Asked, ...]
    ready: bool = True  # False: the platform itself does not work as it is
    calls: tuple[int, ...] = ()
    limits: Known = Known()
    version: tuple[int, ...] = ()


class _Counted(msgspec.Struct, frozen=True):
    total_results: int


class _Count(msgspec.Struct, frozen=True):
    pagination: _Counted


def check(
    target: ApiTarget,
    credentials: Credentials,
    asked: Sequence[Asked],
    *,
    limits: Limits,
    user_agent: str,
    identity: Identity | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Checked:
    """Ask the API, as one session would, each step within `limits.total` seconds. A wrong password is sent once. Raises
    HarnessError if the target's URLs are none."""
    problems = [problem for one in asked if (problem := _unfit(one, credentials)) is not None]
    if problems:
        return Checked(problems=tuple(problems), asked=tuple(asked))
    session = Session(target, credentials, limits, user_agent=user_agent, clock=clock, identity=identity)
    try:
        return _Preflight(session, target, credentials, limits, clock).check(tuple(asked))
    finally:
        session.close()


class _Preflight:
    """The steps, in the order in which they need each other."""

    def __init__(
        self,
        session: Session,
        target: ApiTarget,
        credentials: Credentials,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._target = target
        self._credentials = credentials
        self._limits = limits
        self._clock = clock
        self._info = Info()
        self._anonymous: dict[str, str] | None = None
        self._ours: dict[str, str] | None = None
        self._version: tuple[int, ...] = ()

    def check(self, asked: tuple[Asked, ...]) -> Checked:
        """Problems end it where nothing behind them can be known."""
        fault = self._step(self._discover)
        if fault is not None:
            ready = fault.cause in _MISTAKEN
            return Checked(problems=(_unreachable(self._target, fault),), asked=asked, ready=ready)
        if all(one.operation == "info" for one in asked):
            return self._checked(asked, [])
        fault = self._step(self._log_in)
        if fault is not None:
            ready = fault.cause is Cause.LOGIN
            return Checked(problems=(_not_logged_in(self._credentials, fault),), asked=asked, ready=ready)
        if all(one.operation in _WITHOUT_ROLE for one in asked):
            return self._checked(asked, [])
        problems: list[str] = []
        found: list[Asked] = []
        fault = self._step(lambda api: self._roles(api, problems))
        if fault is not None:
            return Checked(problems=(_failed(fault),), asked=asked, ready=False)
        if not problems:
            for one in asked:
                found.append(self._resolve(one, problems))
        return self._checked(tuple(found) or asked, list(dict.fromkeys(problems)))

    def _checked(self, asked: tuple[Asked, ...], problems: list[str]) -> Checked:
        calls: list[int] = []
        if not problems:
            calls = [self._calls_of(one, problems) for one in asked]
        return Checked(
            problems=tuple(problems),
            asked=asked,
            calls=tuple(calls),
            limits=known(self._info.rate_limits, self._ours, self._anonymous),
            version=self._version,
        )

    def _step(self, run: Callable[[Api], None], asked: Asked | None = None) -> Fault | None:
        def perform(api: Api, _: Asked) -> Sequence[Lack]:
            run(api)
            return ()

        until = self._clock() + self._limits.total
        fault = self._session.attempt(perform, asked or Asked(operation="preflight"), until).fault
        return None if fault is not None and fault.cause is Cause.DEGRADED else fault

    # the steps

    def _discover(self, api: Api) -> None:
        self._version = api.version
        self._info = api.read("info", "/v3/info", Info)
        self._anonymous = dict(api.headers)

    def _log_in(self, api: Api) -> None:
        if self._credentials.kind != "token" or self._credentials.refresh_token:
            api.log_in()
        else:  # the only way to know whether a token is good
            api.get("organizations", "/v3/organizations", _Count, per_page=1)

    def _roles(self, api: Api, problems: list[str]) -> None:
        if not sees_a_space(api):
            problems.append(f"{_who(self._credentials)} sees no space at all, and so would see no app: {_ROLE}")
        self._ours = dict(api.headers)

    def _resolve(self, asked: Asked, problems: list[str]) -> Asked:
        found = asked

        def run(api: Api) -> None:
            nonlocal found
            try:
                found = resolved(api, asked, needs_app=operation_named(asked.operation).needs_app)
            except Unresolved as unresolved:
                problems.append(f"{asked.operation}: {unresolved}")

        fault = self._step(run, asked)
        if fault is not None:
            problems.append(f"{asked.operation}: {_failed(fault)}")
        return found

    def _calls_of(self, asked: Asked, problems: list[str]) -> int:
        """Requests that the user's limit counts: `cf apps` needs more where an API can't embed instances."""
        calls = operation_named(asked.operation).calls
        if asked.operation != "list-apps":
            return calls
        space = asked.space_guid
        apps = processes = 0

        def run(api: Api) -> None:
            nonlocal apps, processes
            apps = api.get("apps", "/v3/apps", _Count, per_page=1, space_guids=space).pagination.total_results
            counted = api.get("processes", "/v3/processes", _Count, per_page=1, space_guids=space)
            processes = counted.pagination.total_results

        fault = self._step(run, asked)
        if fault is not None:
            problems.append(f"{asked.operation}: {_failed(fault)}")
        return calls_of_list_apps(self._version, apps, processes)


def _unfit(asked: Asked, credentials: Credentials) -> str | None:
    """What can be told without asking anybody."""
    try:
        operation = operation_named(asked.operation)
    except HarnessError as error:
        return str(error)
    if operation.needs_app and asked.app is None and asked.app_guid is None:
        return f"{asked.operation} needs the name of an app (`app`)"
    if asked.operation == "app-stats" and asked.app is None:
        return "app-stats looks its app up by name, as `cf app` does: say which (`app`)"
    if asked.operation == "login" and credentials.kind == "token" and not credentials.refresh_token:
        return (
            f"login needs a password or a client's secret, and {credentials.origin} holds an access token alone: set "
            "CF_USERNAME and CF_PASSWORD, or CF_CLIENT_ID and CF_CLIENT_SECRET"
        )
    return None


# messages


def _unreachable(target: ApiTarget, fault: Fault) -> str:
    """Why the root document or `/v3/info` did not come, and what to do."""
    api, detail = target.api, fault.detail
    secure = site_of(api).secure
    if fault.cause in _OUT_OF_REACH:
        return f"{api} can't be reached ({detail}): is the address right, and does it need a proxy?"
    if fault.cause is Cause.TLS_CERTIFICATE:
        return f"{api} shows a certificate that does not hold ({detail}): give its authority (`ca`)"
    if secure and fault.cause is Cause.TLS_HANDSHAKE:
        return f"{api} does not speak TLS as we do ({detail}): is it http, or does it want a client's certificate?"
    if not secure and fault.cause in (Cause.STATUS_UNEXPECTED, Cause.STATUS_4XX, Cause.RESET, Cause.CLOSED_EARLY):
        return f"{api} does not take plain http ({detail}): write https://{api.removeprefix('http://')}"
    if fault.cause in (Cause.PROTOCOL, Cause.STATUS_UNEXPECTED, Cause.STATUS_4XX, Cause.API_ERROR):
        return (
            f"{api} is no Cloud Foundry API ({detail}): its address is like https://api.SYSTEM-DOMAIN, as in `cf api`"
        )
    if fault.cause is Cause.ROUTER:
        return f"the router at {api} knows no API ({detail}): is the address right, as in `cf api`?"
    return _failed(fault)


def _not_logged_in(credentials: Credentials, fault: Fault) -> str:
    who = _who(credentials)
    if fault.cause is Cause.LOGIN and credentials.kind != "token":
        return f"UAA refused {who} ({fault.detail}): mend {credentials.origin}. It was tried once, and no more"
    if fault.cause is Cause.LOGIN or fault.call == "token":
        return f"{who} could not log in ({fault.detail}): run `cf login` again, or mend {credentials.origin}"
    return _failed(fault)


def _failed(fault: Fault) -> str:
    return f"the API does not work as it is, before any traffic: {fault.detail} ({fault.component}: {fault.evidence})"


def _who(credentials: Credentials) -> str:
    match credentials.kind:
        case "password":
            return f"the user {credentials.username!r}"
        case "client":
            return f"the client {credentials.client_id!r}"
        case "token":
            return f"the access token of {credentials.origin}"
