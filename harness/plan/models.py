"""The plan's shape: pydantic models, strict, unknown keys refused. What spans several keys is checked in `load`."""

import ipaddress
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from harness import units
from harness.outcome import Cause, Component
from harness.plan.grammar import parse, parse_abort

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "x-access-token", "api-key"}
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
LATER_PROBES = {"cf-api": "watching the API", "locust": "Locust scenarios"}


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": [example]})


Duration = Annotated[float, BeforeValidator(units.duration), _schema(r"(\d+(\.\d+)?(ms|s|m|h|d))+", "5s")]
Rate = Annotated[
    float, BeforeValidator(units.rate), _schema(r"\d+(\.\d+)?\s*/\s*(s|sec|second|min|minute|m|h|hour)", "10/s")
]
Share = Annotated[float, BeforeValidator(units.share), _schema(r"\d+(\.\d+)?\s*%", "1%")]
Size = Annotated[int, BeforeValidator(units.size), _schema(r"\d+(\.\d+)?\s*(B|kB|KB|KiB|MB|MiB|GB|GiB)", "10MiB")]


class Model(BaseModel):
    """What all parts of a plan have in common: strict, closed, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


class Timeout(Model):
    """Time limits of one attempt, each its own cause."""

    connect: Duration | None = None
    """TCP connection; default: the total."""
    tls: Duration | None = None
    """TLS handshake; default: the total."""
    first_byte: Duration | None = None
    """From the request to the first byte of the answer; default: the total."""
    total: Duration = 5.0
    """The whole attempt, from its intended start."""

    @model_validator(mode="after")
    def _ordered(self) -> "Timeout":
        if not 0.001 <= self.total <= 600:
            raise ValueError("the total lies between 1ms and 10m")
        for name in ("connect", "tls", "first_byte"):
            value = getattr(self, name)
            if value is not None and not 0.001 <= value <= self.total:
                raise ValueError(f"{name} lies between 1ms and the total, {units.show_duration(self.total)}")
        return self


class TlsSettings(Model):
    """How the server is verified, and how we present ourselves. Paths are relative to the plan."""

    verify: bool = True
    """Verify the server's certificate."""
    ca: str | None = None
    """File with the certificates to trust (PEM); default: the system's."""
    server_name: str | None = None
    """Name for SNI and verification; default: the URL's host."""
    client_cert: str | None = None
    """Our certificate (PEM)."""
    client_key: str | None = None
    """Its key (PEM), if it is not in the same file."""


class Expectation(Model):
    """What an answer must be to count as good."""

    status: str | int | list[str | int] = "200-299"
    """Status codes: 200, "200-299", "200,204" or a list."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Header name: regular expression that its value must contain."""
    body: str | None = None
    """Regular expression that the body must contain."""

    @field_validator("status")
    @classmethod
    def _statuses(cls, value: str | int | list[str | int]) -> str | int | list[str | int]:
        status_ranges(value)
        return value

    @field_validator("headers")
    @classmethod
    def _header_patterns(cls, value: dict[str, str]) -> dict[str, str]:
        for name, pattern in value.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a header's name")
            _pattern(pattern)
        return value

    @field_validator("body")
    @classmethod
    def _body_pattern(cls, value: str | None) -> str | None:
        return value if value is None else _pattern(value)


def status_ranges(value: str | int | list[str | int]) -> tuple[tuple[int, int], ...]:
    """Inclusive ranges of status codes. Raises ValueError."""
    ranges = []
    for item in value if isinstance(value, list) else [value]:
        for part in str(item).split(","):
            match = re.fullmatch(r"\s*(\d{3})(?:\s*-\s*(\d{3}))?\s*", part)
            if match is None:
                raise ValueError(f'{part!r} is not a status: write 200, "200-299" or [200, 204]')
            low, high = int(match[1]), int(match[2] or match[1])
            if not 100 <= low <= high <= 599:
                raise ValueError(f"{part.strip()!r}: status codes go from 100 to 599, the lower one first")
            ranges.append((low, high))
    return tuple(ranges)


class FromEnvironment(Model):
    """A secret's place: the environment variable that holds it when the run starts."""

    env: str
    """Name of the variable."""

    @field_validator("env")
    @classmethod
    def _name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError(f"{value!r} is not the name of an environment variable")
        return value


class PoolSettings(Model):
    """Connections of one worker. The defaults follow from rate and time-out."""

    warm: int | None = Field(default=None, ge=0, le=10_000)
    """Opened before the first tick."""
    max: int | None = Field(default=None, ge=1, le=50_000)
    """At most open at once. Below rate x time-out a stall can't be told from our own limit."""
    handshakes: int = Field(default=32, ge=1, le=10_000)
    """At most being opened at once."""
    idle: Duration = 30.0
    """An idle connection is closed after this."""


class RunnerPlan(Model):
    """One schedule driving one probe at one target."""

    name: str
    """Unique; the label everywhere."""
    url: str
    """http or https."""
    probe: Literal["app", "http"] = "app"
    """app: the engine, HTTP/1.1. http: httpx, for HTTP/2 and proxies."""
    rate: Rate = 10.0
    """Attempts, whatever the answers: "10/s", "6/min"."""
    connections: Literal["keep-alive", "fresh"] = "keep-alive"
    """fresh: a connection for each attempt."""
    timeout: Timeout = Timeout()
    """A duration, or limits by stage."""
    tls: TlsSettings = TlsSettings()
    expect: Expectation = Expectation()
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, str | FromEnvironment] = Field(default_factory=dict)
    """Request headers; secrets as {env: NAME}."""
    body: str | None = None
    """Request body."""
    body_limit: Size = 10 * 1024 * 1024
    """Bytes of an answer's body that are read."""
    resolve: dict[str, str] = Field(default_factory=dict)
    """host: address, as curl's --resolve."""
    resolve_every: Duration = 10.0
    """Time between two look-ups of the host."""
    pool: PoolSettings = PoolSettings()
    workers: int | None = Field(default=None, ge=1, le=64)
    """Processes that share the schedule; default: one for each 50,000/s."""
    degraded: Literal["good", "bad"] = "good"
    """What an answer without all that was asked for counts as."""
    http2: bool = False
    """The http probe's: HTTP/2."""
    proxy: str | None = None
    """The http probe's: proxy URL, without a password."""

    @field_validator("timeout", mode="before")
    @classmethod
    def _short_timeout(cls, value: Any) -> Any:
        if isinstance(value, dict | Timeout):
            return value
        units.duration(value)
        return {"total": value}

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            rule = "lower-case letters, digits, '.', '_' and '-', at most 63, a letter or digit first"
            raise ValueError(f"{value!r}: {rule}")
        return value

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return check_url(value)

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str | FromEnvironment]) -> dict[str, str | FromEnvironment]:
        for name, content in value.items():
            check_header(name, content)
        return value

    @field_validator("resolve")
    @classmethod
    def _resolve(cls, value: dict[str, str]) -> dict[str, str]:
        for host, address in value.items():
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise ValueError(f"{host}: {address!r} is not an IP address") from None
        return value

    @field_validator("proxy")
    @classmethod
    def _proxy(cls, value: str | None) -> str | None:
        return value if value is None else check_url(value)

    @model_validator(mode="after")
    def _fits_probe(self) -> "RunnerPlan":
        if self.probe == "app" and (self.http2 or self.proxy):
            raise ValueError("http2 and proxy are the http probe's: write probe: http")
        if self.resolve_every < 0.1:
            raise ValueError("resolve_every is at least 100ms")
        if self.tls.client_key and not self.tls.client_cert:
            raise ValueError("tls: client_key stands without client_cert")
        if self.pool.warm is not None and self.pool.max is not None and self.pool.warm > self.pool.max:
            raise ValueError("pool: warm is more than max")
        return self


def check_url(value: str) -> str:
    """An http or https URL with a host and nothing secret. Raises ValueError."""
    shown = re.sub(r"//[^/?#]*@", "//***@", value)  # a message goes to logs
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{shown!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{shown!r}: expected a URL that starts with http:// or https://")
    if not parts.hostname or re.search(r"[\s\x00-\x1f]", value):
        raise ValueError(f"{shown!r}: expected http(s)://host[:port]/path")
    if port == 0:
        raise ValueError(f"{shown!r}: ports go from 1 to 65535")
    if parts.username or parts.password:
        raise ValueError(f"{shown!r}: no user or password in a URL; use headers with {{env: NAME}}")
    if not value.isascii():
        raise ValueError(f"{value!r}: write the host in punycode and the path percent-encoded")
    return value


def check_header(name: str, content: str | FromEnvironment) -> None:
    """A header may be sent, and is no secret in plain sight. Raises ValueError."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a header's name")
    if name.lower() in ("content-length", "transfer-encoding", "connection"):
        raise ValueError(f"{name} is set by the harness")
    if isinstance(content, FromEnvironment):
        return
    if name.lower() in SECRET_HEADERS:
        raise ValueError(f"{name} is a secret: write {{env: NAME}} and put it into the environment variable NAME")
    if re.search(r"[\r\n\x00]", content) or not content.isprintable():
        raise ValueError(f"{name}: a header's value is one line of printable characters")


class ToleranceSettings(Model):
    """Bad ticks that an objective forgives; what was forgiven is shown."""

    causes: list[str] = Field(default_factory=list)
    components: list[str] = Field(default_factory=list)
    phases: list[str] = Field(default_factory=list)

    @field_validator("causes")
    @classmethod
    def _causes(cls, value: list[str]) -> list[str]:
        return _closed(value, [str(cause) for cause in Cause])

    @field_validator("components")
    @classmethod
    def _components(cls, value: list[str]) -> list[str]:
        return _closed(value, [str(component) for component in Component])


def _closed(values: list[str], known: list[str]) -> list[str]:
    for value in values:
        if value not in known:
            raise ValueError(f"{value!r} is none of {', '.join(known)}")
    return values


class ObjectivePlan(Model):
    """A condition on an indicator: "success >= 99.95%", "p95 < 300ms", "longest_outage < 5s", "silence < 2s"."""

    objective: str
    runner: str | None = None
    """Default: every runner."""
    gate: Literal["enforce", "warn"] = "enforce"
    """warn: a violation is told, and fails nothing."""
    window: Duration | None = None
    """The worst of all windows of this length must hold."""
    tolerate: ToleranceSettings = ToleranceSettings()

    @field_validator("objective")
    @classmethod
    def _text(cls, value: str) -> str:
        parse(value)
        return value


class Bounds(Model):
    """What the evidence must satisfy."""

    max_lag: Duration = 0.1
    """A tick that the harness comes to later than this is missed."""
    max_blind: tuple[Share, Duration] = (0.01, 5.0)
    """Unknown ticks between good ones are set aside up to this share of the run and this long at a stretch."""

    @field_validator("max_blind", mode="before")
    @classmethod
    def _pair(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ValueError("expected a share and a duration, such as [1%, 5s]")
        return tuple(value)

    @field_validator("max_lag")
    @classmethod
    def _lag(cls, value: float) -> float:
        if not 0.001 <= value <= 60:
            raise ValueError("max_lag lies between 1ms and 1m")
        return value


class StopPlan(Model):
    """What ends a run. TERM and INT always do."""

    duration: Duration | None = None
    """Time from readiness to the stop."""
    max_duration: Duration = 43200.0
    """A run that nobody stopped ends after this, and is judged."""
    file: str | None = None
    """The run stops when this file appears."""
    abort_when: str | None = None
    """Give up early: "success < 50% over 15s"."""
    settle: Duration = 0.0
    """Traffic goes on for this long after the stop request."""
    drain: Duration = 3.0
    """Attempts in flight get this long after the last tick."""
    min_duration: Duration = 0.0
    """A run judged over less than this is inconclusive."""

    @field_validator("abort_when")
    @classmethod
    def _abort(cls, value: str | None) -> str | None:
        if value is not None:
            parse_abort(value)
        return value

    @model_validator(mode="after")
    def _sane(self) -> "StopPlan":
        if self.drain > 3:
            raise ValueError("drain is at most 3s: a pipeline kills ten seconds after its TERM")
        if self.duration is not None and not 0 < self.duration <= self.max_duration:
            raise ValueError("duration is more than 0s and at most max_duration")
        if self.max_duration <= 0:
            raise ValueError("max_duration is more than 0s")
        return self


class PlanFile(Model):
    """The whole of a plan."""

    runners: list[RunnerPlan] = Field(min_length=1, max_length=64)
    objectives: list[ObjectivePlan] = Field(default_factory=list)
    bounds: Bounds = Bounds()
    stop: StopPlan = StopPlan()
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
