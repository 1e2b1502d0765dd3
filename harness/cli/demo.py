"""The verb `demo`: two deployments of the sandbox, watched and judged. One nobody notices, the other users and
developers do.

Each step of a deployment is handed to the run as a mark, so that an outage stands beside the step that caused it.
"""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.cli import INCONCLUSIVE
from harness.cli.closing import closing, went_wrong
from harness.cli.deliver import show
from harness.cli.deployment import Deployment
from harness.cli.run import Wishes, watched
from harness.plan import load_plan
from harness.report import REPORTS
from harness.report.layout import WIDTH, wrap
from harness.run import RunError, RunHandle
from harness.run_folder import write_whole
from harness.sandbox import Sandbox, SandboxConfig, Step
from harness.verdict import Decision, Verdict

PLAN = """\
# The plan of `cf-harness demo`: users on kept-alive and on fresh connections, and developers who call the API.
# CF_CLIENT_ID and CF_CLIENT_SECRET say as whom; the demo's own are made anew for each sandbox.
runners:
  - {{name: app, url: "{url}", rate: 50/s}}
  - {{name: app-fresh, url: "{url}", rate: 20/s, connections: fresh}}
  - {{name: list-apps, probe: cf-api, api: "{api}", operation: list-apps, rate: 2/s}}
  - {{name: app-stats, probe: cf-api, api: "{api}", operation: app-stats, app: {app}, rate: 2/s}}
  - {{name: login, probe: cf-api, api: "{api}", operation: login, rate: 2/s}}
objectives:
  - success >= 99.9%
  - {{objective: longest_outage < 250ms, runner: app}}
  - {{objective: longest_outage < 250ms, runner: app-fresh}}
"""
_APIS = 2  # Cloud Controllers


@dataclass(frozen=True)
class Part:
    """One deployment, and what should come of it."""

    title: str
    story: str
    groups: tuple[tuple[Step, ...], ...]  # steps of a group overlap
    expected: Decision


PARTS = (
    Part(
        "1 of 2: a rolling deployment, with drain",
        "Two routers are restarted, one after the other. Each one first tells the load balancer that it is leaving, "
        "waits until that is known, and finishes what it has begun. Users call an app meanwhile, developers the API. "
        "Nobody should notice.",
        tuple(
            (Step(do="restart", target=f"router/{number}", name=f"restart router/{number}", drain_wait=1.0),)
            for number in range(2)
        ),
        Decision.PASS,
    ),
    Part(
        "2 of 2: the same, without drain",
        "Now drain_wait is 0, and the second restart begins before the first one is over. Then UAA, of which there is "
        "only one, restarts too. Users and developers should notice, and the report should say who, when, why, and "
        "during which step.",
        (
            tuple(
                Step(do="restart", target=f"router/{number}", name=f"restart router/{number}", drain_wait=0.0, down=0.6)
                for number in range(2)
            ),
            (Step(do="restart", target="uaa", name="restart uaa", down=1.5),),
        ),
        Decision.FAIL,
    ),
)


def show_demo(runs_dir: Path, *, quiet: bool, live: bool | None) -> int:
    """Returns 0 if both verdicts were as they should be. Raises HarnessError if it can't begin."""
    file = runs_dir / "demo.yml"
    verdicts: list[Verdict] = []
    for part in PARTS:
        _say("", f"── {part.title} ".ljust(WIDTH, "─"), *wrap(part.story, WIDTH), "")
        verdict = _play(part, file, Wishes(runs_dir=runs_dir, quiet=quiet, live=live))
        _say(*REPORTS["text"](verdict).splitlines())
        verdicts.append(verdict)
        if "SIG" in verdict.stopped_by:
            _say("", "You stopped it, and saw the verdict on what there was.")
            return INCONCLUSIVE
    _say("", "─" * WIDTH, *closing(verdicts, runs_dir, file, _program()))
    wrong = went_wrong(verdicts, [part.expected for part in PARTS])
    if wrong:
        _say("", *wrap(wrong, WIDTH))
        return INCONCLUSIVE
    return 0


def _play(part: Part, file: Path, wishes: Wishes) -> Verdict:
    """One deployment of a sandbox of its own, from readiness to a little after its end."""
    handle = RunHandle()
    with Sandbox(SandboxConfig(api=_APIS), on_step=handle.mark) as sandbox:
        _write_plan(file, sandbox)
        identity = {"CF_CLIENT_ID": sandbox.client_id, "CF_CLIENT_SECRET": sandbox.client_secret}
        with Deployment(sandbox, part.groups, handle) as deployment:
            verdict = watched(
                load_plan(file), wishes, handle=handle, also=(deployment,), environ={**os.environ, **identity}
            )
    return verdict


def _program() -> str:
    """How the shell finds this program: by its name, or, as after `make demo`, by its path alone."""
    if shutil.which("cf-harness"):
        return "cf-harness"
    path = Path(sys.argv[0])
    if path.name != "cf-harness":
        return "python -m harness"
    return shlex.quote(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))


def _write_plan(file: Path, sandbox: Sandbox) -> None:
    text = PLAN.format(url=sandbox.url, api=sandbox.api, app=sandbox.app_name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text.encode())
    except OSError as error:
        raise RunError(f"can't write to {file.parent}: {error.strerror or error}; choose another --runs-dir") from error


def _say(*lines: str) -> None:
    show("".join(f"{line}\n" for line in lines), "text")
