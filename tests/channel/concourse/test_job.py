"""Which job a channel's URL means, and which builds are of its version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.channel.concourse.job import Job, job_of
from harness.channel.store import ChannelError

_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda name: name.strip("./") and not name.startswith((".", "/"))
)


def test_a_url_is_read() -> None:
    job = job_of(
        "concourse+https://ci.example.org:8443/atc/teams/main/pipelines/cf/jobs/deploy?version=ref:abc&resource=src"
    )
    assert job == Job("https://ci.example.org:8443/atc", "main", "cf", "deploy", "ref:abc", "src")
    assert job.path == "/api/v1/teams/main/pipelines/cf/jobs/deploy"


def test_an_instanced_pipelines_variables_are_passed_on_as_they_are() -> None:
    job = job_of('concourse+http://ci/teams/t/pipelines/p/jobs/j?vars.branch="x"&vars.n=3&version=1.2.3')
    assert job.instance == (("vars.branch", '"x"'), ("vars.n", "3"))
    assert (job.site, job.version) == ("http://ci", "1.2.3")


@given(_NAMES, _NAMES, _NAMES)
def test_names_may_hold_anything(team: str, pipeline: str, name: str) -> None:
    path = Job("https://ci", team, pipeline, name, "v").path.removeprefix("/api/v1")
    job = job_of(f"concourse+https://ci{path}?version=v")
    assert (job.team, job.pipeline, job.name) == (team, pipeline, name)


@pytest.mark.parametrize(
    ("rest", "what"),
    [
        ("/teams//pipelines/cf/jobs/deploy?version=1", "which team?"),
        ("/teams/main?version=1", "which pipeline?"),
        ("/teams/main/pipelines/cf?version=1", "which job?"),
        ("/teams/main/pipelines/cf/jobs/?version=1", "which job?"),
        ("/teams/main/pipelines/cf/jobs/deploy", "which version?"),
        ("/teams/main/pipelines/cf/jobs/deploy?version=", "which version?"),
        ("/teams/main/pipelines/cf/jobs/deploy/builds/3?version=1", "no path of a job"),
        ("/teams/main/jobs/deploy?version=1", "no path of a job"),
        ("?version=1", "which team?"),
        ("/teams/main/pipelines/cf/jobs/deploy?version=1&vars.branch=main", "vars.branch= is JSON"),
        ("/teams/main/pipelines/cf/jobs/deploy?versoin=1", "versoin= means nothing here"),
        (":port/teams/main/pipelines/cf/jobs/deploy?version=1", "can't be read"),
    ],
)
def test_what_is_missing_is_said_with_an_example(rest: str, what: str) -> None:
    with pytest.raises(ChannelError) as refused:
        job_of(f"concourse+https://ci{rest}")
    text = str(refused.value)
    assert what in text
    assert "concourse+https://ci.example.org/teams/main/pipelines/cf/jobs/deploy?version=ref:4f2a9c1" in text
    assert refused.value.exit_code == 2
    assert "\n" not in text


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ChannelError) as refused:
        job_of("concourse+https://me:hunter2@ci/teams/main/pipelines/cf/jobs/deploy?version=1")
    assert "hunter2" not in str(refused.value)
    assert "CONCOURSE_PASSWORD" in str(refused.value)


@pytest.mark.parametrize(
    ("version", "resource", "is_one"),
    [
        ("ref:abc", "", True),
        ("ref:abd", "", False),
        ("number:abc", "", False),
        ("abc", "", True),
        ("ab", "", False),
        ("sha256:99", "", True),  # a value with a colon of its own
        ("ref:abc", "src", True),
        ("ref:abc", "other", False),
    ],
)
def test_a_version_is_a_value_or_a_key_with_its_value(version: str, resource: str, is_one: bool) -> None:
    job = Job("https://ci", "t", "p", "j", version, resource)
    assert job.is_input("src", {"ref": "abc", "digest": "sha256:99"}) is is_one
