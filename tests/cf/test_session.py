"""The door: what a session remembers from one operation to the next."""

import pytest

from harness.outcome import Cause, Component
from tests.cf.foundation import Foundation, error
from tests.cf.ways import WATCHER, blamed, perform, session


@pytest.mark.parametrize(
    ("code", "title", "component"),
    [(20008, "CF-UaaRateLimited", Component.UAA), (10013, "CF-RateLimitExceeded", Component.CLOUD_CONTROLLER)],
)
def test_it_holds_back_for_whoever_asked(code: int, title: str, component: Component) -> None:
    with Foundation() as foundation, session(foundation, WATCHER) as one:
        assert perform(one, "list-spaces").fault is None
        foundation.on["/v3/spaces"] = error(429, code, title, Retry_After="60")
        blamed(perform(one, "list-spaces"), Cause.THROTTLED, component)
        asked = len(foundation.paths())
        assert "60 s more" in blamed(perform(one, "list-spaces"), Cause.THROTTLED, component)
        assert len(foundation.paths()) == asked
