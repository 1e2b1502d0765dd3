"""A job watched over real sockets, on a Concourse that misbehaves when told."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.channel.concourse import Watcher
from harness.channel.concourse.builds import OVER
from harness.channel.concourse.look import PAGE
from harness.channel.concourse.pace import Pace
from harness.channel.store import ChannelError
from tests.channel.concourse.atc import PASSWORD, USERNAME, FakeAtc, atc
from tests.channel.concourse.watching import HURRY, watching

OURS, THEIRS = {"ref": "abc"}, {"ref": "other"}


@pytest.fixture
def ci() -> Iterator[FakeAtc]:
    with atc() as fake:
        yield fake


# Which build, and its end


@pytest.mark.parametrize("status", sorted(OVER))
def test_a_build_that_comes_and_ends_stops_the_run(ci: FakeAtc, status: str) -> None:
    with watching(ci.url()) as heard:
        ci.until_asked(2, "/jobs/deploy/builds")
        other = ci.started(THEIRS)
        ours = ci.create(OURS)
        ci.until_asked(2, f"/builds/{ours.id}/resources")
        ci.finish(other, "failed")
        ci.begin(ours)
        ci.until_asked(3, "/jobs/deploy/builds")
        assert heard.stops == []
        ci.finish(ours, status)
        assert heard.until_stopped() == f"the build deploy #2 {status}"
    assert heard.remarks == []


def test_one_that_is_triggered_again_meanwhile_is_waited_for(ci: FakeAtc) -> None:
    first = ci.started(OURS)
    with watching(ci.url()) as heard:
        ci.until_asked(2, "/jobs/deploy/builds")
        again = ci.started(OURS)
        heard.until_remarked("deploy #2 is of the same version, and watched instead of deploy #1")
        ci.finish(first, "errored")
        ci.until_asked(3, "/jobs/deploy/builds")
        assert heard.stops == []
        ci.finish(again, "succeeded")
        assert heard.until_stopped() == "the build deploy #2 succeeded"


def test_a_rerun_that_waits_is_known_by_what_was_run_again(ci: FakeAtc) -> None:
    first = ci.started(OURS)
    ci.started(THEIRS)
    with watching(ci.url()) as heard:
        ci.until_asked(2, "/jobs/deploy/builds")
        rerun = ci.create(OURS, of=first)
        ci.finish(first, "aborted")
        heard.until_remarked("deploy #1.1 is of the same version")
        ci.until_asked(3, "/jobs/deploy/builds")
        assert heard.stops == []
        ci.begin(rerun)
        ci.finish(rerun, "failed")
        assert heard.until_stopped() == "the build deploy #1.1 failed"


def test_one_that_was_over_before_the_run_began_gets_time_for_a_newer_one(ci: FakeAtc) -> None:
    old = ci.started(OURS)
    ci.finish(old, "failed")
    old.start_time, old.end_time = int(ci.now) - 100, int(ci.now) - 50
    with watching(ci.url(), pace=Pace(look=0.05, newer=30.0)) as heard:
        heard.until_remarked("deploy #1 failed before this run began: a newer one is waited for")
        ci.until_asked(3, "/jobs/deploy/builds")
        assert heard.stops == []
        ci.finish(ci.started(OURS), "succeeded")
        assert heard.until_stopped() == "the build deploy #2 succeeded"


def test_and_stops_the_run_if_there_is_no_newer_one(ci: FakeAtc) -> None:
    ci.skew = -3600.0  # its clock is an hour behind: that makes no build older
    old = ci.started(OURS)
    ci.finish(old, "errored")
    old.end_time -= 50
    with watching(ci.url()) as heard:
        assert heard.until_stopped() == "the build deploy #1 errored before this run began"


def test_a_build_far_down_the_list_is_found(ci: FakeAtc) -> None:
    ours = ci.started(OURS)
    for _ in range(2 * PAGE + 3):
        ci.finish(ci.started(THEIRS), "succeeded")
    with watching(ci.url()) as heard:
        ci.until_asked(2, "to=")
        ci.until_asked(2, "to=")
        ci.finish(ours, "succeeded")
        assert heard.until_stopped() == "the build deploy #1 succeeded"
    resources = [path for _, path in ci.asked if path.endswith("/resources")]
    assert len(resources) == len(set(resources)) == len(ci.builds)


def test_the_version_is_narrowed_to_one_input(ci: FakeAtc) -> None:
    ci.finish(ci.begin(ci.create(OURS, name="tests")), "succeeded")
    with watching(ci.url("version=abc&resource=cf-deployment"), pace=Pace(look=0.05, none=0.3)) as heard:
        heard.until_remarked("no build of deploy with abc was seen")
        ci.finish(ci.started(OURS), "succeeded")
        assert heard.until_stopped() == "the build deploy #2 succeeded"


def test_an_instanced_pipeline_is_asked_for_with_its_variables() -> None:
    with atc(instance={"vars.branch": '"main"'}) as ci:
        for _ in range(PAGE):
            ci.started(THEIRS)
        ci.builds[0].inputs[0]["version"] = OURS
        with watching(ci.url('version=ref:abc&vars.branch="main"')) as heard:
            ci.until_asked(3, "/jobs/deploy/builds")
            ci.finish(ci.builds[0], "succeeded")
            assert heard.until_stopped() == "the build deploy #1 succeeded"


# Concourse away, or not as it should be


@pytest.mark.parametrize("fault", ["bad_gateway", "truncated", "html", "router", "slow"])
def test_one_that_does_not_answer_is_told_of_and_stops_nothing(ci: FakeAtc, fault: str) -> None:
    build = ci.started(OURS)
    pace = Pace(look=0.05, again=0.05, again_at_most=0.2, remark=0.4, answer=0.2, last_events=1.0)
    with watching(ci.url(), pace=pace) as heard:
        ci.until_asked(2, "/jobs/deploy/builds")
        ci.fault = fault
        heard.until_remarked("does not answer, and is asked again")
        assert heard.stops == []
        ci.finish(build, "succeeded")
        ci.until_asked(1)
        ci.fault = ""
        assert heard.until_stopped() == "the build deploy #1 succeeded"
        assert len([text for text in heard.remarks if "does not answer" in text]) == 1
        assert any("answers again, after" in text for text in heard.remarks)


def test_one_that_is_restarted_is_found_again(ci: FakeAtc) -> None:
    build = ci.started(OURS)
    with watching(ci.url()) as heard:
        ci.tell(build, "start-task", "b")
        heard.until_marked("deploy-router", "begin")
        ci.stop()
        heard.until_remarked("does not answer, and is asked again")
        ci.start()
        heard.until_remarked("answers again")
        ci.tell(build, "finish-task", "b", exit_status=0)
        heard.until_marked("deploy-router", "end")
        ci.finish(build, "succeeded")
        assert heard.until_stopped() == "the build deploy #1 succeeded"
    assert heard.edges == [("deploy-router", "begin"), ("deploy-router", "end")]


def test_one_that_is_away_at_the_start_is_waited_for(ci: FakeAtc) -> None:
    ci.stop()
    with watching(ci.url()) as heard:
        heard.until_remarked("does not answer")
        ci.start()
        ci.finish(ci.started(OURS), "failed")
        assert heard.until_stopped() == "the build deploy #1 failed"


def test_a_short_silence_is_not_worth_a_word(ci: FakeAtc) -> None:
    build = ci.started(OURS)
    with watching(ci.url(), pace=Pace(look=0.05, again=0.05)) as heard:
        ci.fault = "bad_gateway"
        ci.until_asked(2)
        ci.fault = ""
        ci.until_asked(2, "/jobs/deploy/builds")
        ci.finish(build, "succeeded")
        heard.until_stopped()
    assert heard.remarks == []


# What is not there, or not yet


def test_a_job_that_is_not_there_yet_is_told_of_at_once_and_looked_for(ci: FakeAtc) -> None:
    ci.job = False
    with watching(ci.url()) as heard:
        heard.until_remarked("there is no job deploy in the pipeline main/cf; it is asked again")
        ci.until_asked(4, "/jobs/deploy/builds")
        assert len(heard.remarks) == 1
        ci.job = True
        ci.finish(ci.started(OURS), "succeeded")
        assert heard.until_stopped() == "the build deploy #1 succeeded"


def test_a_pipeline_that_is_archived_is_told_of_and_its_build_watched_on(ci: FakeAtc) -> None:
    build = ci.started(OURS)
    with watching(ci.url()) as heard:
        ci.until_asked(2, "/jobs/deploy/builds")
        ci.archived = True
        heard.until_remarked("the pipeline main/cf is archived, and its jobs are gone; the build deploy #1 is watched")
        ci.finish(build, "succeeded")
        assert heard.until_stopped() == "the build deploy #1 succeeded"
    assert len(heard.remarks) == 1


def test_one_that_is_archived_from_the_start_stops_nothing(ci: FakeAtc) -> None:
    ci.archived = True
    with watching(ci.url()) as heard:
        heard.until_remarked("the pipeline main/cf is archived")
        ci.until_asked(3, "/jobs/deploy/builds")
        assert heard.stops == []
        assert len(heard.remarks) == 1


def test_a_pipeline_that_is_paused_is_told_of_once(ci: FakeAtc) -> None:
    ci.paused = True
    with watching(ci.url()) as heard:
        heard.until_remarked("the pipeline main/cf is paused: no build begins there until it goes on")
        ci.until_asked(2, "/pipelines/cf")
        ci.paused = False
        ci.finish(ci.started(OURS), "succeeded")
        heard.until_stopped()
    assert sum("paused" in text for text in heard.remarks) == 1


def test_a_pipeline_that_is_destroyed_meanwhile_stops_nothing(ci: FakeAtc) -> None:
    ci.started(OURS)
    with watching(ci.url()) as heard:
        ci.until_asked(2, "/jobs/deploy/builds")
        ci.job = False
        ci.builds.clear()
        heard.until_remarked("and the build deploy #1 is gone too")
        assert heard.stops == []


# As whom


def test_a_user_gets_a_token_and_a_new_one_when_it_expires(ci: FakeAtc) -> None:
    ci.tokens = set()
    build = ci.started(OURS)
    environ = {"CONCOURSE_USERNAME": USERNAME, "CONCOURSE_PASSWORD": PASSWORD}
    with watching(ci.url(), environ) as heard:
        ci.until_asked(2, "/jobs/deploy/builds")
        ci.tokens.clear()
        ci.until_asked(1, "/sky/issuer/token")
        ci.finish(build, "succeeded")
        assert heard.until_stopped() == "the build deploy #1 succeeded"
    assert ci.granted == 2
    assert heard.remarks == []


def test_a_token_that_expired_is_told_of_once_and_read_again_from_its_file(ci: FakeAtc, tmp_path: Path) -> None:
    ci.tokens = {"secret-one"}
    file = tmp_path / "token"
    file.write_text("secret-one")
    ci.finish(ci.started(THEIRS), "succeeded")
    with watching(ci.url(), {"CONCOURSE_TOKEN_FILE": str(file)}) as heard:
        ci.until_asked(2, "/jobs/deploy/builds")
        ci.tokens = {"secret-two"}
        heard.until_remarked("does not take CONCOURSE_TOKEN_FILE")
        ci.until_asked(3, "/jobs/deploy/builds")
        file.unlink()
        heard.until_remarked("can't be read")
        (tmp_path / "new").write_text("secret-two")
        (tmp_path / "new").rename(file)
        heard.until_remarked("answers again")
        ci.finish(ci.started(OURS), "succeeded")
        heard.until_stopped()
    assert len(heard.remarks) == 3
    assert not any("secret" in text for text in heard.remarks)


@pytest.mark.parametrize(
    ("environ", "what"),
    [
        ({}, "wants a login (401)"),
        ({"CONCOURSE_TOKEN": "secret-old"}, "does not take CONCOURSE_TOKEN (401)"),
        (
            {"CONCOURSE_USERNAME": USERNAME, "CONCOURSE_PASSWORD": "secret-wrong"},
            "no token (401): is the password right?",
        ),
    ],
)
def test_who_is_not_let_in_is_told_and_stops_nothing(ci: FakeAtc, environ: dict[str, str], what: str) -> None:
    ci.tokens = {"another"}
    with watching(ci.url(), environ) as heard:
        heard.until_remarked(what)
        ci.until_asked(3)
        assert len(heard.remarks) == 1
        assert heard.stops == []
    assert "secret" not in heard.remarks[0]


def test_a_token_goes_nowhere_but_to_the_site_of_the_url(ci: FakeAtc) -> None:
    """The links to older builds name another host."""
    ci.tokens = {"secret"}
    ours = ci.started(OURS)
    for _ in range(PAGE):
        ci.finish(ci.started(THEIRS), "succeeded")
    with watching(ci.url(), {"CONCOURSE_TOKEN": "secret"}) as heard:
        ci.until_asked(2, "to=")
        ci.finish(ours, "succeeded")
        heard.until_stopped()
    assert heard.remarks == []


# Marks


def test_steps_are_phases_and_what_was_open_ends_with_the_build(ci: FakeAtc) -> None:
    build = ci.started(OURS)
    before = time.monotonic()
    ci.tell(build, "initialize-get", "a")
    ci.tell(build, "finish-get", "a", version=OURS)
    with watching(ci.url()) as heard:
        heard.until_marked("get cf-deployment", "end")
        ci.tell(build, "initialize-task", "b", config={"platform": "linux"})
        ci.tell(build, "log", "b", payload="deploying\n")
        heard.until_marked("deploy-router", "begin")
        ci.tell(build, "finish-task", "b", exit_status=0)
        ci.tell(build, "start-task", "c")
        heard.until_marked("deploy-cell", "begin")
        ci.finish(build, "aborted")
        heard.until_stopped()
    assert heard.edges == [
        ("get cf-deployment", "begin"),
        ("get cf-deployment", "end"),
        ("deploy-router", "begin"),
        ("deploy-router", "end"),
        ("deploy-cell", "begin"),
        ("deploy-cell", "end"),
    ]
    for mark in heard.marks:
        assert mark.source == "concourse"
        assert 1.0 <= mark.within <= 2.0
        assert before - mark.within - 1.0 <= mark.monotonic <= time.monotonic() + mark.within
    assert [type(word).__name__ for word in heard.words][-1] == "Request"  # the stop comes after the last step's end


def test_a_clock_that_is_wrong_moves_no_mark(ci: FakeAtc) -> None:
    ci.skew = 90.0
    build = ci.started(OURS)
    before = time.monotonic()
    with watching(ci.url()) as heard:
        ci.tell(build, "start-task", "b")
        heard.until_marked("deploy-router", "begin")
    (mark,) = heard.marks
    assert before - mark.within <= mark.monotonic <= time.monotonic() + mark.within


def test_a_stream_that_breaks_goes_on_where_it_broke(ci: FakeAtc) -> None:
    ci.cut_after = 1
    build = ci.started(OURS)
    for edge, step in (("start", "a"), ("finish", "a"), ("start", "b"), ("finish", "b")):
        ci.tell(build, f"{edge}-task", step)
    with watching(ci.url()) as heard:
        heard.until_marked("deploy-router", "end")
        ci.finish(build, "succeeded")
        heard.until_stopped()
    assert len(heard.edges) == len(set(heard.edges)) == 4
    assert ci.last_ids[:4] == [None, "0", "1", "2"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_where_events_cannot_be_read_the_build_is_one_phase(ci: FakeAtc, status: int) -> None:
    ci.events_status = status
    build = ci.started(OURS)
    with watching(ci.url()) as heard:
        heard.until_remarked("the events of the build deploy #1 can't be read, so it is one phase as a whole")
        heard.until_marked("deploy", "begin")
        ci.finish(build, "succeeded")
        assert heard.until_stopped() == "the build deploy #1 succeeded"
    assert heard.edges == [("deploy", "begin"), ("deploy", "end")]
    assert len(heard.remarks) == 1


def test_events_that_do_not_come_keep_no_stop_back_for_long(ci: FakeAtc) -> None:
    ci.events_status = 500
    build = ci.started(OURS)
    pace = Pace(look=0.05, again=0.05, last_events=0.2)
    with watching(ci.url(), pace=pace) as heard:
        ci.until_asked(2, "/plan")
        ci.finish(build, "succeeded")
        assert heard.until_stopped() == "the build deploy #1 succeeded"
    assert heard.marks == []


# Before and after


@pytest.mark.parametrize(
    ("query", "environ", "what"),
    [
        ("", {}, "which version?"),
        ("version=1", {"CONCOURSE_USERNAME": "robot"}, "CONCOURSE_PASSWORD is not"),
        ("version=1", {"CONCOURSE_CA": "/nowhere.pem"}, "CONCOURSE_CA /nowhere.pem: No such file"),
        ("version=1", {"SSL_CERT_FILE": __file__}, f"SSL_CERT_FILE {__file__}: "),
    ],
)
def test_what_cannot_work_is_refused_before_anything_begins(
    ci: FakeAtc, query: str, environ: dict[str, str], what: str
) -> None:
    with pytest.raises(ChannelError) as refused:
        Watcher(ci.url(query), None, environ)  # type: ignore[arg-type]
    assert what in str(refused.value)
    assert ci.asked == []


@pytest.mark.parametrize(
    "when", [lambda ci: None, lambda ci: setattr(ci, "fault", "slow"), lambda ci: ci.started(OURS)]
)
def test_a_run_that_ends_first_leaves_nothing_behind(ci: FakeAtc, when: Callable[[FakeAtc], object]) -> None:
    when(ci)
    with watching(ci.url(), pace=HURRY) as heard:
        ci.until_asked(1)
    assert heard.stops == []
