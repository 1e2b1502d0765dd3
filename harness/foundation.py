"""What is found out about a platform's API before a run begins: as whom we call, whether that works, and whether the
plan asks for more than the API allows. Nothing of a run exists yet, so what is wrong is said at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import harness
from harness.cf.budget import Demand, budget
from harness.cf.credentials import CredentialsError, Found, find_credentials
from harness.cf.dial import Site, site_of
from harness.cf.operations import operation_named
from harness.cf.preflight import check
from harness.cf.target import ApiTarget, Asked, Credentials, Limits
from harness.errors import HarnessError
from harness.plan import Plan
from harness.plan.models import MOST_SLOTS, RunnerPlan
from harness.plan.request import check_url
from harness.spec import Operation

USER_AGENT = f"cf-harness/{harness.__version__}"
_LONGEST_STEP = 10.0  # seconds for each question


class FoundationError(HarnessError):
    """The plan's API runners can't begin: one line for each reason."""


class UnreadyError(HarnessError):
    """The platform's API does not work as it is: there is nothing to watch yet."""

    exit_code = 4


class _Way(NamedTuple):
    """What runners have in common that call the same API as the same user."""

    target: ApiTarget
    credentials: Credentials


class Prepared(NamedTuple):
    """What each API runner does, by name, and what may not go as its author hopes."""

    operations: dict[str, Operation]
    warnings: tuple[str, ...]


def prepare(plan: Plan, environ: Mapping[str, str], home: Path) -> Prepared:
    """Asks each API a few questions. Raises FoundationError, UnreadyError."""
    ways: dict[_Way, list[tuple[RunnerPlan, Operation]]] = {}
    problems: list[str] = []
    warnings: list[str] = []
    for runner in plan.file.runners:
        if runner.probe == "cf-api":
            try:
                found = _credentials(plan, runner, environ, home)
                operation = _operation(plan, runner, found)
            except CredentialsError as error:
                problems.append(str(error))
            else:
                warnings += _ends_early(found)
                ways.setdefault(_Way(operation.target, operation.credentials), []).append((runner, operation))
    problems += _too_many_at_once(plan, ways)
    if problems:
        raise FoundationError("\n".join(dict.fromkeys(problems)))
    prepared: dict[str, Operation] = {}
    for way, runners in ways.items():
        for (runner, operation), asked in zip(runners, _checked(way, runners), strict=True):
            prepared[runner.name] = Operation(
                target=way.target, credentials=way.credentials, asked=asked, limits=operation.limits
            )
    return Prepared(prepared, tuple(dict.fromkeys(warnings)))


def _credentials(plan: Plan, runner: RunnerPlan, environ: Mapping[str, str], home: Path) -> Found:
    """Whose they are, and whether they are for this API. Raises CredentialsError."""
    file = plan.path(runner.credentials)
    found = find_credentials(
        environ, home=home, file=Path(file) if file else None, use_refresh_token=runner.refresh_token
    )
    origin = found.credentials.origin
    if found.api is not None:
        try:
            check_url(found.api)
        except ValueError:
            raise CredentialsError(
                f"the API's address in {origin} is none, or holds a password: expected https://api.example.org"
            ) from None
        if runner.api is not None and site_of(runner.api) != site_of(found.api):  # nobody else's API may see it
            raise CredentialsError(
                f"{runner.name}: {origin} is for {found.api}, and the plan says {runner.api}: log in there, or set "
                "CF_USERNAME and CF_PASSWORD, or CF_CLIENT_ID and CF_CLIENT_SECRET"
            )
    return found


def _ends_early(found: Found) -> Iterator[str]:
    """An access token alone lasts some minutes."""
    held = found.credentials
    if held.kind == "token" and not held.refresh_token and found.expires_at is not None:
        end = datetime.fromtimestamp(found.expires_at, UTC)
        yield (
            f"the access token of {held.origin} ends at {end:%H:%M:%S} UTC and can't be renewed: from then on what "
            "the API's runners do is unknown; set CF_CLIENT_ID and CF_CLIENT_SECRET, or CF_USERNAME and CF_PASSWORD"
        )


def _too_many_at_once(plan: Plan, ways: Mapping[_Way, Sequence[tuple[RunnerPlan, Operation]]]) -> Iterator[str]:
    """However its address is spelt, an API gets so many calls at once and no more."""
    slots: dict[Site, int] = {}
    for way, runners in ways.items():
        site = site_of(way.target.api)
        slots[site] = slots.get(site, 0) + sum(plan.slots_of(runner) for runner, _ in runners)
    for site, number in slots.items():
        if number > MOST_SLOTS:
            yield (
                f"{number} calls in flight at {site.host}: at most {MOST_SLOTS}; set `slots` of its runners, and write "
                "`api` alike in all of them"
            )


def _operation(plan: Plan, runner: RunnerPlan, found: Found) -> Operation:
    """As the plan and the credentials say it, before anybody was asked. Raises CredentialsError."""
    api = runner.api or found.api
    if api is None:
        raise CredentialsError(
            f"{runner.name}: which API? Neither the plan (api: https://api.example.org) nor {found.credentials.origin} "
            "says it"
        )
    assert runner.operation is not None  # the plan refuses it otherwise
    return Operation(
        target=ApiTarget(
            api=api,
            verify=runner.tls.verify and not (found.skip_ssl and runner.api is None),
            ca=plan.path(runner.tls.ca),
            client_cert=plan.path(runner.tls.client_cert),
            client_key=plan.path(runner.tls.client_key),
            proxy=runner.proxy,
        ),
        credentials=found.credentials,
        asked=_asked(runner, found),
        limits=plan.limits_of(runner),
    )


def _asked(runner: RunnerPlan, found: Found) -> Asked:
    assert runner.operation is not None
    if runner.space is None and runner.api in (None, found.api):  # as `cf` itself: the space that it targets
        return Asked(
            operation=runner.operation,
            app=runner.app,
            org=found.org,
            org_guid=found.org_guid,
            space=found.space,
            space_guid=found.space_guid,
        )
    return Asked(operation=runner.operation, app=runner.app, org=runner.org, space=runner.space)


def _checked(way: _Way, runners: Sequence[tuple[RunnerPlan, Operation]]) -> tuple[Asked, ...]:
    """What is asked, with its GUIDs. Raises FoundationError, UnreadyError."""
    longest = min(_LONGEST_STEP, max(operation.limits.total for _, operation in runners))
    checked = check(
        way.target,
        way.credentials,
        [operation.asked for _, operation in runners],
        limits=Limits(connect=longest, read=longest, total=longest),
        user_agent=USER_AGENT,
    )
    if checked.problems:
        raise (FoundationError if checked.ready else UnreadyError)("\n".join(checked.problems))
    demands = [
        Demand(
            name=runner.name,
            rate=runner.rate,
            calls=calls,
            by_address=operation_named(operation.asked.operation).by_address,
        )
        for (runner, operation), calls in zip(runners, checked.calls, strict=True)
    ]
    weighed = budget(demands, checked.limits)
    if not weighed.fits:
        raise FoundationError(f"{way.target.api}: {weighed.words}")
    return checked.asked
