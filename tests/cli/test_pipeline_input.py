"""What the verbs of a pipeline answer to mistakes, and to runs that nobody knows."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.commanding import Ended, cf
from tests.cli.meeting import Place

NO_CHANNEL = ("wait-ready", "mark x", "status", "stop")
BAD = {
    **dict.fromkeys(NO_CHANNEL, "which channel? Say --channel URL"),
    "stop --channel nonsense": "'nonsense' is no channel: expected file:///dir",
    "stop --channel ftp://host/": "'ftp://host/' is no channel",
    "status --channel file://host/dir": "expected three slashes, file:///host/dir",
    "status --channel concourse+https://ci/teams/t/pipelines/p/jobs/j": "nothing meets there",
    "run http://127.0.0.1:9/ --channel http://127.0.0.1": "--listen 127.0.0.1: expected HOST:PORT",
    "run http://127.0.0.1:9/ --channel https://127.0.0.1:1": "an https channel is served with --tls-cert and --tls-key",
    "run http://127.0.0.1:9/ --channel http://127.0.0.1:1/path": "one address that the run serves",
    "run http://127.0.0.1:9/ --channel file:///tmp/a --channel file:///tmp/b": "one channel at a time",
    "run http://127.0.0.1:9/ --channel s3://bucket": "which run is this?",
    "run http://127.0.0.1:9/ --detach": "--detach needs a place where the run is found again",
    "run http://127.0.0.1:9/ --detach --channel CHANNEL --while -- true": "--detach goes with neither",
    "run http://127.0.0.1:9/ --channel CHANNEL --run-id a/b": "can't be a run's id",
    "run http://127.0.0.1:9/ --channel CHANNEL --token-file x": "belong to --listen",
    "run http://127.0.0.1:9/ --listen 0.0.0.0:0": "beyond loopback it wants a token",
    "run http://127.0.0.1:9/ --listen nowhere": "expected HOST:PORT",
    "run http://127.0.0.1:9/ --channel file:///dev/null/x": "give a directory that all tasks can write to",
    "mark --channel CHANNEL": "mark what?",
    "mark x --begin --end --channel CHANNEL": "give --begin or --end",
    "mark x --from-bosh-events y --channel CHANNEL": "mark what?",
    "stop --channel CHANNEL --timeout soon": "--timeout soon",
    "stop --channel CHANNEL -o x.pdf": "its ending must say the format",
    "wait-ready --channel CHANNEL --timeout -1s": "--timeout -1s",
    "verdict a --run-id b --channel CHANNEL": "one run at a time: a or b?",
    "accept a --channel CHANNEL --by x": "--reason",
    "status --channel CHANNEL --run-id ../x": "can't be a run's id",
}


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """What each mistake ends with."""
    folder = tmp_path_factory.mktemp("bad")
    channel = (folder / "channel").as_uri()

    def tried(words: str) -> Ended:
        return cf(folder, *words.replace("CHANNEL", channel).split())

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(BAD, pool.map(tried, BAD), strict=True))


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_answered_with_one_line(mistaken: dict[str, Ended], words: str) -> None:
    ended = mistaken[words]
    assert ended.code == 2, ended
    assert ended.out == ""
    assert ended.err.count("\n") == 1, ended.err
    assert BAD[words] in ended.err


@pytest.mark.parametrize("verb", ["status", "stop", "verdict", "mark x"])
def test_a_run_that_nobody_knows(tmp_path: Path, verb: str) -> None:
    place = Place(tmp_path)
    for run, said in (("42", "there is no run 42 at"), (None, "there is no run at")):
        ended = place.verb(*verb.split(), run=run)
        assert ended.code == 3
        assert ended.out == ""
        assert said in ended.err
        assert "Nothing was watched" in ended.err


def test_waiting_for_a_run_that_never_comes(tmp_path: Path) -> None:
    ended = Place(tmp_path).verb("wait-ready", "--timeout", "1s")
    assert ended.code == 4
    assert "not ready within 1 s: there is no run 42 at" in ended.err
