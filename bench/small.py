"""What the harness costs at everyday rates: 10/s and 100/s for a minute each, and whether memory stays flat at 2,000/s.

`python -m bench.small [--minutes 20]`. CPU is that of every process, conductor included, start-up left out by taking the
difference between two runs of different length; memory is PSS of the whole tree, without the live view.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from typing import Any

from bench import machine
from bench.contender import save
from bench.target import nginx


def _watch(url: str, rate: str, seconds: float, every: float) -> list[dict[str, float]]:
    """PSS (bytes) and CPU (seconds) of the tree, sampled while a run lasts."""
    samples = []
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "harness", "run", url, "--rate", rate, "--duration", f"{seconds:g}s", "--yes"]
        command += ["--runs-dir", runs, "--quiet", "--format", "json"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            began = time.monotonic()
            while process.poll() is None:
                time.sleep(every)
                pids = machine.tree(process.pid)
                at = time.monotonic() - began
                samples.append({"at": at, "pss": machine.pss(pids), "cpu": machine.cpu_seconds(pids)})
    return samples


def _steady(samples: list[dict[str, float]], after: float, before: float) -> dict[str, float]:
    inside = [s for s in samples if after <= s["at"] <= before]
    first, last = inside[0], inside[-1]
    return {
        "core_share": (last["cpu"] - first["cpu"]) / (last["at"] - first["at"]),
        "pss_mb_first": first["pss"] / 1e6,
        "pss_mb_last": last["pss"] / 1e6,
        "pss_mb_peak": max(s["pss"] for s in inside) / 1e6,
        "seconds": last["at"] - first["at"],
    }


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="of the run at 2,000/s")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    with nginx(1) as target:
        for rate in ("10/s", "100/s"):
            figures[rate] = _steady(_watch(target.plain, rate, 60, 1.0), 5, 58)
            print(rate, figures[rate], flush=True)
        seconds = arguments.minutes * 60
        samples = _watch(target.plain, "2000/s", seconds, 5.0)
        figures["2000/s"] = {**_steady(samples, 60, seconds - 5), "samples": samples[:: max(1, len(samples) // 40)]}
        print("2000/s", {k: v for k, v in figures["2000/s"].items() if k != "samples"})
    print(save("small", figures))


if __name__ == "__main__":
    main()
