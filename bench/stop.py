"""The stop: within five seconds against a target that stalls with a time-out of thirty, and never a PASS.

`python -m bench.stop [--times 100]`. The target answers until the run is ready, then stands still; TERM comes a moment
later. Several runs go side by side, since each spends its time waiting.
"""

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.contender import save

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Stalling:
    """A server that answers until it is told to stand still."""

    def __init__(self) -> None:
        self._stalled = threading.Event()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while connection.recv(65536):
                    if self._stalled.is_set():
                        self._over.wait(60)
                        return
                    connection.sendall(_ANSWER)
            except OSError:
                return

    def stall(self) -> None:
        """From now on nobody is answered."""
        self._stalled.set()

    def close(self) -> None:
        """End."""
        self._over.set()
        self._listener.close()


def _stop_one(number: int) -> dict[str, Any]:
    server = Stalling()
    try:
        with tempfile.TemporaryDirectory() as runs:
            command = [sys.executable, "-m", "harness", "run", server.url, "--rate", "20/s", "--timeout", "30s"]
            command += ["--runs-dir", runs, "--run-id", "r", "--format", "json"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            time.sleep(5.0 + (number % 7) * 0.1)
            server.stall()
            time.sleep((number % 10) * 0.2)
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=60)
            took = time.monotonic() - asked
        verdict = json.loads(out)
        return {
            "stalled_for": (number % 10) * 0.2,
            "seconds": took,
            "code": process.returncode,
            "verdict": verdict["verdict"],
            "ready": verdict["ready"] is not None,
        }
    finally:
        server.close()


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--side-by-side", type=int, default=3)
    arguments = parser.parse_args()
    with ThreadPoolExecutor(arguments.side_by_side) as pool:
        rows = list(pool.map(_stop_one, range(arguments.times)))
    summary = {
        "times": len(rows),
        "slowest_seconds": max(row["seconds"] for row in rows),
        "passes": sum(row["verdict"] == "pass" for row in rows),
        "fails": sum(row["verdict"] == "fail" for row in rows),
        "never_ready": sum(not row["ready"] for row in rows),
    }
    print(summary)
    print(save("stop", {"summary": summary, "rows": rows}))


if __name__ == "__main__":
    main()
