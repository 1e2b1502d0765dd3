"""Which job of which Concourse, and which of its builds: from the channel's URL. Pure."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from harness.channel.store import ChannelError

_EXAMPLE = "concourse+https://ci.example.org/teams/main/pipelines/cf/jobs/deploy?version=1.2.3"


@dataclass(frozen=True)
class Place:
    """A job, and the version whose build is watched."""

    base: str  # https://ci.example.org
    team: str
    pipeline: str
    job: str
    version: str  # "1.2.3", or "ref:abc" for one key of a version
    resource: str = ""  # only this input's version counts
    variables: tuple[tuple[str, str], ...] = ()  # of an instanced pipeline: vars.branch="x"

    @property
    def path(self) -> str:
        """Of the job, in the API."""
        names = (quote(name, safe="") for name in (self.team, self.pipeline, self.job))
        team, pipeline, job = names
        return f"/api/v1/teams/{team}/pipelines/{pipeline}/jobs/{job}"

    @property
    def pipeline_path(self) -> str:
        """Of its pipeline, in the API."""
        return self.path.rpartition("/jobs/")[0]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.base}/teams/{self.team}/pipelines/{self.pipeline}/jobs/{self.job}"


def place_of(url: str) -> Place:
    """Raises ChannelError, which says what is missing."""
    try:
        parts = urlsplit(url.removeprefix("concourse+"))
        port = parts.port
    except ValueError:
        raise _wrong(url, "it is no URL") from None
    if parts.username or parts.password:
        raise _wrong(url, "it holds no password: set CONCOURSE_USERNAME and CONCOURSE_PASSWORD, or CONCOURSE_TOKEN")
    if not parts.hostname:
        raise _wrong(url, "there is no host")
    words = [unquote(word) for word in parts.path.strip("/").split("/")]
    if words[0::2] != ["teams", "pipelines", "jobs"] or len(words) != 6 or not all(words):
        raise _wrong(url, "expected /teams/T/pipelines/P/jobs/J")
    query = parse_qsl(parts.query, keep_blank_values=True)
    asked = dict(query)
    unknown = [key for key in asked if key not in ("version", "resource") and not key.startswith("vars.")]
    if unknown:
        raise _wrong(url, f"unknown is {unknown[0]}: expected version, resource, vars.NAME")
    if not asked.get("version"):
        raise _wrong(url, "which version? ?version=1.2.3, or ?version=ref:abc for one key of it")
    variables = tuple((key, value) for key, value in query if key.startswith("vars."))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    base = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    return Place(base, words[1], words[3], words[5], asked["version"], asked.get("resource", ""), variables)


def _wrong(url: str, why: str) -> ChannelError:
    shown = url.partition("://")[2].rpartition("@")[2]
    return ChannelError(f"concourse+…://{shown}: {why}; such as {_EXAMPLE}")
