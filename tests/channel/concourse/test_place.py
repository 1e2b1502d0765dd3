"""The channel's URL is read strictly, and says what is missing."""

import pytest

from harness.channel.concourse.builds import Input, matches
from harness.channel.concourse.place import place_of
from harness.channel.store import ChannelError


def test_a_whole_one() -> None:
    url = "concourse+https://ci.example.org:8443/teams/my%20team/pipelines/cf/jobs/deploy?version=ref:abc&resource=src"
    place = place_of(url + '&vars.branch="x"')
    assert (place.base, place.team, place.version, place.resource) == (
        "https://ci.example.org:8443",
        "my team",
        "ref:abc",
        "src",
    )
    assert place.path == "/api/v1/teams/my%20team/pipelines/cf/jobs/deploy"
    assert place.variables == (("vars.branch", '"x"'),)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("concourse+https:///teams/t/pipelines/p/jobs/j?version=1", "there is no host"),
        ("concourse+https://ci/teams/t/jobs/j?version=1", "expected /teams/T/pipelines/P/jobs/J"),
        ("concourse+https://ci/teams/t/pipelines/p/jobs/?version=1", "expected /teams/T/pipelines/P/jobs/J"),
        ("concourse+https://ci/teams/t/pipelines/p/jobs/j", "which version?"),
        ("concourse+https://ci/teams/t/pipelines/p/jobs/j?version=", "which version?"),
        ("concourse+https://ci/teams/t/pipelines/p/jobs/j?version=1&build=2", "unknown is build"),
        ("concourse+https://u:hunter2@ci/teams/t/pipelines/p/jobs/j?version=1", "it holds no password"),
        ("concourse+https://ci:port/teams/t/pipelines/p/jobs/j?version=1", "it is no URL"),
    ],
)
def test_what_is_missing_is_said(url: str, why: str) -> None:
    with pytest.raises(ChannelError) as told:
        place_of(url)
    assert why in str(told.value)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("version", "resource", "found"),
    [
        ("1.2.3", "", True),
        ("number:1.2.3", "", True),
        ("number:1.2.3", "version", True),
        ("number:1.2.3", "src", False),
        ("ref:1.2.3", "", False),
        ("1.2", "", False),
        ("sha256:abc", "", True),  # a value with a colon in it
    ],
)
def test_a_version_is_a_value_or_a_part(version: str, resource: str, found: bool) -> None:
    inputs = [
        Input(name="src", version={"digest": "sha256:abc"}),
        Input(name="version", version={"number": "1.2.3"}),
    ]
    assert matches(inputs, version, resource) is found
