"""Tokens that expire every five seconds, refresh tokens that can be used once, and UAA away for a while. (Five minutes
of the first, and half a minute of the last: `bench/tokens.py`.)"""

import itertools
import threading
import time
from pathlib import Path

import pytest

from harness.outcome import Component
from harness.sandbox import Sandbox, SandboxConfig, Step
from harness.sandbox.script import Action
from tests.api.crew import Away, at_work, grants_of, refused_tokens
from tests.api.foundation_plan import as_user, runner, write_plan
from tests.api.watched import await_answers, report_of, the_outage, watched

pytestmark = pytest.mark.long

WORKERS, LIFE = 8, 5.0
SHORTEST = 3.9  # seconds: UAA rounds the end of a token's life down to whole seconds


def test_short_lives_and_rotating_refresh_tokens_are_nobodys_failure() -> None:
    seconds, rate = 20.0, 20.0
    config = SandboxConfig(api=2, routers=1, instances=1, token_lifetime=LIFE, rotate_refresh=True)
    with Sandbox(config) as sandbox:
        done = at_work(sandbox, workers=WORKERS, rate=rate, seconds=seconds)
        assert len(done) == seconds * rate
        assert [one for one in done if one.performed.fault is not None] == []
        for worker in range(WORKERS):
            grants = grants_of(sandbox, worker)
            assert [grant.kind for grant in grants] == ["password", *["refresh_token"] * (len(grants) - 1)]
            assert {grant.status for grant in grants} == {200}
            assert len(grants) - 1 >= seconds / LIFE - 1
            gaps = [after.at - before.at for before, after in itertools.pairwise(grants)]
            assert min(gaps) >= SHORTEST, gaps  # at most one for each expiry


@pytest.mark.parametrize("rotating", [True, False])
def test_tokens_that_are_refused_before_their_time_are_refreshed_once_each(rotating: bool) -> None:
    """Another signing key, twice: each worker is told 401, refreshes, asks again, and nobody notices."""
    config = SandboxConfig(api=2, routers=1, instances=1, rotate_refresh=rotating)
    with Sandbox(config) as sandbox:
        rotations = [threading.Timer(at, sandbox.perform, [Step(do="rotate_key", target="uaa")]) for at in (2.0, 5.0)]
        for timer in rotations:
            timer.start()
        done = at_work(sandbox, workers=WORKERS, rate=20.0, seconds=8.0)
        for timer in rotations:
            timer.join()
        assert [one for one in done if one.performed.fault is not None] == []
        assert sum(one.performed.retried for one in done) == refused_tokens(sandbox) == 2 * WORKERS
        for worker in range(WORKERS):
            assert [grant.kind for grant in grants_of(sandbox, worker)] == ["password", *["refresh_token"] * 2]


def test_while_uaa_is_away_what_has_a_token_goes_on_and_the_rest_recovers() -> None:
    """Longer away than any token lives."""
    config = SandboxConfig(api=2, routers=1, instances=1, token_lifetime=LIFE, rotate_refresh=True)
    with Sandbox(config) as sandbox:
        began = time.monotonic()
        away = Away(sandbox, after=3.0, lasts=8.0)
        away.start()
        done = at_work(sandbox, workers=4, rate=16.0, seconds=16.0)
        away.join()
    assert len(done) == 16 * 16
    faults = [(one, one.performed.fault) for one in done if one.performed.fault is not None]
    assert faults
    for one, fault in faults:
        assert fault.call == "token"
        assert fault.component in (Component.UAA, Component.ROUTER)
        assert one.operation != "info"  # which needs no token
        assert one.ended > began + LIFE - 1.0  # not while the first token holds, whose end UAA rounds down
    assert len([one for one in done if away.began < one.began and one.ended < began + LIFE - 1.0]) > 8
    late = [one for one in done if one.began > away.ended + 1.0]
    assert late
    assert [one for one in late if one.performed.fault is not None] == []


@pytest.mark.parametrize("fault", ["kill", "unregister"])
def test_a_run_sees_the_log_ins_alone_fail(tmp_path: Path, fault: Action) -> None:
    """With tokens that live on: one outage of `login`, placed and ended; its neighbours are well."""
    lasts = 3.0
    names = ("login", "list-spaces", "info")
    with Sandbox(SandboxConfig(api=2, routers=1, instances=1)) as sandbox:
        write_plan(tmp_path, *(runner(sandbox.api, name, rate="4/s") for name in names))

        took = 0.0

        def meanwhile() -> None:
            nonlocal took
            await_answers(sandbox, "/oauth/token", 4)
            began = time.monotonic()
            sandbox.perform(Step(do=fault, target="uaa", lasts=lasts))
            took = time.monotonic() - began  # UAA must start again, too
            await_answers(sandbox, "/oauth/token", 8)

        verdict = watched(tmp_path, as_user(sandbox), meanwhile).verdict
    assert verdict.ready is not None
    for name in ("list-spaces", "info"):
        report = report_of(verdict, name)
        assert (report.failed, report.outages_total) == (0, 0)
        assert report.succeeded >= 4 * lasts
    outage = the_outage(report_of(verdict, "login"))
    assert outage.end is not None
    assert lasts - 0.75 <= outage.seconds <= took + 1.0
    assert set(outage.components) == {"router"}  # who says that nobody is there
