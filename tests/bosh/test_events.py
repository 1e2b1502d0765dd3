"""What BOSH's CLI prints is read as it is documented, in whatever order and zone, and nothing else is taken for it."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bosh.events import BoshError, Update, updates_of

NOON = 1795780983  # 2026-11-27 12:03:03 UTC

ROUTER = "router/2b3c4d5e-6f70-4812-9304-a5b6c7d8e9f0"


def row(
    id_: str, at: float, *, name: str = ROUTER, kind: str = "instance", zone: timezone = UTC, **more: str
) -> dict[str, str]:
    when = datetime.fromtimestamp(at, zone)
    label = "UTC" if zone is UTC else when.strftime("%z")
    return {
        "id": id_,
        "time": when.strftime(f"%a %b %e %H:%M:%S {label} %Y"),
        "user": "admin",
        "action": "update",
        "object_type": kind,
        "object_name": name,
        "task_id": "16",
        "deployment": "cf",
        "instance": name,
        "context": "",
        "error": "",
        **more,
    }


def table(*rows: dict[str, str]) -> str:
    header = {key: key for key in rows[0]} if rows else {}
    return json.dumps({"Tables": [{"Content": "events", "Header": header, "Rows": list(rows), "Notes": None}]})


def step(at: float, task: str, state: str, stage: str = "Updating instance") -> str:
    return json.dumps(
        {"time": int(at), "stage": stage, "tags": ["router"], "total": 3, "task": task, "index": 1, "state": state}
    )


def test_a_table_of_events() -> None:
    said = table(
        row("139 <- 138", NOON + 38),
        row("138", NOON, context="az: z1\nchanges: [dns]"),
        row("140", NOON + 40, name="cf", kind="deployment"),
        row("141", NOON + 41, kind="vm"),
    )
    assert updates_of(said) == [Update("event-138", "router/2b3c4d5e", NOON, NOON + 38, "16")]


def test_one_that_failed_and_one_that_goes_on() -> None:
    said = table(
        row("3 <- 1", NOON + 5, error="'router/0' is not running after update"),
        row("2", NOON + 1, name="cell/0"),
        row("1", NOON),
    )
    failed, open_ = updates_of(said)
    assert (failed.failed, failed.end) == (True, NOON + 5)
    assert (open_.name, open_.end, open_.failed) == ("cell/0", None, False)


def test_the_steps_of_a_task() -> None:
    said = "\n".join(
        [
            step(NOON - 9, "Preparing deployment", "started", "Preparing deployment"),
            step(NOON, f"{ROUTER} (2) (canary)", "started"),
            step(NOON + 4, "cell/0 (0)", "started"),
            step(NOON + 5, f"{ROUTER} (2) (canary)", "in_progress"),
            step(NOON + 38, f"{ROUTER} (2) (canary)", "finished"),
            step(NOON + 50, "cell/0 (0)", "failed"),
            json.dumps({"time": NOON + 51, "error": {"code": 400001, "message": "not running after update"}}),
        ]
    )
    router, cell = updates_of(said)
    assert (router.name, router.begin, router.end) == ("router/2", NOON, NOON + 38)
    assert (cell.name, cell.end, cell.failed) == ("cell/0", NOON + 50, True)


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 600), st.booleans()), min_size=1, max_size=20),
    st.integers(-12 * 4, 14 * 4),
    st.randoms(use_true_random=False),
)
def test_order_and_zone_do_not_matter(
    spans: list[tuple[int, int, bool]], quarters: int, random: "st.DataObject"
) -> None:
    zone = timezone(timedelta(minutes=15 * quarters)) if quarters else UTC
    rows = []
    expected = []
    for number, (begin, length, over) in enumerate(spans):
        name = f"cell/{number}"
        rows.append(row(str(number * 2 + 1), NOON + begin, name=name, zone=zone))
        if over:
            rows.append(row(f"{number * 2 + 2} <- {number * 2 + 1}", NOON + begin + length, name=name, zone=zone))
        expected.append((name, NOON + begin, NOON + begin + length if over else None))
    random.shuffle(rows)
    found = updates_of(table(*rows))
    assert sorted((one.name, one.begin, one.end) for one in found) == sorted(expected, key=lambda one: one[0])
    assert [one.begin for one in found] == sorted(one.begin for one in found)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "there is nothing in it"),
        ("Using environment 'bosh' as client 'admin'", "line 1 is no JSON"),
        ('{"stage": "Updating instance"}', "line 1 is no event of a task"),
        ("[1]", "line 1 is no event of a task"),
        (table(row("one", NOON)), "row 1: its id is 'one'"),
        (table({**row("1", NOON), "time": "yesterday"}), "row 1: 'yesterday' is no time"),
        (table({**row("1", NOON), "time": "Fri Nov 27 06:03:03 CST 2026"}), "TZ=UTC bosh events"),
        ('{"Tables": [{"Rows": [7]}]}', "row 1 is no row"),
    ],
)
def test_what_is_no_output_of_bosh_is_refused(said: str, why: str) -> None:
    with pytest.raises(BoshError) as told:
        updates_of(said)
    assert why in str(told.value)
    assert "\n" not in str(told.value)


def test_a_table_without_instances_has_no_updates() -> None:
    assert updates_of(table(row("1", NOON, kind="deployment", name="cf"))) == []
    assert updates_of('{"Tables": [{"Content": "events", "Rows": []}]}') == []
