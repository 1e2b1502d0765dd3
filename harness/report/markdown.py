"""The report for a pipeline's step summary: Markdown (GitHub's tables), at most 60 lines."""

import re

from harness.figures import clock, count, rate, seconds, share, tally
from harness.report.layout import fit, plain
from harness.report.runner import during, phase_span
from harness.report.strip import draw
from harness.report.text import headline, judged, span, troubled
from harness.verdict import Decision, Judgement, Outage, State, Verdict

_REASONS = 6
_OBJECTIVES = 10
_RUNNERS = 6
_OUTAGES = 6
_PHASES = 6
_NOTES = 4
_CELL = 200  # terminal cells of one table cell
_STRIP = 60
_SPECIAL = re.compile(r"([\\`*\[\]<|~&]|^[#>+-]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")

_ICONS = {Decision.PASS: "✅", Decision.FAIL: "❌", Decision.INCONCLUSIVE: "⚠"}
_STATES = {State.MET: "✅ met", State.VIOLATED: "❌ violated", State.UNKNOWN: "⚠ unknown"}


def markdown(verdict: Verdict) -> str:
    """The summary; names and details from outside are escaped."""
    icon = _ICONS[verdict.verdict] if verdict.exit_code == 0 or verdict.verdict is not Decision.PASS else "❌"
    lines = [f"## {icon} {headline(verdict)}", "", _cell(span(verdict))]
    if verdict.reasons:
        lines += ["", *_limited([f"- {_cell(reason)}" for reason in verdict.reasons], _REASONS, "reasons")]
    lines += _objectives(verdict)
    lines += _runners(verdict)
    lines += _outages(verdict)
    lines += _phases(verdict)
    notes = [f"- {_cell(note)}" for note in (*verdict.warnings, *verdict.harness.problems)]
    if notes:
        lines += ["", *_limited(notes, _NOTES, "notes")]
    lines += ["", f"Run {_cell(verdict.run)}, attempt {verdict.attempt}; {_cell(_own(verdict))}"]
    return "\n".join(lines) + "\n"


def _objectives(verdict: Verdict) -> list[str]:
    if not verdict.objectives:
        return []
    urgent = {State.VIOLATED: 0, State.UNKNOWN: 1, State.MET: 2}
    ordered = sorted(verdict.objectives, key=lambda one: urgent[one.state])
    table = [_row(_state(one), one.runner, one.text, judged(one)) for one in ordered]
    return ["", "| | runner | objective | value |", "|---|---|---|---|", *_limited(table, _OBJECTIVES, "objectives")]


def _state(one: Judgement) -> str:
    return _STATES[one.state] + (" (warns)" if one.gate == "warn" and one.state is not State.MET else "")


def _runners(verdict: Verdict) -> list[str]:
    if not verdict.runners:
        return []
    table = [
        _row(
            runner.name,
            f"{count(runner.attempts)} of {count(runner.planned)} at {rate(runner.rate_achieved)}",
            share(runner.success_rate),
            seconds(runner.latency.p50),
            seconds(runner.latency.p99),
            tally(runner.causes) or "none",
            draw(runner.strip, _STRIP).signs,
        )
        for runner in verdict.runners
    ]
    head = ["", "| runner | attempts | success | p50 | p99 | not ok | by time |", "|---|---:|---:|---:|---:|---|---|"]
    return [*head, *_limited(table, _RUNNERS, "runners")]


def _outages(verdict: Verdict) -> list[str]:
    placed = [(runner.name, outage) for runner in verdict.runners for outage in runner.outages]
    if not placed:
        return []
    longest = sorted(placed, key=lambda item: -item[1].seconds)
    total = sum(max(runner.outages_total, len(runner.outages)) for runner in verdict.runners)
    table = [_outage(name, outage, verdict) for name, outage in longest]
    head = ["", "| outage of | from (UTC) | to | length | bad | causes | during |", "|---|---|---|---:|---:|---|---|"]
    shown = _limited(table, _OUTAGES, "outages")
    if total > len(placed) and len(table) <= _OUTAGES:
        shown.append(f"\n… and {count(total - len(placed))} shorter ones")
    return [*head, *shown]


def _outage(name: str, outage: Outage, verdict: Verdict) -> str:
    return _row(
        name,
        clock(outage.start, 3, verdict.started),
        clock(outage.end, 3, verdict.started) if outage.end else "the end",
        f"{seconds(outage.seconds)} ({seconds(outage.seconds_low)} – {seconds(outage.seconds_high)})",
        count(outage.failures),
        tally(outage.causes),
        during(outage.phases, verdict) if outage.phases else "",
    )


def _phases(verdict: Verdict) -> list[str]:
    """Those with trouble first; of each the runner that had most of it."""
    if not verdict.phases:
        return []
    table = []
    for phase in sorted(verdict.phases, key=lambda phase: not troubled(phase)):
        due = [(name, figures) for name, figures in phase.runners.items() if figures.get("planned")]
        if not due:
            table.append(_row(phase.name, phase_span(phase, verdict), "", "nothing was due", "", ""))
            continue
        name, worst = max(due, key=lambda one: (one[1].get("longest_outage") or 0, one[1].get("failed") or 0))
        outage = worst.get("longest_outage")
        table.append(
            _row(
                phase.name,
                phase_span(phase, verdict),
                name,
                share(worst.get("success")),
                seconds(worst.get("p99")),
                seconds(outage) if outage else "none",
            )
        )
    head = ["", "| phase | when, UTC | worst runner | success | p99 | longest outage |", "|---|---|---|---:|---:|---:|"]
    return [*head, *_limited(table, _PHASES, "phases")]


def _own(verdict: Verdict) -> str:
    harness = verdict.harness
    lag = max((runner.lag.p99 for runner in verdict.runners if runner.lag.p99 is not None), default=None)
    return (
        f"harness: lag p99 {seconds(lag)}, canary p99 {seconds(harness.canary.p99)}, "
        f"paused {seconds(harness.paused_seconds)}, cf-harness {harness.version}"
    )


def _limited(lines: list[str], most: int, what: str) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[:most], "", f"… and {len(lines) - most} more {what}"]


def _row(*cells: str) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(said: str) -> str:
    return _SPECIAL.sub(r"\\\1", fit(plain(said), _CELL))
