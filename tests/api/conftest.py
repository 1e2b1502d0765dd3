"""A module of the matrix names its platform; here it is played once, and each fault and operation makes a test."""

import pytest

from tests.api.faults import OPERATIONS
from tests.api.played import Played, play


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(request.module.PLATFORM, tmp_path_factory.mktemp("matrix"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "played" not in metafunc.fixturenames:
        return
    if "fault" in metafunc.fixturenames:
        faults = metafunc.module.PLATFORM.faults
        metafunc.parametrize("fault", faults, ids=[fault.name for fault in faults])
    if "operation" in metafunc.fixturenames:
        metafunc.parametrize("operation", OPERATIONS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a module waits for the whole run."""
    for item in items:
        if "played" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(240))
            item.add_marker(pytest.mark.long)
