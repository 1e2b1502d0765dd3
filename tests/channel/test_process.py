"""Looking a process up: alive, gone, a zombie, another one with its number, and what can't be known."""

import os
import subprocess
import sys
import time
from pathlib import Path

from harness.channel.process import Process, is_gone, is_here, this_process
from tests.conftest import as_nobody

READS = [sys.executable, "-c", "import sys; sys.stdin.read()"]
TELLS = """
import sys
from harness.channel.process import this_process
print(*this_process(), sep="\\n", flush=True)
sys.stdin.read()
"""


def told(child: "subprocess.Popen[str]") -> Process:
    """What a process says of itself."""
    assert child.stdout is not None
    host, pid, boot, namespace = (child.stdout.readline().rstrip("\n") for _ in range(4))
    return Process(host, int(pid), boot, namespace)


def telling() -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", TELLS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_this_one_is_here() -> None:
    assert is_here(this_process())
    assert not is_gone(this_process())


def test_one_that_ended_is_gone_even_before_its_parent_looked() -> None:
    with telling() as child:
        process = told(child)
        assert is_here(process)
        assert not is_gone(process)
        child.kill()
        stat = Path(f"/proc/{child.pid}/stat")
        deadline = time.monotonic() + 20
        while stat.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert is_gone(process), "a zombie"
        assert not is_here(process)
    assert is_gone(process)


def test_another_one_with_its_number_is_not_it() -> None:
    own = this_process()
    boot, _, birth = own.boot.partition(" ")
    older = own._replace(boot=f"{boot} {int(birth) - 1}")
    assert is_gone(older)
    assert not is_here(older)


def test_nothing_is_known_of_another_machine_or_container() -> None:
    own = this_process()
    nobody = own._replace(pid=2**22 - 1)
    assert is_gone(nobody)
    for unknown in (
        nobody._replace(boot="11111111-2222 5"),
        nobody._replace(namespace="pid:[1]"),
        nobody._replace(boot=""),
        nobody._replace(namespace=""),
    ):
        assert not is_gone(unknown)
        assert not is_here(unknown)


def test_another_users_process_is_not_gone() -> None:
    own = this_process()
    with as_nobody():
        assert not is_gone(own)
        assert os.getpid() == own.pid
