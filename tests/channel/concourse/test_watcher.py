"""A Concourse job is watched as it is: whatever state it ends in, and however its ATC fares meanwhile."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from harness.channel.concourse import watcher as module
from harness.channel.concourse.watcher import Watcher
from harness.channel.live import LiveRun
from harness.channel.records import Owner
from harness.stop import Mark, Remark, Request, RunHandle, Word
from tests.channel.concourse.atc import Atc, serving

OWNER = Owner(
    run="7", attempt=1, id="x", at=0.0, host="h", pid=1, boot="", namespace="", version="0", target="plan.yml"
)


class Heard:
    """What a run would hear."""

    def __init__(self) -> None:
        self.words: list[Word] = []
        handle = RunHandle()
        handle.attach(self.words.append)
        self.live = LiveRun(OWNER, handle)

    @property
    def stops(self) -> list[str]:
        return [word.by for word in self.words if isinstance(word, Request)]

    @property
    def remarks(self) -> list[str]:
        return [word.text for word in self.words if isinstance(word, Remark)]

    @property
    def marks(self) -> list[tuple[str, str]]:
        return [(word.name, word.edge) for word in self.words if isinstance(word, Mark)]


@contextmanager
def watching(atc: Atc, environ: Mapping[str, str] | None = None) -> Iterator[Heard]:
    heard = Heard()
    with Watcher(atc.channel, heard.live, environ or {}):
        yield heard


def until(true: Callable[[], Any], what: str = "") -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules, with shorter waits."""
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(module, "_REMARK_AFTER", 0.5)


@pytest.mark.parametrize("status", ["succeeded", "failed", "errored", "aborted"])
def test_every_way_in_which_a_build_ends_is_the_stop(status: str) -> None:
    with serving(Atc()) as atc, watching(atc) as heard:
        atc.start(12)
        until(lambda: heard.remarks)
        assert heard.stops == []
        atc.end(12, status)
        until(lambda: heard.stops)
    assert heard.stops == [f"the build deploy #12 {status}"]


def test_the_build_may_come_later_and_others_are_none_of_ours() -> None:
    with serving(Atc()) as atc, watching(atc) as heard:
        atc.start(11, version="6")
        atc.end(11, "failed")
        until(lambda: any("waiting for it" in remark for remark in heard.remarks))
        atc.start(12, status="pending")
        atc.builds[12]["status"] = "started"
        until(lambda: any("watching deploy #12" in remark for remark in heard.remarks))
        assert heard.stops == []
        atc.end(12, "succeeded")
        until(lambda: heard.stops)


def test_one_that_was_over_before_is_not_the_one_and_a_newer_one_takes_its_place() -> None:
    with serving(Atc()) as atc:
        atc.start(11)
        atc.end(11, "failed")
        atc.builds[11]["end_time"] -= 60
        with watching(atc) as heard:
            until(lambda: any("over before this run began" in remark for remark in heard.remarks))
            atc.start(12)
            until(lambda: any("watching deploy #12" in remark for remark in heard.remarks))
            atc.start(13)  # triggered again
            until(lambda: any("watching deploy #13" in remark for remark in heard.remarks))
            atc.end(12, "aborted")
            asked = len(atc.asked)
            until(lambda: len(atc.asked) > asked + 20)
            assert heard.stops == []
            atc.end(13, "succeeded")
            until(lambda: heard.stops)
    assert heard.stops == ["the build deploy #13 succeeded"]


@pytest.mark.parametrize("mood", ["502", "html", "truncated"])
def test_an_atc_in_trouble_is_asked_again_and_stops_nothing(mood: str) -> None:
    with serving(Atc()) as atc, watching(atc) as heard:
        atc.start(12)
        until(lambda: any("watching" in remark for remark in heard.remarks))
        atc.mood = mood
        until(lambda: any("can't be watched" in remark for remark in heard.remarks))
        assert heard.stops == []
        atc.mood = ""
        until(lambda: any("answers again" in remark for remark in heard.remarks))
        atc.end(12, "succeeded")
        until(lambda: heard.stops)


def test_an_atc_that_is_redeployed_is_found_again() -> None:
    atc = Atc()
    with serving(atc):
        port = int(atc.url.rpartition(":")[2])
        atc.start(12)
        heard = Heard()
        watcher = Watcher(atc.channel, heard.live, {})
        watcher.__enter__()
        until(lambda: any("watching" in remark for remark in heard.remarks))
    try:
        until(lambda: any("can't be watched" in remark for remark in heard.remarks))
        with serving(atc, port):
            atc.end(12, "failed")
            until(lambda: heard.stops)
    finally:
        watcher.__exit__(None, None, None)


def test_a_token_that_ran_out_is_got_again() -> None:
    with serving(Atc(tokens={"nobody's"})) as atc:
        with watching(atc, {"CONCOURSE_USERNAME": "ci", "CONCOURSE_PASSWORD": "secret"}) as heard:
            atc.start(12)
            until(lambda: any("watching" in remark for remark in heard.remarks))
            atc.tokens = {"nobody's"}
            before = atc.issued
            until(lambda: atc.issued > before)
            atc.end(12, "succeeded")
            until(lambda: heard.stops)
        assert not any("secret" in remark or "token-" in remark for remark in heard.remarks)


def test_a_wrong_password_is_told_and_stops_nothing() -> None:
    with serving(Atc(tokens={"nobody's"})) as atc:
        with watching(atc, {"CONCOURSE_USERNAME": "ci", "CONCOURSE_PASSWORD": "wrong"}) as heard:
            until(lambda: any("CONCOURSE_USERNAME" in remark for remark in heard.remarks))
        assert heard.stops == []
        assert not any("wrong" in remark for remark in heard.remarks)


def test_a_job_that_is_not_there_and_an_archived_pipeline_are_told() -> None:
    with serving(Atc(exists=False, archived=True)) as atc, watching(atc) as heard:
        until(lambda: any("archived" in remark for remark in heard.remarks))
        assert heard.stops == []


def test_steps_are_phases_and_are_marked_once() -> None:
    with serving(Atc()) as atc, watching(atc) as heard:
        atc.start(12)
        for event, step in (("initialize-task", "4"), ("start-task", "4"), ("finish-task", "4"), ("finish-put", "5")):
            atc.say(12, event, step)
        atc.say(12, "log", "4")
        until(lambda: len(heard.marks) >= 3)
        atc.end(12, "succeeded")
        until(lambda: heard.stops)
    assert heard.marks == [("deploy-router", "begin"), ("deploy-router", "end"), ("put lock", "end")]
    assert [word.within for word in heard.words if isinstance(word, Mark)] == [1.0] * 3


def test_without_events_the_build_is_marked_as_a_whole() -> None:
    with serving(Atc(hides_events=True)) as atc, watching(atc) as heard:
        atc.start(12)
        until(lambda: heard.marks)
        atc.end(12, "failed")
        until(lambda: heard.stops)
    assert heard.marks == [("deploy #12", "begin"), ("deploy #12", "end")]
