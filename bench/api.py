"""What watching the API costs: 20 operations a second for 20 minutes against the sandbox's Cloud Controller.

`python -m bench.api [--minutes 20]`. CPU and memory (PSS) are those of conductor and worker, the sandbox's processes
apart; both between two moments of a run. Flat: as `bench.small` reads it.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import machine
from bench.claims import Claim, conclude
from bench.contender import Running
from harness.sandbox import Sandbox, SandboxConfig

_OPERATIONS = ("info", "list-apps", "app-stats", "list-spaces")
_RATE = 5  # of each, per second
_MAX_LAG, _MAX_CORE, _MAX_CLIMB = 0.02, 0.3, 0.05


def _plan(folder: Path, sandbox: Sandbox, seconds: float) -> Path:
    rows = [
        f'  - {{name: {operation}, probe: cf-api, api: "{sandbox.api}", operation: {operation}, rate: {_RATE}/s'
        + (f", app: {sandbox.app_name}, org: {sandbox.org}, space: {sandbox.space}}}" if "stats" in operation else "}")
        for operation in _OPERATIONS
    ]
    path = folder / "plan.yml"
    path.write_text("runners:\n" + "\n".join(rows) + f"\nstop: {{duration: {seconds:g}s}}\n")
    return path


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    seconds = parser.parse_args().minutes * 60
    samples: list[tuple[float, int, float]] = []  # seconds, bytes, seconds of CPU
    with tempfile.TemporaryDirectory() as name, Sandbox(SandboxConfig(api=2)) as sandbox:
        folder = Path(name)
        os.environ |= {"CF_CLIENT_ID": sandbox.client_id, "CF_CLIENT_SECRET": sandbox.client_secret}
        with Running(_plan(folder, sandbox, seconds), folder) as run:
            began = time.monotonic()
            while (at := time.monotonic() - began) < seconds:
                time.sleep(min(5.0, seconds / 40))
                pids = machine.tree(run.pid)
                samples.append((at, machine.pss(pids), machine.cpu_seconds(pids)))
            verdict = run.verdict()
    inside = [sample for sample in samples if sample[0] >= seconds / 4]
    first, last = inside[0], inside[-1]
    core = (last[2] - first[2]) / (last[0] - first[0])
    line = statistics.linear_regression([at for at, _, _ in inside], [pss for _, pss, _ in inside])
    climb = line.slope * 3600 / first[1]
    lags = {runner["name"]: runner["lag"]["p99"] for runner in verdict["runners"]}
    figures: dict[str, Any] = {
        "minutes": seconds / 60,
        "verdict": verdict["verdict"],
        "reasons": verdict["reasons"],
        "lag_p99": lags,
        "core_share": core,
        "pss_mb": [[round(at), round(pss / 1e6, 2)] for at, pss, _ in samples[:: max(1, len(samples) // 60)]],
        "climb_an_hour": climb,
    }
    worst = max(lags.values())
    by = f"{line.slope * 3600 / 1e6:+.1f} MB"
    flat = f"{climb:+.1%} ({by}) an hour by {seconds / 60:g} minutes, {first[1] / 1e6:.0f} MB"
    conclude(
        "api",
        [
            Claim("20 operations/s: verdict", "PASS", verdict["verdict"].upper(), verdict["verdict"] == "pass"),
            Claim("20 operations/s: p99 lag", "<= 20 ms", f"{worst * 1e3:.1f} ms", worst <= _MAX_LAG),
            Claim("20 operations/s: CPU", "< 30 % of a core", f"{core:.1%}", core < _MAX_CORE),
            Claim("20 operations/s: memory is flat", "< +5 % an hour", flat, climb < _MAX_CLIMB),
        ],
        figures,
    )


if __name__ == "__main__":
    main()
