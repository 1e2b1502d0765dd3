from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report.strip import BAD, BARS, NOTHING_DUE, UNKNOWN, axis, draw, legend, phase_line
from harness.verdict import PhaseReport, SecondCell
from tests.report.verdicts import at, cells


def cell(offset: int, good: int = 10, bad: int = 0, unknown: int = 0, p99: float | None = 0.005) -> SecondCell:
    return SecondCell(offset=offset, seconds=1, good=good, bad=bad, unknown=unknown, p50=p99, p99=p99)


@settings(max_examples=60, deadline=None)
@given(st.lists(cells, max_size=40), st.integers(10, 76))
def test_a_strip_fits_and_shows_every_bad_second(found: list[SecondCell], width: int) -> None:
    strip = draw(found, width)
    assert len(strip.signs) <= width
    for one in found:
        if one.bad:
            assert strip.signs[one.offset // strip.step] == BAD
    assert len(axis(at(0), strip)) <= len(strip.signs) + 12
    assert legend(strip)


def test_a_short_run_has_a_sign_for_each_second() -> None:
    strip = draw([cell(0), cell(1, bad=1), cell(2, good=0, unknown=10, p99=None), cell(4)], 76)
    assert strip.step == 1
    assert strip.signs == BARS[0] + BAD + UNKNOWN + NOTHING_DUE + BARS[0]


def test_noise_does_not_look_like_a_mountain_but_a_tenfold_latency_does() -> None:
    assert set(draw([cell(n, p99=0.005 + 0.0005 * (n % 3)) for n in range(20)], 76).signs) <= set(BARS[:2])
    assert draw([cell(0, p99=0.005), cell(1, p99=0.05)], 76).signs == BARS[0] + BARS[-1]


def test_one_bad_second_in_twelve_hours_is_seen() -> None:
    strip = draw([cell(n, bad=int(n == 20_000)) for n in range(0, 43_200, 10)], 76)
    assert strip.signs.count(BAD) == 1
    assert len(strip.signs) <= 76


def test_the_axis_tells_utc() -> None:
    assert axis(at(0), draw([cell(n) for n in range(40)], 76)) == "└12:02:50           └12:03:10"


def test_a_phase_lies_under_its_seconds_and_outside_of_the_run_nowhere() -> None:
    strip = draw([cell(n) for n in range(60)], 76)
    phase = PhaseReport(name="deploy", start=at(10), end=at(20), runners={})
    assert phase_line(phase, at(0), strip, 76) == " " * 10 + "├" + "─" * 9 + "┤ deploy"
    late = PhaseReport(name="a long name of a late phase", start=at(50), end=None, runners={})
    drawn = phase_line(late, at(0), strip, 62)
    assert drawn is not None
    assert drawn.endswith("a long name of a late phase ├────────┤")
    assert phase_line(PhaseReport(name="x", start=at(-9), end=at(-3), runners={}), at(0), strip, 76) is None
    assert phase_line(PhaseReport(name="x", start="?", end=None, runners={}), at(0), strip, 76) is None


def test_nothing_seen_draws_nothing() -> None:
    assert draw([], 76).signs == ""
