"""Runners of the API: what they need, what means nothing to them, and what they share."""

from pathlib import Path

import msgspec
import pytest

from harness.cf.operations import OPERATIONS
from harness.cf.target import OPERATION_NAMES, ApiTarget, Asked, Credentials
from harness.objectives import Gate
from harness.plan.models import HTTP_KEYS, RunnerPlan
from harness.plan.plan import default_api_objectives
from harness.spec import Operation
from tests.plan.planning import complaints, loaded

RUNNER = 'runners:\n  - {name: a, probe: cf-api, api: "https://api.example.org", operation: list-apps'


def several(count: int, more: str = "") -> str:
    rows = [f"  - {{name: r{n}, probe: cf-api, operation: list-spaces{more}}}" for n in range(count)]
    return "runners:\n" + "\n".join(rows) + "\n"


def test_the_plan_knows_the_operations_by_name() -> None:
    """Without importing them, which is slow."""
    assert set(OPERATION_NAMES) == set(OPERATIONS)


def test_an_api_is_asked_gently(tmp_path: Path) -> None:
    """Less often than an app, with more time; both can be set."""
    (runner,) = loaded(tmp_path, RUNNER + "}").file.runners
    assert (runner.rate, runner.timeout.total) == (1.0, 10.0)
    (runner,) = loaded(tmp_path, RUNNER + ", rate: 2/s, timeout: 3s}").file.runners
    assert (runner.rate, runner.timeout.total) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (", method: GET", "runners[0].method: method means nothing to the cf-api probe"),
        (', url: "http://x/"', "runners[0].url: url means nothing to the cf-api probe: the API is `api`"),
        (", org: o", "runners[0].org: stands without space"),
        (", credentials: none.yml", "runners[0].credentials: none.yml is no file"),
        (", slots: 9", "runners[0].slots: expected at most 8, not 9"),
    ],
)
def test_what_is_refused(tmp_path: Path, more: str, text: str) -> None:
    assert complaints(tmp_path, RUNNER + more + "}") == [f"plan.yml:2: {text}"]


def test_what_is_missing(tmp_path: Path) -> None:
    """The operation, and the app of those that look at one."""
    (said,) = complaints(tmp_path, "runners:\n  - {name: a, probe: cf-api}\n")
    assert said.startswith("plan.yml:2: runners[0]: 'operation' is missing: write operation: list-apps (or info, ")
    (said,) = complaints(tmp_path, "runners:\n  - {name: a, probe: cf-api, operation: app-stats}\n")
    assert said == "plan.yml:2: runners[0]: 'app' is missing: app-stats looks at an app, write app: NAME"
    (said,) = complaints(tmp_path, "runners:\n  - {name: a, probe: cf-api, operation: list-aps}\n")
    assert said == "plan.yml:2: runners[0].operation: there is no operation 'list-aps': did you mean 'list-apps'?"


def test_keys_are_told_apart_by_probe() -> None:
    assert set(RunnerPlan.model_fields) >= HTTP_KEYS


def test_slots_are_shared_out(tmp_path: Path) -> None:
    """At most eight calls in flight at one API, two a runner where there is room; nine runners are too many."""
    for count, each in ((1, 2), (4, 2), (5, 1), (8, 1)):
        plan = loaded(tmp_path, several(count))
        assert [plan.slots_of(runner) for runner in plan.file.runners] == [each] * count
    (said,) = complaints(tmp_path, several(9))
    assert said == "plan.yml:10: runners[8]: 9 calls in flight at one API: at most 8, one a runner at least"
    plan = loaded(tmp_path, several(2, ", slots: 3"))
    assert [plan.slots_of(runner) for runner in plan.file.runners] == [3, 3]


def test_default_objectives(tmp_path: Path) -> None:
    """What a routine deployment of Diego stalls by design only warns."""
    plan = loaded(tmp_path, RUNNER + "}\n  - {name: b, probe: cf-api, operation: app-stats, app: web}\n")
    found = [(one.runner, one.text, one.gate) for one in plan.objectives()]
    assert found == [
        ("a", "success >= 99.95%", Gate.ENFORCE),
        ("a", "longest_outage < 10s", Gate.ENFORCE),
        ("b", "success >= 99.95%", Gate.WARN),
        ("b", "longest_outage < 10s", Gate.WARN),
    ]
    assert default_api_objectives(0.1)[1] == "longest_outage < 30s"


def test_runners_of_one_api_share_a_worker(tmp_path: Path) -> None:
    """As the same user; each has call slots of its own, and an app's runner a worker of its own."""
    text = several(3) + '  - {name: app, url: "http://127.0.0.1/"}\n'
    plan = loaded(tmp_path, text)
    target = ApiTarget(api="https://api.example.org")
    users = [Credentials(kind="client", client_id=name, client_secret="s", origin="x") for name in ("one", "two")]
    operations = {
        f"r{n}": Operation(
            target=target,
            credentials=users[n == 1],
            asked=Asked(operation="list-spaces"),
            limits=plan.limits_of(plan.file.runners[n]),
        )
        for n in range(3)
    }
    specs = plan.specs({}, operations)
    crews = {tuple(member.runner for member in (spec, *spec.beside)) for spec in specs}
    assert crews == {("r0", "r2"), ("r1",), ("app",)}
    assert {spec.pool.cap for spec in specs if spec.probe == "cf-api"} == {2}
    for spec in specs:  # what a worker reads on its standard input
        assert msgspec.json.decode(msgspec.json.encode(spec), type=type(spec)) == spec
