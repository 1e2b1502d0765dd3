"""A build's events as begins and ends of phases."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.channel.concourse.builds import Build
from harness.channel.concourse.offset import Offset
from harness.channel.concourse.sse import Event
from harness.channel.concourse.steps import Steps, whole
from harness.channel.records import MarkNote

BUILD = Build(id=112, name="12", status="started", job_name="deploy", start_time=1_790_000_000)
PLAN = {
    "id": "root",
    "do": [
        {"id": "a", "get": {"type": "git", "name": "cf-deployment", "resource": "cf-deployment"}},
        {"id": "p", "in_parallel": {"steps": [{"id": "b", "task": {"name": "deploy-router", "privileged": False}}]}},
        {
            "id": "e",
            "ensure": {
                "step": {"id": "c", "timeout": {"step": {"id": "d", "task": {"name": "smoke"}}, "duration": "1h"}},
                "ensure": {"id": "f", "put": {"type": "pool", "name": "lock", "resource": "lock"}},
            },
        },
        {"id": "r", "retry": [{"id": "g", "task": {"name": "flaky"}}, {"id": "h", "task": {"name": "flaky"}}]},
    ],
}


def event(number: int, kind: str, step: str, time: int, **more: Any) -> Event:
    said = {"data": {"origin": {"id": step}, "time": time, **more}, "event": kind, "version": "1.0"}
    return Event(str(number), "event", json.dumps(said).encode())


def _steps() -> Steps:
    steps = Steps(BUILD)
    steps.plan(PLAN)
    return steps


def _told(steps: Steps, *events: Event) -> list[tuple[str, str]]:
    return [(note.name, note.edge) for one in events for note in steps.hear(one, Offset())]


def test_steps_are_named_as_in_the_plan() -> None:
    names = {step: _told(_steps(), event(0, "initialize-task", step, 5)) for step in "abdfgh"}
    assert names == {
        "a": [("get cf-deployment", "begin")],
        "b": [("deploy-router", "begin")],
        "d": [("smoke", "begin")],
        "f": [("put lock", "begin")],
        "g": [("flaky", "begin")],
        "h": [("flaky (2)", "begin")],
    }


def test_a_step_begins_with_its_first_event_and_ends_once() -> None:
    events = [
        event(0, "initialize-get", "a", 0),  # older Concourse told no time there
        event(1, "start-get", "a", 10),
        event(2, "finish-get", "a", 12),
        event(3, "initialize-task", "b", 13),
        event(4, "log", "b", 14, payload="finish-task"),
        event(5, "start-task", "b", 15),
        event(6, "error", "b", 17, message="interrupted"),
        event(7, "finish-task", "b", 18),
    ]
    assert _told(_steps(), *events) == [
        ("get cf-deployment", "begin"),
        ("get cf-deployment", "end"),
        ("deploy-router", "begin"),
        ("deploy-router", "end"),
    ]


def test_what_is_not_in_the_plan_is_no_phase() -> None:
    assert _told(_steps(), event(0, "initialize-get", "image", 5), event(1, "finish-get", "image", 6)) == []


def test_the_substeps_of_across_are_told_while_it_goes_on() -> None:
    substeps = [{"id": "x", "step": {"id": "y", "task": {"name": "region"}}, "values": ["eu"]}]
    events = [event(0, "across-substeps", "ac", 5, substeps=substeps), event(1, "start-task", "y", 6)]
    assert _told(_steps(), *events) == [("region", "begin")]


def test_a_build_that_ends_ends_what_it_left_open() -> None:
    steps = _steps()
    _told(steps, event(0, "start-task", "b", 20))
    assert steps.open
    over = Build(id=112, name="12", status="aborted", job_name="deploy", start_time=10, end_time=30)
    (note,) = steps.close(over, Offset())
    assert (note.name, note.edge, note.within, note.source) == ("deploy-router", "end", 1.0, "concourse")
    assert abs(note.at - 30) <= 1.0
    assert steps.close(over, Offset()) == []


@given(st.lists(st.tuples(st.sampled_from(["initialize", "start", "finish"]), st.sampled_from("abdfgh")), max_size=30))
def test_a_stream_told_twice_marks_nothing_twice(events: list[tuple[str, str]]) -> None:
    told = [event(number, f"{edge}-task", step, 10 + number) for number, (edge, step) in enumerate(events)]
    steps = _steps()
    notes: list[MarkNote] = [note for one in told + told for note in steps.hear(one, Offset())]
    ids = [note.id for note in notes]
    assert len(ids) == len(set(ids))
    begun = {note.name for note in notes if note.edge == "begin"}
    assert {note.name for note in notes if note.edge == "end"} <= begun


@given(
    st.binary(max_size=80),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "task", "get", "do", "name"]), inner),
        max_leaves=20,
    ),
)
def test_nothing_that_is_told_breaks_it(data: bytes, plan: Any) -> None:
    steps = Steps(BUILD)
    steps.plan(plan)
    assert steps.hear(Event("1", "event", data), Offset()) == []


def test_a_whole_build_is_a_phase_by_its_jobs_name() -> None:
    over = Build(id=112, name="12", status="failed", job_name="deploy", start_time=10, end_time=30)
    assert [(note.name, note.edge, note.id) for note in whole(over, Offset())] == [
        ("deploy", "begin", "concourse-112-build-begin"),
        ("deploy", "end", "concourse-112-build-end"),
    ]
    assert [note.edge for note in whole(BUILD, Offset())] == ["begin"]
