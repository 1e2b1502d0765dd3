"""The same target, the same machine, the same core, one run: wrk, hey, k6, Locust's FastHttpUser and us.

`python -m bench.others [--seconds 8] [--rounds 3]`, in `.venv` as `make bench` fills it (k6, Locust, matplotlib), with
Debian's wrk and hey. For each tool: the highest rate that it holds with p99 <= 10 ms by its own account, CPU per
request and memory at that rate, plain and over TLS. Closed-loop tools (wrk, hey, Locust) are asked for all they have
with 64 connections; open-loop ones (k6, us) are searched by bisection, and the best rate is confirmed by a longer run.
k6 and the closed-loop tools count from the send, ours counts from the intended start, which is the stricter account.
"""

import argparse
import importlib
import json
import os
import re
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.claims import Claim, conclude
from bench.contender import FIGURES, Cost, measured, ours
from bench.target import nginx

_CORE, _NGINX_CORE = 0, 1
_P99 = 0.010  # seconds
_BIN = Path(sys.executable).parent
_LOST = 0.001  # share of failed or dropped requests that a rate may show and still count as held


class Held(NamedTuple):
    """What a tool did: requests a second, its p99 (seconds), failures, CPU per request (µs), PSS (bytes)."""

    rate: float
    p99: float
    failures: int
    cpu_us: float
    pss: int


def _held(rate: float, p99: float, failures: int, cost: Cost) -> Held:
    return Held(rate, p99, failures, cost.cores / rate * 1e6 if rate else 0.0, cost.pss)


def _said(pattern: str, cost: Cost) -> str:
    found = re.search(pattern, cost.out)
    if found is None:
        raise RuntimeError(f"no {pattern} in: {cost.out[-2000:]} {cost.err[-2000:]}")
    return found[1]


def _wrk(url: str, seconds: float) -> Held:
    cost = measured(["wrk", "-t1", "-c64", f"-d{seconds:g}s", "--latency", url], core=_CORE)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", cost.out)
    p99 = (
        float(_said(r"99%\s+([\d.]+)", cost))
        * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[_said(r"99%\s+[\d.]+(us|ms|s)", cost)]
    )
    return _held(float(_said(r"Requests/sec:\s+([\d.]+)", cost)), p99, int(bad[1]) if bad else 0, cost)


def _hey(url: str, seconds: float) -> Held:
    cost = measured(["hey", "-c", "64", "-z", f"{seconds:g}s", url], core=_CORE)
    errors = sum(int(count) for count in re.findall(r"^\s+\[(\d+)\]\s+\D", cost.out.partition("Error dist")[2], re.M))
    rate = float(_said(r"Requests/sec:\s+([\d.]+)", cost))
    return _held(rate, float(_said(r"99%+ in ([\d.]+) secs", cost)), errors, cost)


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
    row = json.loads(cost.out[cost.out.index("[") : cost.out.rindex("]") + 1])[0]
    elapsed = row["last_request_timestamp"] - row["start_time"]
    times = sorted((float(ms), count) for ms, count in row["response_times"].items())
    seen, p99 = 0, 0.0
    for ms, count in times:
        seen += count
        if seen >= 0.99 * row["num_requests"]:
            p99 = ms / 1e3
            break
    return _held(row["num_requests"] / elapsed, p99, row["num_failures"], cost)


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
    return _held(count / seconds, p99, int(dropped + failed), cost)


def _ours(url: str, rate: float, seconds: float) -> Held:
    # certificates are not verified by the others either
    run = ours(url, rate, seconds, core=_CORE, ready_timeout=6, workers=1, tls={"verify": False})
    runner = run.runner
    if not runner.get("attempts"):
        return Held(0.0, 9.9, 0, 0.0, run.cost.pss)
    lost = runner["failed"] + sum(runner["unknown"].values())
    return _held(runner["rate_achieved"], runner["latency"]["p99"] or 9.9, lost, run.cost)


def _holds(held: Held, rate: float, seconds: float) -> bool:
    return held.p99 <= _P99 and held.rate >= 0.98 * rate and held.failures <= _LOST * rate * seconds


def _search(
    attempt: Callable[[str, float, float], Held], url: str, seconds: float, low: float, high: float
) -> tuple[float, Held]:
    """The highest rate that holds: bisection to 4 %, then a longer run to confirm, stepping down until one does."""
    while high - low > 0.04 * high:
        rate = (low + high) / 2
        good = _holds(attempt(url, rate, seconds / 2), rate, seconds / 2)
        low, high = (rate, high) if good else (low, rate)
    rate = max(low, high / 2)
    held = attempt(url, rate, seconds)
    for _ in range(8):
        if _holds(held, rate, seconds):
            break
        rate *= 0.93
        held = attempt(url, rate, seconds)
    else:
        held = held._replace(rate=0.0)  # nothing held
    return rate, held


def _compare(url: str, seconds: float, known: dict[str, float]) -> dict[str, Held]:
    """One round. `known`: the rates that the round before found, which narrow the search."""
    wrk = _wrk(url, seconds)
    rows = {"wrk": wrk, "hey": _hey(url, seconds), "Locust": _locust(url, seconds)}
    for name, attempt, top in (("k6", _k6, wrk.rate / 4), ("cf-harness", _ours, wrk.rate)):
        near = known.get(name)
        low, high = (0.85 * near, min(top, 1.15 * near)) if near else (0.0, top)
        known[name], rows[name] = _search(attempt, url, seconds, low, high)
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
    matplotlib = importlib.import_module("matplotlib")  # of the extra `bench`; the checks do without it
    matplotlib.use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
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
    os.sched_setaffinity(0, {_NGINX_CORE})
    rounds: dict[str, list[dict[str, Held]]] = {"plain": [], "tls": []}
    with nginx(_NGINX_CORE) as target:
        for kind, url in (("plain", target.plain), ("tls", target.tls)):
            known: dict[str, float] = {}
            for number in range(arguments.rounds):
                print(f"{kind} {number + 1}/{arguments.rounds}")
                rounds[kind].append(_compare(url, arguments.seconds, known))
    medians = {kind: _medians(rows) for kind, rows in rounds.items()}
    ratios = {
        kind: {name: rows["cf-harness"]["rate"] / row["rate"] if row["rate"] else 0.0 for name, row in rows.items()}
        for kind, rows in medians.items()
    }
    FIGURES.mkdir(exist_ok=True)
    _plot(medians, FIGURES / "others.png")
    claims = [
        Claim(
            f"our held rate against {name}'s",
            f">= {least:g} x",
            f"{ratio:.2f} x ({tls:.2f} x over TLS)",
            ratio >= least,
        )
        for name, least in (("k6", 8.0), ("Locust", 4.0), ("wrk", 0.5))
        for ratio, tls in ((ratios["plain"][name], ratios["tls"][name]),)
    ]
    every = {
        kind: [{name: held._asdict() for name, held in row.items()} for row in rows] for kind, rows in rounds.items()
    }
    conclude("others", claims, {"seconds": arguments.seconds, "medians": medians, "ratios": ratios, "rounds": every})


if __name__ == "__main__":
    main()
