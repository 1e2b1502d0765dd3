"""What is done to the control API never delays a tick: the workers are other processes."""

import contextlib
import re
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from harness.channel.http import HttpPipeline
from harness.sandbox import Sandbox, SandboxConfig
from harness.verdict import Decision, Verdict
from tests.cli.commanding import going

_IDLE = 500
_DRIPPING = 100
_TRIES = 3  # a busy machine misses ticks of itself


@contextlib.contextmanager
def _besieged(address: tuple[str, int]) -> Iterator[list[int]]:
    """Idle connections and half heads that drip on; those that the server closes are opened again. Gives how many were
    opened."""
    over = threading.Event()
    opened = [0]

    def besiege() -> None:
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
            while not over.is_set():
                short = _IDLE + _DRIPPING - len(selector.get_map())
                for _ in range(min(short, 100)):
                    connection = stack.enter_context(socket.create_connection(address, 20))
                    connection.setblocking(False)
                    selector.register(connection, selectors.EVENT_READ)
                    opened[0] += 1
                for key, _ in selector.select(0.02):
                    selector.unregister(key.fileobj)
                    connection = key.fileobj  # type: ignore[assignment]
                    connection.close()
                for key in list(selector.get_map().values())[:_DRIPPING]:
                    connection = key.fileobj  # type: ignore[assignment]
                    with contextlib.suppress(OSError):
                        connection.send(b"G")
                over.wait(0.1)

    thread = threading.Thread(target=besiege)
    thread.start()
    try:
        yield opened
    finally:
        over.set()
        thread.join()


def _missed_under_siege(url: str, folder: Path) -> int:
    folder.mkdir()
    words = ("run", url, "--rate", "500/s", "--run-id", "r", "--listen", "127.0.0.1:0", "--duration", "60s", "-q")
    with going(folder, *words) as run:
        run.until_said("the control API listens at")
        (place,) = re.findall(r"http://\S+", "".join(run.said))
        pipeline = HttpPipeline(place, {})
        while (pulse := pipeline.look("r", 1).pulse) is None or pulse.state != "watching":
            time.sleep(0.1)
        host, _, port = place.removeprefix("http://").partition(":")
        with _besieged((host, int(port))) as opened:
            sent = pulse.runners[0].sent
            while opened[0] < 2 * (_IDLE + _DRIPPING) or sent < 2500:
                assert httpx.get(f"{place}/healthz").status_code == 200
                state = pipeline.look("r", 1).pulse
                assert state is not None
                sent = state.runners[0].sent
                time.sleep(0.05)
            assert httpx.post(f"{place}/v1/stop", json={"by": "me"}).status_code == 202
            while pipeline.look("r", 1).ended is None:
                time.sleep(0.1)
            assert pipeline.report("r", 1, "verdict.json") is not None
        ended = run.ended()
    verdict = msgspec.json.decode((folder / "runs" / "r" / "1" / "verdict.json").read_bytes(), type=Verdict)
    assert ended.code == verdict.exit_code
    assert verdict.stopped_by == "me"
    assert verdict.verdict is not Decision.FAIL
    assert not [problem for problem in verdict.harness.problems if "control API" in problem]
    (runner,) = verdict.runners
    assert runner.failed == 0
    assert runner.attempts > 2500
    return runner.missed


@pytest.mark.timeout(180)
@pytest.mark.long
def test_a_siege_of_the_api_delays_no_tick(tmp_path: Path) -> None:
    with Sandbox(SandboxConfig(routers=1, instances=1)) as sandbox:
        missed = []
        for trial in range(_TRIES):
            missed.append(_missed_under_siege(sandbox.url, tmp_path / str(trial)))
            if not missed[-1]:
                return
        pytest.fail(f"ticks were missed each time: {missed}")
