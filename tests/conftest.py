"""Rules for the tests of the harness itself: no warning passes, and none runs for more than a minute. The suites, which
run until they are stopped, have neither."""

import contextlib
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

LONGEST = 60.0  # seconds


def pytest_configure(config: pytest.Config) -> None:
    """A warning is a failure. A slow example is none: how long one takes says how busy the machine is."""
    settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("house")
    config.addinivalue_line("filterwarnings", "error")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that hangs is ended."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONGEST))


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads everything: what may not be read is tried as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
