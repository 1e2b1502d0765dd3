"""The operations there are: name to function, in one table. Another package adds its own by an entry point in the group
`cf_harness.operations` that is an `Operation`; one of ours can't be replaced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from harness.cf.api import Api
from harness.cf.listing import list_apps, list_routes, list_spaces
from harness.cf.shapes import Info
from harness.cf.stats import app_stats, watch_app
from harness.cf.target import Asked
from harness.cf.trail import Lack
from harness.errors import HarnessError

GROUP = "cf_harness.operations"


@dataclass(frozen=True, slots=True)
class Operation:
    """What one operation does, and what it costs. `run` returns what was lacking in a success, and lets every exception
    of `Api` pass. Requests are those that a rate limit counts: the root document and log-ins are free [CC
    middleware/rate_limiter.rb]."""

    run: Callable[[Api, Asked], Sequence[Lack]]
    calls: int  # requests counted for whoever is logged in
    by_address: int = 0  # requests without a token, counted for this machine's address
    needs_app: bool = False


def info(api: Api, asked: Asked) -> Sequence[Lack]:
    """The root document and `/v3/info`, which anybody may read: neither needs UAA."""
    api.root()
    api.read("info", "/v3/info", Info)
    return ()


def login(api: Api, asked: Asked) -> Sequence[Lack]:
    """A fresh log-in through UAA, as `cf auth` makes it."""
    api.log_in()
    return ()


OPERATIONS: dict[str, Operation] = {
    "info": Operation(info, calls=0, by_address=1),
    "login": Operation(login, calls=0),
    "list-apps": Operation(list_apps, calls=3),
    "app-stats": Operation(app_stats, calls=7, needs_app=True),
    "list-routes": Operation(list_routes, calls=1),
    "list-spaces": Operation(list_spaces, calls=1),
    "watch-app": Operation(watch_app, calls=2, needs_app=True),
}


def operation_names() -> list[str]:
    """All that may be asked for, without loading those of other packages."""
    return sorted({*OPERATIONS, *(entry.name for entry in entry_points(group=GROUP))})


def operation_named(name: str) -> Operation:
    """Ours, or another package's. Raises HarnessError, saying what there is."""
    if name in OPERATIONS:
        return OPERATIONS[name]
    for entry in entry_points(group=GROUP, name=name):
        try:
            operation = entry.load()
        except Exception as error:  # whatever another package does wrong as it is imported is told
            raise HarnessError(
                f"operation {name!r} ({entry.value}) can't be loaded: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(operation, Operation):
            raise HarnessError(f"operation {name!r} ({entry.value}) is no harness.cf.operations.Operation")
        return operation
    raise HarnessError(f"there is no operation {name!r}: one of {', '.join(operation_names())}")
