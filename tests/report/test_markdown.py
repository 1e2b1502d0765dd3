from hypothesis import HealthCheck, given, settings

from harness.report.markdown import markdown
from harness.verdict import State, Verdict
from tests.report.verdicts import failed, judgement, passed, runner, verdicts


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(verdicts)
def test_at_most_60_lines_and_no_markup_from_outside(verdict: Verdict) -> None:
    drawn = markdown(verdict)
    assert len(drawn.splitlines()) <= 60
    assert "\x1b" not in drawn
    assert "<x>" not in drawn.replace("\\<x>", "")


def test_a_table_row_has_as_many_cells_as_its_head() -> None:
    drawn = markdown(passed(objectives=[judgement(text="p99 < 1s | rm")]))
    row = next(line for line in drawn.splitlines() if "p99" in line and "rm" in line)
    assert row.replace("\\|", "").count("|") == 5


def test_what_is_violated_stands_first() -> None:
    objectives = [judgement(text=f"p{n} < 1s") for n in range(1, 40)] + [judgement(state=State.VIOLATED)]
    table = [line for line in markdown(passed(objectives=objectives)).splitlines() if "| app |" in line]
    assert "violated" in table[0]


def test_too_many_of_anything_is_counted_not_dropped_silently() -> None:
    many = passed(
        objectives=[judgement(text=f"p{n} < 1s") for n in range(50)],
        runners=[runner(name=f"app-{n}") for n in range(30)],
        warnings=["careful"] * 30,
        reasons=["because"] * 30,
    )
    drawn = markdown(many)
    assert len(drawn.splitlines()) <= 60
    assert "… and 40 more objectives" in drawn
    assert "… and 24 more runners" in drawn


def test_an_outage_is_told_with_its_phase() -> None:
    assert "| app | 12:04:45.120 | 12:04:47.020 | 1.90 s (1.80 s – 2.00 s) | 19 |" in markdown(failed())
    assert "restart router 1" in markdown(failed())
