"""The demo's last words are the verdicts' own figures."""

from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from rich.cells import cell_len

from harness.cli.closing import closing, went_wrong
from harness.verdict import Decision, Verdict
from tests.report.verdicts import failed, passed, verdicts


def test_it_tells_what_was_seen_and_what_to_type() -> None:
    lines = closing([passed(run="one"), failed()], Path("runs"), Path("runs/demo.yml"))
    text = " ".join(" ".join(lines).split())
    assert "and not one failed: PASS, exit code 0." in text
    attempts = sum(runner.attempts for runner in failed().runners)
    assert f"19 of {attempts:,} attempts failed during 2 steps of a deployment" in text
    assert "The longest outage of the app was one of 1.90 s for app, 12:04:45.120 to 12:04:47.020 UTC" in text
    assert "while `restart router 1` was under way (connect refused 17, reset 2): FAIL, exit code 1." in text
    assert f"cf-harness report {failed().run} " in text
    assert "cf-harness run runs/demo.yml --url https://" in text
    assert "--runs-dir" not in text
    assert "of the API" not in text
    assert max(map(cell_len, lines)) <= 80


def test_users_and_developers_are_told_apart() -> None:
    bad = failed()
    (outage,) = bad.runners[0].outages
    slow = msgspec.structs.replace(outage, seconds=2.5, phases=["restart uaa"], causes={"router": 5})
    login = msgspec.structs.replace(bad.runners[0], name="login", probe="cf-api", outages=[slow])
    both = msgspec.structs.replace(bad, runners=[*bad.runners, login])
    text = " ".join(" ".join(closing([passed(), both], Path("runs"), Path("runs/demo.yml"))).split())
    assert "of the app was one of 1.90 s for app," in text
    assert "; of the API, one of 2.50 s for login," in text
    assert "while `restart uaa` was under way (router 5): FAIL" in text


def test_other_folders_are_named_as_a_shell_reads_them() -> None:
    text = "\n".join(closing([passed(), failed()], Path("my runs"), Path("my runs/demo.yml")))
    assert "--runs-dir 'my runs'" in text
    assert "'my runs/demo.yml'" in text


def test_the_program_is_named_as_the_shell_finds_it() -> None:
    lines = closing([passed(), failed()], Path("runs"), Path("runs/demo.yml"), ".venv/bin/cf-harness")
    assert f"  .venv/bin/cf-harness report {failed().run}" in lines
    assert sum("cf-harness" in line for line in lines) == sum(".venv/bin/cf-harness" in line for line in lines) == 3
    assert max(map(cell_len, lines)) <= 80


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(verdicts, verdicts)
def test_it_can_tell_of_any_two(one: Verdict, two: Verdict) -> None:
    assert "What to type next" in closing([one, two], Path("runs"), Path("runs/demo.yml"))


def test_a_demo_that_shows_something_else_says_so() -> None:
    expected = [Decision.PASS, Decision.FAIL]
    assert went_wrong([passed(), failed()], expected) == ""
    said = went_wrong([passed(), passed(verdict=Decision.INCONCLUSIVE, reasons=["too short"])], expected)
    assert "PASS and INCONCLUSIVE" in said
    assert "too short" in said
