"""Durations, rates, shares and sizes: read, refused, and written so that they can be read again."""

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("5s", 5), ("1.1s", 1.1), ("9ms", 0.009), ("2m", 120), ("12h", 43200), ("1h30m", 5400),
     ("1d", 86400), ("1m500ms", 60.5), ("0s", 0), (" 5s ", 5), ("1d2h3m4s5ms", 93784.005)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert units.duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "per_second"),
    [("10/s", 10), ("7/min", 7 / 60), ("1/h", 1 / 3600), ("1000000/s", 1e6), ("0.1/s", 0.1), ("60 / minute", 1),
     ("10/sec", 10), ("3600/hour", 1), ("30/m", 0.5)],
)  # fmt: skip
def test_rates(text: str, per_second: float) -> None:
    assert units.rate(text) == per_second


@pytest.mark.parametrize(("text", "share"), [("99.9%", 0.999), ("0%", 0), ("100%", 1), ("99.95 %", 0.9995)])
def test_shares(text: str, share: float) -> None:
    assert units.share(text) == share


@pytest.mark.parametrize(("text", "size"), [("10MiB", 10 * 2**20), ("500kB", 500_000), ("1 B", 1), ("1.5KiB", 1536)])
def test_sizes(text: str, size: int) -> None:
    assert units.size(text) == size


@given(st.integers(0, 10_000))
def test_a_percentage_is_the_float_nearest_to_what_was_written(hundredths: int) -> None:
    """So that a run of exactly 999 in 1,000 meets 99.9 %."""
    assert units.share(f"{hundredths / 100:.2f}%") == float(Fraction(hundredths, 10_000))


@given(st.integers(0, 10**7))
def test_milliseconds_are_read_without_noise(milliseconds: int) -> None:
    assert units.duration(f"{milliseconds}ms") == float(Fraction(milliseconds, 1000))


BAD_TEXTS = [
    *["", "5", "nan", "inf", "-1", "-5s", "1e9/s", "1e3s", "5 parsecs", "١s", "١/s", "1_000/s", "1,5s", "s", "/s", "%"],
    *["B", "5s5s", "30m1h", "5 s s", "10/fortnight", "10/S", "5S", "\0", "%5", "5%%", "101%", "-1%"],
]
NO_TEXTS = [None, True, 5, 1.5, math.nan, math.inf, [], {}, ["5s"], b"5s"]


@pytest.mark.parametrize("read", [units.duration, units.rate, units.share, units.size])
@pytest.mark.parametrize("value", BAD_TEXTS + NO_TEXTS)
def test_what_has_no_unit_or_a_wrong_one_is_refused(read: Callable[[object], float], value: object) -> None:
    with pytest.raises(ValueError, match=r"expected|is not a|out of bounds"):
        read(value)


def test_the_message_repeats_the_number_with_a_unit() -> None:
    with pytest.raises(ValueError, match='such as "3/s"'):
        units.rate(3)
    with pytest.raises(ValueError, match=r'such as "2\.5s"'):
        units.duration(2.5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -3, 0, True, None, [1]])
def test_the_message_never_advises_nonsense(value: object) -> None:
    with pytest.raises(ValueError, match='such as "10/s"'):
        units.rate(value)


@pytest.mark.parametrize("text", ["0/s", "0.5/h", "1000001/s", "60000060/min", "0.9/h"])
def test_rates_have_bounds(text: str) -> None:
    with pytest.raises(ValueError, match="out of bounds: from 1/h to 1000000/s"):
        units.rate(text)


@pytest.mark.parametrize("text", ["9" * 400 + "d", "3651d", "9" * 400 + "s"])
def test_no_duration_is_endless(text: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        units.duration(text)


def test_no_size_is_endless() -> None:
    with pytest.raises(ValueError, match="too large"):
        units.size("9" * 400 + "GB")


@given(st.text() | st.from_regex(r"[0-9.]{1,9}\s?(ms|s|m|h|d|/s|/min|/h|%|B|MiB)+"))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (units.duration, units.rate, units.share, units.size):
        try:
            value = read(text)
        except ValueError:
            continue
        assert math.isfinite(value)
        assert value >= 0


@given(st.integers(0, 10**12).map(lambda us: us / 1e6))
def test_a_duration_that_is_shown_reads_as_itself(seconds: float) -> None:
    assert units.duration(units.show_duration(seconds)) == pytest.approx(seconds, rel=1e-12, abs=1e-11)


@given(st.floats(units.LOWEST_RATE, units.HIGHEST_RATE))
def test_a_rate_that_is_shown_reads_as_itself(per_second: float) -> None:
    assert units.rate(units.show_rate(per_second)) == pytest.approx(per_second, rel=1e-8)


@given(st.integers(0, 100_000))
def test_a_share_that_is_shown_reads_as_itself(thousandths: int) -> None:
    share = units.share(f"{thousandths / 1000:.3f}%")
    assert units.share(units.show_share(share)) == share


@given(st.integers(0, 2**40))
def test_a_size_that_is_shown_reads_as_itself(size: int) -> None:
    assert units.size(units.show_size(size)) == size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "500ms"), (1.1, "1.1s"), (60, "1m"), (90.5, "1m30.5s"), (5400, "1h30m"), (3661.1, "1h1m1.1s"),
     (86400, "24h"), (0.0005, "0.5ms")],
)  # fmt: skip
def test_durations_as_they_are_shown(seconds: float, text: str) -> None:
    assert units.show_duration(seconds) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [(10, "10/s"), (0.1, "6/min"), (7 / 60, "7/min"), (1 / 3600, "1/h"), (1e6, "1000000/s"), (1234567 / 60, None)],
)
def test_rates_as_they_are_shown(per_second: float, text: str | None) -> None:
    shown = units.show_rate(per_second)
    assert "e" not in shown
    assert text in (None, shown)
