from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import figures


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0 s"),
        (0.000085, "85 µs"),
        (0.00123, "1.23 ms"),
        (0.0123, "12.3 ms"),
        (0.3, "300 ms"),
        (0.9996, "1.00 s"),
        (1.93, "1.93 s"),
        (59.4, "59.4 s"),
        (60.0, "1 min"),
        (303.0, "5 min 3 s"),
        (7500.0, "2 h 5 min"),
        (-0.002, "-2.00 ms"),
        (float("inf"), "unbounded"),
        (None, "–"),
    ],
)
def test_lengths_of_time(value: float | None, written: str) -> None:
    assert figures.seconds(value) == written


@given(st.floats(min_value=0, max_value=59), st.sampled_from([0.3, 0.5, 1.0, 2.0, 10.0]))
def test_a_length_never_reads_as_the_threshold_that_it_missed(value: float, threshold: float) -> None:
    if abs(value - threshold) > 1e-6 * threshold:
        assert figures.seconds(value, threshold) != figures.seconds(threshold, threshold)


@given(st.integers(0, 10**7))
def test_a_share_reads_as_all_only_if_it_is(of_ten_million: int) -> None:
    written = figures.share(of_ten_million / 10**7)
    assert (written == "100 %") == (of_ten_million == 10**7)
    assert (written == "0 %") == (of_ten_million == 0)


def test_a_share_is_kept_apart_from_its_threshold() -> None:
    assert figures.share(0.99949999, 0.9995) == "99.949999 %"
    assert figures.share(0.9995, 0.9995) == "99.95 %"


@pytest.mark.parametrize(
    ("value", "written"),
    [(1000.0, "1,000/s"), (9.98, "9.98/s"), (10.0, "10/s"), (0.1, "6/min"), (1 / 3600, "1/h"), (0.0, "0/h")],
)
def test_rates(value: float, written: str) -> None:
    assert figures.rate(value) == written


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("success >= 99.95%", 0.5, "50 %"),
        ("p99.9 < 500ms", 0.0123, "12.3 ms"),
        ("failures <= 3", 4.0, "4"),
        ("outages <= 0", 1.0, "1"),
        ("longest_outage < 2s", 2.0004, "2.0004 s"),
        ("", 0.5, "500 ms"),
        ("success >= 1%", None, "–"),
    ],
)
def test_an_objectives_value_has_its_unit(text: str, value: float | None, written: str) -> None:
    assert figures.value_of(text, value, 2.0) == written


def test_times_of_day_carry_the_date_only_on_another_day() -> None:
    assert figures.clock("2026-03-04T12:02:50.123456Z", 3, "2026-03-04T01:00:00Z") == "12:02:50.123"
    assert figures.clock("2026-03-05T00:02:50Z", 0, "2026-03-04T01:00:00Z") == "03-05 00:02:50"
    assert figures.clock("soon") == "soon"
    assert figures.clock(None) == "–"


@given(st.dictionaries(st.text("abc_", max_size=5), st.integers(0, 9), max_size=5))
def test_a_tally_names_the_most_frequent_first_and_nothing_that_did_not_happen(counts: dict[str, int]) -> None:
    numbers = [int(part.rsplit(" ", 1)[1]) for part in figures.tally(counts).split(", ") if part[-1:].isdigit()]
    assert all(number > 0 for number in numbers)
    assert all(one >= other for one, other in pairwise(numbers))
