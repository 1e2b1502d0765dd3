"""The end comes when it must, though every call hangs. (Within five seconds of the TERM: `bench/api_stop.py`.)"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cf.session import Session
from harness.cf.target import ApiTarget, Asked, Credentials, Limits
from harness.outcome import Cause, Component
from harness.sandbox import Sandbox, SandboxConfig, Step
from harness.verdict import Decision
from tests.api.foundation_plan import NOBODY, runner, write_plan
from tests.api.watched import report_of, watched
from tests.cf.foundation import CLIENT, CLIENT_SECRET, Foundation, Reply, stalling, trickling, trickling_head
from tests.worker.process import until

DEADLINE, LATE = 1.0, 0.2  # seconds
PATHS = {"list-spaces": "/v3/spaces", "info": "/v3/info", "app-stats": "/v3/processes/process-of-app-1/stats"}


@pytest.mark.parametrize("reply", [stalling, trickling, trickling_head])
def test_a_run_ends_though_every_call_hangs(tmp_path: Path, reply: Reply) -> None:
    """Each call may take a minute; no slot is free any more; the verdict does not wait for them, and is no PASS."""
    with Foundation() as foundation:
        runners = [
            runner(
                foundation.url, name, rate="4/s", timeout="60s", slots=2, app="shop" if name == "app-stats" else None
            )
            for name in PATHS
        ]
        write_plan(tmp_path, *({key: said for key, said in one.items() if said is not None} for one in runners))
        stopped = 0.0

        def meanwhile() -> None:
            nonlocal stopped
            answered = len(foundation.requests)
            until(lambda: len(foundation.requests) > answered + 40)
            foundation.on.update(dict.fromkeys(PATHS.values(), reply))
            before = {name: foundation.paths().count(path) for name, path in PATHS.items()}
            until(lambda: all(foundation.paths().count(path) >= before[name] + 2 for name, path in PATHS.items()))
            time.sleep(1.0)  # so that others wait for a slot
            stopped = time.monotonic()

        environ = {**NOBODY, "CF_CLIENT_ID": CLIENT, "CF_CLIENT_SECRET": CLIENT_SECRET}
        ended = watched(tmp_path, environ, meanwhile)
        took = time.monotonic() - stopped
    assert took < 15.0  # 5 s on a machine of its own
    assert ended.code == 3, ended
    assert ended.verdict.verdict is Decision.INCONCLUSIVE
    for name in PATHS:
        report = report_of(ended.verdict, name)
        assert report.failed == 0
        assert report.unknown["cut"] >= 3  # two in flight, and what waited for them


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(api=1, routers=1, instances=1)) as made:
        yield made


def session_at(sandbox: Sandbox) -> Session:
    assert sandbox.api is not None
    credentials = Credentials(
        kind="client", client_id=sandbox.client_id, client_secret=sandbox.client_secret, origin="the sandbox"
    )
    limits = Limits(connect=60.0, read=60.0, total=60.0)
    return Session(ApiTarget(api=sandbox.api), credentials, limits, user_agent="cf-harness/test")


@pytest.mark.parametrize("every", [0.02, 0.3])
@pytest.mark.parametrize(
    ("target", "operation", "component"),
    [
        ("apis", "list-apps", Component.CLOUD_CONTROLLER),
        ("apis", "info", Component.CLOUD_CONTROLLER),
        ("uaa", "login", Component.UAA),
    ],
)
def test_a_trickling_body_ends_at_its_deadline(
    sandbox: Sandbox, target: str, operation: str, component: Component, every: float
) -> None:
    """A read's own time-out starts anew with every byte, and would never be over."""
    session = session_at(sandbox)
    try:
        asked = Asked(operation=operation)
        assert session.perform(asked, time.monotonic() + 10).fault is None
        with sandbox.during(Step(do="trickle", target=target, by=every)):
            began = time.monotonic()
            fault = session.perform(asked, began + DEADLINE).fault
            took = time.monotonic() - began
        assert DEADLINE - 0.05 <= took <= DEADLINE + LATE
        assert fault is not None
        assert fault.cause is Cause.TOTAL_TIMEOUT
        assert fault.component is component, fault
        assert session.perform(asked, time.monotonic() + 10).fault is None
    finally:
        session.close()
