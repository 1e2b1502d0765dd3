"""What was counted in each phase of the pipeline. Pure."""

from collections.abc import Iterable, Mapping

from harness.statistics.kinds import UNKNOWN
from harness.statistics.outages import outages, ticks_in
from harness.statistics.phases import Phase
from harness.statistics.placement import Placement
from harness.statistics.view import View, within
from harness.verdict import PhaseReport


def phase_reports(phases: Iterable[Phase], views: Mapping[str, View], placement: Placement) -> list[PhaseReport]:
    """In order of their begins."""
    return [
        PhaseReport(
            name=phase.name,
            start=placement.iso(phase.begin),
            end=placement.iso(phase.end) if phase.end is not None else None,
            runners={name: _figures(view, phase) for name, view in views.items()},
        )
        for phase in phases
    ]


def _figures(view: View, phase: Phase) -> dict[str, float | None]:
    """Of the ticks intended in the phase; outages whole, wherever they touch it (seconds)."""
    planned, stretches = within(view, phase.begin, phase.end)
    unknown = ticks_in(stretch for stretch in stretches if stretch.kind in UNKNOWN)
    failed = ticks_in(stretches) - unknown
    known = planned - unknown
    touched = [
        spell.seconds
        for spell in outages(view.axis, view.stretches)
        if phase.touches(view.axis.time(spell.parts[0].first - 1), view.axis.end if spell.end is None else spell.end)
    ]
    return {
        "planned": planned,
        "failed": failed,
        "unknown": unknown,
        "success": (known - failed) / known if known else None,
        "longest_outage": max(touched, default=0.0),
    }
