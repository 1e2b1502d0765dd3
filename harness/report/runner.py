"""One runner's part of the text report: how much was tried, what came of it, when and where it failed."""

from collections.abc import Iterable

from harness.figures import clock, count, rate, seconds, share, tally
from harness.outcome import OWN_CAUSES
from harness.report.layout import LABEL, WIDTH, columns, fit, left, plain, right, rows, wrap
from harness.report.strip import axis, draw, legend, phase_line
from harness.verdict import Example, Outage, PhaseReport, Quantiles, RunnerReport, SilenceStretch, Verdict

_INDENT = 2
_STRIP = WIDTH - 2 * _INDENT
_ADDRESSES = 6
_OUTAGES = 12
_UPDATES = 3  # of an outage, named with their times
_PHASES = 6
_EXAMPLES_PER_CAUSE = 2
_EXAMPLES = 10
_PERCENTILE_WIDTH = 9
_ALIKE_SECONDS = 0.001
_ALIKE_SHARE = 0.05
_PERCENTILES = ("p50", "p90", "p95", "p99", "p99.9", "max")


def runner_section(runner: RunnerReport, verdict: Verdict) -> list[str]:
    """The lines about one runner."""
    return [
        *_title(runner),
        *_strip(runner, verdict),
        *_counts(runner),
        *_percentiles(runner),
        *_addresses(runner),
        *_outages(runner, verdict),
        *_silence(runner.silence, verdict),
        *_examples(runner.examples, verdict),
    ]


def _title(runner: RunnerReport) -> list[str]:
    head = f"Runner {fit(plain(runner.name), 30)}"
    return [f"{head}  {fit(plain(f'{runner.probe} {runner.target}'), WIDTH - len(head) - 2)}"]


def _strip(runner: RunnerReport, verdict: Verdict) -> list[str]:
    strip = draw(runner.strip, _STRIP)
    if not strip.signs:
        return []
    touched = {name for outage in runner.outages for name in outage.phases}
    phases = sorted(verdict.phases, key=lambda phase: phase.name not in touched)[:_PHASES]
    drawn = [phase_line(phase, verdict.ready, strip, _STRIP) for phase in _in_time(phases)]
    shown = [strip.signs, axis(verdict.ready, strip), *(line for line in drawn if line), legend(strip)]
    return [" " * _INDENT + line for line in shown]


def _in_time(phases: Iterable[PhaseReport]) -> list[PhaseReport]:
    return sorted(phases, key=lambda phase: phase.start)


def _counts(runner: RunnerReport) -> list[str]:
    lines = rows(
        "attempts",
        f"{count(runner.attempts)} of {count(runner.planned)} planned, "
        f"{rate(runner.rate_achieved)} of {rate(runner.rate)}",
    )
    lines += rows("success", _success(runner))
    if runner.failed or runner.causes:
        bad = {name: number for name, number in runner.causes.items() if name not in OWN_CAUSES and number}
        said = f"{count(runner.failed)}: {tally(bad)}" if bad else count(runner.failed)
        lines += rows("failed", plain(said + _placed(runner.components)))
    if any(runner.unknown.values()) or runner.blind_seconds:
        blind = f"; {seconds(runner.blind_seconds)} blind, set aside" if runner.blind_seconds else ""
        lines += rows("unknown", (plain(tally(runner.unknown)) or "none") + blind)
    if runner.degraded:
        lines += rows("degraded", f"{count(runner.degraded)} of the successes came without all that was asked for")
    if runner.retried:
        lines += rows("retried", f"{count(runner.retried)} on a fresh connection, after a stale one")
    if len(runner.statuses) > 1 or runner.failed:
        lines += rows("statuses", plain(tally(runner.statuses)) or "none: not one answer")
    if runner.connections:
        lines += rows("connections", plain(tally(runner.connections)))
    return lines


def _success(runner: RunnerReport) -> str:
    if runner.success_rate is None:
        return "nothing to count"
    parts = [share(runner.success_rate)]
    if runner.success_interval is not None:
        low, high = runner.success_interval
        parts.append(f"95 % interval {share(low)} to {share(high)}")
    if runner.success_bounds is not None and runner.success_bounds[0] != runner.success_bounds[1]:
        low, high = runner.success_bounds
        parts.append(f"{share(low)} to {share(high)} as the unknown may be bad or good")
    if runner.may_have_missed_per_hour is not None:
        parts.append(f"up to {_often(runner.may_have_missed_per_hour)} events an hour may have gone unseen")
    return "; ".join(parts)


def _often(per_hour: float) -> str:
    return count(per_hour) if per_hour >= 10 else f"{per_hour:.2g}"


def _percentiles(runner: RunnerReport) -> list[str]:
    named = [
        ("latency", runner.latency),
        ("from reach", runner.latency_low),
        ("service", runner.service),
        ("lag", runner.lag),
        *((plain(name.replace("_", " ")), figures) for name, figures in runner.stages.items()),
    ]
    if _alike(runner.latency, runner.latency_low):
        del named[1]
    filled = [(name, figures) for name, figures in named if figures != Quantiles()]
    if not filled:
        return []
    head = left("", LABEL) + "".join(right(name, _PERCENTILE_WIDTH + 2) for name in _PERCENTILES)
    lines = [" " * _INDENT + head]
    for name, figures in filled:
        cells = (figures.p50, figures.p90, figures.p95, figures.p99, figures.p999, figures.max)
        drawn = "".join(right(seconds(value), _PERCENTILE_WIDTH + 2) for value in cells)
        lines.append(" " * _INDENT + left(name, LABEL) + drawn)
    return lines


def _alike(upper: Quantiles, lower: Quantiles) -> bool:
    """Whether the harness's own lateness makes no difference that anybody would see."""
    pairs = [(upper.p50, lower.p50), (upper.p99, lower.p99), (upper.max, lower.max)]
    return all(
        one is None or other is None or abs(one - other) <= max(_ALIKE_SECONDS, _ALIKE_SHARE * one)
        for one, other in pairs
    )


def _addresses(runner: RunnerReport) -> list[str]:
    if not runner.addresses:
        return []
    lines = [
        columns(
            [("address", 25), ("attempts", -9), ("success", -9), ("p50", -8), ("p99", -8), ("failures", 9)], indent=2
        )
    ]
    ordered = sorted(runner.addresses.items(), key=lambda item: (item[1].succeeded - item[1].attempts, item[0]))
    for name, at in ordered[:_ADDRESSES]:
        success = share(at.succeeded / at.attempts) if at.attempts else share(None)
        lines.append(
            columns(
                [
                    (plain(name), 25),
                    (count(at.attempts), -9),
                    (success, -9),
                    (seconds(at.latency.p50), -8),
                    (seconds(at.latency.p99), -8),
                ],
                indent=2,
            )
            + "  "
            + plain(tally(at.causes))
        )
    return lines + _more(len(ordered) - _ADDRESSES, "addresses")


def _outages(runner: RunnerReport, verdict: Verdict) -> list[str]:
    total = max(runner.outages_total, len(runner.outages))
    if not total:
        return rows("outages", "none")
    shown = _longest(runner.outages, _OUTAGES)
    kept = "" if total == len(shown) else f", the {len(shown)} longest"
    lines = rows("outages", f"{count(total)}{kept}; UTC, length (shortest – longest that the schedule allows)")
    for outage in shown:
        lines += _outage(outage, verdict)
    return lines


def _longest(outages: list[Outage], most: int) -> list[Outage]:
    kept = sorted(range(len(outages)), key=lambda number: -outages[number].seconds)[:most]
    return [outages[number] for number in sorted(kept)]


def _outage(outage: Outage, verdict: Verdict) -> list[str]:
    beside = verdict.started
    end = clock(outage.end, 3, beside) if outage.end else "the end of the run"
    bounds = f"({seconds(outage.seconds_low)} – {seconds(outage.seconds_high)})"
    lines = [
        f"    ✖ {clock(outage.start, 3, beside)} to {end}  "
        f"{seconds(outage.seconds)} {bounds}, {count(outage.failures)} bad"
    ]
    said = tally(outage.causes) + _placed(outage.components)
    if outage.addresses:
        said += f"; at {', '.join(sorted(outage.addresses))}"
    if outage.phases:
        said += f"; {during(outage.phases, verdict)}"
    return lines + _hanging(plain(said), 6, 6)


def during(names: list[str], verdict: Verdict) -> str:
    """Which phases an outage touches: those of the pipeline by name, what BOSH updated with its times besides."""
    told = {phase.name: phase for phase in verdict.phases if phase.source}
    own = [name for name in names if name not in told]
    said = [f"during {', '.join(own)}"] if own else []
    updated = [told[name] for name in names if name in told]
    for phase in updated[:_UPDATES]:
        verb = "was being updated" if phase.source == "bosh" else "went on"
        said.append(f"while `{phase.name}` {verb} ({phase_span(phase, verdict, 0)})")
    if len(updated) > _UPDATES:
        said.append(f"and {len(updated) - _UPDATES} more")
    return ", ".join(said)


def phase_span(phase: PhaseReport, verdict: Verdict, decimals: int = 3) -> str:
    """From when to when; `± 1 s` where that is not known better."""
    beside = verdict.started
    about = f" ± {seconds(phase.within)}" if phase.within else ""
    if phase.within:
        decimals = 0
    end = clock(phase.end, decimals, beside) + about if phase.end else "the end"
    return f"{clock(phase.start, decimals, beside)}{about} to {end}"


def _placed(components: dict[str, int]) -> str:
    """Which part of the platform it was: ` (router 12, network 3)`."""
    said = tally(components)
    return f" ({said})" if said else ""


def _silence(silence: SilenceStretch | None, verdict: Verdict) -> list[str]:
    if silence is None:
        return []
    spoken = seconds(silence.seconds)
    if silence.seconds - silence.seconds_low > _ALIKE_SECONDS:
        spoken += f" ({seconds(silence.seconds_low)} without our own pauses)"
    begin, end = (clock(when, 3, verdict.started) for when in (silence.start, silence.end))
    return rows("silence", f"{spoken} without a good answer, {begin} to {end}")


def _examples(examples: list[Example], verdict: Verdict) -> list[str]:
    kept: dict[str, list[Example]] = {}
    for example in examples:
        alike = kept.setdefault(example.cause, [])
        if len(alike) < _EXAMPLES_PER_CAUSE:
            alike.append(example)
    chosen = sorted((example for alike in kept.values() for example in alike), key=lambda example: example.at)
    if not chosen:
        return []
    lines = ["  examples"]
    for example in chosen[:_EXAMPLES]:
        facts = [
            clock(example.at, 3, verdict.started),
            f"tick {example.tick}",
            (example.cause + (f" ({example.component})" if example.component else "")).replace("_", " "),
            f"after {seconds(example.seconds)}",
            f"status {example.status}" if example.status is not None else "",
            f"{example.address or 'no address'} ({'fresh' if example.fresh else 'kept'})",
            f"request {example.request_id}" if example.request_id else "",
            example.detail,
        ]
        said = _hanging(plain(", ".join(fact for fact in facts if fact)), 6, 4)
        lines += ["    " + said[0].lstrip(), *said[1:]]
    return lines + _more(len(chosen) - _EXAMPLES, "examples")


def _hanging(text: str, indent: int, most: int) -> list[str]:
    wrapped = wrap(text, WIDTH - indent)
    if len(wrapped) > most:
        wrapped = [*wrapped[: most - 1], fit(" ".join(wrapped[most - 1 :]), WIDTH - indent)]
    return [" " * indent + line for line in wrapped]


def _more(number: int, what: str) -> list[str]:
    return [f"    … and {number} more {what}"] if number > 0 else []
