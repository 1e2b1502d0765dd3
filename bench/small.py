"""What the harness costs at everyday rates: 10/s and 100/s for a minute each, and whether memory stays flat at 2,000/s.

`python -m bench.small [--minutes 20]`. CPU is that of every process, conductor included, between two moments of a run,
so that start and end are left out; memory is PSS of the whole tree, without the live view. Flat: the straight line
through PSS, the first quarter of the run left out, climbs by less than 5 % in an hour.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from bench import machine
from bench.claims import Claim, conclude
from bench.contender import Running, plan
from bench.target import nginx

_MAX_CORE, _MAX_PSS_MB, _MAX_CLIMB = 0.03, 150, 0.05


class Sample(NamedTuple):
    """The tree at a moment: seconds after its start, PSS (bytes), CPU so far (seconds)."""

    at: float
    pss: int
    cpu: float


def _watch(url: str, rate: float, seconds: float, every: float) -> list[Sample]:
    samples = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Running(plan(folder, url, rate, duration=seconds), folder) as run:
            began = time.monotonic()
            while (at := time.monotonic() - began) < seconds:
                time.sleep(every)
                pids = machine.tree(run.pid)
                samples.append(Sample(at + every, machine.pss(pids), machine.cpu_seconds(pids)))
            verdict = run.verdict()
    if verdict["verdict"] != "pass":
        print(f"at {rate:g}/s: {verdict['verdict']}: {verdict['reasons']}")
    return samples


def _figures(samples: list[Sample], skipped: float) -> dict[str, Any]:
    inside = [sample for sample in samples if sample.at >= skipped]
    first, last = inside[0], inside[-1]
    line = statistics.linear_regression([sample.at for sample in inside], [sample.pss for sample in inside])
    return {
        "seconds": last.at - first.at,
        "core_share": (last.cpu - first.cpu) / (last.at - first.at),
        "pss_mb_first": first.pss / 1e6,
        "pss_mb_last": last.pss / 1e6,
        "pss_mb_peak": max(sample.pss for sample in samples) / 1e6,
        "climb_mb_an_hour": line.slope * 3600 / 1e6,
        "climb_an_hour": line.slope * 3600 / first.pss,
        "pss_mb": [[round(s.at), round(s.pss / 1e6, 2)] for s in samples[:: max(1, len(samples) // 60)]],
    }


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="of the run at 2,000/s")
    parser.add_argument("--seconds", type=float, default=60, help="of the runs at 10/s and 100/s")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    claims = []
    with nginx(1) as target:
        for rate in (10, 100):
            row = figures[f"{rate}/s"] = _figures(_watch(target.plain, rate, arguments.seconds, 1.0), 5)
            core, pss = row["core_share"], row["pss_mb_peak"]
            claims.append(Claim(f"{rate}/s: CPU", "< 3 % of a core", f"{core:.2%}", core < _MAX_CORE))
            claims.append(Claim(f"{rate}/s: PSS of all processes", "< 150 MB", f"{pss:.0f} MB", pss < _MAX_PSS_MB))
            print(claims[-2].what, claims[-2].measured, claims[-1].measured, flush=True)
        seconds = arguments.minutes * 60
        row = figures["2000/s"] = _figures(_watch(target.plain, 2000, seconds, min(5.0, seconds / 40)), seconds / 4)
    measured = (
        f"{row['climb_an_hour']:+.1%} ({row['climb_mb_an_hour']:+.1f} MB) an hour by {arguments.minutes:g} minutes, "
        f"{row['pss_mb_first']:.0f} to {row['pss_mb_last']:.0f} MB; {row['core_share']:.1%} of a core"
    )
    claims.append(Claim("2,000/s: memory is flat", "< +5 % an hour", measured, row["climb_an_hour"] < _MAX_CLIMB))
    conclude("small", claims, {"minutes": arguments.minutes, "figures": figures})


if __name__ == "__main__":
    main()
