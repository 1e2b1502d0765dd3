"""The report for people: 80 columns, the verdict and its reasons first, then the figures, then what they are worth."""

from harness.figures import UNBOUNDED, clock, count, day_and_time, seconds, share, size, value_of
from harness.outcome import Cause
from harness.report.layout import WIDTH, columns, finished, left, plain, right, rows, wrap
from harness.report.runner import phase_span, runner_section
from harness.verdict import Decision, HarnessReport, Judgement, PhaseReport, State, Verdict

_NAME = 14
_TEXT = 26
_REASONS = 8
_OBJECTIVES = 40
_PHASES = 12
_PROBLEMS = 8

_SIGNS = {State.MET: "✔", State.VIOLATED: "✖", State.UNKNOWN: "?"}


def text(verdict: Verdict) -> str:
    """The whole report. Every line fits 80 terminal cells."""
    sections = [
        _verdict(verdict),
        _objectives(verdict.objectives) if verdict.ready is not None else [],
        *(runner_section(runner, verdict) for runner in verdict.runners),
        _phases(verdict),
        _evidence(verdict),
    ]
    lines: list[str] = []
    for section in sections:
        if section:
            lines += [*section, ""]
    return finished(lines[:-1])


def headline(verdict: Verdict) -> str:
    """The verdict in a word, with what an exit code beyond it says."""
    word = verdict.verdict.value.upper()
    if verdict.exit_code == 4:
        return f"{word}: never became ready"
    if verdict.command_exit:
        return f"{word}: the command failed" if verdict.exit_code == 5 else f"{word}, and the command failed"
    return word


def span(verdict: Verdict) -> str:
    """What was judged, from when to when, and what ended it."""
    if verdict.ready is None:
        when = f"begun {day_and_time(verdict.started)}, nothing was judged"
    else:
        when = (
            f"judged {seconds(verdict.seconds)}, from {day_and_time(verdict.ready)} "
            f"to {clock(verdict.ended, 0, verdict.ready)}"
        )
    return plain(f"{when}; ended by {verdict.stopped_by}" if verdict.stopped_by else when)


def _verdict(verdict: Verdict) -> list[str]:
    head = headline(verdict)
    aside = f"run {plain(verdict.run)}/{verdict.attempt}, exit code {verdict.exit_code}"
    rest = WIDTH - len(head) - 2
    lines = [f"{head}  {right(aside, rest)}", "─" * WIDTH]
    for reason in verdict.reasons[:_REASONS]:
        lines += _bullet("•", plain(reason))
    if len(verdict.reasons) > _REASONS:
        lines.append(f"  … and {len(verdict.reasons) - _REASONS} more reasons")
    if not verdict.reasons and verdict.verdict is Decision.PASS:
        lines += _bullet("•", "every enforced objective was met")
    lines += ["  " + line for line in wrap(span(verdict), WIDTH - 2)]
    if verdict.command_exit == 0:
        lines.append("  the command ended with 0")
    for warning in verdict.warnings:
        lines += _bullet("!", plain(warning))
    return lines


def _bullet(sign: str, said: str) -> list[str]:
    return [f"  {sign if number == 0 else ' '} {line}" for number, line in enumerate(wrap(said, WIDTH - 4))]


def _objectives(objectives: list[Judgement]) -> list[str]:
    if not objectives:
        return ["Objectives", "  none was set: nothing could fail"]
    lines = ["Objectives"]
    name = min(_NAME, max(len(plain(one.runner)) for one in objectives))
    for one in objectives[:_OBJECTIVES]:
        warns = one.gate == "warn"
        sign = "!" if warns and one.state is State.VIOLATED else _SIGNS[one.state]
        cells = [(one.state.value, 8), (plain(one.runner), max(name, 1)), (plain(one.text), _TEXT)]
        lines.append(f"  {sign} {columns(cells, indent=0)}  {judged(one)}")
        said = one.why if one.state is not State.MET else ""
        if warns and one.state is not State.MET:
            said = f"warns only; {said}" if said else "warns only"
        if one.forgiven:
            said = f"{said}; {count(one.forgiven)} forgiven" if said else f"{count(one.forgiven)} forgiven"
        lines += ["      " + line for line in wrap(plain(said), WIDTH - 6)]
    if len(objectives) > _OBJECTIVES:
        lines.append(f"  … and {len(objectives) - _OBJECTIVES} more objectives")
    return lines


def judged(one: Judgement) -> str:
    """An objective's value, with its two bounds where they differ."""
    value = value_of(one.text, one.value, one.threshold)
    low, high = one.value_bounds
    if low == high:
        return value
    first, last = (UNBOUNDED if bound is None else value_of(one.text, bound, one.threshold) for bound in (low, high))
    return f"{value} ({first} – {last})"


def _phases(verdict: Verdict) -> list[str]:
    """Those with trouble first, then by time: BOSH updates dozens of instances in one deployment."""
    if not verdict.phases and not verdict.moments:
        return []
    lines = ["Phases"]
    chosen = sorted(verdict.phases, key=lambda phase: not troubled(phase))[:_PHASES]
    for phase in sorted(chosen, key=lambda phase: phase.start):
        lines += rows_of_phase(phase, verdict)
    rest = len(verdict.phases) - len(chosen)
    if rest > 0:
        calm = sum(not troubled(phase) for phase in verdict.phases) - sum(not troubled(phase) for phase in chosen)
        said = "" if calm < rest else ", in which nothing failed"
        lines.append(f"  … and {rest} more phase{'' if rest == 1 else 's'}{said}")
    for moment in verdict.moments[:_PHASES]:
        lines.append(f"  {clock(moment.at, 3, verdict.started)}  {plain(moment.name)}")
    if len(verdict.moments) > _PHASES:
        lines.append(f"  … and {len(verdict.moments) - _PHASES} more moments")
    return lines


def rows_of_phase(phase: PhaseReport, verdict: Verdict) -> list[str]:
    """A phase and each runner in it."""
    lines = [f"  {left(plain(phase.name), 30)}  {phase_span(phase, verdict)}"]
    for name, figures in phase.runners.items():
        if not figures.get("planned"):
            lines += rows(plain(name), "nothing was due", indent=4, label_width=_NAME)
            continue
        said = [f"{share(figures.get('success'))} of {count(figures['planned'] or 0)} good"]
        said += [f"{count(figures[key] or 0)} {key}" for key in ("failed", "unknown") if figures.get(key)]
        if figures.get("p99") is not None:
            said.append(f"p50 {seconds(figures['p50'])}, p99 {seconds(figures['p99'])}")
        if figures.get("longest_outage"):
            number = int(figures.get("outages") or 1)
            many = "an outage of" if number == 1 else f"{number} outages, the longest of"
            said.append(f"{many} {seconds(figures['longest_outage'])}")
        lines += rows(plain(name), ", ".join(said), indent=4, label_width=_NAME)
    return lines


def troubled(phase: PhaseReport) -> bool:
    """Something failed in it, or was failing when it began."""
    return any(figures.get("failed") or figures.get("longest_outage") for figures in phase.runners.values())


def _evidence(verdict: Verdict) -> list[str]:
    harness = verdict.harness
    lines = ["Evidence"]
    for runner in verdict.runners:
        if runner.sees:
            lines += rows("sees", plain(f"{runner.name}: {runner.sees}"))
    for runner in verdict.runners:
        missed = runner.unknown.get(Cause.MISSED, 0)
        lines += rows(
            "own lag",
            plain(
                f"{runner.name}: p99 {seconds(runner.lag.p99)}, max {seconds(runner.lag.max)}; "
                f"{count(missed)} ticks missed, {seconds(runner.blind_seconds)} blind"
            ),
        )
    return lines + _health(harness)


def _health(harness: HarnessReport) -> list[str]:
    workers = f"{harness.workers} worker{'' if harness.workers == 1 else 's'}"
    if harness.restarts:
        workers += f", {harness.restarts} restarted"
    lines = rows(
        "harness",
        plain(
            f"{workers}, CPU {seconds(harness.cpu_seconds)}, memory {size(harness.peak_rss_bytes)}, "
            f"clock drift {seconds(harness.clock_drift)}, "
            f"cf-harness {harness.version}, Python {harness.python}"
        ),
    )
    pauses = (
        f"paused {seconds(harness.paused_seconds)} in all, worst wake {seconds(harness.wake_gap)} late, "
        f"steal {share(harness.steal)}"
    )
    lines += rows("pauses", pauses + (f", paced by {plain(harness.timer)}" if harness.timer else ""))
    if harness.canary.p99 is not None:
        lines += rows(
            "canary", f"p50 {seconds(harness.canary.p50)}, p99 {seconds(harness.canary.p99)}: the noise floor"
        )
    for problem in harness.problems[:_PROBLEMS]:
        lines += rows("problem", plain(problem))
    if len(harness.problems) > _PROBLEMS:
        lines.append(f"  … and {len(harness.problems) - _PROBLEMS} more problems")
    return lines
