import re

import pytest
from hypothesis import HealthCheck, given, settings
from rich.cells import cell_len

from harness.outcome import OWN_CAUSES
from harness.report import REPORTS
from harness.report.layout import in_ascii
from harness.report.text import text
from harness.verdict import Decision, Verdict
from tests.report.verdicts import failed, judgement, never_ready, passed, runner, verdicts

EACH = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EACH
@given(verdicts)
def test_no_line_is_wider_than_80_cells_and_none_can_command_a_terminal(verdict: Verdict) -> None:
    drawn = text(verdict)
    for line in drawn.splitlines():
        assert cell_len(line) <= 80, line
    assert drawn.endswith("\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", drawn)


@EACH
@given(verdicts)
def test_the_ascii_variant_is_ascii_and_as_wide(verdict: Verdict) -> None:
    signs = text(verdict)
    drawn = in_ascii(signs)
    assert drawn.isascii()
    assert [len(line) for line in drawn.splitlines()] == [cell_len(line) for line in signs.splitlines()]


def test_scripts_that_combine_signs_are_no_wider_in_ascii() -> None:
    """Marks above, below and beside a letter, and signs of two cells."""
    for name in ("प्रन्त्र र्च कृकृ", "بِسْمِ اللَّهِ", "e\u0301a\u0308", "部署"):
        assert len(in_ascii(name)) == cell_len(name)


@EACH
@given(verdicts)
def test_the_first_line_tells_verdict_and_exit_code_whatever_the_names(verdict: Verdict) -> None:
    first = text(verdict).splitlines()[0]
    assert first.startswith(verdict.verdict.value.upper())


def test_a_failure_is_told_with_cause_time_place_and_phase() -> None:
    drawn = text(failed())
    flat = " ".join(drawn.split())
    assert drawn.splitlines()[0].startswith("FAIL ")
    assert "exit code 1" in drawn.splitlines()[0]
    assert "12:04:45.120 to 12:04:47.020 1.90 s (1.80 s – 2.00 s), 19 bad" in flat
    assert "connect refused 17, reset 2 (network 19); at 10.0.0.1:443; during restart router 1" in flat
    assert "6f2f1bd4-0b0c-4a52-6bd3-0a7c6b0c6f40" in flat
    assert "✖ violated app longest_outage < 1s 2.00 s (1.80 s – 2.00 s)" in flat
    assert "missed 3; 300 ms blind, set aside" in flat


def test_a_warning_gate_is_marked_as_one() -> None:
    assert "warns only; 3 unknown ticks decide it" in text(failed())


def test_phases_stand_under_the_strip_at_their_time() -> None:
    lines = text(failed()).splitlines()
    strip = next(line for line in lines if "✖" in line and "▁" in line)
    phase = next(line for line in lines if line.endswith(" restart router 1") and ("├" in line or "│" in line))
    column = strip.index("✖")
    assert phase[column] in "├─┤│"


def test_a_run_that_was_never_ready_says_so_first() -> None:
    drawn = text(never_ready())
    assert drawn.startswith("INCONCLUSIVE: never became ready")
    assert "nothing was judged" in drawn
    assert "connect_refused 600" in drawn


def test_a_failed_command_is_told_beside_the_verdict() -> None:
    reason = "the command ended with exit code 2"
    drawn = text(passed(exit_code=5, command_exit=2, reasons=[reason]))
    assert drawn.startswith("PASS: the command failed")
    assert drawn.count("command ended") == 1
    assert "the command ended with 0" in text(passed(command_exit=0))


def test_own_causes_are_never_listed_as_failures() -> None:
    drawn = text(passed(runners=[runner(failed=2, causes={"reset": 2, **{str(cause): 5 for cause in OWN_CAUSES}})]))
    line = next(line for line in drawn.splitlines() if line.startswith("  failed"))
    assert "reset 2" in line
    assert "missed" not in line


def test_a_share_close_to_all_is_not_rounded_up() -> None:
    drawn = text(passed(objectives=[judgement(value=0.9999996, value_bounds=(0.9999996, 0.9999996))]))
    assert "99.99996 %" in drawn


@pytest.mark.parametrize("decision", Decision)
def test_every_decision_can_be_drawn_in_every_format(decision: Decision) -> None:
    for draw in REPORTS.values():
        assert draw(passed(verdict=decision))
