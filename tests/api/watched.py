"""`cf-harness run` as a process, with something happening to the platform while it watches."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.sandbox import Sandbox
from harness.verdict import Outage, RunnerReport, Verdict
from tests.api.foundation_plan import asked
from tests.cli.commanding import Ended, Going, environment
from tests.worker.process import until


def watched(folder: Path, environ: Mapping[str, str], meanwhile: Callable[[], None]) -> Ended:
    """Run the plan in a folder; once it is ready `meanwhile` is done, and then it is stopped by TERM."""
    words = ("run", "plan.yml", "--format", "json")
    run = Going(folder, words, environment(**{"CF_HOME": str(folder), **environ}))
    try:
        run.until_said("ready, judging")
        meanwhile()
        run.process.send_signal(signal.SIGTERM)
    except BaseException:
        run.process.kill()
        raise
    finally:
        ended = run.ended()
    assert "Traceback" not in ended.err
    return ended


def await_answers(sandbox: Sandbox, path: str, more: int, status: int = 200) -> None:
    """Until so many more requests for a path were answered with this status."""

    def answered() -> int:
        return sum(line["path"] == path and line["status"] == status for line in asked(sandbox))

    wanted = answered() + more
    until(lambda: answered() >= wanted)


def report_of(verdict: Verdict, name: str) -> RunnerReport:
    """Of one runner."""
    (report,) = [report for report in verdict.runners if report.name == name]
    return report


def the_outage(report: RunnerReport) -> Outage:
    """The only one."""
    assert report.outages_total == 1, report.outages
    return report.outages[0]
