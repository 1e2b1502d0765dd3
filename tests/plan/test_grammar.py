"""Objectives: every text that the grammar has is read as what it says, any other refused with what is right."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.objectives import Indicator
from harness.plan.grammar import Condition, ObjectiveError, parse, parse_abort
from harness.units import show_duration, show_share


class Written(NamedTuple):
    """A text and what it says."""

    text: str
    condition: Condition


milliseconds = st.integers(1, 10**7).map(lambda n: n / 1000)
percentiles = st.sampled_from(
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("p999", 0.999),
     ("p99.95", 0.9995), ("p9999", 0.9999), ("p1", 0.01), ("p99.999", 0.99999)]
)  # fmt: skip
indicators = st.sampled_from(list(Indicator))


@st.composite
def written(draw: st.DrawFn) -> Written:
    indicator = draw(indicators)
    name, quantile = str(indicator), None
    operator = draw(st.sampled_from(["<", "<="]))
    if indicator is Indicator.SUCCESS:
        operator = draw(st.sampled_from([">", ">="]))
        threshold = draw(st.integers(0, 99_999)) / 100_000
        value = show_share(threshold)
    elif indicator in (Indicator.FAILURES, Indicator.OUTAGES):
        threshold = float(draw(st.integers(1, 10**6)))
        value = f"{threshold:.0f}"
    else:
        if indicator is Indicator.LATENCY:
            name, quantile = draw(percentiles)
        threshold = draw(milliseconds)
        value = show_duration(threshold)
    window = draw(st.none() | st.integers(1, 10**6).map(float))
    space = st.sampled_from(["", " ", "  "])
    text = draw(space) + name + draw(space) + operator + draw(space) + value
    if window is not None:
        text += draw(st.sampled_from([" over ", "  over every "])) + show_duration(window)
    return Written(text + draw(space), Condition(indicator, operator, threshold, quantile, window))


@given(written())
def test_every_objective_is_read_as_what_it_says(one: Written) -> None:
    read = parse(one.text)
    assert read._replace(threshold=0, window=None) == one.condition._replace(threshold=0, window=None)
    assert read.threshold == pytest.approx(one.condition.threshold, rel=1e-12)
    assert (read.window is None) == (one.condition.window is None)
    assert (read.window or 0) == pytest.approx(one.condition.window or 0)


@given(st.text() | st.from_regex(r"(success|p[0-9.]+|silence|outages|max) ?[<>=]+ ?[0-9.]+(%|ms|s)?( over [0-9a-z]+)?"))
def test_every_text_is_read_or_refused(text: str) -> None:
    for read in (parse, parse_abort):
        try:
            condition = read(text)
        except ObjectiveError:
            continue
        assert condition.threshold >= 0
        assert condition.window is None or condition.window >= 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not an objective: write \"success >= 99.95%\" or \"p95 < 300ms over 60s\""),
        ("success", "is not an objective: write \"success >= 99.95%\" or \"p95 < 300ms over 60s\""),
        ("success < 5%", "success is a lower bound: write success >= 99.95%"),
        ("success >= 5", "expected a percentage from \"0%\" to \"100%\", not '5'"),
        ("success >= 101%", "expected a percentage from \"0%\" to \"100%\", not '101%'"),
        ("success > 100%", "nothing is above 100%: write success >= 100%"),
        ("succes >= 5%", "unknown indicator 'succes': did you mean 'success'?"),
        ("outage < 5s", "unknown indicator 'outage': did you mean 'outages'?"),
        ("latency < 5s", "unknown indicator 'latency': one of failures, longest_outage, max,"),
        ("p95 > 300ms", "p95 is an upper bound: write p95 < 300ms"),
        ("p95 < 300", "'300' is not a duration: write \"500ms\", \"5s\", \"2m\", \"12h\" or \"1h30m\""),
        ("p95 = 300ms", "compare with <, <=, > or >="),
        ("p0 < 1s", "p0: a percentile lies between p1 and p99.999; the longest latency is max"),
        ("p100 < 1s", "p100: a percentile lies between p1 and p99.999; the longest latency is max"),
        ("silence < 0s", "nothing is below 0"),
        ("failures < 0", "nothing is below 0"),
        ("failures <= 3s", "failures is a count: write failures <= 3"),
        ("failures <= ²", "failures is a count: write failures <= 3"),
        ("p99 < 1s over 60", "after over, '60' is not a duration"),
        ("p99 < 1s over 100ms", "a window is at least 1s"),
    ],
)  # fmt: skip
def test_what_is_no_objective(text: str, said: str) -> None:
    with pytest.raises(ObjectiveError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["success >= 100%", "longest_outage <= 0s", "failures <= 0", "success>=0%"])
def test_limits_that_can_be_met(text: str) -> None:
    parse(text)


def test_exactly_three_nines_meet_three_nines() -> None:
    assert parse("success >= 99.9%").threshold == 999 / 1000
    assert parse("p99.9 < 1s").quantile == 0.999


def test_abort_when() -> None:
    assert parse_abort("success < 50% over 15s") == Condition(Indicator.SUCCESS, "<", 0.5, None, 15.0)
    assert parse_abort(" success<99.9%  over every 1m ") == Condition(Indicator.SUCCESS, "<", 0.999, None, 60.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("success < 50%", 'write "success < 50% over 15s"'),
        ("success <= 50% over 15s", 'write "success < 50% over 15s"'),
        ("p99 < 50% over 15s", 'write "success < 50% over 15s"'),
        ("success < 0% over 15s", "nothing is below 0%"),
        ("success < 50% over 15", "after over, '15' is not a duration"),
        ("success < 50% over 0s", "a window is at least 1s"),
        ("success < 500% over 5s", 'expected a percentage from "0%" to "100%", not \'500%\''),
    ],
)
def test_what_is_no_rule_to_give_up(text: str, said: str) -> None:
    with pytest.raises(ObjectiveError) as caught:
        parse_abort(text)
    assert str(caught.value).startswith(f"{text!r}: ")
    assert said in str(caught.value)
