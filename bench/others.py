"""The same target, the same machine, the same core, one run: wrk, hey, k6, Locust's FastHttpUser and us.

`python -m bench.others [--seconds 8] [--rounds 3]`, with the extra `bench` installed (k6, Locust, matplotlib) and
Debian's wrk and hey. For each tool: the highest rate that it holds with p99 <= 10 ms by its own account, CPU per request
and memory at that rate, plain and over TLS. Closed-loop tools (wrk, hey, Locust) are asked for all they have with 64
connections; open-loop ones (k6, us) are searched by bisection, and the best rate is confirmed by a run of its own.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.contender import measured, ours, save
from bench.target import nginx

_CORE, _NGINX_CORE = 0, 1
_P99 = 0.010  # seconds
_BIN = Path(sys.executable).parent


class Held(NamedTuple):
    """What a tool did: requests a second, its p99 (seconds), failures, CPU per request (µs), PSS (bytes)."""

    rate: float
    p99: float
    failures: int
    cpu_us: float
    pss: int


def _wrk(url: str, seconds: float) -> Held:
    cost = measured(["wrk", "-t1", "-c64", f"-d{seconds:g}s", "--latency", url], core=_CORE)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", cost.out)[1])  # type: ignore[index]
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", cost.out).groups()  # type: ignore[union-attr]
    requests = int(re.search(r"(\d+) requests in", cost.out)[1])  # type: ignore[index]
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", cost.out)
    p99 = float(value) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[unit]
    return Held(rate, p99, int(bad[1]) if bad else 0, cost.cpu / requests * 1e6, cost.pss)


def _hey(url: str, seconds: float) -> Held:
    cost = measured(["hey", "-c", "64", "-z", f"{seconds:g}s", url], core=_CORE)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", cost.out)[1])  # type: ignore[index]
    p99 = re.search(r"99%+ in ([\d.]+) secs", cost.out)
    return Held(rate, float(p99[1]) if p99 else 1.0, 0, cost.cpu / (rate * seconds) * 1e6, cost.pss)


_LOCUSTFILE = """
from locust import FastHttpUser, task
class User(FastHttpUser):
    insecure = True
    @task
    def get(self):
        self.client.get("/")
"""


def _locust(url: str, seconds: float) -> Held:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "locustfile.py"
        file.write_text(_LOCUSTFILE)
        command = [str(_BIN / "locust"), "-f", str(file), "--headless", "-u", "64", "-r", "64", "-t", f"{seconds:g}s"]
        cost = measured([*command, "-H", url.rstrip("/"), "--json", "--only-summary"], core=_CORE)
    start = cost.out.index("[")
    row = json.loads(cost.out[start : cost.out.rindex("]") + 1])[0]
    elapsed = row["last_request_timestamp"] - row["start_time"]
    times = sorted((float(ms), count) for ms, count in row["response_times"].items())
    seen, p99 = 0, 0.0
    for ms, count in times:
        seen += count
        if seen >= 0.99 * row["num_requests"]:
            p99 = ms / 1e3
            break
    return Held(row["num_requests"] / elapsed, p99, row["num_failures"], cost.cpu / row["num_requests"] * 1e6, cost.pss)


_K6 = """
import http from 'k6/http';
export const options = { insecureSkipTLSVerify: true, discardResponseBodies: true,
  summaryTrendStats: ['p(99)'],
  scenarios: { s: { executor: 'constant-arrival-rate', rate: %d, timeUnit: '1s', duration: '%gs',
                    preAllocatedVUs: 200, maxVUs: 400 } } };
export default function () { http.get('%s'); }
export function handleSummary(data) { return { stdout: JSON.stringify(data.metrics) }; }
"""


def _k6(url: str, rate: float, seconds: float) -> Held:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script.js"
        file.write_text(_K6 % (rate, seconds, url))
        command = [str(_BIN / "k6"), "run", "--quiet", "--no-usage-report", str(file)]
        cost = measured(command, core=_CORE, env={"K6_NO_USAGE_REPORT": "true", "GOMAXPROCS": "1"})
    metrics = json.loads(cost.out[cost.out.index("{") : cost.out.rindex("}") + 1])
    count = metrics["http_reqs"]["values"]["count"]
    dropped = metrics.get("dropped_iterations", {}).get("values", {}).get("count", 0)
    failed = metrics["http_req_failed"]["values"]["passes"]
    p99 = metrics["http_req_duration"]["values"]["p(99)"] / 1e3
    return Held(count / seconds, p99, int(dropped + failed), cost.cpu / count * 1e6, cost.pss)


def _ours(url: str, rate: float, seconds: float) -> Held:
    run = ours([url, "--rate", f"{rate:.0f}/s", "--duration", f"{seconds:g}s", "--yes", "--insecure"], core=_CORE)
    runner = run.runner
    lost = runner["failed"] + sum(runner["unknown"].values())
    return Held(runner["attempts"] / seconds, runner["latency"]["p99"] or 9.9, lost, run.per_request, run.cost.pss)


def _search(attempt: Callable[[str, float, float], Held], url: str, seconds: float, top: float) -> Held:
    """The highest rate that holds: bisection to 5 %, then one run to confirm, stepping down until one does."""
    low, high = 0.0, top
    best: Held | None = None
    while high - low > 0.05 * high:
        rate = (low + high) / 2
        held = attempt(url, rate, seconds / 2)
        good = held.p99 <= _P99 and held.failures <= 0.001 * rate * seconds and held.rate >= 0.98 * rate
        low, high = (rate, high) if good else (low, rate)
    rate = low
    for _ in range(6):
        best = attempt(url, rate, seconds)
        if best.p99 <= _P99 and best.rate >= 0.98 * rate:
            return best
        rate *= 0.9
    assert best is not None
    return best


def _compare(url: str, seconds: float) -> dict[str, Held]:
    wrk = _wrk(url, seconds)
    rows = {"wrk": wrk, "hey": _hey(url, seconds), "Locust": _locust(url, seconds)}
    rows["k6"] = _search(_k6, url, seconds, wrk.rate / 4)
    rows["cf-harness"] = _search(_ours, url, seconds, wrk.rate)
    for name, held in rows.items():
        print(
            f"{name:>12}: {held.rate:10,.0f}/s  p99 {held.p99 * 1e3:7.2f} ms  {held.cpu_us:8.1f} µs  "
            f"{held.pss / 1e6:6.0f} MB  failures {held.failures}",
            flush=True,
        )
    return rows


def _medians(rounds: list[dict[str, Held]]) -> dict[str, dict[str, float]]:
    return {
        name: {field: statistics.median(getattr(r[name], field) for r in rounds) for field in Held._fields}
        for name in rounds[0]
    }


def _plot(figures: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(figures["plain"])
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2))
    for axis, field, title in (
        (axes[0], "rate", "held rate, 1/s (p99 ≤ 10 ms)"),
        (axes[1], "cpu_us", "CPU per request, µs"),
    ):
        for offset, (kind, colour) in enumerate((("plain", "#0072b2"), ("tls", "#e69f00"))):
            values = [figures[kind][name][field] for name in names]
            axis.barh([i + 0.38 * offset for i in range(len(names))], values, height=0.36, label=kind, color=colour)
        axis.set_yticks([i + 0.19 for i in range(len(names))], names)
        axis.set_xscale("log")
        axis.set_title(title, fontsize=10)
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, save, plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    with nginx(_NGINX_CORE) as target:
        for kind, url in (("plain", target.plain), ("tls", target.tls)):
            print(kind)
            figures[kind] = _medians([_compare(url, arguments.seconds) for _ in range(arguments.rounds)])
    plain = figures["plain"]
    figures["ratios"] = {name: plain["cf-harness"]["rate"] / plain[name]["rate"] for name in plain}
    print(figures["ratios"])
    path = save("others", figures)
    _plot(figures, path.with_suffix(".png"))
    print(path)


if __name__ == "__main__":
    main()
