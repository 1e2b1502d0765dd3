"""A bucket for the tests of a file, and the environment that leads there."""

import os
from collections.abc import Iterator

import pytest

from tests.channel.bucket import bucket


@pytest.fixture(scope="session")
def a_bucket() -> Iterator[dict[str, str]]:
    with bucket() as environ:
        yield environ


@pytest.fixture
def in_the_environment(a_bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """obstore reads it there."""
    for name, value in a_bucket.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)
