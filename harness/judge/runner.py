"""One runner's part of the verdict: everything counted about it. Pure."""

from harness.figures import rate as rate_text
from harness.figures import seconds as seconds_text
from harness.frames import Address
from harness.histogram import Histogram, merge_into
from harness.judge.objective import phases_of_spell
from harness.judge.quantiles import quantile, quantiles
from harness.outcome import Cause
from harness.statistics.interval import may_have_missed_per_hour, success_interval
from harness.statistics.kinds import UNKNOWN
from harness.statistics.outages import Spell, by_cause, by_component, outages, ticks_in
from harness.statistics.placement import Placement
from harness.statistics.runner import Kept
from harness.statistics.view import View
from harness.verdict import AddressReport, Example, Outage, RunnerReport, SecondCell, SilenceStretch

OUTAGES_KEPT = 100
EXAMPLES_KEPT = 100
_EXAMPLES_OF_A_CAUSE = 20
_CELLS = 1800  # of the strip: a longer run's seconds are merged
_NOT_CONNECTIONS = frozenset({"retried", "bytes_read"})


def runner_report(view: View, placement: Placement, seed: str) -> RunnerReport:
    """`seed`: of the bootstrap, so that a report made again is the same."""
    brief, book, axis = view.brief, view.book, view.axis
    totals = book.seconds.totals()
    length = axis.end - axis.begin
    unknown = sum(view.unknown.values())
    attempts = min(view.planned, view.whole.sent)
    ended = view.succeeded + view.failed
    counts = view.counts(view.stretches)
    spells = outages(axis, view.stretches)
    longest = sorted(sorted(spells, key=lambda spell: -spell.high)[:OUTAGES_KEPT], key=lambda spell: spell.start)
    bad = [stretch for stretch in view.stretches if stretch.kind not in UNKNOWN]
    watched = (view.planned - unknown) * axis.spacing
    return RunnerReport(
        name=brief.name,
        probe=brief.probe,
        target=brief.target,
        rate=brief.rate,
        rate_achieved=attempts / length if length > 0 else 0.0,
        planned=view.planned,
        attempts=attempts,
        succeeded=view.succeeded,
        degraded=view.degraded,
        failed=view.failed,
        missed=view.unknown.get(Cause.MISSED, 0),
        unknown=view.unknown,
        blind_seconds=ticks_in(view.blind) * axis.spacing,
        retried=book.counters.get("retried", 0),
        success_rate=view.succeeded / ended if ended else None,
        success_bounds=(
            (view.succeeded / view.planned, (view.succeeded + unknown) / view.planned) if view.planned else None
        ),
        success_interval=success_interval(counts.good, counts.bad, f"{seed}/{brief.name}"),
        may_have_missed_per_hour=may_have_missed_per_hour(watched) if not view.failed else None,
        causes=by_cause(bad),
        components=by_component(bad),
        statuses={str(status): number for status, number in sorted(totals.statuses.items())},
        addresses={name: _address(at) for name, at in sorted(totals.addresses.items())},
        connections={name: n for name, n in sorted(book.counters.items()) if name not in _NOT_CONNECTIONS},
        latency=quantiles(view.latency),
        latency_low=quantiles(view.latency_low),
        service=quantiles(totals.whole_service()),
        lag=quantiles(totals.lag),
        stages={name: quantiles(histogram) for name, histogram in book.stage_times().items()},
        outages=[_outage(view, spell, placement) for spell in longest],
        outages_total=len(spells),
        silence=_silence(view, placement),
        examples=_examples(view, placement),
        strip=_strip(view),
        sees=f"at {rate_text(brief.rate)} an outage shorter than {seconds_text(axis.spacing)} may pass unseen",
    )


def _address(at: Address) -> AddressReport:
    """A degraded answer is among the good ones and among the causes."""
    return AddressReport(
        attempts=at.good + sum(at.causes.values()) - at.causes.get(Cause.DEGRADED, 0),
        succeeded=at.good,
        causes=dict(at.causes),
        latency=quantiles(at.latency),
    )


def _outage(view: View, spell: Spell, placement: Placement) -> Outage:
    bad = [part for part in spell.parts if part.kind not in UNKNOWN]
    first, last = spell.parts[0].first, spell.parts[-1].last
    addresses: dict[str, int] = {}
    for example in view.book.examples:
        if first <= example.tick <= last and example.outcome.address:
            addresses[example.outcome.address] = addresses.get(example.outcome.address, 0) + 1
    return Outage(
        start=placement.iso(spell.start),
        end=placement.iso(spell.end) if spell.end is not None else None,
        offset=spell.start - view.axis.begin,
        seconds=spell.seconds,
        seconds_low=spell.low,
        seconds_high=spell.high,
        failures=spell.failures,
        causes=by_cause(bad),
        components=by_component(bad),
        addresses=addresses,
        phases=phases_of_spell(view, spell),
    )


def _silence(view: View, placement: Placement) -> SilenceStretch | None:
    known, possible = view.silences
    longest = possible if possible is not None else known
    if longest is None:
        return None
    return SilenceStretch(
        start=placement.iso(longest.begin),
        end=placement.iso(longest.end),
        seconds=longest.seconds,
        seconds_low=known.seconds_low if known is not None else 0.0,
    )


def _examples(view: View, placement: Placement) -> list[Example]:
    """Some of each cause, in order of time."""
    of_cause: dict[str, int] = {}
    chosen: list[Kept] = []
    for kept in view.book.examples:
        if not view.axis.first <= kept.tick < view.axis.stop:
            continue
        cause = str(kept.outcome.cause)
        of_cause[cause] = of_cause.get(cause, 0) + 1
        if of_cause[cause] <= _EXAMPLES_OF_A_CAUSE:
            chosen.append(kept)
    chosen = sorted(chosen[:EXAMPLES_KEPT], key=lambda kept: kept.tick)
    return [
        Example(
            at=placement.iso(view.axis.time(kept.tick)),
            tick=kept.tick,
            cause=str(kept.outcome.cause),
            component=str(kept.outcome.component or ""),
            seconds=kept.outcome.latency,
            address=kept.outcome.address,
            fresh=kept.outcome.fresh,
            status=kept.outcome.status,
            request_id=kept.outcome.request_id,
            detail=kept.outcome.detail,
            component_evidence=kept.outcome.evidence,
        )
        for kept in chosen
    ]


def _strip(view: View) -> list[SecondCell]:
    counts = view.counts(view.stretches)
    step = -(-view.seconds // _CELLS)
    cells = []
    for begin in range(0, view.seconds, step):
        end = min(view.seconds, begin + step)
        latency: Histogram = {}
        for second in view.told(begin, end):
            merge_into(latency, second.whole_latency())
        cells.append(
            SecondCell(
                offset=begin,
                seconds=end - begin,
                good=sum(counts.good[begin:end]),
                bad=sum(counts.bad[begin:end]),
                unknown=sum(counts.unknown[begin:end]),
                p50=quantile(latency, 0.5),
                p99=quantile(latency, 0.99),
            )
        )
    return cells
