"""How a sandbox begins and ends: quickly, with a clear word where it can't, and leaving nothing behind."""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.sandbox import Sandbox, SandboxConfig, SandboxError, Script, Step
from tests.sandbox.asking import facts, outcome, until

ROOT = Path(__file__).parents[2]
MEMBERS = ("balancer", "router/0", "router/1", "app/0", "app/1")
SCRIPT = """\
steps:
  - {at: 0s, step: short, do: slow, target: apps, for: 100ms, by: 10ms}
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def pids(made: Sandbox) -> list[int]:
    return [pid for name in MEMBERS if (pid := made.pid_of(name)) is not None]


def test_nothing_is_left() -> None:
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    with Sandbox(SandboxConfig(tls=True)) as made:
        mine, folder = pids(made), made.truth.parent
        assert len(set(mine)) == 5
        assert all(alive(pid) for pid in mine)
        assert made.pid == os.getpid()
    gc.collect()
    assert not any(alive(pid) for pid in mine)
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == files
    assert not folder.exists()
    with pytest.raises(SandboxError, match="not running"):
        _ = made.url


def test_it_ends_in_the_midst_of_a_script_and_of_a_freeze() -> None:
    steps = (
        Step(do="freeze", target="routers", lasts=60.0),
        Step(do="stall", target="apps", lasts=60.0),
        Step(do="restart", target="balancer", down=60.0),
        Step(at=60.0, do="kill", target="apps"),
    )
    begin = time.monotonic()
    with Sandbox(SandboxConfig(script=Script(steps))) as made:
        mine = pids(made)
        made.run_script()
        until(lambda: len(facts(made, "begin")) == 3 and facts(made, "balancer_exited"))
        assert not made.wait_script(0.01)
    assert not any(alive(pid) for pid in mine)
    assert time.monotonic() - begin < 50


def test_a_sandbox_made_in_a_thread_outlives_it() -> None:
    """PR_SET_PDEATHSIG goes by the thread that forked."""
    made = Sandbox(SandboxConfig(routers=1, instances=1))
    thread = threading.Thread(target=made.__enter__)
    thread.start()
    thread.join()
    try:
        thread = threading.Thread(target=made.perform, args=(Step(do="restart", target="app/0"),))
        thread.start()
        thread.join()
        time.sleep(0.05)
        assert outcome(made) == 200
    finally:
        made.__exit__(None, None, None)


def test_a_port_that_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SandboxError, match="Address already in use"), Sandbox(SandboxConfig(port=port)):
            pass
    with Sandbox(SandboxConfig(routers=1, instances=1, port=port)) as made:
        assert made.url == f"http://127.0.0.1:{port}/"


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = SandboxConfig(folder=tmp_path / "file" / "below")
    with pytest.raises(SandboxError, match="the sandbox can't start: Not a directory"), Sandbox(config):
        pass


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"routers": 0}, "routers: from 1 to 50, not 0"),
        ({"instances": 51}, "instances: from 1 to 50"),
        ({"port": 70_000}, "port: from 0"),
        ({"layer": 5}, "layer: 4 or 7"),
        ({"drain_wait": -1.0}, "drain_wait: seconds"),
        ({"health_every": float("nan")}, "health_every: seconds"),
        ({"app": "a b"}, "app: a name"),
    ],
)
def test_configurations_that_make_no_sense(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SandboxConfig(**wrong)


@contextmanager
def serving(*words: str, **options: object) -> Iterator["subprocess.Popen[str]"]:
    """A process that serves."""
    program = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from harness.sandbox import SandboxConfig, load_script, serve
        script = load_script(sys.argv[1]) if len(sys.argv) > 1 else None
        config = SandboxConfig(routers=1, instances=1, script=script)
        sys.exit(serve(config, sys.stdout, **{options!r}))
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 30)[0], "it said nothing"
    return process.stdout.readline()


def children(pid: int) -> list[int]:
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        found += [int(child) for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()]
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_line_is_an_object_and_a_signal_ends_it_all(number: signal.Signals) -> None:
    with serving(as_json=True) as process:
        told = json.loads(first_line(process))
        assert set(told) == {"apps", "ca", "truth", "pid"}
        assert (told["apps"][0]["name"], told["ca"], told["pid"]) == ("healthcheck", None, process.pid)
        assert httpx.get(told["apps"][0]["url"], trust_env=False).text == "ok instance 0\n"
        truth = Path(told["truth"])
        assert json.loads(truth.read_text().splitlines()[-1])["event"] == "serving"
        mine = children(process.pid)
        assert len(mine) == 3
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
        assert (process.returncode, out, errors) == (0, "", "")
        assert not any(alive(pid) for pid in mine)
        assert not truth.exists()


def test_for_people_it_says_what_to_type(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(SCRIPT)
    with serving(str(path), exit_after_script=True) as process:
        out, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert "The app healthcheck is served at http://127.0.0.1:" in out
    assert "  curl -i http://127.0.0.1:" in out
    assert "  cf-harness run http://127.0.0.1:" in out
    assert [line.split("UTC  ")[1] for line in out.splitlines() if "UTC  " in line] == [
        "short begins",
        "short has ended",
    ]
    assert out.endswith("the script is over\n")


def test_with_json_the_steps_are_told_on_standard_error(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(SCRIPT + "  - {at: 300ms, do: start, target: app/0}\n")
    with serving(str(path), as_json=True, exit_after_script=True) as process:
        out, errors = process.communicate(timeout=30)
    assert process.returncode == 1  # a step could not be done
    assert len(out.splitlines()) == 1
    assert "short has ended" in errors
    assert errors.endswith("step 'start app/0': app/0 is running already\n")


def test_it_serves_on_after_its_script(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(SCRIPT)
    with serving(str(path), as_json=True) as process:
        url = json.loads(first_line(process))["apps"][0]["url"]
        assert process.stderr is not None
        while "the script is over" not in process.stderr.readline():
            assert process.poll() is None
        assert httpx.get(url, trust_env=False).status_code == 200
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG and /proc are Linux's")
def test_a_killed_supervisor_takes_all_with_it_even_what_is_frozen(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text("steps:\n  - {do: freeze, target: routers, for: 1h}\n  - {do: stall, target: apps, for: 1h}\n")
    with serving(str(path), as_json=True) as process:
        first_line(process)
        mine = children(process.pid)
        assert len(mine) == 3

        def stopped() -> bool:
            return any(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T" for pid in mine)

        until(stopped)
        process.kill()
        process.wait()
        until(lambda: not any(alive(pid) for pid in mine))
