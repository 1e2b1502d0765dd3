"""Whether a plan's calls fit what the API allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cf.budget import Demand, Known, budget, known
from harness.cf.shapes import RateLimits

ON = RateLimits(enabled=True, general_limit=2000, reset_interval_in_minutes=60)
APPS = Demand(name="list-apps", rate=2.0, calls=3)
STATS = Demand(name="stats", rate=0.1, calls=7)
INFO = Demand(name="info", rate=1.0, calls=0, by_address=1)


def test_two_a_second_are_too_many() -> None:
    found = budget([APPS, STATS], known(ON, {"x-ratelimit-limit": "2000"}, {"x-ratelimit-limit": "1000"}))
    assert not found.fits
    assert found.calls_per_hour == pytest.approx(24_120)
    assert found.limit == 2000
    assert found.factor == pytest.approx(2000 / 24_120)
    assert (
        "list-apps at 2/s, stats at 6/min: 24,120 calls an hour, and the API allows 2,000 for each user" in found.words
    )
    assert "list-apps 597/h, stats 29/h" in found.words
    assert "cloud_controller.admin_read_only" in found.words


def test_whoever_is_not_limited_may() -> None:
    limits = known(ON, {}, {"x-ratelimit-limit": "1000"})
    assert limits == Known(user=None, address=1000, exempt=True)
    found = budget([APPS], limits)
    assert found.fits
    assert "this identity is not limited" in found.words


def test_calls_without_a_token_have_a_limit_of_their_own() -> None:
    found = budget([APPS, INFO], known(ON, {}, {"x-ratelimit-limit": "1000"}))
    assert not found.fits
    assert "info at 1/s: 3,600 calls an hour, and the API allows 1,000 for each address" in found.words
    assert "admin_read_only" not in found.words


@pytest.mark.parametrize("limits", [None, RateLimits(), RateLimits(enabled=False, general_limit=10)])
def test_no_limits(limits: RateLimits | None) -> None:
    assert known(limits, {}, {}) == Known()
    assert budget([APPS, INFO], known(limits, {}, {})).fits


def test_what_info_says_where_no_header_did() -> None:
    assert known(ON, None, None).user == 2000
    half = RateLimits(enabled=True, general_limit=500, reset_interval_in_minutes=30)
    assert known(half, None, None).user == 1000
    assert known(half, {"x-ratelimit-limit": "700"}, None).user == 1400


demands = st.lists(
    st.builds(
        Demand,
        name=st.sampled_from(["a", "b"]),
        rate=st.floats(1 / 3600, 100),
        calls=st.integers(0, 20),
        by_address=st.integers(0, 2),
    )
)
knowns = st.builds(Known, user=st.none() | st.integers(1, 10**6), address=st.none() | st.integers(1, 10**6))


@given(demands, knowns)
def test_what_is_said_to_fit_does(wanted: list[Demand], limits: Known) -> None:
    found = budget(wanted, limits)
    assert found.fits == (found.factor >= 1)
    user = sum(one.rate * one.calls for one in wanted) * 3600
    address = sum(one.rate * one.by_address for one in wanted) * 3600
    within = (limits.user is None or user <= limits.user * (1 + 1e-9)) and (
        limits.address is None or address <= limits.address * (1 + 1e-9)
    )
    assert within or not found.fits
    if not found.fits:
        assert found.limit is not None
        scaled = [Demand(name=one.name, rate=one.rate * found.factor, calls=one.calls) for one in wanted]
        if limits.user is not None:
            assert sum(one.rate * one.calls for one in scaled) * 3600 <= limits.user * (1 + 1e-9)
