"""The plan's shape: pydantic models, strict, unknown keys refused. What spans several keys is checked in `across`.

`docs/plan.md` and the JSON Schema are made from here: a docstring under a key is what people read about it.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from harness import units
from harness.objectives import Indicator
from harness.plan.grammar import parse
from harness.plan.problems import Keys, Mistakes
from harness.plan.request import check_header, check_header_name, check_proxy, check_variable, twice
from harness.plan.texts import (
    AbortText,
    Address,
    CauseName,
    ComponentName,
    Duration,
    FileName,
    Name,
    ObjectiveText,
    Operation,
    Pattern,
    Rate,
    Share,
    Size,
    StatusCodes,
    Url,
    within,
)

LATER_PROBES = {"locust": "Locust scenarios"}
MOST_SLOTS = 8  # calls in flight at a Cloud Controller, of all runners: its VMs have few threads
API_KEYS = frozenset(("api", "operation", "app", "org", "space", "slots", "credentials", "refresh_token"))
"""Keys of a runner that only the cf-api probe has."""
HTTP_KEYS = frozenset(
    (
        "url", "connections", "expect", "method", "headers", "body", "body_limit", "resolve", "resolve_every", "pool",
        "workers", "http2",
    )
)  # fmt: skip
"""Those that it has not."""


class Model(BaseModel):
    """What all parts of a plan have in common: strict, closed, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class Timeout(Model):
    """Time limits of one attempt, each its own cause; none is longer than the total."""

    connect: Annotated[Duration, within("1ms", "10m")] | None = None
    """TCP connection; default: the total."""
    tls: Annotated[Duration, within("1ms", "10m")] | None = None
    """TLS handshake; default: the total."""
    first_byte: Annotated[Duration, within("1ms", "10m")] | None = None
    """From the request to the first byte of the answer; default: the total."""
    total: Annotated[Duration, within("1ms", "10m")] = 5.0
    """The whole attempt, from its intended start."""


class TlsSettings(Model):
    """How the server is verified, and how we present ourselves. Paths are relative to the plan."""

    verify: bool = True
    """Verify the server's certificate. `false` is `--insecure`."""
    ca: FileName | None = Field(default=None, examples=["platform-ca.pem"])
    """File with the certificates to trust (PEM); default: the system's."""
    server_name: str | None = Field(default=None, examples=["app.example.org"])
    """Name for SNI and verification; default: the URL's host."""
    client_cert: FileName | None = Field(default=None, examples=["client.pem"])
    """Our certificate (PEM)."""
    client_key: FileName | None = Field(default=None, examples=["client-key.pem"])
    """Its key (PEM), if it is not in the same file."""


def _header_names(value: dict[str, str]) -> dict[str, str]:
    return _each(value, lambda name, _: check_header_name(name))


def _each(values: dict[str, Any], check: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Check all entries, so that all mistakes are told, and that no name stands twice in two cases."""
    found: list[tuple[Keys, str]] = []
    for name, content in values.items():
        try:
            check(name, content)
        except ValueError as error:
            found.append(((name,), str(error)))
    again = twice(values)
    if again is not None:
        found.append(((again,), f"{again} stands twice, in another case: keep one"))
    if found:
        raise Mistakes(found)
    return values


class Expectation(Model):
    """What an answer must be to count as good."""

    status: StatusCodes = Field(default="200-299", examples=["200,204"])
    """Status codes: 200, "200-299", "200,204" or a list."""
    headers: Annotated[dict[str, Pattern], AfterValidator(_header_names)] = Field(
        default_factory=dict, examples=[{"content-type": "json"}]
    )
    """Header name: regular expression that its value must contain."""
    body: Pattern | None = Field(default=None, examples=["ok"])
    """Regular expression that the body must contain."""


class FromEnvironment(Model):
    """A secret's place: the environment variable that holds it when the run starts."""

    env: str = Field(examples=["API_TOKEN"])
    """Name of the variable."""


def _header(name: str, content: Any) -> None:
    if isinstance(content, str):
        check_header(name, content)
    elif isinstance(content, dict) and list(content) == ["env"] and isinstance(content["env"], str):
        check_header(name, None)
        check_variable(content["env"])
    else:
        raise ValueError('expected a text (numbers in quotes: "5"), or {env: NAME} for a secret')


def _headers(value: Any) -> Any:
    return _each(value, _header) if isinstance(value, dict) else value


class PoolSettings(Model):
    """Connections of one worker. The defaults follow from rate and timeout."""

    warm: int | None = Field(default=None, ge=0, le=10_000, examples=[8])
    """Opened before the first tick; default: what answers of 50 ms need at this rate, 1 to 64, and at least the ticks
    of 2 ms."""
    max: int | None = Field(default=None, ge=1, le=50_000, examples=[256])
    """At most open at once; default: rate × timeout, 16 to 1,024. With fewer a stall can't be told from our limit."""
    handshakes: int = Field(default=32, ge=1, le=10_000)
    """At most being opened at once."""
    idle: Annotated[Duration, within("100ms", "1d")] = 30.0
    """An idle connection is closed after this."""


class RunnerPlan(Model):
    """One schedule driving one probe at one target."""

    name: Name
    """Unique; the label everywhere."""
    url: Url | None = None
    """The target; required, but for cf-api. No user, password or token in it."""
    probe: Literal["app", "http", "cf-api"] = "app"
    """app: the engine, HTTP/1.1. http: httpx, for HTTP/2 and proxies, at low rates. cf-api: an operation on the
    platform's API."""
    rate: Rate = 10.0
    """Attempts, whatever the answers: 1/h to 1000000/s. Of cf-api 1/s by default."""
    connections: Literal["keep-alive", "fresh"] = "keep-alive"
    """fresh: a connection for each attempt."""
    timeout: Timeout = Timeout()
    """A duration (the total), or limits by stage. Of cf-api 10s by default."""
    tls: TlsSettings = TlsSettings()
    """How the server is verified, and how we present ourselves."""
    expect: Expectation = Expectation()
    """What an answer must be to count as good."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """Request method. Other than GET, HEAD and OPTIONS may change the target ten times a second."""
    headers: Annotated[dict[str, str | FromEnvironment], BeforeValidator(_headers)] = Field(
        default_factory=dict, examples=[{"Authorization": {"env": "API_TOKEN"}}]
    )
    """Request headers; secrets as {env: NAME}."""
    body: str | None = Field(default=None, examples=['{"ping": 1}'])
    """Request body. It is written to the run's folder: no secrets."""
    body_limit: Size = 10 * 1024 * 1024
    """Bytes of an answer's body that are read, up to 1GiB."""
    resolve: dict[str, Address] = Field(default_factory=dict, examples=[{"app.example.org": "10.0.0.1"}])
    """host: address, as curl's --resolve."""
    resolve_every: Annotated[Duration, within("100ms", "1d")] = 10.0
    """Time between two look-ups of the host."""
    pool: PoolSettings = PoolSettings()
    """Connections of one worker."""
    workers: int | None = Field(default=None, ge=1, le=64, examples=[2])
    """Processes that share the schedule; default: one for each 50,000/s, at most one a processor."""
    degraded: Literal["good", "bad"] = "good"
    """What an answer without all that was asked for counts as."""
    http2: bool = False
    """The http probe's: HTTP/2."""
    proxy: Annotated[str, AfterValidator(check_proxy)] | None = Field(
        default=None, examples=["http://proxy.example.org:3128"]
    )
    """The http and cf-api probes': proxy URL, without a password."""
    api: Url | None = Field(default=None, examples=["https://api.example.org"])
    """cf-api: the platform's API; default: what `cf api` was last told."""
    operation: Operation | None = None
    """cf-api, required: info, login, list-apps, app-stats, list-routes, list-spaces, watch-app, or one that another
    package brings."""
    app: str | None = Field(default=None, min_length=1, examples=["healthcheck"])
    """cf-api: the app that app-stats and watch-app look at."""
    org: str | None = Field(default=None, min_length=1, examples=["my-org"])
    """cf-api: the organization of `space`."""
    space: str | None = Field(default=None, min_length=1, examples=["my-space"])
    """cf-api: look at this space alone; default: with `cf login` the targeted one, else all that can be seen."""
    slots: int | None = Field(default=None, ge=1, le=MOST_SLOTS, examples=[2])
    """cf-api: operations in flight at once, at most 8 of all runners of an API; default: 2, or fewer where runners are
    many."""
    credentials: FileName | None = Field(default=None, examples=["credentials.yml"])
    """cf-api: file with username and password, or client_id and client_secret. The environment goes before it
    (CF_CLIENT_ID and CF_CLIENT_SECRET, or CF_USERNAME and CF_PASSWORD); without any of them what `cf login` left."""
    refresh_token: bool = False
    """cf-api: with `cf login`, use its refresh token too. Where UAA rotates them this logs the CLI out."""

    @model_validator(mode="before")
    @classmethod
    def _gently(cls, value: Any) -> Any:
        """An API is no app: it is asked less often, and takes longer."""
        if isinstance(value, dict) and value.get("probe") == "cf-api":
            return {"rate": "1/s", "timeout": "10s", **value}
        return value

    @field_validator("timeout", mode="before")
    @classmethod
    def _short_timeout(cls, value: Any) -> Any:
        if isinstance(value, dict | Timeout):
            return value
        units.duration(value)
        return {"total": value}

    @field_validator("body_limit")
    @classmethod
    def _some_body(cls, value: int) -> int:
        if not 1 <= value <= 2**30:
            raise ValueError("out of bounds: from 1B to 1GiB")
        return value


class ToleranceSettings(Model):
    """Bad ticks that an objective forgives: those that match every list given. What was forgiven is shown."""

    causes: list[CauseName] = Field(default_factory=list, examples=[["connect_refused"]])
    """Causes, as in docs/causes.md."""
    components: list[ComponentName] = Field(default_factory=list, examples=[["router"]])
    """Who said no."""
    phases: list[str] = Field(default_factory=list, examples=[["deploy-router"]])
    """Steps of the deployment, by the names that the pipeline marks."""


class ObjectivePlan(Model):
    """A condition on an indicator. A text alone, such as "success >= 99.95%", holds for every runner."""

    objective: ObjectiveText
    """The condition; grammar below."""
    runner: str | None = Field(default=None, examples=["app"])
    """Which runner; default: every one."""
    gate: Literal["enforce", "warn"] = "enforce"
    """warn: a violation is told, and fails nothing."""
    phase: str | None = Field(default=None, min_length=1, max_length=200, examples=["deploy-router"])
    """Judged over this step of the deployment alone, by the name that the pipeline marks; of several the worst decides.
    One that never began is unknown."""
    window: Annotated[Duration, within("1s", "10d")] | None = None
    """The worst of all windows of this length must hold; the same as "over 60s" in the text."""
    tolerate: ToleranceSettings = ToleranceSettings()
    """Bad ticks that it forgives: they count as good."""

    @model_validator(mode="after")
    def _can_forgive(self) -> "ObjectivePlan":
        if self.tolerate != ToleranceSettings() and parse(self.objective).indicator is Indicator.SILENCE:
            raise ValueError("silence looks at good answers alone, so it has nothing to tolerate: leave tolerate out")
        return self


def _pair(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("expected a share and a duration, such as [1%, 5s]")
    return tuple(value)


class Bounds(Model):
    """What the evidence must satisfy."""

    max_lag: Annotated[Duration, within("1ms", "1m")] = 0.1
    """A tick that the harness comes to later than this is missed."""
    max_blind: Annotated[tuple[Share, Duration], BeforeValidator(_pair)] = (0.01, 5.0)
    """Unknown ticks between good ones are set aside up to this share of the run and this long at a stretch."""


class StopPlan(Model):
    """What ends a run. TERM and INT always do."""

    duration: Annotated[Duration, within("1ms", "3650d")] | None = None
    """Time from readiness to the stop."""
    max_duration: Annotated[Duration, within("1ms", "3650d")] = 43200.0
    """A run that nobody stopped ends after this."""
    at_max_duration: Literal["judge", "inconclusive"] | None = None
    """What comes of it then; default: judge, and inconclusive where a pipeline was to stop it (--channel, --listen)."""
    file: FileName | None = Field(default=None, examples=["stop-please"])
    """The run stops when this file appears; relative to the plan."""
    abort_when: AbortText | None = None
    """Give up early, once a runner's last such while was as bad as this."""
    settle: Duration = 0.0
    """Traffic goes on for this long after the stop request; not after a signal, which a kill may follow."""
    drain: Annotated[Duration, within("0s", "3s")] = 3.0
    """Attempts in flight get this long after the last tick; a pipeline kills ten seconds after its TERM."""
    min_duration: Duration = 0.0
    """A run judged over less than this is inconclusive."""


class PlanFile(Model):
    """The whole of a plan."""

    runners: list[RunnerPlan] = Field(min_length=1, max_length=64)
    """What to watch: one to 64 runners."""
    objectives: list[ObjectivePlan] = Field(default_factory=list)
    """What must hold. A runner that none of them names gets its probe's own (docs/verdict.md)."""
    bounds: Bounds = Bounds()
    """What the evidence must satisfy."""
    stop: StopPlan = StopPlan()
    """What ends the run."""
    baseline: Duration = 1.0
    """Clean time before the run counts as ready."""
    ready_timeout: Duration = 30.0
    """Not ready within this: exit 4, nothing is judged."""
    allow_load: bool = False
    """More than 100 requests a second beyond loopback are meant."""

    @field_validator("objectives", mode="before")
    @classmethod
    def _strings(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"objective": item} if isinstance(item, str) else item for item in value]
