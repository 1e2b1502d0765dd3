"""What the API may be asked: a table of paths, and a function for each that gives the answer's body. Pure, but for the
look at instances that an `Asking` brings along."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from harness.sandbox.bbs import Instance
from harness.sandbox.cc_errors import ApiError
from harness.sandbox.config import DOMAIN
from harness.sandbox.instances import embedded, stats
from harness.sandbox.pages import Key, Listed, Query, page_of
from harness.sandbox.present import HIDDEN, Json, View, command_of, route_host
from harness.sandbox.resources import App, Org, Space, World, guid_of

_T = TypeVar("_T")
_MOMENTS: Mapping[str, Key] = {name: lambda _: "" for name in ("created_at", "updated_at")}  # all are of one moment
_EMBED = ("process_instances",)


@dataclass(frozen=True)
class Asking:
    """A request, and what it may see."""

    path: str
    query: Query
    view: View
    world: World
    look: Callable[[App], Sequence[Instance]]
    now: float  # Unix seconds
    measured: bool = True  # log-cache answers
    endless: bool = False  # each page says that it is the next one, too


class Endpoint(NamedTuple):
    """A path, "*" standing for a GUID, and its answer."""

    path: str
    act: Callable[[Asking, str], Json]
    open: bool = False  # to everybody, without a token
    stats: bool = False  # asks Diego's BBS and log-cache


def find_endpoint(path: str) -> tuple[Endpoint, str] | None:
    """What stands at a path, and the GUID in it."""
    words = path.rstrip("/").split("/")
    starred = "/".join("*" if place == 3 else word for place, word in enumerate(words))
    for key in (path.rstrip("/"), starred):
        if key in _BY_PATH:
            return _BY_PATH[key], words[3] if len(words) > 3 else ""
    return None


def asks_bbs(endpoint: Endpoint, query: Query) -> bool:
    """Does the answer need the instances' states?"""
    return endpoint.stats or query.get("embed") in _EMBED


# Lists


def _apps(view: View) -> Listed:
    return Listed(
        view.app,
        {
            "names": lambda app: app.name,
            "guids": lambda app: app.guid,
            "space_guids": lambda app: app.space.guid,
            "organization_guids": lambda app: app.space.org.guid,
        },
        {**_MOMENTS, "name": lambda app: app.name, "state": lambda app: str(app.started)},
        {},
    )


def _processes(asking: Asking) -> Listed:
    def show(app: App) -> Json:
        shown = asking.view.process(app, HIDDEN)
        if "embed" in asking.query:
            shown["process_instances"] = embedded(asking.look(app), asking.now)
        return shown

    return Listed(
        show,
        {
            "guids": lambda app: app.guid,
            "types": lambda _: "web",
            "app_guids": lambda app: app.guid,
            "space_guids": lambda app: app.space.guid,
            "organization_guids": lambda app: app.space.org.guid,
        },
        _MOMENTS,
        {"embed": _EMBED},
    )


def _routes(view: View) -> Listed:
    return Listed(
        view.route,
        {
            "app_guids": lambda app: app.guid,
            "space_guids": lambda app: app.space.guid,
            "organization_guids": lambda app: app.space.org.guid,
            "domain_guids": lambda _: guid_of("domain", DOMAIN),
            "hosts": route_host,
            "guids": lambda app: app.guid_of("route"),
        },
        _MOMENTS,
        {},
    )


def _deployments(view: View) -> Listed:
    return Listed(
        view.deployment,
        {
            "app_guids": lambda app: app.guid,
            "status_values": lambda _: "FINALIZED",
            "status_reasons": lambda _: "DEPLOYED",
        },
        _MOMENTS,
        {},
    )


def _spaces(view: View) -> Listed:
    return Listed(
        view.space,
        {
            "names": lambda space: space.name,
            "guids": lambda space: space.guid,
            "organization_guids": lambda space: space.org.guid,
        },
        {**_MOMENTS, "name": lambda space: space.name},
        {},
    )


def _orgs(view: View) -> Listed:
    return Listed(
        view.org,
        {"names": lambda org: org.name, "guids": lambda org: org.guid},
        {**_MOMENTS, "name": lambda org: org.name},
        {},
    )


def _domains(view: View) -> Listed:
    return Listed(
        view.domain,
        {"names": lambda _: DOMAIN, "guids": lambda _: guid_of("domain", DOMAIN)},
        {**_MOMENTS, "name": lambda _: DOMAIN},
        {},
    )


def _list(kind: Listed, items: Sequence[Any], asking: Asking) -> Json:
    return page_of(kind, items, asking.view.url + asking.path, asking.query, asking.endless)


# Single things


def _one(items: Sequence[_T], guid: str, key: Callable[[_T], str], word: str) -> _T:
    for item in items:
        if key(item) == guid:
            return item
    raise ApiError("CF-ResourceNotFound", word)


def _app(asking: Asking, guid: str, word: str = "App") -> App:
    return _one(asking.world.apps, guid, lambda app: app.guid, word)


def _process(asking: Asking, guid: str, word: str = "Process") -> Json:
    app = _app(asking, guid, word)
    return asking.view.process(app, command_of(app))


def _stats(asking: Asking, guid: str, word: str = "Process") -> Json:
    return {"resources": stats(asking.look(_app(asking, guid, word)), asking.now, asking.measured)}


def _space(asking: Asking, guid: str) -> Space:
    return _one(asking.world.spaces, guid, lambda space: space.guid, "Space")


def _org(asking: Asking, guid: str) -> Org:
    return _one(asking.world.orgs, guid, lambda org: org.guid, "Organization")


def _domain(asking: Asking, guid: str) -> Json:
    return asking.view.domain(_one(asking.world.orgs, guid, lambda _: guid_of("domain", DOMAIN), "Domain"))


def _sidecars(asking: Asking, guid: str) -> Json:
    _app(asking, guid, "Process")
    return _list(Listed(dict, {}, _MOMENTS, {}), (), asking)


def _of(asking: Asking, kind: str, guid: str, word: str) -> App:
    """The app whose route, droplet or deployment it is."""
    return _one(asking.world.apps, guid, lambda app: app.guid_of(kind), word)


ENDPOINTS = (
    Endpoint("", lambda asking, _: asking.view.root(), open=True),
    Endpoint("/v3", lambda asking, _: asking.view.root_v3(), open=True),
    Endpoint("/v3/info", lambda asking, _: asking.view.info(), open=True),
    Endpoint("/v3/apps", lambda asking, _: _list(_apps(asking.view), asking.world.apps, asking)),
    Endpoint("/v3/apps/*", lambda asking, guid: asking.view.app(_app(asking, guid))),
    Endpoint("/v3/apps/*/processes", lambda asking, guid: _list(_processes(asking), (_app(asking, guid),), asking)),
    Endpoint("/v3/apps/*/processes/web", lambda asking, guid: _process(asking, guid, "App")),
    Endpoint("/v3/apps/*/processes/web/stats", lambda asking, guid: _stats(asking, guid, "App"), stats=True),
    Endpoint("/v3/apps/*/routes", lambda asking, guid: _list(_routes(asking.view), (_app(asking, guid),), asking)),
    Endpoint("/v3/apps/*/droplets/current", lambda asking, guid: asking.view.droplet(_app(asking, guid))),
    Endpoint("/v3/processes", lambda asking, _: _list(_processes(asking), asking.world.apps, asking)),
    Endpoint("/v3/processes/*", _process),
    Endpoint("/v3/processes/*/stats", _stats, stats=True),
    Endpoint("/v3/processes/*/sidecars", _sidecars),
    Endpoint("/v3/routes", lambda asking, _: _list(_routes(asking.view), asking.world.apps, asking)),
    Endpoint("/v3/routes/*", lambda asking, guid: asking.view.route(_of(asking, "route", guid, "Route"))),
    Endpoint("/v3/droplets/*", lambda asking, guid: asking.view.droplet(_of(asking, "droplet", guid, "Droplet"))),
    Endpoint("/v3/deployments", lambda asking, _: _list(_deployments(asking.view), asking.world.apps, asking)),
    Endpoint(
        "/v3/deployments/*", lambda asking, guid: asking.view.deployment(_of(asking, "deployment", guid, "Deployment"))
    ),
    Endpoint("/v3/spaces", lambda asking, _: _list(_spaces(asking.view), asking.world.spaces, asking)),
    Endpoint("/v3/spaces/*", lambda asking, guid: asking.view.space(_space(asking, guid))),
    Endpoint("/v3/organizations", lambda asking, _: _list(_orgs(asking.view), asking.world.orgs, asking)),
    Endpoint("/v3/organizations/*", lambda asking, guid: asking.view.org(_org(asking, guid))),
    Endpoint("/v3/domains", lambda asking, _: _list(_domains(asking.view), asking.world.orgs, asking)),
    Endpoint("/v3/domains/*", _domain),
)
_BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS}
