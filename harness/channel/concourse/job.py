"""Which job is watched, for which version: what the channel's URL says. Nothing is asked here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from harness.channel.store import ChannelError

_EXAMPLE = "concourse+https://ci.example.org/teams/main/pipelines/cf/jobs/deploy?version=ref:4f2a9c1"
_PARTS = ("teams", "pipelines", "jobs")


@dataclass(frozen=True)
class Job:
    """One job of one pipeline, and the version whose build is meant."""

    site: str  # the ATC's URL, without a slash at its end
    team: str
    pipeline: str
    name: str
    version: str  # "key:value", or a value alone
    resource: str = ""  # the input that has it; "": any
    instance: tuple[tuple[str, str], ...] = ()  # of an instanced pipeline: `vars.branch` -> its value as JSON

    @property
    def pipeline_path(self) -> str:
        """Of the API."""
        return f"/api/v1/teams/{quote(self.team, safe='')}/pipelines/{quote(self.pipeline, safe='')}"

    @property
    def path(self) -> str:
        """Of the API."""
        return f"{self.pipeline_path}/jobs/{quote(self.name, safe='')}"

    def is_input(self, resource: str, version: Mapping[str, str]) -> bool:
        """Whether a build that has this input is one of the version. `resource`: the input's name."""
        if self.resource and resource != self.resource:
            return False
        key, _, value = self.version.partition(":")
        return version.get(key) == value or self.version in version.values()  # a digest has a colon of its own


def job_of(url: str) -> Job:
    """Raises ChannelError, which never repeats what may be a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _unread("the channel's URL can't be read") from None
    scheme = parts.scheme.removeprefix("concourse+")
    if parts.username is not None or parts.password is not None:
        raise _unread("a channel's URL holds no user or password: set CONCOURSE_USERNAME and CONCOURSE_PASSWORD")
    where = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if scheme not in ("http", "https") or not host:
        raise _unread(f"{where}: no Concourse is named")
    base, names = _names(parts.path)
    for part, name in zip(_PARTS, names, strict=True):
        if not name:
            raise _unread(f"{where}: which {part[:-1]}?")
    version, resource, instance = _query(where, parts.query)
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc += f":{port}"
    return Job(f"{scheme}://{netloc}{base}", *names, version, resource, instance)


def _names(path: str) -> tuple[str, tuple[str, str, str]]:
    """What stands before `/teams/…`, and the names of team, pipeline and job, "" for one that is missing."""
    segments = path.rstrip("/").split("/")
    at = segments.index("teams") if "teams" in segments else len(segments)
    rest = segments[at:]
    if any(keyword != rest[2 * i] for i, keyword in enumerate(_PARTS) if 2 * i < len(rest)) or len(rest) > 6:
        raise _unread(f"{path}: no path of a job")
    found = [unquote(name) for name in rest[1::2]] + ["", "", ""]
    return "/".join(segments[:at]), (found[0], found[1], found[2])


def _query(where: str, query: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    version = resource = ""
    instance: list[tuple[str, str]] = []
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key == "version":
            version = value
        elif key == "resource":
            resource = value
        elif key == "vars" or key.startswith("vars."):
            instance.append((key, _json(where, key, value)))
        else:
            raise _unread(f"{where}: {key}= means nothing here; known are version=, resource= and vars.NAME=")
    if not version:
        raise _unread(f"{where}: which version? Give version=KEY:VALUE, or version=VALUE")
    return version, resource, tuple(instance)


def _json(where: str, key: str, value: str) -> str:
    try:
        json.loads(value)
    except ValueError:
        raise _unread(f'{where}: {key}= is JSON, as in the address of Concourse\'s page: {key}="main"') from None
    return value


def _unread(what: str) -> ChannelError:
    return ChannelError(f"{what}. Expected {_EXAMPLE}")
