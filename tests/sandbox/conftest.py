"""One sandbox for the tests that leave it as they found it."""

from collections.abc import Iterator

import pytest

from harness.sandbox import Sandbox, SandboxConfig


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(dropped_for=0.05, drain_wait=0.2, health_every=0.02)) as made:
        yield made


@pytest.fixture(scope="module")
def layer7() -> Iterator[Sandbox]:
    config = SandboxConfig(layer=7, dropped_for=0.05, drain_wait=0.2, health_every=0.02, balancer_timeout=0.5)
    with Sandbox(config) as made:
        yield made


@pytest.fixture(scope="module")
def cloud() -> Iterator[Sandbox]:
    """With an API."""
    config = SandboxConfig(api=2, dropped_for=0.05, drain_wait=0.1, health_every=0.02)
    with Sandbox(config) as made:
        yield made
