"""Rules for the tests of the harness itself: no warning passes, and none runs for more than a minute. The suites, which
run until they are stopped, have neither."""

import pytest

LONGEST = 60.0  # seconds


def pytest_configure(config: pytest.Config) -> None:
    """A warning is a failure."""
    config.addinivalue_line("filterwarnings", "error")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that hangs is ended."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONGEST))
