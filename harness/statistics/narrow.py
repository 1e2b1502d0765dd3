"""A part of the judged time as a view of its own: what an objective on a phase is judged by. Pure."""

import math
from collections.abc import Iterator
from dataclasses import replace

from harness.statistics.outages import Axis, clusters, cut_to
from harness.statistics.phases import Phase
from harness.statistics.view import View


def narrowed(view: View, phase: Phase) -> View | None:
    """The whole seconds that the phase touches; None: none that were judged."""
    axis = view.axis
    begin = max(axis.begin, axis.begin + math.floor(phase.begin - phase.within - axis.begin))
    end = axis.end
    if phase.end is not None:
        end = min(axis.end, axis.begin + math.ceil(phase.end + phase.within - axis.begin))
    return _cut(view, begin, end) if begin < end else None


def widened(view: View, part: View) -> View:
    """A part of a view up to the ends of the outages that its edges cut: they are judged whole."""
    begin, end = part.axis.begin, part.axis.end
    while True:
        before = begin, end
        for first, beyond in _stretches_of_trouble(view):
            if first < end and beyond > begin:
                begin = min(begin, max(view.axis.begin, view.axis.begin + math.floor(first - view.axis.begin)))
                end = max(end, min(view.axis.end, view.axis.begin + math.ceil(beyond - view.axis.begin)))
        if (begin, end) == before:
            return _cut(view, begin, end)


def _stretches_of_trouble(view: View) -> Iterator[tuple[float, float]]:
    """From the good tick before to the second one after, so that each outage keeps its bounds."""
    axis = view.axis
    for cluster in clusters(view.stretches):
        yield axis.time(cluster[0].first - 1), axis.time(cluster[-1].last + 2)
    known, possible = view.silences
    for quiet in (known, possible):
        if quiet is not None:
            yield quiet.begin, quiet.end


def _cut(view: View, begin: float, end: float) -> View:
    whole = view.axis
    first, stop = whole.tick_from(begin), whole.tick_from(end) if end < whole.end else whole.stop
    return replace(
        view,
        axis=Axis(whole.rate, first, max(first, stop), begin, end, whole.offset),
        all_stretches=tuple(cut_to(view.all_stretches, first, stop)),
        stretches=tuple(cut_to(view.stretches, first, stop)),
        blind=tuple(cut_to(view.blind, first, stop)),
    )
