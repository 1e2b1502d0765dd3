"""Sessions at work side by side, each in a thread of its own at its own even pace, as call slots are."""

import threading
import time
from datetime import datetime
from typing import NamedTuple

from harness.cf.identity import Identity
from harness.cf.performed import Performed
from harness.cf.session import Session
from harness.cf.target import ApiTarget, Asked, Credentials, Limits
from harness.sandbox import Sandbox, Step
from tests.api.foundation_plan import asked

OPERATIONS = ("info", "list-spaces", "list-routes", "list-apps")
_LIMITS = Limits(connect=5.0, read=5.0, total=5.0)


class Done(NamedTuple):
    """One operation of one session; `began` and `ended` are monotonic seconds."""

    worker: int
    operation: str
    began: float
    ended: float
    performed: Performed


class Away(threading.Thread):
    """Takes UAA away after a while, and brings it back. `began` and `ended` are monotonic seconds."""

    def __init__(self, sandbox: Sandbox, *, after: float, lasts: float) -> None:
        super().__init__()
        self._sandbox = sandbox
        self._after = after
        self._lasts = lasts
        self.began = self.ended = 0.0

    def run(self) -> None:
        time.sleep(self._after)
        self.began = time.monotonic()
        self._sandbox.perform(Step(do="kill", target="uaa", lasts=self._lasts))
        self.ended = time.monotonic()


class Grant(NamedTuple):
    """One request of a session's at the token endpoint; `at` in epoch seconds."""

    at: float
    kind: str
    status: int | None


def at_work(sandbox: Sandbox, *, workers: int, rate: float, seconds: float) -> list[Done]:
    """So many operations a second of all together, for so long, as the space developer. The operations take turns."""
    assert sandbox.api is not None
    target = ApiTarget(api=sandbox.api)
    credentials = Credentials(
        kind="password", username=sandbox.username, password=sandbox.password, origin="the sandbox"
    )
    identity = Identity()
    done: list[Done] = []
    start = time.monotonic()

    def work(worker: int) -> None:
        session = Session(target, credentials, _LIMITS, user_agent=name_of(worker), identity=identity)
        try:
            for turn in range(int(seconds * rate) // workers):
                due = start + (turn * workers + worker) / rate
                time.sleep(max(0.0, due - time.monotonic()))
                operation = OPERATIONS[turn % len(OPERATIONS)]
                began = time.monotonic()
                performed = session.perform(Asked(operation=operation), began + _LIMITS.total)
                done.append(Done(worker, operation, began, time.monotonic(), performed))
        finally:
            session.close()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def name_of(worker: int) -> str:
    """By which the request log tells a session from the others."""
    return f"cf-harness/test (worker {worker})"


def grants_of(sandbox: Sandbox, worker: int) -> list[Grant]:
    """What a session asked of the token endpoint, in order."""
    return [
        Grant(
            datetime.fromisoformat(line["utc"].replace("Z", "+00:00")).timestamp(), line["grant_type"], line["status"]
        )
        for line in asked(sandbox)
        if "grant_type" in line and line["user_agent"] == name_of(worker)
    ]


def refused_tokens(sandbox: Sandbox) -> int:
    """How many calls the API answered with 401."""
    return sum(line["status"] == 401 and "grant_type" not in line for line in asked(sandbox))
