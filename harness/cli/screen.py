"""What the live view shows of a glance: lines that fit the terminal, the worst first where not all fit. Pure."""

import math
from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from harness.figures import count, rate, seconds, share, tally, whole_seconds
from harness.glance import Glance, OwnGlance, RunnerGlance, causes_of
from harness.plan import Plan
from harness.report.layout import fit, left, plain, right
from harness.report.strip import BAD, BARS, UNKNOWN
from harness.report.strip import draw as draw_strip
from harness.statistics.placement import Placement
from harness.units import show_duration

_QUIET = 1.0  # seconds without a good answer that are worth a word
_NAME = 14
_NARROWEST = 10  # signs of the strip
_LINES = 3  # of a runner, where there is room
_FRAME = 6  # lines that are not a runner's


class Headline:
    """What the plan says that a glance does not know."""

    def __init__(self, plan: Plan) -> None:
        self.baseline = plan.baseline
        self.ready_timeout = plan.ready_timeout
        self.duration = plan.stop.duration
        self.drain = plan.stop.drain


def draw(glance: Glance | None, headline: Headline, width: int, height: int) -> Group:
    """The whole view."""
    if glance is None:
        return Group(_line([("cf-harness", "bold"), ("  starting", "dim")], width))
    lines = [*_head(glance, headline, width), _rule(width)]
    roomy = _FRAME + _LINES * len(glance.runners) <= height
    runners = glance.runners if roomy else sorted(glance.runners, key=_trouble, reverse=True)
    fitting = len(runners) if roomy else max(1, height - _FRAME - 1)
    for runner in runners[:fitting]:
        if roomy:
            lines += _runner(runner, glance.placement, width)
        else:
            lines.append(_counts(runner, width))
    if fitting < len(runners):
        lines.append(_line([(f"… and {len(runners) - fitting} more runners, no worse than these", "dim")], width))
    return Group(*lines, _rule(width), _own(glance, width))


def _head(glance: Glance, headline: Headline, width: int) -> Iterator[Text]:
    what, style, advice = _stage(glance, headline)
    room = width - len("cf-harness  ") - len(advice) - 1
    yield _line([("cf-harness  ", "bold"), (left(what, room), style), (" " + advice, "dim")], width)
    if glance.phases:
        names = ", ".join(f"{phase.name} for {_whole(glance.at - phase.begin)}" for phase in glance.phases)
        yield _line([("phase       ", "dim"), (names, "bold cyan")], width)


def _stage(glance: Glance, headline: Headline) -> tuple[str, str, str]:
    """What goes on, how it looks, and what one can do."""
    if glance.never_ready:
        return "never became ready", "bold red", ""
    if glance.stop is not None:
        return f"stopping: {glance.stop.by}", "bold yellow", "Ctrl-C again hurries it"
    if glance.ready is None:
        clean = show_duration(headline.baseline)
        waited = f"{_whole(glance.at)} of {show_duration(headline.ready_timeout)}"
        return f"waiting for {clean} without failure, {waited}", "yellow", "Ctrl-C gives up"
    since = glance.placement.clock(glance.ready)[:8]
    passed = glance.at - glance.ready
    of = f" of {show_duration(headline.duration)}" if headline.duration is not None else ""
    return f"watching since {since} UTC, {_whole(passed)}{of}", "bold", "Ctrl-C stops and judges"


def _runner(runner: RunnerGlance, placement: Placement, width: int) -> Iterator[Text]:
    yield _counts(runner, width)
    strip = draw_strip(runner.cells, max(_NARROWEST, width - 20)).signs
    signs = Text(" " * 2)
    for sign in strip:
        signs.append(
            sign, "bold red" if sign == BAD else "yellow" if sign == UNKNOWN else "green" if sign in BARS else "dim"
        )
    signs.append(right(f"last {len(runner.cells)} s" if strip else "", max(0, width - 2 - len(strip))), "dim")
    signs.truncate(width)
    yield signs
    yield _line(_trouble_line(runner, placement), width)


def _counts(runner: RunnerGlance, width: int) -> Text:
    counts = runner.counts
    achieved = rate(runner.achieved) if runner.achieved is not None else rate(runner.rate)
    return _line(
        [
            (left(plain(runner.name), _NAME), "bold"),
            (right(achieved, 9), ""),
            ("  good ", "dim"),
            (left(count(counts.good), 10), "green" if counts.good else "dim"),
            (" bad ", "dim"),
            (left(count(counts.bad), 7), "bold red" if counts.bad else "dim"),
            (f" unknown {count(counts.unknown)} " if counts.unknown else "", "yellow"),
            (f" p50 {seconds(runner.p50)}  p99 {seconds(runner.p99)}", ""),
        ],
        width,
    )


def _trouble_line(runner: RunnerGlance, placement: Placement) -> list[tuple[str, str]]:
    """The outage that goes on, or the silence, or the newest failure; all well says so."""
    spell = runner.outage
    if spell is not None:
        causes, components = causes_of(spell)
        since = placement.clock(spell.start)[:12]
        said = f"  {BAD} OUTAGE since {since}, {seconds(spell.seconds)}: {tally(causes)} ({tally(components)})"
        return [(said, "bold red")]
    if runner.quiet > max(_QUIET, 3 / runner.rate):
        return [(f"  no good answer for {seconds(runner.quiet)}", "bold yellow")]
    if runner.newest is not None and runner.newest.outcome.cause is not None:
        outcome = runner.newest.outcome
        what = f"{outcome.cause} ({outcome.component})".replace("_", " ")
        at = placement.clock(outcome.intended)[:12]
        return [("  newest failure ", "dim"), (f"{at} {what}", "red"), (f" {outcome.detail}", "dim")]
    if runner.counts.causes:
        return [("  failed: ", "dim"), (tally(runner.counts.causes), "red")]
    if runner.counts.good:
        return [("  no failure", "dim")]
    return [(f"  {runner.target}", "dim")]


def _own(glance: Glance, width: int) -> Text:
    own: OwnGlance = glance.own
    lag = max((runner.lag for runner in glance.runners if runner.lag is not None), default=None)
    parts = [f"lag p99 {seconds(lag)}"]
    if own.canary is not None:
        parts.append(f"canary {seconds(own.canary)}")
    if own.cpu is not None:
        parts.append(f"CPU {share(round(own.cpu, 2))}")
    if own.steal > 0.01:
        parts.append(f"steal {share(round(own.steal, 2))}")
    if own.wake_gap > 0.02:
        parts.append(f"woke {seconds(own.wake_gap)} late")
    said = [("harness  ", "dim"), (", ".join(parts), "yellow" if own.wake_gap > 0.1 or own.steal > 0.1 else "dim")]
    if glance.problems:
        said.append((f"; {glance.problems[-1]}", "yellow"))
    return _line(said, width)


def _trouble(runner: RunnerGlance) -> tuple[bool, int, int]:
    return runner.outage is not None, runner.counts.bad, runner.counts.unknown


def _whole(passed: float) -> str:
    """A length of time to the second: it is seen passing."""
    return whole_seconds(max(0, math.floor(passed)))


def _rule(width: int) -> Text:
    return Text("─" * width, style="dim")


def _line(parts: list[tuple[str, str]], width: int) -> Text:
    """One line of exactly the given pieces, cut to the width; nothing in it commands the terminal."""
    text = Text(no_wrap=True, overflow="crop")
    room = width
    for said, style in parts:
        cut = fit(plain(said), room)
        text.append(cut, style)
        room -= Text(cut).cell_len
    return text
