"""A worker that is stopped while an answer lies in its buffer: the pause is its own, whatever is read first."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec

from harness.frames import Frame, decode_message
from harness.histogram import highest_of
from harness.spec import Pool, Spec, Timeouts

ROOT = Path(__file__).parent.parent.parent
STOPPED = 0.18  # seconds
TIMES = 5


def test_an_answer_that_waited_for_us_is_no_silence_of_the_target() -> None:
    """Five times in flight across a stop of the worker, and answered after 20 ms: silence and the lower latency are
    free of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        spec = Spec(
            runner="app",
            rate=4.0,
            url=f"http://127.0.0.1:{listener.getsockname()[1]}/",
            timeouts=Timeouts(connect=2.0, tls=2.0, first_byte=2.0, total=2.0),
            pool=Pool(warm=1, cap=4, handshakes=1),
            canary=False,
        )
        worker = subprocess.Popen(
            [sys.executable, "-m", "harness.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(msgspec.json.encode(spec) + b"\n")
        worker.stdin.flush()
        lines: list[bytes] = []
        reading = threading.Thread(target=lambda: lines.extend(worker.stdout or ()))
        reading.start()
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            for turn in range(2 * TIMES):
                assert b"\r\n\r\n" in connection.recv(65536)
                if turn % 2:
                    os.kill(worker.pid, signal.SIGSTOP)
                time.sleep(0.02)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                if turn % 2:
                    time.sleep(STOPPED)
                    os.kill(worker.pid, signal.SIGCONT)
            time.sleep(0.3)
            worker.stdin.close()
            worker.wait(10)
        reading.join(10)
        worker.stdout.close()
    frames = [message for message in map(decode_message, lines) if isinstance(message, Frame)]
    pauses = [pause for frame in frames for pause in frame.pauses if pause.end - pause.begin > STOPPED / 2]
    silences = [silence for frame in frames for silence in frame.silences if silence.end - silence.begin > STOPPED / 2]
    assert len(pauses) == TIMES
    assert len(silences) == TIMES
    assert all(silence.end - silence.begin - silence.paused < STOPPED / 2 for silence in silences)
    seconds = [second for frame in frames for second in frame.seconds.values()]
    slowest = max(index for second in seconds for index in second.whole_latency_low())
    assert highest_of(slowest) < STOPPED / 2 * 1e6
