"""From what a run's workers and conductor said to its verdict: `judge(brief, ledger) -> Verdict`, pure.

The figures come from `harness.statistics`; here they are held against the objectives (design §7) and laid out as
`verdict.json` has them. The conductor's run and `harness.run.rebuild` both end here.
"""

from collections.abc import Iterator, Mapping

from harness.brief import Brief
from harness.figures import count, tally
from harness.judge.decide import decide
from harness.judge.evidence import harness_report, weaknesses
from harness.judge.objective import judge_objective
from harness.judge.phase import moments, phase_reports
from harness.judge.runner import runner_report
from harness.statistics.kinds import DEGRADED
from harness.statistics.ledger import Ledger
from harness.statistics.outages import by_component
from harness.statistics.phases import moments_of
from harness.statistics.placement import Placement
from harness.statistics.view import View, view_of
from harness.verdict import Decision, Verdict

NEVER_READY = 4

__all__ = ["judge"]


def judge(brief: Brief, ledger: Ledger) -> Verdict:
    """The verdict on what the ledger has gathered. The ledger is not changed."""
    judged = ledger.judged
    if judged is None:
        return _never_ready(brief, ledger)
    begin, end = judged
    placement = ledger.placement()
    views = {runner.name: view_of(ledger, runner.name, begin, end) for runner in brief.runners}
    objectives = [judge_objective(views[objective.runner], objective, placement) for objective in brief.objectives]
    weak = weaknesses(brief, ledger, views)
    code = ledger.command.code if ledger.command is not None else None
    decided = decide(objectives, weak, code)
    return Verdict(
        run=brief.run,
        attempt=brief.attempt,
        started=placement.iso(0.0),
        ready=placement.iso(begin),
        ended=placement.iso(end),
        seconds=end - begin,
        verdict=decided.decision,
        exit_code=decided.exit_code,
        reasons=list(decided.reasons),
        stopped_by=_stopped_by(ledger),
        command_exit=code,
        objectives=objectives,
        runners=[runner_report(view, placement, f"{brief.run}/{brief.attempt}") for view in views.values()],
        phases=phase_reports(ledger.phases(), views, placement),
        moments=moments(moments_of(ledger.marks), placement),
        warnings=[*brief.warnings, *decided.warnings, *_degraded(views, placement)],
        harness=harness_report(brief, ledger),
    )


def _degraded(views: Mapping[str, View], placement: Placement) -> Iterator[str]:
    """Good with a warning: what was answered without all that was asked for, by whose doing, and when."""
    for name, view in views.items():
        stretches = [stretch for stretch in view.all_stretches if stretch.kind in DEGRADED]
        if stretches and view.brief.degraded_is_good:
            begin, end = (placement.clock(view.axis.time(tick)) for tick in (stretches[0].first, stretches[-1].last))
            when = f"at {begin}" if view.degraded == 1 else f"from {begin} to {end}"
            yield (
                f"{name}: {count(view.degraded)} of {count(view.planned)} degraded, answered without all that was "
                f"asked for ({tally(by_component(stretches))}), {when}"
            )


def _stopped_by(ledger: Ledger) -> str:
    if ledger.stops:
        return ledger.stops[0].by
    return "nothing in order: it was interrupted" if ledger.closed is None else ""


def _never_ready(brief: Brief, ledger: Ledger) -> Verdict:
    """Nothing was counted: what was wrong before the run is no failure of the deployment."""
    placement = ledger.placement()
    reason = "it was interrupted before it was ready"
    if ledger.never_ready is not None:
        reason = ledger.never_ready.reason
    code = ledger.command.code if ledger.command is not None else None
    return Verdict(
        run=brief.run,
        attempt=brief.attempt,
        started=placement.iso(0.0),
        ready=None,
        ended=placement.iso(max(0.0, ledger.heard_at)),
        seconds=0.0,
        verdict=Decision.INCONCLUSIVE,
        exit_code=NEVER_READY,
        reasons=[reason],
        stopped_by=_stopped_by(ledger),
        command_exit=code,
        objectives=[],
        runners=[],
        phases=[],
        warnings=list(brief.warnings),
        harness=harness_report(brief, ledger),
    )
