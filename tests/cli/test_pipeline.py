"""The verbs of a pipeline as processes, on a `file://` channel: whole stories, that go on at the same time."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from harness.channel.process import is_gone
from harness.sandbox import Sandbox, SandboxConfig
from tests.cli.commanding import PROGRAM, Ended, Going, environment, target
from tests.cli.meeting import Place

pytestmark = pytest.mark.timeout(180)  # the first test waits for whole stories, all of them at once

Story = dict[str, Ended]
FORMATS = ("text", "json", "markdown", "junit")


def good(place: Place, url: str) -> Story:
    """Ready, marks, status, stop; again; and a retry that becomes attempt 2."""
    told: Story = {}
    plan = place.plan(url)
    waiting = Going(place.folder, ["wait-ready", *place.channel, "--run-id", "42", "--timeout", "40s"])
    with place.running(plan) as run:
        told["ready"] = waiting.ended()
        told["begin"] = place.verb("mark", "deploy", "--begin")
        told["moment"] = place.verb("mark", "half-way")
        told["end"] = place.verb("mark", "deploy", "--end")
        place.until_seen(20)
        told["status"] = place.verb("status")
        told["status json"] = place.verb("status", "--format", "json")
        told["early"] = place.verb("verdict")
        told["stop"] = place.verb("stop", "--format", "json", "--runs-dir", "here", "-o", "all.xml", "--by", "me")
        told["run"] = run.ended()
    told["late mark"] = place.verb("mark", "late")
    told["late ready"] = place.verb("wait-ready", "--timeout", "1s")
    told["again"] = place.verb("stop", "--format", "json", run=None)
    told["verdict"] = place.verb("verdict")
    told["nothing to accept"] = place.accept()
    with place.running(plan) as run:
        place.until_state("watching", attempt=2)
        told["two"] = place.verb("run", plan, "--runs-dir", "other")
        told["second"] = place.verb("stop")
        run.ended()
    told["status over"] = place.verb("status")
    return told


def bad(place: Place, url: str) -> Story:
    """It fails, a person accepts it, and a retry passes."""
    told: Story = {}
    with target() as app:
        plan = place.plan(app.url)
        with place.running(plan):
            place.until_state("watching")
            app.answer = 503
            app.serve(40)
            told["stop"] = place.verb("stop")
        app.answer = 200
        told["verdict"] = place.verb("verdict")
        told["empty"] = place.accept(by=" ")
        told["accept"] = place.accept()
        for form in FORMATS:
            told[form] = place.verb("verdict", "--format", form)
        told["status"] = place.verb("status")
        with place.running(plan):
            place.until_state("watching", attempt=2)
            told["running"] = place.verb("verdict")
            told["too early"] = place.accept()
            told["retry"] = place.verb("stop")
    return told


def died(place: Place, url: str) -> Story:
    """KILL while somebody waits for it, and while it watches."""
    told: Story = {}
    with target() as app:
        app.answer = None
        plan = place.plan(app.url)
        with place.running(plan, run="early") as run:
            place.until_state("waiting", run="early")
            waiting = Going(place.folder, ["wait-ready", *place.channel, "--run-id", "early"])
            waiting.until_said("waiting: the run early, attempt 1 waits for a clean baseline")
            run.process.kill()
            run.ended()
        began = time.monotonic()
        told["wait"] = waiting.ended()
        told["took"] = Ended(int(time.monotonic() - began), "", "")
        app.answer = 200
        with place.running(plan) as run:
            place.until_seen(20)
            run.process.kill()
            run.ended()
    told["stop"] = place.verb("stop", "-o", "died.xml")
    told["verdict"] = place.verb("verdict")
    told["ready"] = place.verb("wait-ready", "--timeout", "1s")
    told["accept"] = place.accept(reason="the machine went away")
    told["accepted"] = place.verb("stop")
    return told


def refused(place: Place, url: str) -> Story:
    """Mistakes in the plan are left in the channel, by a detached start too; the next one is another attempt."""
    told: Story = {}
    plan = place.plan(url, rates="no such key")
    told["run"] = place.verb("run", plan)
    told["ready"] = place.verb("wait-ready", "--timeout", "1s")
    told["detached"] = place.verb("run", plan, "--detach")
    told["stop"] = place.verb("stop")
    return told


def skipped(place: Place, url: str) -> Story:
    """The app is not there."""
    told: Story = {}
    plan = place.plan(url, headers={"Host": "nothere.apps.localhost"})
    told["run"] = place.verb("run", plan, "--if-absent", "skip")
    for form in FORMATS:
        told[form] = place.verb("verdict", "--format", form)
    told["stop"] = place.verb("stop")
    told["status"] = place.verb("status")
    told["ready"] = place.verb("wait-ready", "--timeout", "1s")
    told["detached"] = place.verb("run", plan, "--if-absent", "skip", "--detach", run="43")
    told["there"] = place.verb("run", place.plan(url), "--if-absent", "skip", "--duration", "1s", run="44")
    return told


def superseded(place: Place, url: str) -> Story:
    """A newer run takes the place of one that nobody stopped."""
    told: Story = {}
    plan = place.plan(url)
    with place.running(plan, run="old") as old:
        place.until_state("watching", run="old")
        with place.running(plan, run="new"):
            told["run"] = old.ended()
            told["verdict"] = place.verb("verdict", run="old")
            told["newest"] = place.verb("status", run=None)
            place.until_seen(20, run="new")
            told["new"] = place.verb("stop", run=None)
    return told


def forgotten(place: Place, url: str) -> Story:
    """Nobody stops it."""
    plan = place.plan(url, stop={"max_duration": "6s"})
    other = Place(place.folder / "other")
    other.plan(url, stop={"max_duration": "6s", "at_max_duration": "judge"})
    with place.running(plan) as run, other.running("plan.yml") as another:
        return {"run": run.ended(), "judged": another.ended(), "verdict": place.verb("verdict")}


def detached(place: Place, url: str) -> Story:
    """Its starter's whole process group is killed; a second start finds it there."""
    told: Story = {}
    plan = place.plan(url)
    words = [*PROGRAM, "run", plan, "--detach", "--run-id", "42", *place.channel]
    script = 'out=$("$@") || exit; echo "$out"; echo over; sleep 1000'
    with subprocess.Popen(
        ["sh", "-c", script, "sh", *words],
        cwd=place.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        out = "".join(iter(shell.stdout.readline, "over\n"))
        os.killpg(shell.pid, signal.SIGKILL)
    told["start"] = Ended(0, out, "")
    told["again"] = place.verb("run", plan, "--detach")
    told["ready"] = place.verb("wait-ready")
    process = place.pipeline.look("42", 1).process
    assert process is not None
    assert not is_gone(process)
    told["stop"] = place.verb("stop", "--runs-dir", "here")
    place.until(lambda: is_gone(process))
    return told


def aborted(place: Place, url: str) -> Story:
    """TERM before anything is watched, and while it watches."""
    told: Story = {}
    with target() as app:
        app.answer = None
        plan = place.plan(app.url)
        with place.running(plan, "--if-absent", "skip") as run:  # asks the app whether it is there, and waits
            place.until(lambda: place.pulse() is not None)
            run.process.terminate()
            told["early"] = run.ended()
        told["early verdict"] = place.verb("verdict")
        with place.running(plan, run="unready") as run:
            place.until_state("waiting", run="unready")
            run.process.terminate()
            told["unready"] = run.ended()
        told["unready verdict"] = place.verb("wait-ready", "--timeout", "1s", run="unready")
    with place.running(place.plan(url)) as run:
        place.until_seen(20, attempt=2)
        run.process.terminate()
        told["run"] = run.ended()
    told["verdict"] = place.verb("verdict")
    return told


STORIES: dict[str, Callable[[Place, str], Story]] = {
    story.__name__: story for story in (good, bad, died, refused, skipped, superseded, forgotten, detached, aborted)
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    """Where each story takes place."""
    return {name: Place(tmp_path_factory.mktemp(name)) for name in STORIES}


@pytest.fixture(scope="module")
def stories(places: dict[str, Place]) -> Iterator[dict[str, Future[Story]]]:
    """What came of each."""
    with Sandbox(SandboxConfig(routers=1, instances=1)) as sandbox, ThreadPoolExecutor(len(STORIES)) as pool:
        yield {name: pool.submit(story, places[name], sandbox.url) for name, story in STORIES.items()}


def told(stories: dict[str, Future[Story]], name: str) -> Story:
    return stories[name].result()


Stories = dict[str, Future[Story]]


def test_from_the_start_to_the_verdict(stories: Stories, places: dict[str, Place]) -> None:
    story, folder = told(stories, "good"), places["good"].folder
    assert story["ready"].code == 0, story["ready"]
    assert re.fullmatch(r"ready: the run 42, attempt 1, watches since \d\d:\d\d:\d\d UTC\n", story["ready"].out)
    assert story["begin"].out == "marked for the run 42, attempt 1: deploy began\n"
    assert story["moment"].out == "marked for the run 42, attempt 1: half-way\n"
    assert story["end"].out == "marked for the run 42, attempt 1: deploy ended\n"
    assert [story[name].code for name in ("begin", "moment", "end", "stop", "run")] == [0] * 5, story
    gate = story["stop"].value
    assert (gate["outcome"], gate["exit_code"], [one["attempt"] for one in gate["attempts"]]) == ("pass", 0, [1])
    verdict = story["run"].verdict
    assert verdict.stopped_by == "me"
    assert [(phase.name, phase.end is not None) for phase in verdict.phases] == [("deploy", True)]
    assert gate["verdict"]["phases"][0]["name"] == "deploy"
    kept = {path.name for path in (folder / "here" / "42" / "1").iterdir()}
    assert kept == {"report.txt", "verdict.json", "junit.xml", "report.md"}
    for name in kept:
        assert (folder / "here/42/1" / name).read_bytes() == (folder / "runs/42/1" / name).read_bytes()
    assert "all attempts" in (folder / "all.xml").read_text()


def test_what_can_be_seen_meanwhile(stories: Stories) -> None:
    story = told(stories, "good")
    assert "attempt 1 watches since" in story["status"].out
    assert re.search(r"app +\d+ sent, 100 % good", story["status"].out), story["status"].out
    status = story["status json"].value
    assert (status["schema"], status["run"]) == ("cf-harness/status/1", "42")
    assert status["attempts"][0]["pulse"]["state"] == "watching"
    assert story["early"].code == 3
    assert "RUNNING" in story["early"].out


def test_asked_again_it_says_the_same(stories: Stories) -> None:
    story = told(stories, "good")
    assert story["again"].code == story["verdict"].code == 0
    assert story["again"].value == story["stop"].value
    assert "PASS" in story["verdict"].out
    assert story["nothing to accept"].code == 0
    assert "nothing to accept" in story["nothing to accept"].out


def test_after_the_end(stories: Stories) -> None:
    story = told(stories, "good")
    assert story["late mark"].code == 3
    assert "is over: nothing can be marked any more" in story["late mark"].err
    assert story["late ready"].code == 4
    assert "is over, pass" in story["late ready"].err


def test_a_retry_is_the_next_attempt_and_nobody_conducts_it_twice(stories: Stories) -> None:
    story = told(stories, "good")
    assert story["two"].code == 2
    assert "is being watched already by process" in story["two"].err
    assert story["second"].code == 0
    assert story["second"].out.startswith("PASS over 2 attempts at 42, exit code 0")
    assert story["status over"].out.count("is over since") == 2


def test_a_failure_is_the_gates_word(stories: Stories) -> None:
    story = told(stories, "bad")
    assert story["stop"].code == story["verdict"].code == 1
    assert "FAIL" in story["stop"].out


def test_a_person_lets_it_pass_and_every_format_says_so(stories: Stories) -> None:
    story = told(stories, "bad")
    assert story["empty"].code == 2
    assert "who accepts it, and why?" in story["empty"].err
    assert story["accept"].code == 0
    assert re.match(r"ACCEPTED by Ada at .* UTC in spite of fail: a known fault\n", story["accept"].out)
    for form in FORMATS:
        assert story[form].code == 0, form
        assert "Ada" in story[form].out, form
        assert "a known fault" in story[form].out, form
        assert "fail" in story[form].out.lower(), form
    assert story["json"].value["outcome"] == "fail"
    assert "accepted by Ada: a known fault" in story["status"].out


def test_an_acceptance_does_not_cover_the_next_attempt(stories: Stories) -> None:
    story = told(stories, "bad")
    assert story["running"].code == 3
    assert story["too early"].code == 0 or "goes on" in story["too early"].err
    assert story["retry"].code == 0
    assert story["retry"].out.startswith("FAIL over 2 attempts at 42, exit code 0")
    assert "ACCEPTED by Ada" in story["retry"].out


def test_one_that_died_is_told_of_at_once_with_what_is_known(stories: Stories, places: dict[str, Place]) -> None:
    story = told(stories, "died")
    assert story["wait"].code == 4
    assert "the run early, attempt 1, died without a word" in story["wait"].err
    assert story["took"].code < 15, "one that was seen alive is not waited for"
    assert story["stop"].code == story["verdict"].code == 3
    assert "the run 42, attempt 1, gave no verdict: its last sign of life is " in story["stop"].err
    assert re.search(r" old, when it was watching \(app: \d+ good, 0 failed", story["stop"].err)
    assert "INCONCLUSIVE" in story["stop"].out
    assert "its process ended without a verdict" in (places["died"].folder / "died.xml").read_text()
    assert story["ready"].code == 4
    assert story["accept"].code == story["accepted"].code == 0
    assert "the machine went away" in " ".join(story["accepted"].out.split())


def test_a_plan_with_mistakes_is_recorded_and_said(stories: Stories) -> None:
    story = told(stories, "refused")
    assert [story[name].code for name in ("run", "ready", "detached", "stop")] == [2, 4, 2, 2]
    assert "rates" in story["run"].err
    assert "is over, refused" in story["ready"].err
    assert "rates" in story["ready"].err
    assert "rates" in story["detached"].err, "the starter shows it"
    assert story["detached"].out == ""
    assert story["stop"].out.startswith("REFUSED over 2 attempts at 42, exit code 2")


def test_what_was_skipped_is_no_pass(stories: Stories) -> None:
    story = told(stories, "skipped")
    assert story["run"].code == 0
    assert "SKIPPED, NOTHING IS WATCHED: the platform knows no route" in story["run"].err
    for form in (*FORMATS, "stop", "status"):
        assert story[form].code == 0, form
        assert "skipped" in story[form].out.lower(), form
        assert not re.search(r"\bpass(ed)?\b", story[form].out, re.IGNORECASE), form
    assert story["json"].value["outcome"] == "skipped"
    assert story["ready"].code == 0  # an environment that is being made is deployed unwatched
    assert "SKIPPED, NOTHING IS WATCHED" in story["ready"].err
    assert story["detached"].code == 0
    assert "SKIPPED, NOTHING IS WATCHED" in story["detached"].err
    assert story["there"].code == 0
    assert "PASS" in story["there"].out


def test_a_newer_run_ends_an_older_one_with_its_evidence(stories: Stories) -> None:
    story = told(stories, "superseded")
    verdict = story["run"].verdict
    assert (verdict.verdict, verdict.exit_code) == ("inconclusive", 3)
    assert verdict.stopped_by == "superseded by the run new, attempt 1"
    assert verdict.runners[0].succeeded > 0
    assert any("nobody stopped this one" in reason for reason in verdict.reasons), verdict.reasons
    assert story["verdict"].code == 3
    assert story["newest"].out.startswith("run new at ")
    assert story["new"].code == 0


def test_nobody_stopped_it(stories: Stories) -> None:
    story = told(stories, "forgotten")
    verdict = story["run"].verdict
    assert (verdict.verdict, story["run"].code, story["verdict"].code) == ("inconclusive", 3, 3)
    assert any("nobody stopped it before max_duration was over" in reason for reason in verdict.reasons)
    assert verdict.runners[0].succeeded > 0
    assert (story["judged"].verdict.verdict, story["judged"].code) == ("pass", 0)


def test_a_detached_run_outlives_its_starter(stories: Stories, places: dict[str, Place]) -> None:
    story, folder = told(stories, "detached"), places["detached"].folder
    started = story["start"].out
    assert re.match(r"started: run 42, attempt 1, process \d+\nits log: (runs/42/\S+\.log)\n", started)
    assert "its verdict: cf-harness stop --channel file:///" in started
    assert story["again"].code == 0
    assert story["again"].out.startswith("nothing was started: the run 42 is being watched already")
    assert story["ready"].code == story["stop"].code == 0
    assert "PASS" in story["stop"].out
    (log,) = (folder / "runs" / "42").glob("*.log")
    assert str(log.relative_to(folder)) in started
    assert "PASS" in log.read_text()
    assert sorted(path.name for path in (folder / "runs" / "42").iterdir() if path.is_dir()) == ["1"]


def test_an_abort_leaves_a_word_at_each_moment(stories: Stories) -> None:
    story = told(stories, "aborted")
    assert story["early"].code == story["early verdict"].code == 4
    assert "stopped by SIGTERM before anything was watched" in story["early"].err
    assert "stopped by SIGTERM before anything was watched" in story["early verdict"].out
    assert story["unready"].code == 4
    assert "never ready: stopped by SIGTERM before every runner had" in " ".join(story["unready verdict"].err.split())
    assert story["run"].verdict.stopped_by == "SIGTERM"
    assert story["run"].code == story["verdict"].code == 3
    assert "a signal ended it, and not its pipeline" in " ".join(story["run"].verdict.reasons)
    assert story["verdict"].out.startswith("INCONCLUSIVE over 2 attempts at 42, exit code 3")
