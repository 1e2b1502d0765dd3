"""A plan that was checked: what the rest of the program reads. Secrets stay names of variables until `specs`."""

import math
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import harness
from harness.brief import Brief, RunnerBrief
from harness.cf.target import ApiTarget, Credentials, Limits
from harness.objectives import Gate, Objective, Tolerance
from harness.plan.grammar import Condition, parse, parse_abort
from harness.plan.models import MOST_SLOTS, FromEnvironment, PlanFile, RunnerPlan, StopPlan
from harness.plan.problems import PlanError, Problem
from harness.plan.request import check_value, status_ranges
from harness.spec import Expect, Operation, Pool, Spec, Timeouts, Tls
from harness.units import show_duration

RATE_PER_WORKER = 50_000
MOST_CONNECTIONS = 1024
_FEWEST_CONNECTIONS = 16
_MOST_WARM = 64
_WARM_LATENCY = 0.05  # seconds of answers in flight that the warm pool is made for
_BURST = 0.002  # seconds of ticks that may be sent in one go: twice the rate for a millisecond, see engine/pace.py
_USUAL_SLOTS = 2
STALLED_BY_DESIGN = frozenset({"app-stats", "login", "watch-app"})
_WINDOW_ATTEMPTS = 20  # that a default window holds at least


@dataclass(frozen=True)
class Plan:
    """The whole configuration of a run."""

    file: PlanFile
    source: str  # the file's name, or "command line"
    folder: Path  # what relative paths are relative to
    warnings: tuple[str, ...] = ()

    @property
    def stop(self) -> StopPlan:
        """What ends the run."""
        return self.file.stop

    @property
    def stop_file(self) -> Path | None:
        """The file whose appearance ends it."""
        return None if self.stop.file is None else self.folder / self.stop.file

    @property
    def abort_when(self) -> Condition | None:
        """`success < 50% over 15s`, read."""
        return None if self.stop.abort_when is None else parse_abort(self.stop.abort_when)

    @property
    def baseline(self) -> float:
        """Clean seconds before the run is ready."""
        return self.file.baseline

    @property
    def ready_timeout(self) -> float:
        """Seconds within which it must become ready."""
        return self.file.ready_timeout

    def objectives(self) -> tuple[Objective, ...]:
        """Every objective, bound to its runner; a runner without any gets its probe's own."""
        bound = []
        for runner in self.file.runners:
            own = [entry for entry in self.file.objectives if entry.runner in (None, runner.name)]
            for entry in own:
                condition = parse(entry.objective)
                if entry.window is not None:
                    condition = condition._replace(window=entry.window)
                tolerate = Tolerance(
                    causes=tuple(entry.tolerate.causes),
                    components=tuple(entry.tolerate.components),
                    phases=tuple(entry.tolerate.phases),
                )
                gate = Gate(entry.gate)
                bound.append(_bind(entry.objective, condition, runner.name, gate, tolerate, phase=entry.phase or ""))
            whole = any(entry.phase is None for entry in own)  # one step of a deployment is not the run
            if not whole and runner.probe == "cf-api":
                gate = Gate.WARN if runner.operation in STALLED_BY_DESIGN else Gate.ENFORCE
                bound += [
                    _bind(text, parse(text), runner.name, gate, default=True)
                    for text in default_api_objectives(runner.rate)
                ]
            elif not whole:
                bound += [
                    _bind(text, parse(text), runner.name, default=True) for text in default_objectives(runner.rate)
                ]
        return tuple(bound)

    def brief(self, *, run: str, attempt: int, apis: Mapping[str, str] | None = None) -> Brief:
        """What the judge must know, for the journal. `apis`: by name the API of runners that don't say it."""
        known = apis or {}
        share, stretch = self.file.bounds.max_blind
        return Brief(
            run=run,
            attempt=attempt,
            version=harness.__version__,
            python=platform.python_version(),
            runners=tuple(
                RunnerBrief(
                    name=runner.name,
                    probe=runner.probe,
                    target=runner.url or f"{runner.operation} at {runner.api or known.get(runner.name, 'the API')}",
                    rate=runner.rate,
                    shards=shards_of(runner),
                    degraded_is_good=runner.degraded == "good",
                )
                for runner in self.file.runners
            ),
            objectives=self.objectives(),
            max_lag=self.file.bounds.max_lag,
            max_blind_share=share,
            max_blind_stretch=stretch,
            min_seconds=self.stop.min_duration,
            warnings=self.warnings,
        )

    def specs(self, environ: Mapping[str, str], operations: Mapping[str, Operation] | None = None) -> tuple[Spec, ...]:
        """One for each worker, with the secrets from `environ` and, by name, what the API's runners do. Raises
        PlanError: all missing variables."""
        wrong = [
            Problem(self.source, None, f"runners[{index}].headers.{name}", text)
            for index, runner in enumerate(self.file.runners)
            for name, content in runner.headers.items()
            if isinstance(content, FromEnvironment) and (text := _unusable(name, content.env, environ))
        ]
        if wrong:
            raise PlanError(wrong)
        of_apis: dict[tuple[ApiTarget, Credentials], list[Spec]] = {}
        specs = []
        for runner in self.file.runners:
            if runner.probe == "cf-api":
                operation = (operations or {})[runner.name]
                crew = of_apis.setdefault((operation.target, operation.credentials), [])
                crew.append(self._api_spec(runner, operation))
            else:
                specs += [self._spec(runner, shard, environ) for shard in range(shards_of(runner))]
        for first, *others in of_apis.values():
            specs.append(msgspec.structs.replace(first, beside=tuple(others)))
        return tuple(specs)

    def _api_spec(self, runner: RunnerPlan, operation: Operation) -> Spec:
        slots = self.slots_of(runner)
        total = runner.timeout.total
        return Spec(
            runner=runner.name,
            probe=runner.probe,
            rate=runner.rate,
            url=operation.target.api,
            timeouts=Timeouts(connect=total, tls=total, first_byte=total, total=total),
            pool=Pool(warm=0, cap=slots, handshakes=slots),
            max_lag=self.file.bounds.max_lag,
            drain=self.stop.drain,
            operation=operation,
        )

    def slots_of(self, runner: RunnerPlan) -> int:
        """Call slots of an API's runner: what all runners of one API leave one another."""
        if runner.slots is not None:
            return runner.slots
        api = str(runner.api).rstrip("/").lower()
        beside = [
            other
            for other in self.file.runners
            if other.probe == "cf-api" and str(other.api).rstrip("/").lower() == api
        ]
        unsaid = sum(other.slots is None for other in beside)
        left = MOST_SLOTS - sum(other.slots or 0 for other in beside)
        return max(1, min(_USUAL_SLOTS, left // unsaid))

    def limits_of(self, runner: RunnerPlan) -> Limits:
        """Of one operation of an API's runner. A stage without a limit of its own has none but the total, which the
        worker's driver keeps."""
        timeout = runner.timeout
        none = 2 * timeout.total + 60
        return Limits(connect=timeout.connect or none, read=timeout.first_byte or none, total=timeout.total)

    def _spec(self, runner: RunnerPlan, shard: int, environ: Mapping[str, str]) -> Spec:
        shards = shards_of(runner)
        timeout, tls = runner.timeout, runner.tls
        headers = tuple(
            (name, _secret(content.env, environ) if isinstance(content, FromEnvironment) else content)
            for name, content in runner.headers.items()
        )
        return Spec(
            runner=runner.name,
            probe=runner.probe,
            rate=runner.rate,
            shard=shard,
            shards=shards,
            url=runner.url or "",
            method=runner.method,
            headers=headers,
            body=(runner.body or "").encode(),
            fresh=runner.connections == "fresh",
            timeouts=Timeouts(
                connect=timeout.connect or timeout.total,
                tls=timeout.tls or timeout.total,
                first_byte=timeout.first_byte or timeout.total,
                total=timeout.total,
            ),
            tls=Tls(
                verify=tls.verify,
                ca=self.path(tls.ca),
                server_name=tls.server_name,
                client_cert=self.path(tls.client_cert),
                client_key=self.path(tls.client_key),
            ),
            expect=Expect(
                statuses=status_ranges(runner.expect.status),
                headers=tuple((name.lower(), pattern) for name, pattern in runner.expect.headers.items()),
                body=runner.expect.body,
            ),
            pool=pool_of(runner, runner.rate / shards),
            body_limit=runner.body_limit,
            max_lag=self.file.bounds.max_lag,
            drain=self.stop.drain,
            resolve=tuple(runner.resolve.items()),
            resolve_every=runner.resolve_every,
            http2=runner.http2,
            proxy=runner.proxy,
        )

    def path(self, name: str | None) -> str | None:
        """A file that the plan names, absolute."""
        return None if name is None else str((self.folder / name).absolute())

    def redacted(self) -> dict[str, Any]:
        """The plan as plain values, for plan.json. It holds no secrets, since a plan never does."""
        return self.file.model_dump(mode="json", exclude_defaults=False)


def _secret(variable: str, environ: Mapping[str, str]) -> str:
    """A variable's value; read from a file it often ends in a line break, as in a shell that is left out."""
    return environ[variable].rstrip("\r\n")


def _unusable(header: str, variable: str, environ: Mapping[str, str]) -> str | None:
    """Why a variable can't fill a header, without its value."""
    if variable not in environ:
        return f"the environment has no {variable}"
    value = _secret(variable, environ)
    if not value:
        return f"the environment's {variable} is empty"
    try:
        check_value(header, value)
    except ValueError as error:
        return f"the environment's {variable}: {error}"
    return None


def shards_of(runner: RunnerPlan) -> int:
    """How many workers share a runner's schedule."""
    cores = os.cpu_count() or 1  # more workers than that would only take time from one another
    return runner.workers or max(1, min(cores, math.ceil(runner.rate / RATE_PER_WORKER)))


def pool_of(runner: RunnerPlan, rate: float) -> Pool:
    """A worker's connections: enough to tell a stall of the target (rate x time-out), within reason."""
    patient = math.ceil(rate * runner.timeout.total)
    cap = runner.pool.max or max(_FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, patient))
    warm = runner.pool.warm
    if warm is None:
        warm = max(1, min(_MOST_WARM, math.ceil(rate * _WARM_LATENCY)), math.ceil(rate * _BURST))
    return Pool(warm=min(warm, cap), cap=cap, handshakes=runner.pool.handshakes, idle=runner.pool.idle)


def default_objectives(rate: float) -> tuple[str, ...]:
    """Those of an app. At low rates the limits are widened to what the rate can decide: an outage objective needs more
    than two ticks' distance, and a window at least twenty attempts."""
    spacing = 1 / rate
    outage = max(1.0, math.ceil(3 * spacing))
    silence = max(2.0, math.ceil(3 * spacing))
    window = max(60.0, math.ceil(_WINDOW_ATTEMPTS * spacing))
    return (
        "success >= 99.95%",
        f"longest_outage < {show_duration(outage)}",
        f"silence < {show_duration(silence)}",
        f"success >= 95% over {show_duration(window)}",
    )


def default_api_objectives(rate: float) -> tuple[str, ...]:
    """Those of an API operation. They only warn for those that a routine deployment of Diego stalls by design."""
    outage = max(10.0, math.ceil(3 / rate))
    return ("success >= 99.95%", f"longest_outage < {show_duration(outage)}")


def _bind(
    text: str,
    condition: Condition,
    runner: str,
    gate: Gate = Gate.ENFORCE,
    tolerate: Tolerance = Tolerance(),  # noqa: B008  (immutable)
    *,
    default: bool = False,
    phase: str = "",
) -> Objective:
    if condition.window is not None and " over " not in text:
        text = f"{text} over {show_duration(condition.window)}"
    if phase:
        text = f"{text} during {phase}"
    return Objective(
        text=text,
        runner=runner,
        indicator=condition.indicator,
        operator=condition.operator,
        threshold=condition.threshold,
        quantile=condition.quantile,
        window=condition.window,
        gate=gate,
        tolerate=tolerate,
        default=default,
        phase=phase,
    )
