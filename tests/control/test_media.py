"""What Accept and Content-Type say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.control.media import JSON, is_json, takes


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        (None, True),
        ("", True),
        ("*/*", True),
        ("application/json", True),
        ("application/*;q=0.1", True),
        ("text/html, application/json;q=0.9", True),
        ("text/html", False),
        ("application/json;q=0", False),
        ("*/*, application/json;q=0", False),
        ("*/*;q=0, application/json", True),
        ("application/*;q=0, */*", False),
        ("text/*", False),
        ("nonsense", True),
        ("application/json;q=rubbish", True),
        ("APPLICATION/JSON", True),
    ],
)
def test_accept(accept: str | None, taken: bool) -> None:
    assert takes(accept, JSON) is taken


@given(st.lists(st.sampled_from(["text/html", "text/plain;q=0.3", "image/*", JSON, f"{JSON};q=0"])))
def test_the_order_of_accept_says_nothing(ranges: list[str]) -> None:
    one = [*dict.fromkeys(ranges)]
    if f"{JSON};q=0" in one and JSON in one:
        one.remove(JSON)
    assert takes(",".join(one), JSON) == takes(",".join(reversed(one)), JSON)


@pytest.mark.parametrize("told", [JSON, "Application/JSON", f"{JSON}; charset=utf-8", f'{JSON};charset="UTF-8"'])
def test_json(told: str) -> None:
    assert is_json(told)


@pytest.mark.parametrize(
    "told", [None, "", "text/json", "application/x-www-form-urlencoded", f"{JSON}; charset=latin1"]
)
def test_no_json(told: str | None) -> None:
    assert not is_json(told)
