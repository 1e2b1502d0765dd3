"""The run's id from the CI system's variables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.ci import SYSTEMS, run_id_of
from harness.run_folder import check_run_id


@pytest.mark.parametrize(
    ("environ", "run"),
    [
        ({}, None),
        ({"GITHUB_RUN_ID": "7"}, None),
        ({"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2"}, "7"),
        ({"GITLAB_CI": "true", "CI_PIPELINE_ID": "8", "CI_JOB_ID": "9"}, "8"),
        ({"JENKINS_URL": "http://j/", "BUILD_TAG": "jenkins-a b/c%2Fd-12"}, "jenkins-a-b-c-2Fd-12"),
        ({"BUILDKITE": "true", "BUILDKITE_BUILD_ID": "0190-ab"}, "0190-ab"),
        ({"CI": "true", "BUILD_ID": "3", "BUILD_PIPELINE_NAME": "p"}, None),
        ({"CF_HARNESS_RUN_ID": "mine", "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7"}, "mine"),
        ({"CF_HARNESS_RUN_ID": "", "GITLAB_CI": "true", "CI_PIPELINE_ID": "8"}, "8"),
        ({"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": ""}, None),
    ],
)
def test_the_runs_id(environ: dict[str, str], run: str | None) -> None:
    assert run_id_of(environ) == run


@given(st.sampled_from(SYSTEMS), st.text(min_size=1, max_size=80))
def test_whatever_a_system_calls_it_a_run_can_be_named_so(system: object, name: str) -> None:
    sign, variable = system.sign, system.run  # type: ignore[attr-defined]
    run = run_id_of({sign: "yes", variable: f"b{name}"})
    assert run is not None
    assert check_run_id(run) == run
