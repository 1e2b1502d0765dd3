"""What rate one worker holds, and what a request costs, beside wrk on the same core and in the same run.

`python -m bench.rate [--rounds 5] [--seconds 30]`. nginx has one worker on core 1; wrk and all of the harness take
turns on core 0; this process itself keeps to core 1. W: wrk's rate with one thread and 64 connections before each run.

Void by a rule stated before the runs: the host stole more than 2 % of the machine's time, others than nginx, the
harness and this bench used more than 10 % of a core, the canary's median passed 5 ms, or W after the run differs from W
before it by more than 15 %: virtual processors share a core with strangers, and then are slower by a third for minutes,
with nothing stolen. Failures are counted from the very first tick, so that a cold start which the verdict leaves out
counts here.
"""

import argparse
import os
import statistics
from collections.abc import Callable
from typing import Any

from bench import machine
from bench.claims import Claim, conclude
from bench.contender import Ours, kept, ours, wrk
from bench.target import Target, nginx

_HARNESS_CORE, _NGINX_CORE = 0, 1
_MAX_STOLEN = 0.02  # of the machine's time
_MAX_OTHERS = 0.1  # of a core
_MAX_CANARY = 0.005  # seconds
_MAX_DRIFT = 0.15  # of W
_TRIES = 3
_NEVER = 1e6  # ms: told of a run that never became ready
_KEYS = ("w", "lag_p99_ms", "whole_lag_p99_ms", "cpu_us", "cpu_ratio_to_wrk", "bad", "unknown", "worker_rss_mb")


def _run(target: Target, url: str, rate: float, seconds: float, extra: dict[str, Any]) -> tuple[Ours, str]:
    """One run of ours, and why it is void (empty: it is not)."""
    pids = [target.pid, os.getpid()]
    before, known = machine.clock(), machine.cpu_seconds(pids)
    run = ours(url, rate, seconds, core=_HARNESS_CORE, workers=1, **extra)
    after = machine.clock()
    spent = run.cost.cpu + machine.cpu_seconds(pids) - known
    stolen = (after.stolen - before.stolen) / run.cost.seconds / (os.cpu_count() or 1)
    others = (after.busy - before.busy - spent) / run.cost.seconds
    canary = run.verdict["harness"]["canary"]["p50"]
    if stolen > _MAX_STOLEN:
        return run, f"void: {stolen:.1%} stolen"
    if others > _MAX_OTHERS:
        return run, f"void: others used {others:.0%} of a core"
    if canary is not None and canary > _MAX_CANARY:
        return run, f"void: the canary's median was {canary * 1e3:.1f} ms"
    return run, ""


def _row(run: Ours, rate: float, w: float, void: str) -> dict[str, Any]:
    runner, whole = run.runner, run.whole
    assert whole is not None
    canary = run.verdict["harness"]["canary"]
    return {
        "w": w,
        "rate": rate,
        "verdict": run.verdict["verdict"],
        "attempts": runner.get("attempts", 0),
        "bad": whole.bad,
        "unknown": whole.unknown,
        "lag_p99_ms": (runner["lag"]["p99"] or 0) * 1e3 if runner else _NEVER,
        "whole_lag_p99_ms": whole.lag_p99 * 1e3,
        "latency_p99_ms": (runner["latency"]["p99"] or 0) * 1e3 if runner else _NEVER,
        "canary_p50_ms": canary["p50"] and canary["p50"] * 1e3,
        "canary_p99_ms": canary["p99"] and canary["p99"] * 1e3,
        "cpu_us": run.per_request,
        "cpu_ratio_to_wrk": run.per_request / (1e6 / w),
        "worker_rss_mb": run.cost.worker_rss / 1e6,
        "pss_mb": run.cost.pss / 1e6,
        "void": void,
    }


def _series(
    name: str, target: Target, url: str, share: float, rounds: int, seconds: float, fixed: float = 0, **extra: Any
) -> dict[str, Any]:
    """Rounds of wrk and us in turn, void ones repeated, `_TRIES` times as many in all."""
    rows: list[dict[str, Any]] = []
    w = wrk(target.plain, core=_HARNESS_CORE, seconds=4)
    while sum(not row["void"] for row in rows) < rounds and len(rows) < _TRIES * rounds:
        rate = fixed or share * w
        run, void = _run(target, url, rate, seconds, extra)
        after = wrk(target.plain, core=_HARNESS_CORE, seconds=4)
        if abs(after - w) > _MAX_DRIFT * w:
            void = void or f"void: W was {after:,.0f}/s afterwards"
        row = _row(run, rate, w, void)
        w = after
        rows.append(row)
        print(
            f"{name}: W {row['w']:,.0f}/s, asked {rate:,.0f}/s: {row['verdict']}, "
            f"bad {row['bad']}, unknown {row['unknown']}, "
            f"p99 lag {row['lag_p99_ms']:.2f} ms, {row['cpu_us']:.1f} µs ({row['cpu_ratio_to_wrk']:.2f} x wrk), "
            f"worker {row['worker_rss_mb']:.0f} MB {void}",
            flush=True,
        )
    valid = [row for row in rows if not row["void"]]
    medians = {key: statistics.median(row[key] for row in valid) for key in _KEYS if valid}
    worst = {key: max(row[key] for row in valid) for key in ("bad", "unknown") if valid}
    return {"rows": rows, "void": len(rows) - len(valid), "medians": medians, "worst": worst}


def _claims(series: dict[str, dict[str, Any]], rounds: int) -> list[Claim]:
    claims = []

    def claim(name: str, what: str, key: str, limit: float, unit: str, *, worst: bool = False) -> None:
        figures = series[name]
        enough = len(figures["rows"]) - figures["void"] >= rounds
        value = figures["worst" if worst else "medians"].get(key)
        shown = "nothing: every run was void" if value is None else f"{value:,.2f}".removesuffix(".00") + unit
        if value is not None and not enough:
            shown += f" ({figures['void']} void, too few left)"
        claims.append(
            Claim(what, f"<= {limit:g}{unit}" if limit else "0", shown, value is not None and value <= limit and enough)
        )

    claim("half", "0.5 W: failures in any run", "bad", 0, "", worst=True)
    claim("half", "0.5 W: ticks not sent or unknown", "unknown", 0, "")
    claim("half", "0.5 W: p99 lag", "lag_p99_ms", 1, " ms")
    claim("fifteen", "0.15 W: CPU per request", "cpu_ratio_to_wrk", 3, " x wrk's")
    claim("fifteen", "0.15 W: worker's memory", "worker_rss_mb", 60, " MB")
    for name, words in (("tls", "TLS from cold, 0.1 W"), ("fresh", "fresh, 2,000/s")):
        claim(name, f"{words}: failures in any run", "bad", 0, "", worst=True)
        claim(name, f"{words}: p99 lag", "lag_p99_ms", 2, " ms")
        claim(name, f"{words}: p99 lag, start included", "whole_lag_p99_ms", 2, " ms")
    return claims


_MEASURED: dict[str, Callable[[Target, int, float], dict[str, Any]]] = {
    "half": lambda target, rounds, seconds: _series("0.5 W", target, target.plain, 0.5, rounds, seconds),
    "fifteen": lambda target, rounds, seconds: _series("0.15 W", target, target.plain, 0.15, rounds, seconds),
    "tls": lambda target, rounds, seconds: _series(
        "TLS 0.1 W from cold", target, target.tls, 0.1, rounds, seconds, tls={"ca": str(target.ca)}
    ),
    "fresh": lambda target, rounds, seconds: _series(
        "fresh 2,000/s", target, target.plain, 0, rounds, seconds, fixed=2000, connections="fresh"
    ),
}


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--only", choices=sorted(_MEASURED), help="measure this series anew, keep the others' figures")
    arguments = parser.parse_args()
    rounds, seconds, short = arguments.rounds, arguments.seconds, min(arguments.seconds, 12)
    os.sched_setaffinity(0, {_NGINX_CORE})
    with nginx(_NGINX_CORE) as target:
        wanted = [arguments.only] if arguments.only else list(_MEASURED)
        series = kept("rate").get("series", {}) if arguments.only else {}
        series |= {name: _MEASURED[name](target, rounds, seconds if name == "half" else short) for name in wanted}
    conclude("rate", _claims(series, rounds), {"seconds": seconds, "series": series})


if __name__ == "__main__":
    main()
