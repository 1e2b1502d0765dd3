"""What a run owes its pipeline around its start and its end: a place, a last word, also when signals come too early or
too late."""

import os
import signal
from pathlib import Path

import pytest

from harness import duty as duties
from harness.channel.pipeline import StorePipeline
from harness.channel.records import Ended
from harness.channel.store import ChannelError
from harness.duty import AbortedError, Duty, Meeting, on_duty
from harness.errors import HarnessError
from tests.channel.carrying import Elsewhere


class Scene:
    """A meeting at a directory, and what became of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pipeline = StorePipeline(Elsewhere(path / "channel"))
        self.said: list[str] = []

    def on_duty(self, *channels: str):  # type: ignore[no-untyped-def]
        meeting = Meeting(run_id="42", channels=channels or (self.pipeline.name,))
        return on_duty(meeting, target="plan.yml", runs_dir=self.path / "runs", environ={}, say=self.said.append)

    @property
    def ended(self) -> Ended | None:
        return self.pipeline.look("42", 1).ended


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def kill(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def test_without_a_meeting_nothing_is_owed(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with on_duty(Meeting(), target="", runs_dir=tmp_path, environ={}, say=print) as duty:
        assert duty.live is None
        assert duty.observers == ()
        assert signal.getsignal(signal.SIGTERM) is before


def test_a_start_that_fails_says_so(scene: Scene) -> None:
    with pytest.raises(HarnessError, match="no such key"), scene.on_duty():
        raise HarnessError("no such key\nnor that one")
    assert scene.ended is not None
    assert (scene.ended.outcome, scene.ended.exit_code) == ("refused", 2)
    assert scene.ended.reasons == ["no such key", "nor that one"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_run_ends_the_start_with_a_word(scene: Scene, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(AbortedError), scene.on_duty():
        kill(number)
    assert scene.ended is not None
    assert (scene.ended.outcome, scene.ended.exit_code) == ("never_ready", 4)
    assert scene.ended.reasons == [f"stopped by {number.name} before anything was watched"]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_the_run_does_not_keep_the_verdict_from_the_pipeline(
    scene: Scene, number: signal.Signals
) -> None:
    with scene.on_duty() as duty:
        duty.handle.attach(lambda word: None)  # the run
        duty.handle.detach()
        kill(number)
        duty.skipped("as if it were a verdict")
    assert scene.ended is not None
    assert scene.ended.outcome == "skipped"


def test_what_was_said_last_stays(scene: Scene) -> None:
    def late(duty: Duty) -> None:
        duty.skipped("nothing there")
        raise HarnessError("the disk is full")

    with pytest.raises(HarnessError, match="the disk is full"), scene.on_duty() as duty:
        late(duty)
    assert scene.ended is not None
    assert scene.ended.outcome == "skipped"


def test_one_channel_at_a_time(scene: Scene, tmp_path: Path) -> None:
    urls = ((tmp_path / "a").as_uri(), (tmp_path / "b").as_uri())
    with pytest.raises(ChannelError, match="one channel at a time"), scene.on_duty(*urls):
        pytest.fail("it began")
    assert not (tmp_path / "a").exists()


def test_a_place_where_the_run_can_not_be_attended_is_left_with_a_word(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its control API may find its port taken, after the attempt was claimed."""

    def broken(*_: object) -> None:
        raise ChannelError("port 80 is taken")

    monkeypatch.setattr(duties, "Presence", broken)
    with pytest.raises(ChannelError, match="is taken"), scene.on_duty():
        pytest.fail("it began")
    assert scene.ended is not None
    assert scene.ended.outcome == "refused"
