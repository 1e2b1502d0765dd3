"""The run's side of a channel, over a directory that can be stood in the way of: marks, the stop, silence, the end."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.channel import layout, presence
from harness.channel.claim import Claim
from harness.channel.live import LiveRun
from harness.channel.pipeline import StorePipeline
from harness.channel.presence import Presence, publish
from harness.channel.records import Ended, MarkNote, StopWish, Turn, encode
from harness.channel.store import ChannelError, SilentError
from harness.events import Marked
from harness.statistics.phases import phases_of
from harness.stop import Mark, Remark, Request, RunHandle, Word
from tests.channel.carrying import Elsewhere, Faulty, claimed, folder, owner


class Told:
    """What a run is told, in order."""

    def __init__(self) -> None:
        self.words: list[Word] = []
        self._grown = threading.Condition()
        self.handle = RunHandle()
        self.handle.attach(self._hear)

    def _hear(self, word: Word) -> None:
        with self._grown:
            self.words.append(word)
            self._grown.notify_all()

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        with self._grown:
            assert self._grown.wait_for(condition, seconds), self.words

    @property
    def marks(self) -> list[Mark]:
        return [word for word in self.words if isinstance(word, Mark)]

    @property
    def requests(self) -> list[Request]:
        return [word for word in self.words if isinstance(word, Request)]

    @property
    def remarks(self) -> list[str]:
        return [word.text for word in self.words if isinstance(word, Remark)]


class Scene:
    """A run that is present at a store, and a pipeline that looks at the directory itself."""

    def __init__(self, path: Path) -> None:
        self.store: Faulty = folder(path)
        self.pipeline = StorePipeline(Elsewhere(path))
        self.claim: Claim = claimed(self.store)
        self.told = Told()
        self.live = LiveRun(self.claim.owner, self.told.handle)
        self.presence = Presence(self.claim, self.live)

    def mark(self, name: str, edge: str = "", at: float | None = None, within: float | None = None) -> None:
        note = MarkNote(
            id=f"id-{name}-{edge}", name=name, edge=edge, at=time.time() if at is None else at, within=within
        )
        self.pipeline.mark("42", 1, [note])

    def stop(self, by: str = "the pipeline") -> None:
        self.pipeline.stop("42", 1, StopWish(by=by, at=time.time()))

    def looks(self, more: int = 1) -> None:
        """Wait until it has looked so often again, from begin to end."""
        until = self._looked() + more + 1
        self.store.until(lambda: self._looked() >= until)

    def _looked(self) -> int:
        return self.store.calls.count(("list", layout.TURNS))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Present."""
    made = Scene(tmp_path)
    with made.presence:
        yield made


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes every second comes ten times as often, and a silence is worth a word sooner."""
    monkeypatch.setattr(presence, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(presence, "_REMARK_AFTER", 0.4)
    monkeypatch.setattr(presence, "_AGAIN", 0.1)


def test_it_shows_that_it_lives_from_the_first_moment(scene: Scene) -> None:
    scene.looks()
    attempt = scene.pipeline.look("42", 1)
    assert attempt.pulse is not None
    assert (attempt.pulse.beat, attempt.pulse.state) == (1, "preparing")


def test_a_change_of_state_is_shown_at_once(scene: Scene) -> None:
    scene.looks()
    scene.live._turn("watching")
    scene.looks()
    attempt = scene.pipeline.look("42", 1)
    assert attempt.pulse is not None
    assert attempt.pulse.state == "watching"


def test_a_stop_is_heard_once(scene: Scene) -> None:
    scene.stop("me")
    scene.stop("another one")
    scene.told.until(lambda: bool(scene.told.requests))
    scene.looks(2)
    assert scene.told.requests == [Request("me", insists=False)]


def test_a_newer_run_supersedes_it_and_what_it_saw_proves_nothing(scene: Scene) -> None:
    claimed(Elsewhere(Path(scene.store.store.root)), "43")  # type: ignore[attr-defined]
    scene.told.until(lambda: bool(scene.told.requests))
    scene.looks(2)
    (request,) = scene.told.requests
    assert request.by == "superseded by the run 43, attempt 1"
    assert request.spoils == "superseded by the run 43, attempt 1: nobody stopped this one"


def test_one_that_was_asked_to_stop_is_not_superseded(scene: Scene) -> None:
    scene.stop("me")
    scene.told.until(lambda: bool(scene.told.requests))
    claimed(Elsewhere(Path(scene.store.store.root)), "43")  # type: ignore[attr-defined]
    scene.looks(2)
    assert [request.by for request in scene.told.requests] == ["me"]


def test_marks_before_the_stop_are_told_before_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for number in range(50):
        scene.mark(f"m{number:02}")
    scene.stop()
    with scene.presence:
        scene.told.until(lambda: bool(scene.told.requests))
    assert sorted(mark.name for mark in scene.told.words[:50] if isinstance(mark, Mark)) == [
        f"m{number:02}" for number in range(50)
    ]
    assert isinstance(scene.told.words[50], Request)


def test_a_mark_that_comes_while_it_looks_is_told_before_the_stop_that_follows_it(tmp_path: Path) -> None:
    """The stop is asked for first; marks are listed after it, whatever comes in between."""
    scene = Scene(tmp_path)

    def come(what: str, key: str) -> None:
        if what == "get" and key.endswith("stop.json") and not scene.told.marks:
            scene.store.before = lambda what, key: None
            scene.mark("late")
            scene.stop()

    scene.store.before = come
    with scene.presence:
        scene.told.until(lambda: bool(scene.told.requests))
    assert [type(word).__name__ for word in scene.told.words] == ["Mark", "Request"]


def test_a_stop_that_comes_after_the_marks_were_listed_waits_for_the_next_look(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    def come(what: str, key: str) -> None:
        if what == "list" and key.endswith("/marks/"):
            scene.store.after = lambda what, key: None
            scene.mark("late")
            scene.stop()

    scene.store.after = come
    with scene.presence:
        scene.told.until(lambda: bool(scene.told.requests))
    assert [type(word).__name__ for word in scene.told.words] == ["Mark", "Request"]


def test_a_mark_is_told_once(scene: Scene) -> None:
    scene.mark("deploy", "begin")
    scene.mark("deploy", "begin")
    scene.told.until(lambda: bool(scene.told.marks))
    scene.looks(2)
    assert [(mark.name, mark.edge) for mark in scene.told.marks] == [("deploy", "begin")]


@pytest.mark.parametrize("skew", [-3600.0, -30.0, 0.0, 30.0, 3600.0])
def test_a_mark_stands_where_it_was_written_whatever_its_writers_clock(scene: Scene, skew: float) -> None:
    scene.looks()
    before = time.monotonic()
    scene.mark("deploy", at=time.time() + skew)
    written = time.monotonic()
    scene.told.until(lambda: bool(scene.told.marks))
    seen = time.monotonic()
    (mark,) = scene.told.marks
    assert before - 2 * presence.LOOK_EVERY <= mark.monotonic <= seen
    if skew == 0.0:
        assert before - 0.05 <= mark.monotonic <= written + 0.05


def test_what_is_told_afterwards_keeps_its_own_time(scene: Scene) -> None:
    scene.mark("router/2", at=time.time() - 500, within=1.0)
    scene.told.until(lambda: bool(scene.told.marks))
    (mark,) = scene.told.marks
    assert mark.monotonic == pytest.approx(time.monotonic() - 500, abs=30)
    assert mark.within == 1.0


@given(
    st.lists(st.tuples(st.sampled_from(["begin", "end"]), st.floats(-300, 300), st.floats(0, 5)), max_size=8),
    st.floats(0, 60),
)
@settings(max_examples=200)
def test_a_phase_never_ends_before_it_begins(told: list[tuple[str, float, float]], staleness: float) -> None:
    heard: list[Word] = []
    handle = RunHandle()
    handle.attach(heard.append)
    live = LiveRun(owner(), handle)
    for number, (edge, skew, wait) in enumerate(told):
        note = MarkNote(id=str(number), name="deploy", edge=edge, at=time.time() + skew)
        live.mark([note], not_before=time.monotonic() - wait - staleness)
    marks = [mark for mark in heard if isinstance(mark, Mark)]
    phases = phases_of(Marked(at=mark.monotonic, name=mark.name, edge=mark.edge) for mark in marks)
    assert all(phase.end is None or phase.end >= phase.begin for phase in phases)


def test_a_full_disk_takes_no_pulse_and_the_stop_is_heard_all_the_same(scene: Scene) -> None:
    def full(what: str, key: str) -> None:
        if what == "put":
            raise SilentError("no space left on device")

    scene.store.before = full
    scene.told.until(lambda: bool(scene.told.remarks))
    scene.mark("deploy")
    scene.stop()
    scene.told.until(lambda: bool(scene.told.requests))
    assert [mark.name for mark in scene.told.marks] == ["deploy"]


@pytest.mark.parametrize("error", [SilentError("away"), ChannelError("no rights"), RuntimeError("a mistake")])
def test_a_silence_is_remarked_on_once_and_its_end_once(scene: Scene, error: Exception) -> None:
    def away(what: str, key: str) -> None:
        raise error

    scene.store.before = away
    scene.told.until(lambda: bool(scene.told.remarks))
    silent = len(scene.store.calls)
    scene.store.until(lambda: len(scene.store.calls) > silent + 10)
    assert len(scene.told.remarks) == 1
    assert "the channel does not answer, and is asked again: " in scene.told.remarks[0]
    assert str(error) in scene.told.remarks[0]
    scene.mark("meanwhile")
    scene.stop()
    scene.store.before = lambda what, key: None
    scene.told.until(lambda: len(scene.told.remarks) == 2)
    scene.told.until(lambda: bool(scene.told.requests))
    scene.looks(2)
    assert "answers again, after " in scene.told.remarks[1]
    assert len(scene.told.remarks) == 2
    assert [mark.name for mark in scene.told.marks] == ["meanwhile"]
    assert scene.told.requests == [Request("the pipeline", insists=False)]


def test_half_a_mark_is_read_again(scene: Scene) -> None:
    store = Elsewhere(Path(scene.store.store.root))  # type: ignore[attr-defined]
    whole = encode(MarkNote(id="x", name="deploy", edge="", at=time.time()))
    store.put(f"{layout.marks('42', 1)}x.json", whole[:20])
    scene.looks()
    assert not scene.told.marks
    store.put(f"{layout.marks('42', 1)}x.json", whole)
    scene.told.until(lambda: bool(scene.told.marks))


def test_a_turn_that_can_not_be_read_supersedes_nobody(scene: Scene) -> None:
    store = Elsewhere(Path(scene.store.store.root))  # type: ignore[attr-defined]
    store.put(layout.turn(layout.turn_number(scene.claim.turn) + 1), b"{")
    scene.looks(2)
    assert not scene.told.requests
    another = Turn(run="43", attempt=1, owner="x", at=0.0)
    store.put(layout.turn(layout.turn_number(scene.claim.turn) + 2), encode(another))
    scene.told.until(lambda: bool(scene.told.requests))


ENDED = Ended(outcome="pass", exit_code=0, at=1.0, reports=["verdict.json"])
REPORTS = {"report.txt": b"text", "verdict.json": b"{}"}


def test_the_last_word_comes_after_the_reports(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    del scene.store.calls[:]
    assert publish(scene.claim, ENDED, REPORTS, until=lambda: False, say=lambda text: None)
    assert scene.store.calls[-1] == ("create", "runs/42/1/ended.json")
    assert scene.pipeline.look("42", 1).ended == ENDED
    assert scene.pipeline.report("42", 1, "report.txt") == b"text"


@pytest.mark.parametrize("what", ["put", "create"])
def test_a_verdict_is_offered_again_until_the_channel_takes_it(tmp_path: Path, what: str) -> None:
    scene, said, failures = Scene(tmp_path), list[str](), iter(range(3))

    def away(done: str, key: str) -> None:
        if done == what and next(failures, None) is not None:
            raise SilentError("away")

    scene.store.before = away
    assert publish(scene.claim, ENDED, REPORTS, until=lambda: False, say=said.append)
    assert said == ["the channel does not take the verdict yet, trying again: away"]
    assert scene.pipeline.look("42", 1).ended == ENDED
    assert scene.pipeline.report("42", 1, "verdict.json") == b"{}"


def test_a_verdict_whose_answer_was_lost_is_the_same_one(tmp_path: Path) -> None:
    scene, lost = Scene(tmp_path), iter([True])

    def after(done: str, key: str) -> None:
        if done == "create" and next(lost, None):
            raise SilentError("lost")

    scene.store.after = after
    assert publish(scene.claim, ENDED, {}, until=lambda: False, say=lambda text: None)
    assert scene.pipeline.look("42", 1).ended == ENDED


def test_an_attempt_has_one_verdict(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    publish(scene.claim, ENDED, {}, until=lambda: False, say=lambda text: None)
    worse = Ended(outcome="fail", exit_code=1, at=2.0)
    publish(scene.claim, worse, {}, until=lambda: False, say=lambda text: None)
    assert scene.pipeline.look("42", 1).ended == ENDED


@pytest.mark.parametrize(("error", "tries"), [(SilentError("away"), 3), (ChannelError("no rights"), 1)])
def test_a_verdict_that_can_not_be_left_is_said_so(tmp_path: Path, error: Exception, tries: int) -> None:
    scene, said, tried = Scene(tmp_path), list[str](), list[str]()

    def away(done: str, key: str) -> None:
        tried.append(done)
        raise error

    scene.store.before = away
    assert not publish(scene.claim, ENDED, REPORTS, until=lambda: len(tried) >= 3, say=said.append)
    assert len(tried) == tries
    assert said[-1] == f"the verdict could not be left in the channel: {error}"
