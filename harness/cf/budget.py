"""How many calls an hour a plan makes, and how many the API allows: whether one fits the other. Pure.

A 429 in a run is our mistake, and weighs on its evidence: better none begins [CC middleware/base_rate_limiter.rb].
"""

import math
from collections.abc import Iterable, Mapping

import msgspec

from harness.cf.answer import number
from harness.cf.shapes import RateLimits
from harness.figures import count, rate

_HOUR = 60  # minutes
_UNLIMITED = "a UAA client with cloud_controller.admin_read_only has no limit"


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """One runner's: operations per second, and requests of each, counted for the user and for the address."""

    name: str
    rate: float
    calls: int
    by_address: int = 0


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the API allows, in requests an hour; None: no limit that anybody knows of."""

    user: int | None = None
    address: int | None = None
    exempt: bool = False  # the user is not limited, though others are


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the demands fit. All rates times `factor` do, if it is below 1; `limit` is in requests an hour."""

    fits: bool
    calls_per_hour: float
    limit: int | None
    factor: float
    words: str


def known(limits: RateLimits | None, user: Mapping[str, str] | None, address: Mapping[str, str] | None) -> Known:
    """From `/v3/info`, and from the headers of an answer to our user and of one without a token (None: none came).
    X-RateLimit-Limit goes before `/v3/info`: it is the limit of whoever asked."""
    minutes = (limits.reset_interval_in_minutes if limits is not None else None) or _HOUR
    enabled = limits is not None and limits.enabled
    of_user = number(user, "x-ratelimit-limit") if user is not None else None
    of_address = number(address, "x-ratelimit-limit") if address is not None else None
    exempt = user is not None and of_user is None and (enabled or of_address is not None)
    if of_user is None and enabled and not exempt:
        assert limits is not None
        of_user = limits.general_limit
    return Known(user=_per_hour(of_user, minutes), address=_per_hour(of_address, minutes), exempt=exempt)


def budget(demands: Iterable[Demand], limits: Known) -> Budget:
    """The tighter of both limits decides."""
    wanted = list(demands)
    user = math.fsum(demand.rate * demand.calls for demand in wanted) * 3600
    address = math.fsum(demand.rate * demand.by_address for demand in wanted) * 3600
    by_user = _weigh([demand for demand in wanted if demand.calls], user, limits.user, "user", limits.exempt)
    by_address = _weigh([demand for demand in wanted if demand.by_address], address, limits.address, "address", False)
    return min(by_user, by_address, key=lambda one: (one.factor, -one.calls_per_hour))


def _weigh(demands: list[Demand], calls: float, limit: int | None, whose: str, exempt: bool) -> Budget:
    if limit is None or not calls:
        free = " (this identity is not limited)" if exempt else ""
        words = f"{count(calls)} calls an hour, without a limit{free}"
        return Budget(fits=True, calls_per_hour=calls, limit=limit, factor=math.inf, words=words)
    factor = limit / calls
    if factor >= 1:
        words = f"{count(calls)} calls an hour, the limit is {count(limit)} for each {whose}"
        return Budget(fits=True, calls_per_hour=calls, limit=limit, factor=factor, words=words)
    asked = ", ".join(f"{demand.name} at {rate(demand.rate)}" for demand in demands)
    possible = ", ".join(f"{demand.name} {_at_most(demand.rate * factor)}" for demand in demands)
    words = (
        f"{asked}: {count(math.ceil(calls))} calls an hour, and the API allows {count(limit)} for each {whose}. "
        f"At most, in the same proportion: {possible}" + (f"; or {_UNLIMITED}" if whose == "user" else "")
    )
    return Budget(fits=False, calls_per_hour=calls, limit=limit, factor=factor, words=words)


def _per_hour(limit: int | None, minutes: int) -> int | None:
    return None if limit is None else limit * _HOUR // max(1, minutes)


def _at_most(per_second: float) -> str:
    """Rounded down to what a plan can say: 1/h is the lowest rate there is."""
    whole = math.floor(per_second * 3600 + 1e-9)
    return f"{whole}/h" if whole else "never, not even 1/h"
