"""What was counted in each phase of the pipeline, and the moments that it named. Pure."""

from collections.abc import Iterable, Mapping

from harness.events import Marked
from harness.histogram import Histogram, merge_into
from harness.judge.quantiles import quantile
from harness.statistics.kinds import UNKNOWN
from harness.statistics.narrow import narrowed
from harness.statistics.outages import Spell, outages, ticks_in
from harness.statistics.phases import Phase
from harness.statistics.placement import Placement
from harness.statistics.view import View, within
from harness.verdict import Moment, PhaseReport


def phase_reports(phases: Iterable[Phase], views: Mapping[str, View], placement: Placement) -> list[PhaseReport]:
    """In order of their begins."""
    spells = {name: outages(view.axis, view.stretches) for name, view in views.items()}
    return [
        PhaseReport(
            name=phase.name,
            start=placement.iso(phase.begin),
            end=placement.iso(phase.end) if phase.end is not None else None,
            within=phase.within,
            source=phase.source,
            runners={name: _figures(view, spells[name], phase) for name, view in views.items()},
        )
        for phase in phases
    ]


def moments(marks: Iterable[Marked], placement: Placement) -> list[Moment]:
    """In order of time."""
    return [Moment(name=mark.name, at=placement.iso(mark.at)) for mark in marks]


def _figures(view: View, spells: Iterable[Spell], phase: Phase) -> dict[str, float | None]:
    """Of the ticks intended in the phase; latencies (seconds) of the whole seconds that it touches; outages whole,
    wherever they touch it (seconds)."""
    planned, stretches = within(view, phase.begin, phase.end)
    unknown = ticks_in(stretch for stretch in stretches if stretch.kind in UNKNOWN)
    failed = ticks_in(stretches) - unknown
    known = planned - unknown
    latency = _latency(view, phase)
    touched = [
        spell.seconds
        for spell in spells
        if phase.touches(view.axis.time(spell.parts[0].first - 1), view.axis.end if spell.end is None else spell.end)
    ]
    return {
        "planned": planned,
        "failed": failed,
        "unknown": unknown,
        "success": (known - failed) / known if known else None,
        "p50": quantile(latency, 0.5),
        "p95": quantile(latency, 0.95),
        "p99": quantile(latency, 0.99),
        "outages": len(touched),
        "longest_outage": max(touched, default=0.0),
    }


def _latency(view: View, phase: Phase) -> Histogram:
    part = narrowed(view, phase)
    latency: Histogram = {}
    if part is not None:
        for second in part.told(0, part.seconds):
            merge_into(latency, second.whole_latency())
    return latency
