import os
import subprocess
import sys

import pytest

from harness.background import behind_the_workers, in_front

ASKED = [sys.executable, "-c", "import os; input(); print(os.sched_getscheduler(0))"]


@pytest.mark.skipif(sys.platform != "linux", reason="SCHED_BATCH is Linux's")
def test_it_stands_back_for_as_long_as_it_lasts_and_what_it_starts_need_not() -> None:
    before = os.sched_getscheduler(0)
    with behind_the_workers():
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
        with subprocess.Popen(ASKED, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            in_front(child.pid)
            said, _ = child.communicate("go\n")
    assert int(said) == os.SCHED_OTHER
    assert os.sched_getscheduler(0) == before


def test_a_process_that_has_ended_needs_no_place() -> None:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    in_front(int(child.stdout))
