"""How a run becomes the one that a pipeline meets: races of real processes, retries, lost answers, turns."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.channel import alive, layout
from harness.channel.claim import Claim, TakenError, claim, without_secrets
from harness.channel.pipeline import StorePipeline
from harness.channel.process import this_process
from harness.channel.records import Ended, Owner, Pulse, StopWish, Turn, decode, encode
from harness.channel.store import ChannelError
from harness.duty import AbortedError
from tests.channel.carrying import Elsewhere, Once, claimed, folder, owner
from tests.cli.commanding import ROOT, environment

RACER = """
import sys
from pathlib import Path
from harness.channel.claim import TakenError, claim
from harness.channel.folder import FolderStore

store = FolderStore(Path(sys.argv[1]))
print("here", flush=True)
sys.stdin.readline()
try:
    mine = claim(store, "42", floor=int(sys.argv[2]), target="plan.yml")
    print("owner", mine.attempt, mine.turn, flush=True)
except TakenError as error:
    print("taken", error.owner.pid if error.owner else 0, flush=True)
sys.stdin.readline()
"""


def race(path: Path, floors: list[int]) -> list[list[str]]:
    """Real processes claim the same run at once, and live on until all have; what each said."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(path), str(floor)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for floor in floors
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "here\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        return [racer.stdout.readline().split() for racer in racers if racer.stdout is not None]
    finally:
        for racer in racers:
            racer.communicate("end\n")


def attempts_of(store: Elsewhere) -> list[int]:
    return StorePipeline(store).attempts("42")


def end(store: Elsewhere, attempt: int, outcome: str = "pass") -> None:
    """It is over."""
    over = Ended(outcome=outcome, exit_code=0, at=0.0)
    store.put(layout.of_attempt("42", attempt, "ended.json"), encode(over))


def test_fifty_start_one_run_at_once_and_one_owns_it(tmp_path: Path) -> None:
    said = race(tmp_path, [1] * 50)
    owners = [words for words in said if words[0] == "owner"]
    assert len(owners) == 1, said
    assert sum(words[0] == "taken" for words in said) == 49
    store = Elsewhere(tmp_path)
    assert attempts_of(store) == [1]
    known = decode(store.get(layout.of_attempt("42", 1, "owner.json")), Owner)
    assert known is not None
    assert {words[1] for words in said if words[0] == "taken"} == {str(known.pid)}, "all were told whose it is"
    assert len(store.list(layout.TURNS)) == 1


def test_starters_whose_folders_of_runs_differ_race_for_the_same_attempt(tmp_path: Path) -> None:
    said = race(tmp_path, [1, 2, 3, 4] * 3)
    assert sum(words[0] == "owner" for words in said) == 1, said


def test_a_dead_owners_run_goes_on_as_the_next_attempt(tmp_path: Path) -> None:
    first = race(tmp_path, [1])  # and its process ends without a word
    assert first[0][:2] == ["owner", "1"]
    assert claimed(Elsewhere(tmp_path)).attempt == 2


def test_an_attempt_that_ended_is_followed_by_the_next(tmp_path: Path) -> None:
    store = Elsewhere(tmp_path)
    assert claimed(store).attempt == 1
    end(store, 1)
    assert claimed(store).attempt == 2


def test_the_next_attempt_of_the_folder_of_runs_passes_over_those_that_the_channel_does_not_know(
    tmp_path: Path,
) -> None:
    store = Elsewhere(tmp_path)
    assert claimed(store, floor=3).attempt == 3
    pipeline = StorePipeline(store)
    ended = [pipeline.look("42", attempt).ended for attempt in (1, 2)]
    assert [one.outcome if one is not None else None for one in ended] == ["refused", "refused"]
    assert len(store.list(layout.TURNS)) == 1


def test_while_it_is_conducted_nobody_else_gets_it(tmp_path: Path) -> None:
    store = Elsewhere(tmp_path)
    claimed(store)
    with pytest.raises(TakenError, match=r"being watched already by process \d+ on .* \(attempt 1\): stop it first"):
        claimed(store)
    assert attempts_of(store) == [1]


def elsewhere(store: Elsewhere, at: float) -> None:
    """Another machine's attempt."""
    far = owner(host="another", boot="another 1", namespace="pid:[7]", at=at)
    store.create(layout.of_attempt("42", 1, "owner.json"), encode(far))


def beating(store: Elsewhere, at: float, over: threading.Event) -> threading.Thread:
    """Its pulse, every quarter second, until `over`."""

    def beat() -> None:
        number = 0
        while not over.wait(0.25):
            number += 1
            store.put(layout.of_attempt("42", 1, "pulse.json"), encode(Pulse(beat=number, at=at, state="watching")))

    thread = threading.Thread(target=beat)
    thread.start()
    return thread


@pytest.mark.parametrize("at", [0.0, 4e9], ids=["clock behind", "clock ahead"])
def test_another_machines_run_lives_while_its_pulse_moves_whatever_its_clock(tmp_path: Path, at: float) -> None:
    store, over = Elsewhere(tmp_path), threading.Event()
    elsewhere(store, at)
    thread = beating(store, at, over)
    try:
        with pytest.raises(TakenError, match="on another"):
            claimed(store)
    finally:
        over.set()
        thread.join()


@pytest.mark.long
def test_another_machines_run_whose_pulse_stands_still_is_dead(tmp_path: Path) -> None:
    store = Elsewhere(tmp_path)
    elsewhere(store, at=0.0)
    assert claimed(store).attempt == 2


def test_a_fresh_sign_of_another_machines_run_is_no_proof_that_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is retried just after it was killed: the pulse is young, and stands still."""
    monkeypatch.setattr(alive, "STALE", 2.0)  # not thirty
    store = Elsewhere(tmp_path)
    elsewhere(store, at=time.time())
    assert claimed(store).attempt == 2


@pytest.mark.parametrize("lost", ["owner.json", "turns/"])
def test_a_claim_whose_answer_was_lost_is_still_ours(tmp_path: Path, lost: str) -> None:
    store = folder(tmp_path)
    store.after = Once(lambda what, key: what == "create" and lost in key)
    mine = claimed(store)
    assert mine.attempt == 1
    assert attempts_of(Elsewhere(tmp_path)) == [1]
    assert store.store.list(layout.TURNS) == [mine.turn]


@pytest.mark.parametrize("lost", ["owner.json", "turns/"])
def test_a_claim_that_is_broken_off_leaves_a_word(tmp_path: Path, lost: str) -> None:
    store = folder(tmp_path)

    def aborted(what: str, key: str) -> None:
        if what == "create" and lost in key:
            store.after = lambda what, key: None
            raise AbortedError("stopped by SIGTERM")

    store.after = aborted
    with pytest.raises(AbortedError):
        claimed(store)
    ended = StorePipeline(store).look("42", 1).ended
    assert ended is not None
    assert (ended.outcome, ended.exit_code, ended.reasons) == ("never_ready", 4, ["stopped by SIGTERM"])


def test_a_claim_that_is_refused_leaves_the_owner_alone(tmp_path: Path) -> None:
    store = Elsewhere(tmp_path)
    claimed(store)
    with pytest.raises(TakenError):
        claimed(store)
    assert StorePipeline(store).look("42", 1).ended is None


@pytest.mark.parametrize("what", ["create", "get", "list"])
def test_a_channel_that_does_not_answer_at_once_is_asked_again(tmp_path: Path, what: str) -> None:
    store = folder(tmp_path)
    claimed(store)
    end(Elsewhere(tmp_path), 1)
    store.before = Once(lambda done, key: done == what)
    assert claimed(store).attempt == 2


def test_a_channel_that_can_not_be_used_is_said_so_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ChannelError, match="give a directory that all tasks can write to"):
        claimed(folder(tmp_path / "file"))


def test_a_second_try_for_a_turn_does_not_supersede_who_came_in_between(tmp_path: Path) -> None:
    store = folder(tmp_path)
    other: list[Claim] = []
    lost = Once(lambda what, key: what == "create" and key.startswith(layout.TURNS))

    def after(what: str, key: str) -> None:
        try:
            lost(what, key)
        except ChannelError:
            other.append(claimed(Elsewhere(tmp_path), "43"))
            raise

    store.after = after
    mine = claimed(store)
    assert other[0].turn > mine.turn


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=6))
def test_turns_are_in_the_order_of_the_claims(tmp_path_factory: pytest.TempPathFactory, runs: list[str]) -> None:
    store = Elsewhere(tmp_path_factory.mktemp("turns"))
    turns = []
    for number, run in enumerate(runs):
        mine = claimed(store, f"{run}{number}")
        turns.append(mine.turn)
        turn = decode(store.get(mine.turn), Turn)
        assert turn is not None
        assert (turn.run, turn.owner) == (mine.run, mine.owner.id)
    assert turns == sorted(set(turns))
    assert StorePipeline(store).newest() == f"{runs[-1]}{len(runs) - 1}"


def test_what_is_written_to_the_channel_has_no_secret() -> None:
    assert without_secrets("plans/app.yml") == "plans/app.yml"
    assert (
        without_secrets("https://me:secret@app.example.org:8443/x?token=secret#y") == "https://app.example.org:8443/x"
    )
    assert "secret" not in without_secrets("https://[secret")


def test_an_owner_says_where_it_is(tmp_path: Path) -> None:
    mine = claim(Elsewhere(tmp_path), "42", floor=1, target="https://u:p@h/", log="/a/log", folder="/runs/42")
    here = this_process()
    assert (mine.owner.host, mine.owner.pid, mine.owner.boot) == (here.host, here.pid, here.boot)
    assert (mine.owner.target, mine.owner.log, mine.owner.folder) == ("https://h/", "/a/log", "/runs/42")
    assert (mine.run, mine.attempt) == ("42", 1)


def test_a_wish_and_an_end_are_written_once(tmp_path: Path) -> None:
    store = Elsewhere(tmp_path)
    pipeline = StorePipeline(store)
    pipeline.stop("42", 1, StopWish(by="first", at=1.0))
    pipeline.stop("42", 1, StopWish(by="second", at=2.0))
    wish = pipeline.look("42", 1).stop
    assert wish is not None
    assert wish.by == "first"


def test_half_a_record_is_no_record(tmp_path: Path) -> None:
    store = Elsewhere(tmp_path)
    whole = encode(owner())
    store.put(layout.of_attempt("42", 1, "owner.json"), whole[: len(whole) // 2])
    assert StorePipeline(store).look("42", 1).owner is None
    store.put(layout.of_attempt("42", 1, "owner.json"), msgspec.json.encode({"of": "another version"}))
    assert StorePipeline(store).look("42", 1).owner is None
