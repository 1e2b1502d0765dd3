"""One app: what `cf app NAME` shows of it, and how its instances are [CLI command/v7/app_command.go]."""

from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

from harness.cf.api import Api
from harness.cf.attribute import Question, fault
from harness.cf.performed import Failed
from harness.cf.shapes import App, Instance, Process, Resource, Stats
from harness.cf.target import Asked
from harness.cf.trail import Lack
from harness.outcome import Cause, Component


def app_stats(api: Api, asked: Asked) -> Sequence[Lack]:
    """`cf app NAME`: seven calls, of which the stats are the one that needs Diego and log-cache."""
    guid = _by_name(api, asked).guid
    process = _web(api.resources("processes", f"/v3/apps/{guid}/processes", Process), asked)
    api.resources("sidecars", f"/v3/processes/{process}/sidecars", Resource)
    stats = api.get("stats", f"/v3/processes/{process}/stats", Stats, instances=True).resources
    api.resources("routes", f"/v3/apps/{guid}/routes", Resource, per_page=asked.per_page)
    api.get("droplet", f"/v3/apps/{guid}/droplets/current", Resource)
    api.resources(
        "deployments",
        "/v3/deployments",
        Resource,
        app_guids=[guid],
        status_values=["ACTIVE"],
        order_by="-created_at",
        per_page=1,
    )
    return _without_usage(stats)


def watch_app(api: Api, asked: Asked) -> Sequence[Lack]:
    """The instances of an app: those that are not as they should be, and those that restarted since the last look."""
    guid = asked.app_guid or _by_name(api, asked).guid
    processes = api.resources("processes", f"/v3/apps/{quote(guid)}/processes", Process)
    process = _web(processes, asked)
    wanted = next(one.instances for one in processes if one.guid == process)
    began = api.now()
    instances = api.get("stats", f"/v3/processes/{process}/stats", Stats, instances=True).resources
    restarts = api.sightings.look(process, instances, began, api.now())
    lacks = _not_running(instances, wanted)
    lacks += [
        Lack(
            "stats",
            Component.DIEGO,
            "its uptime is less than the time since it was seen; the answer does not tell Diego from the app itself",
            f"instance {restart.instance} restarted {restart.uptime:g} s before",
        )
        for restart in restarts
    ]
    return lacks


def _by_name(api: Api, asked: Asked) -> App:
    """Found anew, as the CLI does. Raises Failed if it has gone, or if there are several."""
    space = [asked.space_guid] if asked.space_guid else None
    found = api.resources("apps", "/v3/apps", App, names=[asked.app or ""], per_page=asked.per_page, space_guids=space)
    if asked.app_guid is not None:
        found = [app for app in found if app.guid == asked.app_guid] or found
    if len(found) == 1:
        return found[0]
    words = f"{len(found)} apps are named {asked.app}" if found else f"there is no app {asked.app}"
    evidence = (
        "Cloud Controller answered with a list, and the app was in it before the run"
        if not found
        else ("Cloud Controller answered with a list")
    )
    raise Failed(fault(Question("apps"), Cause.API_ERROR, Component.CLOUD_CONTROLLER, evidence, words))


def _web(processes: list[Process], asked: Asked) -> str:
    """The GUID of the process that serves requests, or of the first there is. Raises Failed."""
    chosen = next((process for process in processes if process.type == "web"), None)
    if chosen is None and processes:
        chosen = processes[0]
    if chosen is None:
        evidence = "Cloud Controller answered with an empty list: every app has a process"
        words = f"{asked.app or asked.app_guid} has no process"
        raise Failed(fault(Question("processes"), Cause.API_ERROR, Component.CLOUD_CONTROLLER, evidence, words))
    return quote(chosen.guid, safe="")


def _without_usage(instances: list[Instance]) -> list[Lack]:
    """Where log-cache is away the answer is 200, without figures [CC diego/instances_stats_reporter.rb]."""
    bare = [instance.index for instance in instances if instance.state == "RUNNING" and not instance.usage]
    if not bare:
        return []
    evidence = "usage is empty on running instances: CPU and memory come from log-cache"
    shown = ", ".join(map(str, bare[:10])) + (", …" if len(bare) > 10 else "")
    return [Lack("stats", Component.LOG_CACHE, evidence, f"no usage for instance {shown}")]


def _not_running(instances: list[Instance], wanted: int) -> list[Lack]:
    states = Counter(instance.state for instance in instances)
    if states["RUNNING"] >= wanted and not states["DOWN"] and not states["CRASHED"]:
        return []
    shown = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    words = f"{states['RUNNING']} of {wanted} instances are running ({shown})"
    if states["CRASHED"]:
        return [Lack("stats", Component.APP, "Diego says that the app's process ended: CRASHED", words)]
    evidence = "Diego's BBS says so; it does not tell a cell that went away from an app that starts"
    return [Lack("stats", Component.DIEGO, evidence, words)]
