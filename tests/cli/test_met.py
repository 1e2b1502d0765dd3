"""Where a verb meets its run: ends that come between two looks, pulses of the dead, channels that do not answer."""

import os
import time
from pathlib import Path

import pytest

from harness.channel import layout
from harness.channel.alive import Watch
from harness.channel.pipeline import StorePipeline
from harness.channel.records import Ended, Pulse, encode
from harness.channel.store import ChannelError, SilentError
from harness.cli.met import Met, NoRunError, meet, patiently
from harness.cli.stop import stop
from harness.cli.wait_ready import UnreadyError, wait_ready
from tests.channel.carrying import Faulty, folder, owner
from tests.cli.meeting import Place

NOBODY = 2**22 - 1  # a process id that the kernel gives to none
FAR = {"host": "another", "boot": "another 1", "namespace": "pid:[7]"}


def begun(path: Path, **who: object) -> Faulty:
    """A channel with one attempt of somebody."""
    store = folder(path)
    store.store.put(layout.of_attempt("42", 1, "owner.json"), encode(owner(**who)))
    return store


def ends_after_the_first_look(store: Faulty) -> None:
    """The run leaves its verdict just after a reader looked for it."""

    def end(what: str, key: str) -> None:
        if key.endswith("ended.json"):
            store.after = lambda what, key: None
            store.store.put(key, encode(Ended(outcome="fail", exit_code=1, at=time.time(), reasons=["too slow"])))

    store.after = end


def test_an_end_that_comes_between_two_looks_is_no_death(tmp_path: Path) -> None:
    store = begun(tmp_path, pid=NOBODY)
    ends_after_the_first_look(store)
    made = Met(StorePipeline(store), "42").gate()
    assert (made.outcome, made.exit_code) == ("fail", 1)


def test_nor_is_it_for_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = begun(tmp_path / "channel", pid=NOBODY)
    met = Met(StorePipeline(store), "42")
    looks = iter([True])

    def end(what: str, key: str) -> None:
        if what == "create" and next(looks, None):  # the wish to stop is written
            ends_after_the_first_look(store)

    store.after = end
    assert stop(met, "text", (), tmp_path / "runs", 30.0, None) == 1
    said = capsys.readouterr()
    assert "too slow" in said.out
    assert said.err == ""


def test_nor_for_wait_ready(tmp_path: Path) -> None:
    store = begun(tmp_path, pid=NOBODY)
    ends_after_the_first_look(store)
    with pytest.raises(UnreadyError, match="is over, fail: too slow"):
        wait_ready(StorePipeline(store), "42", 0.1)


@pytest.mark.long
def test_a_pulse_of_the_dead_is_not_ready(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another machine's run that watched when it was killed, an hour ago."""
    store = begun(tmp_path, **FAR, at=1.0)
    ready = Pulse(beat=7, at=time.time() - 3600, state="watching", ready=1.0)
    store.store.put(layout.of_attempt("42", 1, "pulse.json"), encode(ready))
    with pytest.raises(UnreadyError, match="died without a word"):
        wait_ready(StorePipeline(store), "42", 13.0)
    assert capsys.readouterr().out == ""


def test_an_older_attempt_without_an_end_died(tmp_path: Path) -> None:
    store = begun(tmp_path)
    over = Ended(outcome="pass", exit_code=0, at=0.0)
    store.store.put(layout.of_attempt("42", 2, "owner.json"), encode(owner(attempt=2)))
    store.store.put(layout.of_attempt("42", 2, "ended.json"), encode(over))
    made = Met(StorePipeline(store), "42").gate()
    assert [one.outcome for one in made.attempts] == ["died", "pass"]
    assert made.exit_code == 3


def test_one_that_lives_goes_on(tmp_path: Path) -> None:
    store = begun(tmp_path, at=time.time())
    assert Met(StorePipeline(store), "42").gate().outcome == "running"


def test_stop_gives_up_on_one_that_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = begun(tmp_path / "channel", at=time.time())
    assert stop(Met(StorePipeline(store), "42"), "text", (), tmp_path, 0.1, "me") == 3
    assert "gave no verdict within 0.1 s" in capsys.readouterr().err
    wish = StorePipeline(store).look("42", 1).stop
    assert wish is not None
    assert wish.by == "me"


def test_a_death_does_not_hide_an_earlier_failure(tmp_path: Path) -> None:
    store = begun(tmp_path / "channel", pid=NOBODY)
    failed = Ended(outcome="fail", exit_code=1, at=0.0, reasons=["too slow"], reports=["report.txt"])
    store.store.put(layout.of_attempt("42", 1, "ended.json"), encode(failed))
    store.store.put(layout.report("42", 1, "report.txt"), b"the first one's")
    store.store.put(layout.of_attempt("42", 2, "owner.json"), encode(owner(attempt=2, pid=NOBODY)))
    assert stop(Met(StorePipeline(store), "42"), "text", (), tmp_path / "runs", 30.0, None) == 1
    assert (tmp_path / "runs/42/1/report.txt").read_text() == "the first one's", "and its reports are kept"


def test_fate_is_unknown_before_it_is_known(tmp_path: Path) -> None:
    store = begun(tmp_path, **FAR, at=1.0)
    state, dead = Met(StorePipeline(store), "42").fate(1, Watch())
    assert (state.ended, dead) == (None, None)


def test_a_channel_that_does_not_answer_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter([True])

    def ask() -> str:
        if next(answers, None):
            raise SilentError("away")
        return "here"

    assert patiently(ask) == "here"
    with pytest.raises(SilentError, match="away; asked for 1 s") as caught:
        patiently(lambda: _away(), 0.5)
    assert caught.value.exit_code == 3


def _away() -> None:
    raise SilentError("away")


def test_which_run_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("CF_HARNESS_", "GITHUB_", "GITLAB_", "CI_")):
            monkeypatch.delenv(name)
    place = Place(tmp_path)
    with pytest.raises(ChannelError, match="which channel"):
        meet(None, None)
    with pytest.raises(NoRunError, match="there is no run at"):
        meet(place.store.name, None)
    assert meet(place.store.name, "43").run == "43"
    monkeypatch.setenv("CF_HARNESS_CHANNEL", place.store.name)
    monkeypatch.setenv("CF_HARNESS_RUN_ID", "44")
    assert meet(None, None).run == "44"
    assert meet(None, None, tmp_path).pipeline.name == place.store.name
    monkeypatch.delenv("CF_HARNESS_CHANNEL")
    assert meet(None, None, tmp_path).pipeline.name == str(tmp_path)
