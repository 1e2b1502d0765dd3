"""A bucket in trouble never stops traffic, spoils a verdict, or lets two own a run."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.channel.claim import Claim, TakenError, claim
from harness.channel.objects import ObjectStore
from harness.channel.pipeline import StorePipeline
from tests.channel.bucket import NAME, keys_in, leading_to
from tests.channel.chaos import GONE, MOODS, Chaos, chaos
from tests.cli.commanding import Going, cf, environment, target

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

PLAN = {"objectives": ["success >= 99%"], "baseline": "1s"}


@contextmanager
def troubled(a_bucket: dict[str, str]) -> Iterator[tuple[Chaos, dict[str, str]]]:
    with chaos(a_bucket["AWS_ENDPOINT_URL"]) as between:
        yield between, leading_to(between.url)


def plan_in(folder: Path, url: str) -> str:
    (folder / "plan.yml").write_text(json.dumps({**PLAN, "runners": [{"name": "app", "url": url, "rate": "50/s"}]}))
    return "plan.yml"


@pytest.mark.parametrize("mood", [mood for mood in MOODS if mood not in GONE])
def test_a_run_through_trouble_passes_and_is_stopped(a_bucket: dict[str, str], tmp_path: Path, mood: str) -> None:
    where = ("--channel", f"s3://{NAME}/{mood}", "--run-id", "42")
    with troubled(a_bucket) as (between, environ), target() as good:
        between.mood = mood
        run = Going(tmp_path, ["run", plan_in(tmp_path, good.url), "--format", "json", *where], environment(**environ))
        assert cf(tmp_path, "wait-ready", *where, **environ).code == 0
        assert cf(tmp_path, "mark", "deploy", *where, **environ).code == 0
        good.serve(200)
        stopped = cf(tmp_path, "stop", "--runs-dir", "here", *where, **environ)
        ended = run.ended()
        assert mood == "none" or between.met.get(mood, 0) > 0, between.met
    assert (ended.code, stopped.code) == (0, 0), stopped.err
    assert [moment.name for moment in ended.verdict.moments] == ["deploy"]
    assert (tmp_path / "here" / "42" / "1" / "verdict.json").read_bytes() == (
        tmp_path / "runs" / "42" / "1" / "verdict.json"
    ).read_bytes()


@pytest.mark.parametrize("mood", GONE)
def test_a_bucket_that_is_away_is_remarked_on_and_a_stop_is_heard_after_its_return(
    a_bucket: dict[str, str], tmp_path: Path, mood: str
) -> None:
    where = ("--channel", f"s3://{NAME}/{mood}", "--run-id", "42")
    with troubled(a_bucket) as (between, environ), target() as good:
        run = Going(tmp_path, ["run", plan_in(tmp_path, good.url), "--format", "json", *where], environment(**environ))
        assert cf(tmp_path, "wait-ready", *where, **environ).code == 0
        between.mood = mood
        run.until_said("the channel does not answer, and is asked again")
        with ThreadPoolExecutor(1) as pool:
            stopping = pool.submit(cf, tmp_path, "stop", *where, **environ)
            good.serve(100)
            assert run.process.poll() is None
            between.mood = "none"
            run.until_said("answers again")
            stopped = stopping.result()
        ended = run.ended()
    assert (ended.code, stopped.code) == (0, 0), stopped.err
    assert any("does not answer" in problem for problem in ended.verdict.harness.problems)
    assert ended.verdict.runners[0].failed == 0
    assert ended.verdict.runners[0].missed == 0


@pytest.mark.parametrize("mood", GONE)
def test_a_run_that_is_ended_while_its_bucket_is_away_gives_its_verdict_all_the_same(
    a_bucket: dict[str, str], tmp_path: Path, mood: str
) -> None:
    where = ("--channel", f"s3://{NAME}/ended-{mood}", "--run-id", "42")
    with troubled(a_bucket) as (between, environ), target() as good:
        run = Going(tmp_path, ["run", plan_in(tmp_path, good.url), "--format", "json", *where], environment(**environ))
        assert cf(tmp_path, "wait-ready", *where, **environ).code == 0
        good.serve(100)
        met = between.met.get(mood, 0)
        between.mood = mood
        good.serve(150)
        assert between.met[mood] > met, "it has asked in vain"
        run.process.terminate()
        ended = run.ended()
    assert ended.code == 3, ended.err  # by a signal, and not by its pipeline
    assert ended.verdict.runners[0].failed == 0
    assert "the verdict could not be left in the channel" in ended.err
    assert (tmp_path / "runs" / "42" / "1" / "verdict.json").exists()
    assert not any(key.endswith("/ended.json") and f"ended-{mood}" in key for key in keys_in(a_bucket))


@pytest.mark.parametrize("mood", ["duplicates", "drops", "errors"])
def test_though_writes_are_repeated_one_owns_a_run(
    a_bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch, mood: str
) -> None:
    with troubled(a_bucket) as (between, environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        between.mood = mood
        url = f"s3://{NAME}/owners-{mood}"

        def try_to(number: int) -> Claim | None:
            try:
                return claim(ObjectStore(url, environ), "42", floor=1, target=f"plan {number}")
            except TakenError:
                return None

        with ThreadPoolExecutor(20) as crowd:
            owners = [one for one in crowd.map(try_to, range(20)) if one is not None]
        between.mood = "none"
        store = ObjectStore(url, environ)
        (owner,) = owners
        assert StorePipeline(store).attempts("42") == [1]
        assert StorePipeline(store).look("42", 1).owner == owner.owner
        assert store.list("turns/") == [owner.turn]
