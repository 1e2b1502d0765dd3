"""Lists, as `cf apps`, `cf routes` and `cf spaces` make them [CLI actor/v7action]."""

from collections.abc import Iterator, Sequence

from harness.cf.api import Api
from harness.cf.shapes import App, Named, Process, Resource, Stats
from harness.cf.target import Asked
from harness.cf.trail import Lack
from harness.outcome import Component

EMBEDS = (3, 211)  # the first version whose processes can embed their instances
AT_ONCE = 200  # GUIDs in one query, so that the URL stays short [CLI util/batcher]


def list_apps(api: Api, asked: Asked) -> Sequence[Lack]:
    """`cf apps`: apps, their processes with instances, their routes."""
    space = [asked.space_guid] if asked.space_guid else None
    apps = api.resources("apps", "/v3/apps", App, order_by="name", per_page=asked.per_page, space_guids=space)
    guids = [app.guid for app in apps]
    lacks = []
    if api.version >= EMBEDS:
        processes = api.resources(
            "processes",
            "/v3/processes",
            Process,
            instances=True,
            embed="process_instances",
            per_page=asked.per_page,
            space_guids=space,
        )
        lacks += [_without(process) for process in processes if process.instances and process.process_instances is None]
    else:
        for batch in _batches(guids):
            for process in api.resources(
                "processes", "/v3/processes", Process, app_guids=batch, per_page=asked.per_page
            ):
                api.get("stats", f"/v3/processes/{process.guid}/stats", Stats, instances=True)
    for batch in _batches(guids):
        api.resources("routes", "/v3/routes", Resource, app_guids=batch, per_page=asked.per_page)
    return lacks


def list_routes(api: Api, asked: Asked) -> Sequence[Lack]:
    """`cf routes`: those of a space, or all that may be seen."""
    space = [asked.space_guid] if asked.space_guid else None
    api.resources("routes", "/v3/routes", Resource, per_page=asked.per_page, space_guids=space)
    return ()


def list_spaces(api: Api, asked: Asked) -> Sequence[Lack]:
    """`cf spaces`: those of an organization, or all that may be seen."""
    organization = [asked.org_guid] if asked.org_guid else None
    api.resources(
        "spaces", "/v3/spaces", Named, order_by="name", organization_guids=organization, per_page=asked.per_page
    )
    return ()


def _batches(guids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(guids), AT_ONCE):
        yield guids[start : start + AT_ONCE]


def _without(process: Process) -> Lack:
    evidence = "Cloud Controller has instances from Diego's BBS, and a success without them"
    return Lack("processes", Component.DIEGO, evidence, f"process {process.guid} without its instances")


def calls_of_list_apps(version: tuple[int, ...], apps: int, processes: int) -> int:
    """Requests that `list_apps` makes, by the API's version, for so many apps and processes in sight."""
    batches = -(-apps // AT_ONCE)
    return 2 + batches if version >= EMBEDS else 1 + 2 * batches + processes
