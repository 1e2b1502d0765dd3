"""The demo on the real sandbox: PASS, then FAIL with the outages beside the steps that caused them, and words on it."""

from pathlib import Path

import msgspec
import pytest

from harness.verdict import Verdict
from tests.cli.commanding import cf, widest


@pytest.mark.timeout(120)
def test_the_demo_shows_a_pass_and_a_fail(tmp_path: Path) -> None:
    ended = cf(tmp_path, "demo")
    assert ended.code == 0, ended.out
    assert widest(ended.out) <= 80
    files = sorted((tmp_path / "runs").glob("*/1/verdict.json"))
    good, bad = (msgspec.json.decode(file.read_bytes(), type=Verdict) for file in files)
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert [runner.name for runner in good.runners] == ["app", "app-fresh", "list-apps", "app-stats", "login"]
    assert [phase.name for phase in good.phases] == ["restart router/0", "restart router/1"]
    worst = max((outage for runner in bad.runners[:2] for outage in runner.outages), key=lambda outage: outage.seconds)
    assert set(worst.phases) == {"restart router/0", "restart router/1"}
    (alone,) = [
        (runner.name, outage.components)
        for runner in bad.runners
        for outage in runner.outages
        if outage.phases == ["restart uaa"]
    ]
    assert alone == ("login", {"router": alone[1]["router"]})
    said = " ".join(ended.out[ended.out.index("What you saw") :].split())
    assert f"{sum(runner.attempts for runner in good.runners)} attempts went through 2 steps" in said
    assert "for login" in said[said.index("of the API") :]
    assert worst.start[11:23] in said
    assert f" report {bad.run}" in said
    assert "mark: restart router/1 began" in ended.err
    again = cf(tmp_path, "report", bad.run)
    assert again.code == 1
    assert "during restart router/0" in " ".join(again.out.split())


def test_a_demo_that_can_not_write_says_so(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    ended = cf(tmp_path, "demo")
    assert ended.code == 2
    assert "can't write to runs" in ended.err
    assert "Traceback" not in ended.err
