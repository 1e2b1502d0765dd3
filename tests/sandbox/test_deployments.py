"""Restarts with and without drain, as users see them: on kept-alive and on fresh connections."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from harness.sandbox import Sandbox, SandboxConfig, SandboxError, Script, Step
from tests.sandbox.asking import HOST, Client, Early, ask, clients, facts, outcome, truth, until


class User:
    """Asks a hundred times a second until told to stop, on one kept-alive connection or on fresh ones."""

    def __init__(self, sandbox: Sandbox, keep: bool) -> None:
        self.failures: list[tuple[float, str]] = []
        self.asked = 0
        self.stale = 0
        self._sandbox = sandbox
        self._client: Client | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._kept if keep else self._fresh,))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        if self._client is not None:
            self._client.sock.close()

    def _run(self, attempt: Callable[[], int]) -> None:
        while not self._stop.wait(0.01):
            self.asked += 1
            try:
                status = attempt()
                if status != 200:
                    self.failures.append((time.monotonic(), str(status)))
            except (OSError, Early) as error:
                self.failures.append((time.monotonic(), type(error).__name__))

    def _fresh(self) -> int:
        return ask(self._sandbox).status

    def _kept(self) -> int:
        client, self._client = self._client, None
        if client is not None:
            try:
                status = client.ask().status
            except (ConnectionError, Early):  # stale: a fresh one, once, as browsers do
                self.stale += 1
                client.sock.close()
            else:
                self._client = client
                return status
        client = Client(self._sandbox.url)
        try:
            status = client.ask().status
        except BaseException:
            client.sock.close()
            raise
        self._client = client
        return status


@contextlib.contextmanager
def users(sandbox: Sandbox) -> Iterator[list[User]]:
    """Two of each kind: round robin gives every router a kept-alive one."""
    made = [User(sandbox, keep) for keep in (True, True, False, False)]
    try:
        until(lambda: all(user.asked > 5 for user in made))
        yield made
    finally:
        for user in made:
            user.stop()


def script(*steps: Step) -> SandboxConfig:
    return SandboxConfig(script=Script(steps), health_every=0.02)


@pytest.mark.parametrize("target", ["routers", "apps"])
def test_nobody_notices_a_rolling_restart_with_drain(target: str) -> None:
    config = script(Step(do="rolling_restart", target=target, drain_wait=0.5 if target == "routers" else None))
    with Sandbox(config) as made, users(made) as seen:
        made.run_script()
        assert made.wait_script(30)
    assert [user.failures for user in seen] == [[], [], [], []]
    # who was on the first router was moved to the second, and moved again
    assert {user.stale for user in seen[:2]} <= ({1, 2} if target == "routers" else {0})


def test_everybody_notices_overlapping_restarts_without_drain() -> None:
    steps = [Step(at=0.1 * index, do="restart", target=f"router/{index}", drain_wait=0.0, down=0.8) for index in (0, 1)]
    with Sandbox(script(*steps)) as made, users(made) as seen:
        made.run_script()
        assert made.wait_script(30)
        until(lambda: outcome(made) == 200)
        closed = [fact["monotonic"] for fact in facts(made, "listener_closed")]
        back = [line["monotonic"] for line in truth(made) if line["event"] == "listening"][-2:]
    for user in seen:  # both were down from the later end to the sooner beginning
        assert len([1 for moment, _ in user.failures if max(closed) <= moment <= min(back)]) >= 10
        assert all(min(closed) <= moment for moment, _ in user.failures)


def test_a_drain_step_by_step() -> None:
    """Health first, then the listener and idle connections at once, active ones when they become idle, then the end."""
    config = SandboxConfig(routers=1, instances=1, health_every=0.02, drain_wait=0.4)
    with Sandbox(config) as made, clients(made, 2) as (idle, busy):
        pid = made.pid_of("router/0")
        worker = threading.Thread(target=made.perform, args=(Step(do="restart", target="router/0"),))
        worker.start()
        try:
            until(lambda: facts(made, "router_unhealthy"))
            assert idle.ask().status == 200  # what is connected is served during the wait
            busy.say(f"GET /slow/800ms HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            until(lambda: facts(made, "listener_closed"))
            assert idle.closed()
            answer = busy.answer()
            assert answer.status == 200
            assert "connection" not in answer.headers  # nothing is announced
            assert busy.closed()
        finally:
            worker.join()
        assert outcome(made) == 200
        (closed,) = facts(made, "listener_closed")
        assert (closed["idle_closed"], closed["active"]) == (1, 1)
        drain = [
            line["event"] for line in truth(made) if line["step"] == "restart router/0" and line["event"] != "listening"
        ]
        assert drain == ["begin", "drain_began", "listener_closed", "drained", "router_exited", "end"]
        began, shut = facts(made, "drain_began")[0]["monotonic"], closed["monotonic"]
        assert shut - began >= 0.398  # the loop's timers go by milliseconds
        assert made.pid_of("router/0") != pid


def test_after_the_drain_timeout_the_rest_is_cut() -> None:
    with Sandbox(SandboxConfig(routers=1, instances=1)) as made, Client(made.url) as client:
        client.say(f"GET /slow/20s HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        until(lambda: ask(made).status == 200)
        made.perform(Step(do="restart", target="router/0", drain_wait=0.0, drain_timeout=0.1))
        assert facts(made, "drained")[0]["cut"] == 1
        with pytest.raises((ConnectionResetError, Early)):
            client.answer()


def test_without_drain_everything_is_cut_at_once() -> None:
    with Sandbox(SandboxConfig(routers=1, instances=1, drain_wait=30.0)) as made, Client(made.url) as client:
        client.say(f"GET /slow/20s HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        until(lambda: ask(made).status == 200)
        made.perform(Step(do="restart", target="routers", drain=False))
        with pytest.raises((ConnectionResetError, Early)):
            client.answer()
        assert outcome(made) == 200


def test_a_killed_instance_is_found_out_and_a_started_one_is_used() -> None:
    with Sandbox(SandboxConfig(routers=1)) as made:
        made.perform(Step(do="kill", target="app/0"))
        assert made.pid_of("app/0") is not None
        assert {ask(made).body for _ in range(8)} == {b"ok instance 1\n"}
        assert len(facts(made, "endpoint_failed")) == 1  # then it is dropped for 30 seconds
        with pytest.raises(SandboxError, match=r"app/0 is not running, so `stall` can't befall it"):
            made.perform(Step(do="stall", target="app/0", lasts=1.0))
        made.perform(Step(do="start", target="app/0"))
        assert {ask(made).body for _ in range(8)} == {b"ok instance 0\n", b"ok instance 1\n"}
        with pytest.raises(SandboxError, match="app/0 is running already"):
            made.perform(Step(do="start", target="app/0"))


def test_kill_for_a_while() -> None:
    with Sandbox(SandboxConfig(routers=2, health_every=0.02)) as made:
        with made.during(Step(do="kill", target="apps", lasts=1.0)):
            answer = ask(made)
            assert answer.status == 502
            assert answer.headers["x-cf-routererror"].startswith("endpoint_failure (")
        assert {ask(made).status for _ in range(4)} == {200}
        with made.during(Step(do="kill", target="routers", lasts=1.0)):
            assert outcome(made) == "ConnectionResetError"
        assert outcome(made) == 200
        with made.during(Step(do="kill", target="balancer", lasts=1.0)):
            assert outcome(made) == "ConnectionRefusedError"
        assert outcome(made) == 200


def test_an_app_without_instances_has_no_endpoints() -> None:
    with Sandbox(SandboxConfig(routers=1, instances=1)) as made:
        worker = threading.Thread(target=made.perform, args=(Step(do="restart", target="apps", down=0.5),))
        worker.start()
        try:
            until(lambda: facts(made, "unregistered"))
            answer = ask(made)
            assert (answer.status, answer.headers["x-cf-routererror"]) == (503, "no_endpoints")
            said = (
                b"503 Service Unavailable: Requested route ('healthcheck.apps.localhost') has no available endpoints.\n"
            )
            assert answer.body == said
        finally:
            worker.join()
        assert outcome(made) == 200


def test_a_step_of_a_script_that_can_not_be_done_is_told() -> None:
    steps = (Step(do="kill", target="app/0"), Step(at=0.2, do="freeze", target="app/0", lasts=0.1, name="second"))
    with Sandbox(script(*steps)) as made:
        made.run_script()
        with pytest.raises(SandboxError, match=r"step 'second': app/0 is not running"):
            made.wait_script(30)
        with pytest.raises(SandboxError, match="has begun already"):
            made.run_script()
    with Sandbox(SandboxConfig(routers=1, instances=1)) as made, pytest.raises(SandboxError, match="no script"):
        made.run_script()


def test_layer_7_hides_a_drain() -> None:
    config = SandboxConfig(
        layer=7, health_every=0.02, script=Script((Step(do="rolling_restart", target="routers", drain_wait=0.3),))
    )
    with Sandbox(config) as made, users(made) as seen:
        made.run_script()
        assert made.wait_script(30)
    assert [user.failures for user in seen] == [[], [], [], []]
    assert [user.stale for user in seen] == [0, 0, 0, 0]
