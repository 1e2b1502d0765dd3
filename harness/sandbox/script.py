"""A scripted deployment as values: what each step does, to which components, when. Pure; `load` reads it from YAML."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple, get_args

from harness.errors import HarnessError
from harness.sandbox.wire import CertificateKind
from harness.units import show_duration

Action = Literal[
    "restart", "rolling_restart", "kill", "start", "stall", "refuse", "status", "reset", "close_early", "slow",
    "wrong_certificate", "black_hole", "freeze", "unknown_route", "unhealthy", "unregister",
    "ruby_away", "html_page", "endless_pages", "trickle", "database_away", "uaa_away", "uaa_limited", "tokens_refused",
    "throttle", "bbs_away", "log_cache_away", "short_tokens", "rotate_refresh", "rotate_key", "revoke_tokens",
]  # fmt: skip
ACTIONS: tuple[Action, ...] = get_args(Action)

_TARGET = re.compile(r"(app|router|api|uaa)/(\d{1,3})|balancer|apps|routers|apis|uaa")
_TARGETS = '"balancer", "router/0", "routers", "app/0", "apps", "api/0", "apis" or "uaa"'


class ScriptError(HarnessError):
    """A script that can't be used; its text has one line for each mistake."""


@dataclass(frozen=True)
class Rule:
    """What an action may be told."""

    kinds: frozenset[str]  # of components: balancer, router, app, api, uaa
    lasts: Literal["yes", "no", "maybe"]  # does it take `for:`
    options: frozenset[str] = frozenset()
    by: float = 0.0  # seconds, unless the step says otherwise
    errors: tuple[str, ...] = ()  # titles of Cloud Controller's that it may say, the usual one first


class Shape(NamedTuple):
    """Of a sandbox: what there is for a step to be done to."""

    routers: int
    instances: int
    layer: int = 4
    tls: bool = False
    apis: int = 0

    def count(self, kind: str) -> int:
        """How many there are of a kind that is counted."""
        return {"router": self.routers, "app": self.instances, "api": self.apis, "uaa": min(self.apis, 1)}[kind]


_ALL = frozenset(("balancer", "router", "app", "api", "uaa"))
_ROUTER = frozenset(("router",))
_API = frozenset(("api",))
_UAA = frozenset(("uaa",))
_HTTP_FAULT = Rule(_ALL, "yes")
_RESTART = frozenset(("drain", "drain_wait", "drain_timeout", "down"))

RULES: dict[Action, Rule] = {
    "restart": Rule(_ALL, "no", _RESTART),
    "rolling_restart": Rule(frozenset(("router", "app", "api")), "no", _RESTART | {"every"}),
    "kill": Rule(_ALL, "maybe"),
    "start": Rule(_ALL, "no"),
    "stall": _HTTP_FAULT,
    "refuse": _HTTP_FAULT,
    "status": Rule(_ALL, "yes", frozenset(("code", "error"))),
    "reset": _HTTP_FAULT,
    "close_early": _HTTP_FAULT,
    "slow": Rule(_ALL, "yes", frozenset(("by",)), by=0.3),
    "wrong_certificate": Rule(frozenset(("balancer", "router")), "yes", frozenset(("certificate",))),
    "black_hole": _HTTP_FAULT,
    "freeze": _HTTP_FAULT,
    "unknown_route": Rule(_ROUTER, "yes"),
    "unhealthy": Rule(_ROUTER, "yes"),
    "unregister": Rule(frozenset(("app", "api", "uaa")), "yes"),
    "ruby_away": Rule(_API, "yes", frozenset(("code",))),
    "html_page": Rule(_API | _UAA, "yes"),
    "endless_pages": Rule(_API, "yes"),
    "trickle": Rule(_API | _UAA, "yes", frozenset(("by",)), by=0.1),
    "database_away": Rule(
        _API, "yes", frozenset(("error",)), errors=("CF-DatabaseError", "CF-ServiceUnavailable", "UnknownError")
    ),
    "uaa_away": Rule(_API, "yes", errors=("CF-UaaUnavailable",)),
    "uaa_limited": Rule(_API | _UAA, "yes", errors=("CF-UaaRateLimited",)),
    "tokens_refused": Rule(_API, "yes", errors=("CF-InvalidAuthToken",)),
    "throttle": Rule(
        _API, "yes", frozenset(("error",)), errors=("CF-RateLimitExceeded", "CF-IPBasedRateLimitExceeded")
    ),
    "bbs_away": Rule(
        _API, "yes", frozenset(("by", "error")), by=60.0, errors=("CF-StatsUnavailable", "CF-InstancesUnavailable")
    ),
    "log_cache_away": Rule(_API, "yes"),
    "short_tokens": Rule(_UAA, "yes", frozenset(("by",)), by=5.0),
    "rotate_refresh": Rule(_UAA, "yes"),
    "rotate_key": Rule(_UAA, "no"),
    "revoke_tokens": Rule(_UAA, "no"),
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing done to the platform. Durations in seconds."""

    do: Action
    target: str  # balancer, router/0, routers, app/0, apps, api/0, apis, uaa
    at: float = 0.0  # after the script's start
    name: str = ""
    lasts: float | None = None  # `for:`; a kill without it leaves the component dead
    drain: bool = True  # False: stopped at once
    drain_wait: float | None = None  # None: the sandbox's
    drain_timeout: float | None = None
    down: float = 0.0  # between a restarted component's end and its new beginning
    every: float | None = None  # rolling: begin the next so long after the last; None: when that one serves again
    code: int | None = None
    error: str = ""
    by: float | None = None  # None: as the action's rule says
    certificate: CertificateKind = "wrong_name"
    line: int | None = None  # of its file

    @property
    def label(self) -> str:
        """Its name, or what it does."""
        return self.name or f"{self.do} {self.target}"

    def mistakes(self, by_hand: bool = False) -> Iterator[tuple[str, str]]:
        """Key and what would be right, as far as the step alone tells."""
        rule = RULES[self.do]
        if rule.lasts == "yes" and self.lasts is None and not by_hand:
            yield "for", f'`{self.do}` needs how long it lasts, such as "2s"'
        if rule.lasts == "no" and self.lasts is not None:
            yield "for", f"`{self.do}` takes as long as it takes: leave it out"
        match = _TARGET.fullmatch(self.target)
        if match is None:
            yield "target", f"{self.target!r} is no target: write {_TARGETS}"
        elif (kind := kind_of(self.target)) not in rule.kinds:
            yield "target", f"`{self.do}` is for {_either(rule.kinds)}, not for {_article(kind)}"
        elif self.do == "rolling_restart" and match[1]:
            yield "target", f'`rolling_restart` goes through all of a kind: write "{kind}s", or do `restart`'
        if self.code is not None and not 400 <= self.code <= 599:
            yield "code", f"a status from 400 to 599, not {self.code}"
        if self.error and self.do == "status" and kind_of(self.target) != "router":
            yield "error", "is a router's word (X-Cf-RouterError); only a router says it"
        if self.error and rule.errors and self.error not in rule.errors:
            yield "error", f"`{self.do}` says {' or '.join(rule.errors)}, not {self.error!r}"
        for key in sorted(self.told - rule.options):
            yield key, f"means nothing to `{self.do}`{_options(rule)}"

    @property
    def told(self) -> frozenset[str]:
        """The options that it sets, as a script calls them."""
        return frozenset(name for name, usual in _USUAL.items() if getattr(self, name) != usual)


_OPTIONS = frozenset().union(*(rule.options for rule in RULES.values()))
_USUAL = {field.name: field.default for field in fields(Step) if field.name in _OPTIONS}


@dataclass(frozen=True)
class Script:
    """A scripted deployment."""

    steps: tuple[Step, ...]
    name: str = ""
    file: str = ""

    @property
    def seconds(self) -> float:
        """To the end of its last timed part; restarts take what they take."""
        return max((step.at + (step.lasts or 0.0) for step in self.steps), default=0.0)


def kind_of(target: str) -> str:
    """Of router/0 and of routers: router."""
    return target.partition("/")[0].removesuffix("s")


def members_of(target: str, shape: Shape) -> tuple[str, ...]:
    """The components that a target names. Raises ValueError where there is none of that name."""
    if target == "balancer":
        return (target,)
    kind, _, index = target.partition("/")
    kind = kind_of(kind)
    count = shape.count(kind)
    if count == 0:
        raise ValueError(f"there is no {target}: this sandbox has no API")
    if not index:
        return tuple(f"{kind}/{number}" for number in range(count))
    if int(index) >= count:
        only = f"{kind}/0" + (f" to {kind}/{count - 1}" if count > 1 else "")
        raise ValueError(f"there is no {target}: this sandbox has {only}")
    return (target,)


def _options(rule: Rule) -> str:
    return f"; it takes {', '.join(f'`{name}`' for name in sorted(rule.options))}" if rule.options else ""


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _either(kinds: frozenset[str]) -> str:
    return " or ".join(_article(kind) for kind in sorted(kinds, reverse=True))


def check(script: Script, shape: Shape, by_hand: bool = False) -> None:
    """Whether a sandbox of this shape can perform it. Raises ScriptError with all mistakes.

    By hand a step may go without `for:`, since its caller ends it.
    """
    mistakes = [
        f"{script.file or 'script'}{f':{step.line}' if step.line else ''}: {key}: {text}"
        for step in script.steps
        for key, text in (*step.mistakes(by_hand), *_unfit(step, shape))
    ]
    if not mistakes:
        mistakes = list(_clashes(script, shape))
    if mistakes:
        raise ScriptError("\n".join(mistakes))


def _clashes(script: Script, shape: Shape) -> Iterator[str]:
    """A component bears one fault at a time."""
    busy: dict[str, Step] = {}
    for step in sorted(script.steps, key=lambda step: step.at):
        if step.lasts is None:
            continue
        for name in members_of(step.target, shape):
            other = busy.get(name)
            if other is not None and other.lasts is not None and step.at < other.at + other.lasts:
                place = f"{script.file or 'script'}{f':{step.line}' if step.line else ''}"
                over = show_duration(other.at + other.lasts)
                yield f"{place}: at: {name} still bears `{other.label}` then: begin at {over} or later"
            busy[name] = step


def _unfit(step: Step, shape: Shape) -> Iterator[tuple[str, str]]:
    if not _TARGET.fullmatch(step.target):
        return
    try:
        members_of(step.target, shape)
    except ValueError as error:
        yield "target", str(error)
    kind = kind_of(step.target)
    if step.do == "status" and kind == "balancer" and shape.layer == 4:
        yield "target", "a balancer of layer 4 speaks no HTTP: use `layer: 7`, or another target"
    if step.do == "wrong_certificate":
        ends = "router" if shape.layer == 4 else "balancer"
        if not shape.tls:
            yield "do", "there is no certificate without TLS"
        elif kind != ends:
            yield "target", f"at layer {shape.layer} TLS ends at {_article(ends)}"
