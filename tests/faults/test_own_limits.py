"""The harness's own limits are never the target's fault. In real workers, since a process has its limits for itself."""

import subprocess
import sys

import msgspec
import pytest

from harness.frames import Bye, Frame, decode_message
from harness.outcome import Cause, Component
from harness.spec import Pool, Timeouts
from tests.faults.server import FaultyServer, Peer, answering
from tests.faults.trial import PROBES, spec_of


@pytest.mark.parametrize("probe", PROBES)
def test_out_of_file_descriptors(probe: str) -> None:
    """The target answers nobody, so every attempt holds a connection; there are fewer descriptors than those."""
    limits = Timeouts(connect=5.0, tls=5.0, first_byte=1.0, total=1.0)
    with FaultyServer(answering(Peer.stall)) as server:
        spec = msgspec.structs.replace(
            spec_of(probe, f"http://127.0.0.1:{server.port}/", timeouts=limits),
            pool=Pool(warm=0, cap=200, handshakes=200),
            rate=80.0,
            until=0.8,
            canary=False,
        )
        worker = subprocess.run(
            ["/bin/sh", "-c", f"ulimit -n 32; exec {sys.executable} -m harness.worker"],
            input=msgspec.json.encode(spec) + b"\n",
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert worker.returncode == 0, worker.stderr.decode()
    messages = [decode_message(line) for line in worker.stdout.splitlines()]
    assert isinstance(messages[-1], Bye)
    assert messages[-1].problem == ""
    frames = [message for message in messages if isinstance(message, Frame)]
    bad = {(run.cause, run.component) for frame in frames for run in frame.bad}
    unknown = {(run.cause, run.component) for frame in frames for run in frame.unknown}
    assert (Cause.LOCAL_FILES, Component.HARNESS) in unknown
    assert bad <= {(Cause.TOTAL_TIMEOUT, Component.TARGET), (Cause.FIRST_BYTE_TIMEOUT, Component.TARGET)}
    examples = [example for frame in frames for example in frame.examples if example.cause is Cause.LOCAL_FILES]
    assert "ulimit -n" in examples[0].detail
    assert any("file descriptors" in problem for frame in frames for problem in frame.problems)
