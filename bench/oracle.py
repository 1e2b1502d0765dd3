"""The deterministic oracle: scripted deployments on a virtual clock, through the real engine, worker, conductor and
judge, each verdict held against what users met (`tests.oracle.truth` defines it).

`python -m bench.oracle [--deployments 1000] [--seed N] [--processes 2]`. Two thirds of the deployments leave the
harness undisturbed; in the others it is paused and its workers are killed. Ends with 1 if any verdict was wrong.
"""

import argparse
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.claims import Claim, conclude
from tests.oracle.deployment import play
from tests.oracle.script import Dice, Script, draw
from tests.oracle.truth import Truth

NEVER_READY = 4
_MOST_INCONCLUSIVE = 0.02  # of the undisturbed ones
_SHOWN = 20


@dataclass(frozen=True)
class Row:
    """What one deployment came to."""

    script: Script
    verdict: str
    ticks: int
    either: int  # ticks whose truth is either
    definite: bool  # the truth leaves no doubt
    wrong: tuple[str, ...]
    reasons: tuple[str, ...]


def play_one(seed: int, number: int) -> Row:
    """Play, and compare."""
    script = draw(Dice(f"{seed}/{number}"))
    played = play(script)
    verdict = played.verdict
    if verdict.exit_code == NEVER_READY:
        return Row(script, "never ready", 0, 0, True, (), tuple(verdict.reasons))
    truth = Truth(played)
    return Row(
        script,
        str(verdict.verdict),
        len(truth.ticks),
        truth.indefinite,
        truth.definite(),
        tuple(truth.wrong()),
        tuple(verdict.reasons),
    )


def summary(rows: list[Row], seconds: float) -> dict[str, Any]:
    """The figures."""
    undisturbed = [row for row in rows if row.script.undisturbed]
    unsure = sum(row.verdict == "inconclusive" for row in undisturbed)
    return {
        "deployments": len(rows),
        "ticks": sum(row.ticks for row in rows),
        "wrong": sum(bool(row.wrong) for row in rows),
        "verdicts": dict(Counter(row.verdict for row in rows)),
        "undisturbed": dict(Counter(row.verdict for row in undisturbed)),
        "disturbed": dict(Counter(row.verdict for row in rows if not row.script.undisturbed)),
        "undisturbed_inconclusive_share": round(unsure / max(1, len(undisturbed)), 4),
        "truth_definite": sum(row.definite for row in rows),
        "ticks_either_way": sum(row.either for row in rows),
        "faults": dict(Counter(fault.kind for row in rows for fault in row.script.faults)),
        "seconds": round(seconds, 1),
        "deployments_per_second": round(len(rows) / seconds, 2),
    }


def claims_of(figures: dict[str, Any]) -> list[Claim]:
    """What issue and design demand."""
    share = figures["undisturbed_inconclusive_share"]
    disturbed = ", ".join(f"{count} {name.upper()}" for name, count in figures["disturbed"].items())
    return [
        Claim(
            "wrong verdicts or judgements", "0", f"{figures['wrong']} of {figures['deployments']}", not figures["wrong"]
        ),
        Claim(
            "INCONCLUSIVE of the undisturbed",
            f"<= {_MOST_INCONCLUSIVE:.0%}",
            f"{share:.1%}; disturbed: {disturbed}",
            share <= _MOST_INCONCLUSIVE,
        ),
    ]


def main() -> None:
    """Play, tell, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deployments", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(arguments.processes) as pool:
        rows = list(pool.map(partial(play_one, arguments.seed), range(arguments.deployments), chunksize=10))
    figures = summary(rows, time.monotonic() - began)
    for row in [row for row in rows if row.wrong][:_SHOWN]:
        print(f"WRONG {row.script}", *row.wrong, sep="\n    ")
    for row in [row for row in rows if row.script.undisturbed and row.verdict == "inconclusive"][:_SHOWN]:
        print(f"UNSURE {row.script}", *row.reasons, sep="\n    ")
    print(figures)
    conclude("oracle", claims_of(figures), {"seed": arguments.seed, "summary": figures})


if __name__ == "__main__":
    main()
