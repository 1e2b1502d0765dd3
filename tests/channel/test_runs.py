"""A local folder of runs, read as a channel is."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.channel.records import StopWish
from harness.channel.runs import RunsPipeline, ended_of
from harness.channel.store import ChannelError
from harness.gate import Acceptance
from harness.verdict import Verdict
from tests.report.verdicts import at, verdicts

timed = st.builds(
    lambda verdict, second: msgspec.structs.replace(verdict, ended=at(second)), verdicts, st.floats(0, 1e5)
)


def keep(runs: Path, verdict: Verdict, run: str, attempt: int) -> None:
    folder = runs / run / str(attempt)
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_bytes(msgspec.json.encode(verdict))


@given(timed)
def test_a_verdict_is_told_as_it_is(verdict: Verdict) -> None:
    ended = ended_of(verdict, ["verdict.json"])
    assert ended.exit_code == verdict.exit_code
    assert ended.reasons == verdict.reasons
    assert ended.outcome == ("never_ready" if verdict.ready is None else verdict.verdict.value)


@given(st.data())
def test_attempts_and_their_ends(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    runs = tmp_path_factory.mktemp("runs")
    kept = data.draw(st.dictionaries(st.integers(1, 30), timed, min_size=1, max_size=3))
    for attempt, verdict in kept.items():
        keep(runs, verdict, "42", attempt)
    pipeline = RunsPipeline(runs)
    assert pipeline.attempts("42") == sorted(kept)
    for attempt, verdict in kept.items():
        assert pipeline.look("42", attempt).ended == ended_of(verdict, ())
        assert pipeline.report("42", attempt, "verdict.json") == msgspec.json.encode(verdict)


def test_a_run_that_left_no_verdict_has_no_end(tmp_path: Path) -> None:
    (tmp_path / "42" / "1").mkdir(parents=True)
    state = RunsPipeline(tmp_path).look("42", 1)
    assert state.ended is None
    assert state.process is None
    (tmp_path / "42" / "1" / "verdict.json").write_text('{"half')
    assert RunsPipeline(tmp_path).look("42", 1).ended is None


def test_the_newest_is_the_one_whose_last_attempt_is(tmp_path: Path) -> None:
    pipeline = RunsPipeline(tmp_path / "runs")
    assert pipeline.newest() is None
    for when, name in enumerate(["b/1", "a/1", "b/2", "empty"]):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        os.utime(folder, (1000 + when, 1000 + when))
    assert pipeline.newest() == "b"
    assert pipeline.attempts("nobody") == []


def test_acceptances_stand_in_order_and_are_no_attempts(tmp_path: Path) -> None:
    (tmp_path / "42" / "1").mkdir(parents=True)
    pipeline = RunsPipeline(tmp_path)
    given = [
        Acceptance(by=by, reason="known", at=float(number), attempts=[1], outcome="fail")
        for number, by in enumerate(["Ada", "Grace", "Ada"])
    ]
    for one in given:
        pipeline.accept("42", one)
    assert pipeline.acceptances("42") == given
    assert pipeline.attempts("42") == [1]


def test_nobody_is_met_there(tmp_path: Path) -> None:
    pipeline = RunsPipeline(tmp_path)
    for ask in (lambda: pipeline.mark("42", 1, []), lambda: pipeline.stop("42", 1, StopWish(by="", at=0.0))):
        with pytest.raises(ChannelError, match="which channel"):
            ask()
