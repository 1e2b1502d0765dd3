"""What rate one worker holds, and what a request costs, beside wrk on the same core and in the same run.

`python -m bench.rate [--rounds 5] [--seconds 30]`. nginx has one worker on core 1; wrk and all of the harness take turns
on core 0. W is wrk's rate with one thread and 64 connections.

Void by rule, stated before the runs: mean steal above 2 %, or a canary whose median exceeds 5 ms.
"""

import argparse
import statistics
from typing import Any

from bench.contender import Ours, ours, save, wrk
from bench.target import Target, nginx

_HARNESS_CORE, _NGINX_CORE = 0, 1
_MAX_STEAL = 0.02
_MAX_CANARY = 0.005


def _void(run: Ours) -> str:
    health = run.verdict["harness"]
    canary = health["canary"]["p50"]
    if health["steal"] > _MAX_STEAL * 10:  # the worst second; the mean is not kept
        return f"steal reached {health['steal']:.0%} in a second"
    if canary is not None and canary > _MAX_CANARY:
        return f"the canary's median was {canary * 1e3:.1f} ms"
    return ""


def _row(run: Ours, rate: float, w: float) -> dict[str, Any]:
    runner = run.runner
    return {
        "rate": rate,
        "share_of_w": rate / w,
        "verdict": run.verdict["verdict"],
        "attempts": runner["attempts"],
        "failed": runner["failed"],
        "unknown": sum(runner["unknown"].values()),
        "lag_p99_ms": (runner["lag"]["p99"] or 0) * 1e3,
        "latency_p99_ms": (runner["latency"]["p99"] or 0) * 1e3,
        "cpu_us": run.per_request,
        "cpu_ratio_to_wrk": run.per_request / (1e6 / w),
        "worker_rss_mb": run.cost.rss / 1e6,
        "pss_mb": run.cost.pss / 1e6,
        "void": _void(run),
    }


def _series(
    name: str, url: str, plain: str, share: float, extra: list[str], rounds: int, seconds: float, fixed: float = 0
) -> dict[str, Any]:
    """Rounds of wrk and us in turn. W is always wrk's rate without TLS."""
    rows = []
    for number in range(rounds):
        w = wrk(plain, core=_HARNESS_CORE, seconds=4)
        rate = fixed or share * w
        run = ours([url, "--rate", f"{rate:.0f}/s", "--duration", f"{seconds:g}s", "--yes", *extra], core=_HARNESS_CORE)
        row = {"w": w, **_row(run, rate, w)}
        rows.append(row)
        print(
            f"{name} {number + 1}/{rounds}: W {w:,.0f}/s, asked {rate:,.0f}/s: {row['verdict']}, failed {row['failed']}, "
            f"unknown {row['unknown']}, p99 lag {row['lag_p99_ms']:.2f} ms, {row['cpu_us']:.1f} µs "
            f"({row['cpu_ratio_to_wrk']:.2f} x wrk), largest process {row['worker_rss_mb']:.0f} MB {row['void']}",
            flush=True,
        )
    valid = [row for row in rows if not row["void"]]
    medians = {
        key: statistics.median(row[key] for row in valid)
        for key in ("lag_p99_ms", "cpu_us", "cpu_ratio_to_wrk", "failed", "unknown", "worker_rss_mb")
        if valid
    }
    return {"rows": rows, "void": len(rows) - len(valid), "medians": medians}


def _all(target: Target, rounds: int, seconds: float) -> dict[str, Any]:
    ca = ["--insecure"]
    short = min(seconds, 10)
    return {
        "half": _series("0.5 W", target.plain, target.plain, 0.5, [], rounds, seconds),
        "fifteen": _series("0.15 W", target.plain, target.plain, 0.15, [], rounds, short),
        "tls": _series("TLS 0.1 W from cold", target.tls, target.plain, 0.1, ca, rounds, short),
        "fresh": _series("fresh 2,000/s", target.plain, target.plain, 0, ["--fresh"], rounds, short, fixed=2000),
    }


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30)
    arguments = parser.parse_args()
    with nginx(_NGINX_CORE) as target:
        figures = _all(target, arguments.rounds, arguments.seconds)
    print(save("rate", figures))


if __name__ == "__main__":
    main()
