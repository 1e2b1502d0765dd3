"""The run's id where the CI system has one that spans all jobs of a pipeline.

Concourse has none: its tasks get no BUILD_ variables, and each job is another build.
"""

from collections.abc import Mapping
from typing import NamedTuple


class System(NamedTuple):
    """One CI system: by what it is known, and what names a pipeline's run there."""

    name: str
    sign: str  # variable that is set there
    run: str  # variable


SYSTEMS = (
    System("GitHub Actions", "GITHUB_ACTIONS", "GITHUB_RUN_ID"),
    System("GitLab", "GITLAB_CI", "CI_PIPELINE_ID"),
    System("Jenkins", "JENKINS_URL", "BUILD_TAG"),
    System("Buildkite", "BUILDKITE", "BUILDKITE_BUILD_ID"),
)


def run_id_of(environ: Mapping[str, str]) -> str | None:
    """CF_HARNESS_RUN_ID, or the CI system's; None: neither."""
    if environ.get("CF_HARNESS_RUN_ID"):
        return environ["CF_HARNESS_RUN_ID"]
    for system in SYSTEMS:
        if environ.get(system.sign) and environ.get(system.run):
            return "".join(
                sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "-" for sign in environ[system.run]
            )
    return None
