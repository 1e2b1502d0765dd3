"""Whole pipelines by the task files as they are, over each carrier: the gate says what it must, and nothing is left."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.channel.bucket import NAME, bucket
from tests.ci.trials import PAGE, TRIALS, Trial, page, passes, staged

CASES = [(trial, channel) for trial in TRIALS for channel in trial.by]


def played(folder: Path, trial: Trial, channel: str, environ: Mapping[str, str]) -> None:
    with staged(folder, channel, environ) as stage:
        trial.play(stage)
        logs = "\n".join(f"== {build.status}\n{build.log}" for build in stage.ci.builds)
        if not channel.startswith("http"):  # gone with its run
            assert stage.gate("1") == (trial.gate, trial.code), logs
        assert stage.ci.promoted == trial.promoted, logs


def test_the_page_tells_these_trials() -> None:
    assert PAGE.read_text() == page(), "docs/pipeline-trials.md is out of date: python -m tests.ci.trials"


def test_nobody_notices_and_the_version_is_promoted(tmp_path: Path) -> None:
    (trial,) = (one for one in TRIALS if one.play is passes)
    played(tmp_path, trial, (tmp_path / "channel").as_uri(), {})


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("trial", "carrier"), CASES, ids=[f"{trial.play.__name__}-{carrier}" for trial, carrier in CASES]
)
def test_the_gate_says_what_it_must(tmp_path: Path, trial: Trial, carrier: str) -> None:
    match carrier:
        case "file":
            played(tmp_path, trial, (tmp_path / "channel").as_uri(), {})
        case "http":
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            played(tmp_path, trial, f"http://127.0.0.1:{port}", {})
        case _:
            with bucket() as environ:
                played(tmp_path, trial, f"s3://{NAME}/cf-harness", environ)
