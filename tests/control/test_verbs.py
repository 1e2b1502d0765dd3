"""Whole runs whose only channel is their own API, met by the verbs of a pipeline's tasks."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.channel.http import HttpPipeline
from harness.channel.records import StopWish
from tests.cli.commanding import Going, Target, cf, environment, going, target

_TOKEN = "s3same-and-nobody-else"
_RUN = ("run", "--run-id", "r", "--rate", "20/s", "--duration", "100s", "--listen")  # left behind, it ends


@pytest.fixture
def app() -> Iterator[Target]:
    with target() as made:
        yield made


@pytest.fixture
def place() -> str:
    """An address where nothing listens yet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def _left(folder: Path) -> bytes:
    """Everything that a run left anywhere."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.timeout(180)
def test_from_the_start_to_the_gate(app: Target, place: str, tmp_path: Path) -> None:
    secret = {"CF_HARNESS_TOKEN": _TOKEN}
    known = {**secret, "CF_HARNESS_CHANNEL": f"http://{place}"}
    begun = cf(tmp_path, *_RUN, place, app.url, "--detach", **secret)
    assert begun.code == 0, begun
    assert f"stop --channel http://{place} --run-id r" in begun.out
    ready = cf(tmp_path, "wait-ready", **known)
    assert ready.code == 0, ready
    assert "the run r, attempt 1, watches since" in ready.out
    for edge in ("--begin", "--end"):
        assert cf(tmp_path, "mark", "deploy-router", edge, **known).code == 0
        app.serve(10)
    status = cf(tmp_path, "status", "--format", "json", **known)
    assert status.value["run"] == "r"
    assert status.value["attempts"][0]["pulse"]["state"] == "watching"
    told = cf(tmp_path, "status", CF_HARNESS_CHANNEL=f"http://{place}", CF_HARNESS_TOKEN="")
    assert (told.code, told.out) == (2, "")
    assert "this run wants a token" in told.err
    refused = cf(tmp_path, "stop", CF_HARNESS_CHANNEL=f"http://{place}", CF_HARNESS_TOKEN="wrong")
    assert refused.code == 2
    assert "wrong" not in refused.err
    second = cf(tmp_path, *_RUN, place, app.url, **secret)
    assert second.code == 2
    assert second.err.startswith(f"cf-harness: --listen {place}: that port is taken")
    assert second.err.count("\n") == 1

    words = ("stop", "--format", "json", "--by", "me", "-o", "junit.xml")
    (tmp_path / "elsewhere").mkdir()
    both = [Going(tmp_path / "elsewhere", words, environment(**known)) for _ in range(2)]
    for one in [stopping.ended() for stopping in both]:
        assert one.code == 0, one
        assert one.value["outcome"] == "pass"
        assert one.value["verdict"]["stopped_by"] == "me"
        assert [phase["name"] for phase in one.value["verdict"]["phases"]] == ["deploy-router"]
    reports = tmp_path / "elsewhere" / "runs" / "r" / "1"
    assert sorted(file.name for file in reports.iterdir()) == ["junit.xml", "report.md", "report.txt", "verdict.json"]
    for file in reports.iterdir():
        assert file.read_bytes() == (tmp_path / "runs" / "r" / "1" / file.name).read_bytes()

    assert cf(tmp_path, "verdict", "r").code == 0
    assert _TOKEN.encode() not in _left(tmp_path)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_wait_ready_may_come_first_and_a_retry_erases_nothing(app: Target, place: str, tmp_path: Path) -> None:
    channel = ("--channel", f"http://{place}")
    with going(tmp_path, "wait-ready", *channel) as waiting:
        waiting.until_said("waiting: nothing listens")
        assert cf(tmp_path, *_RUN, place, app.url, "--detach").code == 0
        assert waiting.ended().code == 0
    app.answer = 503
    app.serve(20)
    assert cf(tmp_path, "stop", *channel, "--runs-dir", "mine").code == 1
    app.answer = 200
    _until_free(place)
    assert cf(tmp_path, *_RUN, place, app.url, "--detach").code == 0
    assert cf(tmp_path, "wait-ready", *channel).code == 0
    app.serve(20)
    again = cf(tmp_path, "stop", *channel, "--runs-dir", "mine", "--format", "json")
    assert again.code == 1
    assert [one["outcome"] for one in again.value["attempts"]] == ["fail", "pass"]
    assert (tmp_path / "mine" / "r" / "1" / "report.txt").read_bytes() == (
        tmp_path / "runs" / "r" / "1" / "report.txt"
    ).read_bytes()


def _until_free(place: str) -> None:
    host, _, port = place.partition(":")
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as tried:
            if tried.connect_ex((host, int(port))):
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_run_that_never_becomes_ready_says_why(place: str, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        assert cf(tmp_path, *_RUN, place, url, "--detach", "--ready-timeout", "3s").code == 0
        waited = cf(tmp_path, "wait-ready", "--channel", f"http://{place}")
    assert waited.code == 4
    assert "is over, never ready: not every runner had a clean baseline" in waited.err.replace("\n", " ")


@pytest.mark.long
def test_a_run_that_is_killed_is_not_waited_for(app: Target, place: str, tmp_path: Path) -> None:
    channel = ("--channel", f"http://{place}")
    with going(tmp_path, *_RUN, place, app.url) as run:
        run.until_said("ready, judging")
        app.answer = None  # the drain takes its time
        with going(tmp_path, "stop", *channel) as stopping:
            run.until_said("stop: ")
            run.process.send_signal(signal.SIGKILL)
            ended = stopping.ended()
        run.ended()
    assert ended.code == 3
    assert "nothing listens at" in ended.err
    assert "asked for 1" in ended.err  # seconds: some ten, not sixty


def test_a_signal_ends_the_lingering(app: Target, place: str, tmp_path: Path) -> None:
    """Who stopped it over the API never came back for the verdict."""
    with going(tmp_path, *_RUN, place, app.url) as run:
        run.until_said("ready, judging")
        app.serve(20)
        HttpPipeline(f"http://{place}", {}).stop("r", 1, StopWish(by="me", at=0.0))
        verdict = tmp_path / "runs" / "r" / "1" / "verdict.json"
        deadline = time.monotonic() + 30
        while not verdict.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert HttpPipeline(f"http://{place}", {}).newest() == "r"  # it waits
        run.process.send_signal(signal.SIGTERM)
        assert run.ended().code == 0


@pytest.mark.long
@pytest.mark.timeout(300)
def test_of_fifty_starters_at_one_address_one_begins(app: Target, place: str, tmp_path: Path) -> None:
    words = ("run", "--rate", "20/s", "--duration", "200s", "--listen", place, app.url)
    starters = [Going(tmp_path, words) for _ in range(50)]
    try:
        deadline = time.monotonic() + 200
        while sum(one.process.poll() is None for one in starters) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        (winner,) = (one for one in starters if one.process.poll() is None)
        pipeline = HttpPipeline(f"http://{place}", {})
        run = pipeline.newest()
        assert run is not None
        pipeline.stop(run, 1, StopWish(by="me", at=0.0))
    finally:
        for one in starters:
            one.process.terminate()
    ended = [(one, one.ended()) for one in starters]
    assert all(said.code == 2 and "that port is taken" in said.err for one, said in ended if one is not winner)
    assert [entry.name for entry in (tmp_path / "runs").iterdir()] == [run]
