"""Writes docs/api-faults.md from the table that the tests play, so that it says what was shown: `make docs`."""

import sys
from pathlib import Path

from harness.outcome import Cause
from harness.units import show_duration
from tests.api.faults import LENGTH, OPERATIONS, PLATFORMS, TIMEOUT, Fault, Platform
from tests.api.played import NEAR, RATE

OUT = Path(__file__).with_name("api-faults.md")

_TOP = f"""# What each operation tells of each fault

`tox -e long` breaks the sandbox in each of these ways, for {show_duration(LENGTH)} or longer, under one run of
all operations at {RATE:g}/s each, with a timeout of {show_duration(TIMEOUT)}, one call slot each, and a UAA client that
has `cloud_controller.admin_read_only`. Each cell is held against what the run tells: the cause and the component of
every attempt intended while the fault lasts, and one outage from its begin to its end by the sandbox's truth log, give
or take {NEAR:g} s, which is one tick, and 0.1 s for the step to strike. In an empty cell not one attempt is harmed, and
all are sent on schedule. `make docs` writes this page from the table that those tests read (`tests/api/faults.py`).

A cell names the cause, then the component that said no; [causes](causes.md) tells what they mean.

- *silence*: of attempts that had the call slot; those that waited for it meanwhile are `pool_limit`, unknown. What
  stalls and is answered in time as the fault ends went well: the outage ends up to the timeout earlier.
- `target`: no part can be told from another.
- `throttled` is the harness's own mistake: attempts are unknown, there is no outage, and the runner holds back for as
  long as it was asked to, beyond the fault's end. The component is who asked.
- `degraded` is good, with a warning, unless the plan says `degraded: bad`.
- (?) names the likeliest component, and its evidence says that silence does not tell. Here it is another.
- Killed Cloud Controllers are started one after the other as the fault ends: the outage ends when the first is back.
- An operation under way as a fault begins tells of the call that it is at; `python -m bench.attribution` judges those.
"""


def matrix() -> str:
    """The whole text of docs/api-faults.md."""
    return "\n".join([_TOP, *map(_section, PLATFORMS)])


def _section(platform: Platform) -> str:
    lines = [f"## {platform.title}", ""]
    lines += [_row(["fault", "step of the sandbox", "what a client sees", *(f"`{name}`" for name in OPERATIONS)])]
    lines += ["|" + " --- |" * (len(OPERATIONS) + 3)]
    lines += [_row([fault.name, _step(fault), fault.words, *_cells(fault)]) for fault in platform.faults]
    return "\n".join([*lines, ""])


def _cells(fault: Fault) -> list[str]:
    return [_cell(fault, operation) for operation in OPERATIONS]


def _cell(fault: Fault, operation: str) -> str:
    sign = fault.signs.get(operation)
    if sign is None:
        return ""
    guess = " (?)" if operation in fault.guesses else ""
    return f"`{sign.cause}` {sign.component}{guess}" + (", silence" if sign.cause is Cause.TOTAL_TIMEOUT else "")


def _step(fault: Fault) -> str:
    step = fault.step
    more = {"code": step.code, "error": step.error, "by": step.by and show_duration(step.by)}
    told = "".join(f", {key}: {value}" for key, value in more.items() if value)
    if step.do == "wrong_certificate":
        told += f", certificate: {step.certificate}"
    return f"`do: {step.do}, target: {step.target}{told}`"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        print(matrix(), end="")
    else:
        OUT.write_text(matrix(), encoding="utf-8")
