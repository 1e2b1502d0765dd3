"""A bucket in trouble: the schedule does not notice, the verdict neither, and a stop is heard soon after its return.

`python -m bench.channel [--seconds 20] [--times 12]`. nginx is watched at 1,000/s; the run meets its pipeline in moto's
S3 server behind a proxy that delays, refuses, throttles, drops, duplicates, is away or silent. Without trouble first,
for comparison on the same machine. Then the bucket is away or silent, by turns, a stop is asked for, and it returns.
"""

import argparse
import os
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.claims import Claim, conclude
from bench.contender import Running
from bench.target import nginx
from harness.channel.objects import ObjectStore
from harness.channel.pipeline import StorePipeline
from harness.channel.records import StopWish
from tests.channel.bucket import NAME, bucket, leading_to
from tests.channel.chaos import GONE, MOODS, Chaos, chaos

_ALL = os.sched_getaffinity(0)
_RATE = 1000
_MAX_LAG = 0.002  # seconds
_HEARD_WITHIN = 15.0  # seconds


def _plan(folder: Path, url: str) -> Path:
    path = folder / "plan.yml"
    path.write_text(f'runners: [{{name: app, url: "{url}", rate: {_RATE}/s}}]\nobjectives: [success >= 99.9%]\n')
    return path


def _until_ready(pipeline: StorePipeline) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = pipeline.look("r", 1) if pipeline.attempts("r") else None
        if state is not None and state.pulse is not None and state.pulse.state == "watching":
            return
        time.sleep(0.1)
    raise RuntimeError("the run did not become ready")


def _under(
    mood: str, between: Chaos, url: str, channel: str, straight: StorePipeline, seconds: float
) -> dict[str, Any]:
    """A run whose bucket is in such a mood from its readiness to its stop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Running(_plan(folder, url), folder, "--channel", channel) as run:
            os.sched_setaffinity(run.pid, _ALL)
            _until_ready(straight)
            between.mood = mood
            time.sleep(seconds)
            if mood in GONE:
                between.mood = "none"
            straight.stop("r", 1, StopWish(by="the bench", at=time.time()))
            verdict = run.verdict()
            between.mood = "none"
    (runner,) = verdict["runners"]
    return {
        "mood": mood,
        "verdict": verdict["verdict"],
        "lag_p99": runner["lag"]["p99"],
        "missed": runner["missed"],
        "failed": runner["failed"],
        "planned": runner["planned"],
        "problems": verdict["harness"]["problems"],
    }


def _heard(between: Chaos, url: str, channel: str, straight: StorePipeline, number: int) -> dict[str, Any]:
    """From the bucket's return to the stop, which was asked for while it was away."""
    gone = GONE[number % len(GONE)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Running(_plan(folder, url), folder, "--channel", channel) as run:
            os.sched_setaffinity(run.pid, _ALL)
            _until_ready(straight)
            between.mood = gone
            time.sleep(3 + number % 5 * 2.7)
            wished = time.time()
            straight.stop("r", 1, StopWish(by="the bench", at=wished))
            time.sleep(1 + number % 3)
            returned = time.time()
            between.mood = "none"
            verdict = run.verdict()
    ended = _seconds(verdict["ended"])
    return {"mood": gone, "verdict": verdict["verdict"], "away": returned - wished, "heard_after": ended - returned}


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--times", type=int, default=12)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(_ALL)})  # bucket, proxy and nginx share a core; the run may have the others
    rows: list[dict[str, Any]] = []
    heard: list[dict[str, Any]] = []
    with bucket() as direct, chaos(direct["AWS_ENDPOINT_URL"]) as between, nginx(0) as target:
        os.environ |= direct
        straight = {
            name: StorePipeline(ObjectStore(f"s3://{NAME}/{name}", direct))
            for name in (*MOODS, *(str(number) for number in range(arguments.times)))
        }
        os.environ |= leading_to(between.url)
        for mood in MOODS:
            rows.append(_under(mood, between, target.plain, f"s3://{NAME}/{mood}", straight[mood], arguments.seconds))
            print(rows[-1], flush=True)
        for number in range(arguments.times):
            heard.append(_heard(between, target.plain, f"s3://{NAME}/{number}", straight[str(number)], number))
            print(heard[-1], flush=True)
    calm, *troubled = rows
    worst = max(row["lag_p99"] for row in troubled)
    missed = sum(row["missed"] for row in troubled)
    passed = sum(row["verdict"] == "pass" for row in (*rows, *heard))
    slowest = max(row["heard_after"] for row in heard)
    claims = [
        Claim(
            f"p99 lag at {_RATE:,}/s, bucket in trouble",
            f"<= {_MAX_LAG * 1e3:g} ms",
            f"{worst * 1e3:.2f} ms at most, {calm['lag_p99'] * 1e3:.2f} ms without trouble; {missed} ticks missed",
            worst <= _MAX_LAG,
        ),
        Claim("verdicts", f"{len(rows) + len(heard)} PASS", f"{passed} PASS", passed == len(rows) + len(heard)),
        Claim(
            "stop heard after the bucket's return",
            f"within {_HEARD_WITHIN:g} s",
            f"{len(heard)} of {len(heard)}, slowest {slowest:.1f} s",
            slowest <= _HEARD_WITHIN,
        ),
    ]
    conclude("channel", claims, {"troubles": rows, "stops": heard})


if __name__ == "__main__":
    main()
