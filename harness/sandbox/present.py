"""Resources as the API shows them (CC app/presenters/v3): dicts that become JSON. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.sandbox.config import DOMAIN
from harness.sandbox.resources import SPACE, App, Org, Space, guid_of

Json = dict[str, Any]

VERSION = "3.211.0"  # the first whose lists of processes take embed=process_instances
HIDDEN = "[PRIVATE DATA HIDDEN IN LISTS]"
MEMORY = 256  # MB of an instance
DISK = 1024  # MB
LOG_RATE = 1 << 20  # bytes a second


@dataclass(frozen=True)
class View:
    """From where, and when, one looks."""

    url: str  # of the API, no slash at its end
    uaa_url: str
    born: float  # Unix seconds: when everything was created
    limit: int | None  # requests of a user in an interval
    interval: float  # seconds

    def link(self, path: str) -> Json:
        """To a place in the API."""
        return {"href": self.url + path}

    def root(self) -> Json:
        """`GET /`."""
        return {
            "links": {
                "self": {"href": self.url},
                "cloud_controller_v2": None,
                "cloud_controller_v3": {"href": f"{self.url}/v3", "meta": {"version": VERSION}},
                "network_policy_v0": {"href": f"{self.url}/networking/v0/external"},
                "network_policy_v1": {"href": f"{self.url}/networking/v1/external"},
                "login": {"href": self.uaa_url},
                "uaa": {"href": self.uaa_url},
                "credhub": None,
                "routing": None,
                "logging": None,
                "log_cache": {"href": f"{self.url}/log-cache"},
                "log_stream": {"href": f"{self.url}/log-stream"},
                "app_ssh": None,
            }
        }

    def root_v3(self) -> Json:
        """`GET /v3`."""
        names = ("apps", "deployments", "domains", "organizations", "processes", "routes", "spaces")
        return {
            "links": {
                "self": self.link("/v3"),
                "info": self.link("/v3/info"),
                **{name: self.link(f"/v3/{name}") for name in names},
            }
        }

    def info(self) -> Json:
        """`GET /v3/info`."""
        return {
            "build": "sandbox",
            "cli_version": {"minimum": "", "recommended": ""},
            "custom": {},
            "description": "a Cloud Foundry on loopback",
            "name": "cf-harness sandbox",
            "version": 0,
            "osbapi_version": "2.15",
            "rate_limits": {
                "enabled": self.limit is not None,
                "general_limit": self.limit,
                "reset_interval_in_minutes": None if self.limit is None else max(1, round(self.interval / 60)),
            },
            "links": {"self": self.link("/v3/info"), "support": {"href": ""}},
        }

    def org(self, org: Org) -> Json:
        """An organization."""
        return {
            **self._begin(org.guid),
            "name": org.name,
            "suspended": False,
            "relationships": {"quota": _to_one(guid_of("quota", org.name))},
            "metadata": _no_metadata(),
            "links": {
                "self": self.link(f"/v3/organizations/{org.guid}"),
                "domains": self.link(f"/v3/organizations/{org.guid}/domains"),
                "default_domain": self.link(f"/v3/organizations/{org.guid}/domains/default"),
            },
        }

    def space(self, space: Space) -> Json:
        """A space."""
        return {
            **self._begin(space.guid),
            "name": space.name,
            "relationships": {"organization": _to_one(space.org.guid), "quota": {"data": None}},
            "metadata": _no_metadata(),
            "links": {
                "self": self.link(f"/v3/spaces/{space.guid}"),
                "organization": self.link(f"/v3/organizations/{space.org.guid}"),
            },
        }

    def domain(self, org: Org) -> Json:
        """The one domain, which is shared."""
        guid = guid_of("domain", DOMAIN)
        return {
            **self._begin(guid),
            "name": DOMAIN,
            "internal": False,
            "router_group": None,
            "supported_protocols": ["http"],
            "relationships": {"organization": {"data": None}, "shared_organizations": {"data": []}},
            "metadata": _no_metadata(),
            "links": {
                "self": self.link(f"/v3/domains/{guid}"),
                "route_reservations": self.link(f"/v3/domains/{guid}/route_reservations"),
            },
        }

    def app(self, app: App) -> Json:
        """An app."""
        path = f"/v3/apps/{app.guid}"
        return {
            **self._begin(app.guid),
            "name": app.name,
            "state": "STARTED" if app.started else "STOPPED",
            "lifecycle": _lifecycle(),
            "relationships": {
                "space": _to_one(app.space.guid),
                "current_droplet": _to_one(app.guid_of("droplet")),
            },
            "metadata": _no_metadata(),
            "links": {
                "self": self.link(path),
                "space": self.link(f"/v3/spaces/{app.space.guid}"),
                "processes": self.link(f"{path}/processes"),
                "current_droplet": self.link(f"{path}/droplets/current"),
                "droplets": self.link(f"{path}/droplets"),
                "start": {**self.link(f"{path}/actions/start"), "method": "POST"},
                "stop": {**self.link(f"{path}/actions/stop"), "method": "POST"},
            },
        }

    def process(self, app: App, command: str = HIDDEN) -> Json:
        """An app's web process."""
        path = f"/v3/processes/{app.guid}"
        return {
            **self._begin(app.guid),
            "version": guid_of("version", app.guid),
            "type": "web",
            "command": command,
            "user": "vcap",
            "instances": app.instances,
            "memory_in_mb": MEMORY,
            "disk_in_mb": DISK,
            "log_rate_limit_in_bytes_per_second": LOG_RATE,
            "health_check": {"type": "port", "data": {"timeout": None, "invocation_timeout": None, "interval": None}},
            "readiness_health_check": {"type": "process", "data": {"invocation_timeout": None, "interval": None}},
            "relationships": {"app": _to_one(app.guid), "revision": _to_one(app.guid_of("revision"))},
            "metadata": _no_metadata(),
            "links": {
                "self": self.link(path),
                "scale": {**self.link(f"{path}/actions/scale"), "method": "POST"},
                "app": self.link(f"/v3/apps/{app.guid}"),
                "space": self.link(f"/v3/spaces/{app.space.guid}"),
                "stats": self.link(f"{path}/stats"),
                "process_instances": self.link(f"{path}/process_instances"),
            },
        }

    def route(self, app: App) -> Json:
        """An app's route."""
        guid = app.guid_of("route")
        host = route_host(app)
        return {
            **self._begin(guid),
            "protocol": "http",
            "host": host,
            "path": "",
            "port": None,
            "url": f"{host}.{DOMAIN}",
            "destinations": [
                {
                    "guid": app.guid_of("destination"),
                    "app": {"guid": app.guid, "process": {"type": "web"}},
                    "weight": None,
                    "port": 8080,
                    "protocol": "http1",
                }
            ],
            "options": {},
            "relationships": {
                "space": _to_one(app.space.guid),
                "domain": _to_one(guid_of("domain", DOMAIN)),
            },
            "metadata": _no_metadata(),
            "links": {
                "self": self.link(f"/v3/routes/{guid}"),
                "space": self.link(f"/v3/spaces/{app.space.guid}"),
                "destinations": self.link(f"/v3/routes/{guid}/destinations"),
                "domain": self.link(f"/v3/domains/{guid_of('domain', DOMAIN)}"),
            },
        }

    def droplet(self, app: App) -> Json:
        """What an app runs."""
        guid = app.guid_of("droplet")
        return {
            **self._begin(guid),
            "state": "STAGED",
            "error": None,
            "lifecycle": {"type": "buildpack", "data": {}},
            "image": None,
            "execution_metadata": "",
            "process_types": {"web": command_of(app)},
            "checksum": {"type": "sha256", "value": "0" * 64},
            "buildpacks": [{"name": "python_buildpack", "detect_output": "python", "buildpack_name": "python",
                            "version": "1.8.0"}],
            "stack": "cflinuxfs4",
            "relationships": {"app": _to_one(app.guid)},
            "metadata": _no_metadata(),
            "links": {"self": self.link(f"/v3/droplets/{guid}"), "app": self.link(f"/v3/apps/{app.guid}")},
        }  # fmt: skip

    def deployment(self, app: App) -> Json:
        """An app's last deployment, which is over."""
        guid = app.guid_of("deployment")
        return {
            **self._begin(guid),
            "state": "DEPLOYED",
            "status": {
                "value": "FINALIZED",
                "reason": "DEPLOYED",
                "details": {"last_successful_healthcheck": show_time(self.born)},
            },
            "strategy": "rolling",
            "options": {"max_in_flight": 1},
            "droplet": {"guid": app.guid_of("droplet")},
            "previous_droplet": {"guid": app.guid_of("droplet before")},
            "new_processes": [],
            "revision": {"guid": app.guid_of("revision"), "version": 1},
            "relationships": {"app": _to_one(app.guid)},
            "metadata": _no_metadata(),
            "links": {"self": self.link(f"/v3/deployments/{guid}"), "app": self.link(f"/v3/apps/{app.guid}")},
        }

    def _begin(self, guid: str) -> Json:
        return {"guid": guid, "created_at": show_time(self.born), "updated_at": show_time(self.born)}


def show_time(moment: float) -> str:
    """As all times of the API are."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def route_host(app: App) -> str:
    """The name of its route: host names are unique over spaces, apps' names are not."""
    return app.name if app.real or app.space.name == SPACE else f"{app.name}-{app.space.name}"


def command_of(app: App) -> str:
    """What it is started with."""
    return f"python -m {app.name}"


def _lifecycle() -> Json:
    return {"type": "buildpack", "data": {"buildpacks": ["python_buildpack"], "stack": "cflinuxfs4"}}


def _to_one(guid: str) -> Json:
    return {"data": {"guid": guid}}


def _no_metadata() -> Json:
    return {"labels": {}, "annotations": {}}
