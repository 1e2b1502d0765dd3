"""What tox does with a signal while a suite runs in it: a tox of its own, with a stand-in for the suite."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INI = """
[tox]
env_list = some_suite
no_package = true
[testenv]
package = skip
deps =
commands = python {tox_root}/stand_in.py
suicide_timeout = 40
"""
STAND_IN = """
import signal, sys, time
heard = []
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, frame: heard.append(number))
print("at work", flush=True)
while not heard:
    time.sleep(0.01)
time.sleep(0.3)
print("heard", signal.Signals(heard[0]).name, flush=True)
sys.exit(3)
"""


@pytest.mark.parametrize("whole_group", [False, True], ids=["tox alone", "its group"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_suite_and_tox_waits_for_its_exit_code(
    tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    shutil.copy(ROOT / "toxfile.py", tmp_path)
    (tmp_path / "tox.ini").write_text(INI)
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    (tmp_path / "suites" / "some_suite").mkdir(parents=True)
    (tmp_path / "suites" / "some_suite" / "plan.yml").touch()
    out = tmp_path / "out"
    with out.open("w") as file:
        command = [sys.executable, "-m", "tox", "run", "-e", "some_suite"]
        tox = subprocess.Popen(command, cwd=tmp_path, stdout=file, stderr=file, start_new_session=True)
    try:
        deadline = time.monotonic() + 40
        while "at work" not in out.read_text():
            assert tox.poll() is None, out.read_text()
            assert time.monotonic() < deadline, out.read_text()
            time.sleep(0.05)
        (os.killpg if whole_group else os.kill)(tox.pid, number)
        code = tox.wait(30)
    finally:
        tox.kill()
        tox.wait()
    assert code == 3, out.read_text()
    assert f"heard {number.name}" in out.read_text()
