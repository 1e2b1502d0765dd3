"""Tokens: five minutes of ones that live for five seconds, with refresh tokens that can be used once; and UAA away.

`python -m bench.tokens [--minutes 5] [--away 30]`. Eight sessions, each in a thread with a pace of its own as call
slots are, make 20 operations a second of all together. UAA is killed twice: under such sessions, whose tokens end
meanwhile, and under a whole run, whose tokens live on.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.claims import Claim, conclude
from harness.sandbox import Sandbox, SandboxConfig, Step
from tests.api.crew import Away, Done, at_work, grants_of, refused_tokens
from tests.api.foundation_plan import as_user, runner, write_plan
from tests.api.watched import await_answers, report_of, watched

_WORKERS, _RATE, _LIFE = 8, 20.0, 5.0
_SHORTEST = _LIFE - 1.1  # seconds: UAA rounds the end of a token's life down to whole seconds
_BACK = 2.0  # seconds within which all is well again
_BEFORE, _AFTER = 12.0, 20.0  # seconds beside the time that UAA is away


def _short_lived() -> SandboxConfig:
    return SandboxConfig(api=2, routers=1, instances=1, token_lifetime=_LIFE, rotate_refresh=True)


def _failed(done: Iterable[Done]) -> list[Done]:
    return [one for one in done if one.performed.fault is not None]


def _expiring(minutes: float) -> dict[str, Any]:
    with Sandbox(_short_lived()) as sandbox:
        done = at_work(sandbox, workers=_WORKERS, rate=_RATE, seconds=minutes * 60)
        grants = [grants_of(sandbox, worker) for worker in range(_WORKERS)]
        refused = refused_tokens(sandbox)
    gaps = [after.at - before.at for each in grants for before, after in itertools.pairwise(each)]
    kinds = [grant.kind for each in grants for grant in each]
    failed = _failed(done)
    return {
        "minutes": minutes,
        "operations": len(done),
        "failed": len(failed),
        "faults": sorted({fault.detail for one in failed if (fault := one.performed.fault)})[:5],
        "asked_again": sum(one.performed.retried for one in done),
        "answers_401": refused,
        "passwords_sent": kinds.count("password"),
        "refreshes": kinds.count("refresh_token"),
        "refreshes_refused": sum(grant.status != 200 for each in grants for grant in each),
        "shortest_gap": min(gaps),
        "longest_gap": max(gaps),
    }


def _away_and_expiring(away: float) -> dict[str, Any]:
    with Sandbox(_short_lived()) as sandbox:
        gone = Away(sandbox, after=_BEFORE, lasts=away)
        gone.start()
        done = at_work(sandbox, workers=_WORKERS, rate=_RATE, seconds=_BEFORE + away + _AFTER)
        gone.join()
    failed = _failed(done)
    return {
        "operations": len(done),
        "failed": len(failed),
        "failed_though_they_need_no_token": sum(one.operation == "info" for one in failed),
        "failed_otherwise_than_by_their_token": sum(
            one.performed.fault is not None and one.performed.fault.call != "token" for one in failed
        ),
        "first_failure_after": min((one.ended for one in failed), default=gone.began) - gone.began,
        "last_failure_after_the_return": max((one.began for one in failed), default=gone.ended) - gone.ended,
    }


def _away_and_watched(away: float) -> dict[str, Any]:
    names = ("login", "list-apps", "list-spaces", "info")
    with tempfile.TemporaryDirectory() as name, Sandbox(SandboxConfig(api=2, routers=1, instances=1)) as sandbox:
        folder = Path(name)
        write_plan(folder, *(runner(sandbox.api, name, rate="5/s") for name in names))

        def meanwhile() -> None:
            await_answers(sandbox, "/oauth/token", 10)
            sandbox.perform(Step(do="kill", target="uaa", lasts=away))
            await_answers(sandbox, "/oauth/token", 25)

        verdict = watched(folder, as_user(sandbox), meanwhile).verdict
    outages = report_of(verdict, "login").outages
    return {
        "failed": {name: report_of(verdict, name).failed for name in names},
        "succeeded": {name: report_of(verdict, name).succeeded for name in names},
        "login_outages": [{"seconds": one.seconds, "ended": one.end is not None} for one in outages],
    }


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--away", type=float, default=30, help="seconds that UAA is away")
    arguments = parser.parse_args()
    away = arguments.away
    expiring = _expiring(arguments.minutes)
    print("expiring", expiring, flush=True)
    under = _away_and_expiring(away)
    print("away, tokens that end", under, flush=True)
    run = _away_and_watched(away)
    print("away, tokens that live on", run, flush=True)
    (outage,) = run["login_outages"] or [{"seconds": 0.0, "ended": False}]
    others = {name: failed for name, failed in run["failed"].items() if name != "login"}
    what = f"tokens of {_LIFE:.0f} s, refresh tokens of one use, {_RATE:.0f}/s"
    claims = [
        Claim(f"{what}: failures", "0", f"{expiring['failed']} of {expiring['operations']}", not expiring["failed"]),
        Claim(
            f"{what}: refreshes",
            "at most one for each of 8 workers and expiry",
            f"{expiring['refreshes']}, of one worker never two within {expiring['shortest_gap']:.2f} s; "
            f"{expiring['refreshes_refused']} refused",
            expiring["shortest_gap"] >= _SHORTEST and not expiring["refreshes_refused"],
        ),
        Claim(
            f"{what}: password sent",
            f"{_WORKERS} times",
            str(expiring["passwords_sent"]),
            expiring["passwords_sent"] == _WORKERS,
        ),
        Claim(
            f"UAA away for {away:.0f} s, tokens that end meanwhile: only what needs it fails",
            "0 others",
            f"{under['failed_though_they_need_no_token'] + under['failed_otherwise_than_by_their_token']} others, "
            f"the first failure after {under['first_failure_after']:.1f} s",
            not under["failed_though_they_need_no_token"] and not under["failed_otherwise_than_by_their_token"],
        ),
        Claim(
            f"UAA away for {away:.0f} s, tokens that end meanwhile: well again",
            f"within {_BACK:.0f} s of its return",
            f"after {max(0.0, under['last_failure_after_the_return']):.2f} s",
            under["failed"] > 0 and under["last_failure_after_the_return"] <= _BACK,
        ),
        Claim(
            f"UAA away for {away:.0f} s, a run whose tokens live on: failures of others than login",
            "0",
            ", ".join(f"{name} {failed}" for name, failed in others.items()),
            not any(others.values()),
        ),
        Claim(
            f"UAA away for {away:.0f} s, a run whose tokens live on: login's outage",
            f"one, of {away:.0f} s, over by itself",
            f"{len(run['login_outages'])}, of {outage['seconds']:.1f} s",
            outage["ended"] and away - 0.5 <= outage["seconds"] <= away + _BACK,
        ),
    ]
    conclude("tokens", claims, {"expiring": expiring, "away_expiring": under, "away_watched": run})


if __name__ == "__main__":
    main()
