"""Whether the harness's own word can be taken: its state as a report, and the weaknesses for which nothing may pass.
Pure."""

from collections.abc import Mapping

from harness.brief import Brief
from harness.figures import count, seconds, share
from harness.histogram import Histogram, merge_into
from harness.judge.quantiles import quantiles
from harness.statistics.indicators import MIN_ATTEMPTS
from harness.statistics.ledger import Ledger
from harness.statistics.outages import ticks_in
from harness.statistics.view import View
from harness.verdict import HarnessReport

_FAR_FEWER = 0.5  # of the planned ticks unknown: no warn-only plan passes on that either


def weaknesses(brief: Brief, ledger: Ledger, views: Mapping[str, View]) -> list[str]:
    """Why no PASS can be given, whatever the objectives say; empty if the evidence holds."""
    found = [problem.text for problem in ledger.problems if problem.spoils]
    if ledger.closed is None:
        end = ledger.placement().clock(ledger.heard_at)
        found.append(f"the run was interrupted: its journal ends at {end} without a stop")
    judged = ledger.judged
    length = judged[1] - judged[0] if judged is not None else 0.0
    if length < brief.min_seconds:
        found.append(f"it was judged over {seconds(length)}, and the plan wants {seconds(brief.min_seconds)} at least")
    for name, view in views.items():
        found += _of_runner(name, view)
    slept = sum(one.seconds for one in ledger.suspensions if judged is not None and one.at >= judged[0])
    if slept > min(brief.max_blind_stretch, brief.max_blind_share * length):
        found.append(f"the machine slept for {seconds(slept)}, in which nothing was watched")
    return found


def _of_runner(name: str, view: View) -> list[str]:
    ended = view.succeeded + view.failed
    if ended < MIN_ATTEMPTS:
        return [f"{name}: {count(ended)} attempts came to an end, {MIN_ATTEMPTS} are needed to say anything"]
    unknown = sum(view.unknown.values()) - ticks_in(view.blind)
    if unknown > _FAR_FEWER * view.planned:
        return [f"{name}: {share(unknown / view.planned)} of its planned attempts are unknown"]
    told, by_ticks = view.book.good_told, view.book.good_by_ticks()
    if told != by_ticks:
        return [f"{name}: its seconds tell of {count(told)} good answers, its ticks of {count(by_ticks)}"]
    return []


def harness_report(brief: Brief, ledger: Ledger) -> HarnessReport:
    """The harness's own state."""
    books = ledger.runners.values()
    canary: Histogram = {}
    for book in books:
        merge_into(canary, book.canary)
    return HarnessReport(
        version=brief.version,
        python=brief.python,
        workers=len({worker.pid for worker in ledger.started if worker.incarnation == 0}),  # an API's runners share one
        restarts=len({worker.pid for worker in ledger.started if worker.incarnation > 0}),
        cpu_seconds=ledger.closed.cpu_seconds if ledger.closed is not None else 0.0,
        peak_rss_bytes=ledger.closed.peak_rss_bytes if ledger.closed is not None else 0,
        clock_drift=ledger.placement().drift(),
        canary=quantiles(canary),
        wake_gap=max((book.vital.wake_gap for book in books), default=0.0),
        paused_seconds=sum(book.vital.paused for book in books),
        steal=max((book.vital.steal for book in books), default=0.0),
        timer=next((book.timer for book in books if book.timer), ""),
        problems=_problems(ledger),
    )


def _problems(ledger: Ledger) -> list[str]:
    placement = ledger.placement()
    said = [problem.text for problem in ledger.problems]
    said += [
        f"the worker {death.runner}/{death.shard} ended at {placement.clock(death.at)}: {death.how}"
        for death in ledger.deaths
    ]
    said += [
        f"the machine slept for {seconds(one.seconds)} before {placement.clock(one.at)}" for one in ledger.suspensions
    ]
    return list(dict.fromkeys(said))
