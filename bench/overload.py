"""Overload is ours: asked for ten times what the machine can do, short of descriptors, short of ports.

`python -m bench.overload [--seconds 20]`. The last one makes a network namespace of its own (root), with twenty
ephemeral ports. Memory bounded: what all processes hold at the end of a run is within a tenth of what they held
half-way.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.claims import Claim, conclude
from bench.contender import Ours, ours
from bench.faulty import Faulty
from bench.target import nginx

_TEN_TIMES = 1_000_000  # per second; one core does less than a tenth
_GROWTH = 1.1


def _figures(verdict: dict[str, Any]) -> dict[str, Any]:
    runner = verdict["runners"][0] if verdict["runners"] else {}
    return {
        "code": verdict["exit_code"],
        "verdict": verdict["verdict"],
        "reasons": verdict["reasons"],
        "attempts": runner.get("attempts", 0),
        "failed": runner.get("failed", 0),
        "unknown": runner.get("unknown", {}),
        "problems": verdict["harness"]["problems"][:5],
    }


def _memory(run: Ours) -> dict[str, float]:
    cost = run.cost
    return {"pss_mb_half_way": cost.pss_middle / 1e6, "pss_mb_peak": cost.pss / 1e6, "worker_mb": cost.worker_rss / 1e6}


def _few_ports() -> dict[str, Any]:
    """A target and the harness in a namespace with twenty ports: fresh connections run out of them."""
    script = Path(__file__).parent / "few_ports.sh"
    done = subprocess.run(
        ["unshare", "--net", "bash", str(script), sys.executable], capture_output=True, text=True, check=False
    )
    try:
        return _figures(json.loads(done.stdout))
    except ValueError:
        raise RuntimeError(f"{script.name} ended with {done.returncode}: {done.stderr[-2000:]}") from None


def _ours_alone(what: str, row: dict[str, Any], cause: str) -> list[Claim]:
    """The verdict is INCONCLUSIVE for this cause, and the target is not blamed."""
    count = row["unknown"].get(cause, 0)
    reason = row["reasons"][0] if row["reasons"] else "no reason"
    named = count > 0 or (row["code"] == 4 and cause in reason)  # never ready: nothing is counted, the reason tells it
    shown = f"{row['verdict'].upper()} (exit {row['code']}): {reason}"
    blamed = f"{count} ticks, {row['failed'] or 'no'} failures of the target"
    return [
        Claim(what, "INCONCLUSIVE, with the reason", shown, row["verdict"] == "inconclusive"),
        Claim(f"{what}: {cause}", "named, and no failure", blamed, named and not row["failed"]),
    ]


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds
    figures: dict[str, Any] = {}
    claims: list[Claim] = []

    def told(name: str, row: dict[str, Any], more: list[Claim]) -> None:
        figures[name] = row
        claims.extend(more)
        print(name, json.dumps(row), flush=True)

    with nginx(1) as target:
        for words, workers in (("one worker", 1), ("two workers", 2)):
            run = ours(target.plain, _TEN_TIMES, seconds, core=None, workers=workers)
            row = {**_figures(run.verdict), **_memory(run)}
            what = f"1,000,000/s of {words}"
            half, peak = row["pss_mb_half_way"], row["pss_mb_peak"]
            bounded = Claim(
                f"{what}: memory", "bounded", f"{half:.0f} MB half-way, {peak:.0f} MB at most", peak <= _GROWTH * half
            )
            told(what, row, [*_ours_alone(what, row, "missed"), bounded])
    with Faulty(delay=0.5) as slow:
        limited = ("bash", "-c", 'ulimit -n 64; exec "$@"', "bash")
        run = ours(slow.url, 200, 8, core=None, wrapper=limited, connections="fresh")
        told("64 descriptors", row := _figures(run.verdict), _ours_alone("64 descriptors", row, "local_files"))
    if os.geteuid() == 0 and shutil.which("unshare"):
        told("20 ports", row := _few_ports(), _ours_alone("20 ports", row, "local_ports"))
    else:
        claims.append(
            Claim("20 ports", "INCONCLUSIVE, with the reason", "not measured: it wants root and unshare", False)
        )
    conclude("overload", claims, figures)


if __name__ == "__main__":
    main()
