"""Attribution: which part of the platform said no, at any moment; and whether its neighbours are left alone.

`python -m bench.attribution [--trials 2000] [--seed 1]`. Faults, operations and signs are those of `docs/api-faults.md`
(`tests.api.faults`); `tests.api.trials` makes the trials. An answer is right if it names the cause and the component of
the table. One that names nobody (`target`) is wrong wherever the table names somebody, and a guess that is wrong counts
as wrong, though its evidence says that it is one. At the edges of a fault an operation may also have gone well; nine of
ten trials begin so early that the fault outlasts them.

Besides, Diego's BBS stands still for 60 s under a run: those operations that don't need it must not notice.
"""

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.claims import Claim, conclude
from harness.outcome import Component
from tests.api.faults import BEHIND, OPERATIONS, Platform
from tests.api.played import Played, play
from tests.api.trials import Judged, draw, judge

_DEMANDED = 0.99
_STALL = 60.0  # seconds
_LAG = 0.02  # seconds
_SHOWN = 40


def _words(one: Judged) -> str:
    told = "nothing" if one.told is None else f"{one.told.cause} at {one.told.component}"
    return f"{one.trial.fault.name} / {one.trial.operation} at {one.trial.moment:.2f} s: {told}: {one.words}"


def _attribution(judged: list[Judged], seconds: float) -> tuple[dict[str, Any], list[Claim]]:
    wrong = [one for one in judged if not one.right]
    share = 1 - len(wrong) / len(judged)
    figures = {
        "trials": len(judged),
        "inside": sum(one.inside for one in judged),
        "harmed": sum(one.told is not None for one in judged),
        "wrong": len(wrong),
        "right_share": round(share, 5),
        "nobody_could_tell": sum(
            one.right and one.told is not None and one.told.component is Component.TARGET for one in judged
        ),
        "told": dict(Counter("nothing" if one.told is None else str(one.told.component) for one in judged)),
        "wrong_ones": [_words(one) for one in wrong[:_SHOWN]],
        "seconds": round(seconds, 1),
    }
    claim = Claim(
        "the right component and cause",
        f">= {_DEMANDED:.0%} of {len(judged):,} trials",
        f"{share:.2%}: {len(wrong)} wrong",
        share >= _DEMANDED,
    )
    return figures, [claim]


def _stall() -> tuple[dict[str, Any], list[Claim]]:
    (silent,) = (fault for fault in BEHIND.faults if fault.name == "Diego's BBS silent")
    fault = replace(silent, length=_STALL)
    with tempfile.TemporaryDirectory() as folder:
        played = play(Platform(title="a stall", faults=(fault,)), Path(folder))
    rows = {name: _row(played, name) for name in OPERATIONS}
    spared = [name for name in OPERATIONS if name not in fault.signs]
    bad = sum(rows[name]["not_good"] for name in spared)
    lag = max(rows[name]["lag_p99"] for name in OPERATIONS)
    window = played.windows[fault.name]
    what = f"Diego's BBS silent for {window.end - window.begin:.0f} s"
    claims = [
        Claim(f"{what}: {', '.join(spared)}", "not one attempt harmed", f"{bad} not good", bad == 0),
        Claim(f"{what}: schedule of all", f"p99 lag <= {_LAG * 1e3:.0f} ms", f"{lag * 1e3:.1f} ms", lag <= _LAG),
    ]
    return rows, claims


def _row(played: Played, operation: str) -> dict[str, Any]:
    ticks = list(played.ticks(operation))
    axis = played.axis(operation)
    return {
        "attempts": axis.stop - axis.first,
        "not_good": len(ticks),
        "causes": dict(Counter(f"{tick.sign.cause} at {tick.sign.component}" for tick in ticks)),
        "lag_p99": played.lag(operation),
    }


def main() -> None:
    """Try, tell, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    judged = judge(draw(arguments.seed, arguments.trials))
    figures, claims = _attribution(judged, time.monotonic() - began)
    for words in figures["wrong_ones"]:
        print("WRONG", words)
    stall, more = _stall()
    conclude("attribution", [*claims, *more], {"seed": arguments.seed, "attribution": figures, "stall": stall})


if __name__ == "__main__":
    main()
