"""What the `http` probe holds, and where it connects to. How it judges is in tests/faults, beside the engine."""

import asyncio
import time

import pytest
import uvloop

from harness.probes import make_driver
from harness.recorder import Recorder
from harness.spec import Spec
from tests.faults.server import OK, FaultyServer, Peer, answering, saying
from tests.faults.trial import PROBES, attempt, spec_of


async def held(spec: Spec) -> list[int]:
    """Connections each 10 ms, from before the first tick to after the last."""
    clock = time.monotonic
    driver = make_driver(spec, start=clock() + 0.05, user_agent="a", clock=clock, recorder=Recorder())
    driver.stop(0.4, 5.0)
    counts = [driver.connections]
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(driver.run())
        while not running.done():
            counts.append(driver.connections)
            await asyncio.sleep(0.01)
    counts.append(driver.connections)
    return counts


def counted(spec: Spec) -> list[int]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(held(spec))


def test_connections_are_counted_while_they_are_held() -> None:
    def slow(peer: Peer) -> None:
        peer.wait(0.05)
        peer.say(OK)

    with FaultyServer(answering(slow)) as server:
        kept = counted(spec_of("http", f"http://127.0.0.1:{server.port}/"))
        assert kept[0] == 0
        assert 2 <= max(kept) <= 16
        assert kept[:-3] == sorted(kept[:-3])  # idle ones are held, to the end
        opened = server.connections
        assert max(kept) <= opened


def test_a_fresh_one_is_let_go() -> None:
    with FaultyServer(answering(saying(OK))) as server:
        counts = counted(spec_of("http", f"http://127.0.0.1:{server.port}/", fresh=True))
        assert max(counts) < server.connections == 20
    assert counts[-1] == 0


@pytest.mark.parametrize("probe", PROBES)
def test_a_name_with_two_families_is_one_host(probe: str) -> None:
    """The server listens on 127.0.0.1 alone; where the machine has ::1 as well, that is not tried for every second."""
    with FaultyServer(answering(saying(OK))) as server:
        trial = attempt(spec_of(probe, f"http://localhost:{server.port}/"))
        trial.all_good()
        addresses = {name for second in trial.frame.seconds.values() for name in second.addresses}
        assert addresses == {f"127.0.0.1:{server.port}"}


@pytest.mark.parametrize("probe", PROBES)
def test_a_port_that_is_not_the_default_is_in_the_host_header(probe: str) -> None:
    hosts: list[bytes] = []

    def behave(peer: Peer) -> None:
        while True:
            peer.request()
            hosts.append(next(line for line in peer.head.split(b"\r\n") if line.startswith(b"Host: ")))
            peer.say(OK)

    with FaultyServer(behave) as server:
        spec = spec_of(probe, f"http://app.test:{server.port}/", resolve=(("app.test", "127.0.0.1"),))
        attempt(spec).all_good()
        assert set(hosts) == {f"Host: app.test:{server.port}".encode()}
