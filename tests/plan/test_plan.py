"""What a checked plan gives to the rest: specs, objectives, defaults, warnings; and what the command line changes."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trustme import CA

from harness.objectives import Gate, Indicator
from harness.plan import Overrides, Plan, PlanError, load_plan, plan_from_url
from harness.plan.grammar import parse
from harness.plan.plan import default_objectives
from harness.units import LOWEST_RATE
from tests.plan.planning import SLIGHT, URL, complaints, loaded

EXAMPLE = """
runners:
  - name: app                     # unique; the label everywhere
    url: https://healthcheck.apps.example.org/
    probe: app                    # the default: our engine
    rate: 10/s
    connections: keep-alive       # or fresh
    timeout: 5s                   # or {connect: 2s, tls: 2s, first_byte: 4s, total: 5s}
    tls: {ca: platform-ca.pem}    # verified by default; server_name, client_cert, client_key
    # expect defaults to status 200-299: a redirect to a maintenance page is no success
    expect: {status: 200-299, headers: {strict-transport-security: "max-age=\\\\d+"}, body: "ok"}
  - {name: app-fresh, url: "https://healthcheck.apps.example.org/", rate: 2/s, connections: fresh}
objectives:                       # a string holds for every runner
  - success >= 99.95%
  - {objective: longest_outage < 2s, runner: app, gate: enforce}
  - {objective: p99 < 500ms, runner: app, gate: warn, window: 60s}
bounds: {max_lag: 100ms, max_blind: [1%, 5s]}    # what the evidence must satisfy
stop: {max_duration: 12h, file: stop-please}
"""

CORES = os.cpu_count() or 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With certificates."""
    ca = CA()
    ca.cert_pem.write_to_path(tmp_path / "platform-ca.pem")
    own = ca.issue_cert("me.example.org")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    CA().issue_cert("other.example.org").private_key_pem.write_to_path(tmp_path / "other-key.pem")
    (tmp_path / "text.pem").write_text("hello")
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n")
    return tmp_path


def test_the_example_of_the_design(folder: Path) -> None:
    plan = loaded(folder, EXAMPLE)
    assert plan.warnings == ()
    assert [(o.runner, o.text, o.gate) for o in plan.objectives()] == [
        ("app", "success >= 99.95%", Gate.ENFORCE),
        ("app", "longest_outage < 2s", Gate.ENFORCE),
        ("app", "p99 < 500ms over 1m", Gate.WARN),
        ("app-fresh", "success >= 99.95%", Gate.ENFORCE),
    ]
    app, fresh = plan.specs({})
    assert (app.runner, app.rate, app.fresh, app.timeouts.total, app.timeouts.connect) == ("app", 10.0, False, 5.0, 5.0)
    assert app.tls.ca == str(folder / "platform-ca.pem")
    assert app.expect.statuses == ((200, 299),)
    assert app.expect.headers == (("strict-transport-security", "max-age=\\d+"),)
    assert (fresh.rate, fresh.fresh) == (2.0, True)
    assert plan.stop_file == folder / "stop-please"
    assert plan.brief(run="r", attempt=1).max_blind_share == 0.01


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ("ca: none.pem", "ca: none.pem can't be read: No such file or directory"),
        ("ca: .", "ca: . is a folder; expected a PEM file"),
        ("ca: text.pem", "ca: text.pem is not a PEM file"),
        ("ca: broken.pem", "ca: broken.pem can't be used:"),
        ("client_cert: cert.pem", "client_cert: cert.pem can't be used:"),
        (
            "client_cert: cert.pem, client_key: other-key.pem",
            "client_cert: cert.pem can't be used: KEY_VALUES_MISMATCH",
        ),
        ("client_key: key.pem", "client_key: stands without client_cert"),
    ],
)
def test_certificates_that_can_not_be_used(folder: Path, tls: str, said: str) -> None:
    (line,) = complaints(folder, f"{SLIGHT}    tls: {{{tls}}}\n")
    line = line.replace(str(folder), ".")
    assert line.startswith(f"plan.yml:4: runners[0].tls.{said}")


@pytest.mark.parametrize("tls", ["client_cert: cert.pem, client_key: key.pem", "client_cert: both.pem"])
def test_certificates_that_can(folder: Path, tls: str) -> None:
    (spec,) = loaded(folder, f"{SLIGHT}    tls: {{{tls}}}\n").specs({})
    assert spec.tls.client_cert is not None
    assert Path(spec.tls.client_cert).is_absolute()


def test_paths_are_relative_to_the_plan_and_absolute_in_the_spec(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    loaded(folder, f"{SLIGHT}    tls: {{ca: platform-ca.pem}}\nstop: {{file: sub/stop}}\n")
    plan = load_plan(Path(folder.name) / "plan.yml")
    (spec,) = plan.specs({})
    assert spec.tls.ca == str(folder / "platform-ca.pem")
    assert plan.stop_file == Path(folder.name) / "sub" / "stop"


@pytest.mark.parametrize(
    ("rate", "shards"), [("1/h", 1), ("50000/s", 1), ("50001/s", min(2, CORES)), ("1000000/s", min(20, CORES))]
)
def test_shards(tmp_path: Path, rate: str, shards: int) -> None:
    plan = loaded(tmp_path, f"{SLIGHT}    rate: {rate}\n")
    specs = plan.specs({})
    assert [(spec.shard, spec.shards) for spec in specs] == [(shard, shards) for shard in range(shards)]
    assert len({spec.rate for spec in specs}) == 1
    assert plan.brief(run="r", attempt=1).runners[0].shards == shards


@pytest.mark.parametrize(
    ("keys", "warm", "cap"),
    [
        ("rate: 10/s", 1, 50), ("rate: 1/s", 1, 16), ("rate: 1000/s", 50, 1024), ("rate: 2000/s", 64, 1024),
        ("rate: 100000/s\n    workers: 2", 100, 1024),
        ("rate: 100/s\n    workers: 4", 2, 125), ("rate: 100/s\n    timeout: 1s", 5, 100),
        ("pool: {max: 5}", 1, 5), ("rate: 1000/s\n    pool: {max: 20}", 20, 20), ("pool: {warm: 0}", 0, 50),
    ],
)  # fmt: skip
def test_pools_follow_from_rate_and_timeout(tmp_path: Path, keys: str, warm: int, cap: int) -> None:
    pool = loaded(tmp_path, f"{SLIGHT}    {keys}\n").specs({})[0].pool
    assert (pool.warm, pool.cap) == (warm, cap)


def test_default_objectives_are_those_of_an_app(tmp_path: Path) -> None:
    objectives = loaded(tmp_path, SLIGHT).objectives()
    assert [objective.text for objective in objectives] == [
        "success >= 99.95%", "longest_outage < 1s", "silence < 2s", "success >= 95% over 1m"]  # fmt: skip
    assert all(objective.default and objective.gate is Gate.ENFORCE for objective in objectives)


def test_a_runner_that_no_objective_names_has_the_default_ones(tmp_path: Path) -> None:
    text = f"{SLIGHT}  - {{name: other, url: {URL}}}\nobjectives: [{{objective: p99 < 1s, runner: other}}]\n"
    objectives = loaded(tmp_path, text).objectives()
    assert [(o.runner, o.default) for o in objectives] == [("app", True)] * 4 + [("other", False)]


@given(st.floats(LOWEST_RATE, 1000.0))
def test_default_objectives_can_be_decided_at_any_rate(rate: float) -> None:
    for text in default_objectives(rate):
        condition = parse(text)
        if condition.indicator in (Indicator.LONGEST_OUTAGE, Indicator.SILENCE):
            assert condition.threshold > 2 / rate
        if condition.window is not None:
            assert condition.window * rate >= 10


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("objectives: [longest_outage < 200ms]", "app: at 10/s a single failed attempt may stand for 200ms, so "
         "'longest_outage < 200ms' can't be decided after one; raise the rate above 10/s"),
        ("objectives: [silence < 100ms]", "app: at 10/s a single failed attempt may stand for 200ms, so "
         "'silence < 100ms' can't be decided after one; raise the rate above 20/s"),
        ("objectives: [total_outage <= 0s]", "app: at 10/s a single failed attempt may stand for 200ms, so "
         "'total_outage <= 0s' can't be decided after one; raise the limit"),
        ("objectives: [p99 < 1s over 2s]",
         "app: 'p99 < 1s over 2s' looks at 20 attempts in a window at 10/s; it takes 100 to say much"),
        ("objectives: [p99.9 < 1s]\nstop: {duration: 5s}", "app: 50 attempts in 5s are too few for 'p99.9 < 1s', which "
         "takes 1000: the run will be inconclusive"),
        ("    pool: {max: 49}", "app: pool: max 49 is below rate x timeout (50): a stall of the target can't be told "
         "from our own limit, and will read as unknown; a shorter timeout, or pool: {max: 50}, mends that"),
        ("    rate: 90/s\n    timeout: 20s", "app: the pool's default of 1024 connections is below rate x timeout "
         "(1800): a stall of the target can't be told from our own limit, and will read as unknown; a shorter timeout, "
         "or pool: {max: 1800}, mends that"),
    ],
)  # fmt: skip
def test_warnings(tmp_path: Path, rest: str, said: str) -> None:
    plan = loaded(tmp_path, f"{SLIGHT}{rest}\n")
    assert plan.warnings == (said,)
    assert plan.brief(run="r", attempt=1).warnings == (said,)


@pytest.mark.parametrize(
    "rest",
    ["objectives: [longest_outage < 201ms]", "    pool: {max: 50}", "    rate: 1/h", "objectives: [p99 < 1s over 10s]"],
)
def test_no_warnings(tmp_path: Path, rest: str) -> None:
    assert loaded(tmp_path, f"{SLIGHT}{rest}\n").warnings == ()


def only(plan: Plan) -> dict[str, object]:
    return plan.redacted()["runners"][0]


def test_a_url_is_a_plan() -> None:
    plan = plan_from_url("http://127.0.0.1:8080/")
    assert (plan.source, plan.folder) == ("command line", Path.cwd())
    assert only(plan)["name"] == "app"
    with pytest.raises(PlanError, match=r"^command line: runners\[0\]\.url: 'foo': expected a URL"):
        plan_from_url("foo")


def test_options_change_every_runner(folder: Path) -> None:
    overrides = Overrides(
        url="http://127.0.0.1/x", rate="7/min", duration="5m", timeout="3s", fresh=True, insecure=True,
        ready_timeout="9s", objectives=("failures <= 3",), headers=("X-A: b", "authorization: {env: T}"),
    )  # fmt: skip
    plan = loaded(folder, EXAMPLE, overrides)
    for spec in plan.specs({"T": "t"}):
        assert (spec.url, spec.rate, spec.fresh, spec.timeouts.total) == ("http://127.0.0.1/x", 7 / 60, True, 3.0)
        assert spec.headers == (("X-A", "b"), ("authorization", "t"))
        assert spec.tls.verify is False
    assert plan.specs({"T": "t"})[0].tls.ca is not None
    assert (plan.stop.duration, plan.stop.max_duration, plan.ready_timeout) == (300.0, 43200.0, 9.0)
    assert [o.text for o in plan.objectives() if o.runner == "app-fresh"] == ["success >= 99.95%", "failures <= 3"]


def test_a_header_of_the_command_line_takes_the_place_of_the_plans(tmp_path: Path) -> None:
    plan = loaded(tmp_path, f"{SLIGHT}    headers: {{X-A: a, x-b: b}}\n", Overrides(headers=("x-a: c",)))
    assert plan.specs({})[0].headers == (("x-b", "b"), ("x-a", "c"))


def test_a_longer_duration_asked_for_by_hand_lifts_the_default_bound(tmp_path: Path) -> None:
    assert loaded(tmp_path, SLIGHT, Overrides(duration="24h")).stop.max_duration == 86400.0
    said = complaints(tmp_path, f"{SLIGHT}stop: {{max_duration: 1h}}\n", Overrides(duration="24h"))
    assert said == ["--duration: 24h is longer than max_duration, 1h"]


@pytest.mark.parametrize(
    "text",
    ["stop: [a]", "stop: 5", "stop:", "    headers: [5]", "    tls: 5", "    tls:", "objectives: 5", "objectives:"],
)
def test_options_on_odd_shapes_end_as_words(tmp_path: Path, text: str) -> None:
    everything = Overrides(rate="5/s", duration="5s", insecure=True, headers=("a: b",), objectives=("failures < 3",))
    (said,) = complaints(tmp_path, f"{SLIGHT}{text}\n", everything)
    assert said.startswith("plan.yml:4: ")
    complaints(tmp_path, "runners: 5\n", everything)
    complaints(tmp_path, "runners: [5, null]\n", everything)


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ("url: http://h.example.org/, rate: 100/s", False), ("url: http://h.example.org/, rate: 100.1/s", True),
        ("url: http://127.8.9.1/, rate: 9999/s", False), ("url: 'http://[::1]/', rate: 9999/s", False),
        ("url: http://localhost/, rate: 9999/s", False), ("url: http://a.localhost/, rate: 9999/s", False),
        ("url: http://h.example.org/, resolve: {h.example.org: 127.0.0.1}, rate: 9999/s", False),
        ("url: http://localhost/, resolve: {localhost: 10.0.0.1}, rate: 9999/s", True),
        ("url: http://10.0.0.1/, rate: 60000/min", True),
    ],
)  # fmt: skip
def test_much_load_beyond_loopback_takes_a_word(tmp_path: Path, keys: str, refused: bool) -> None:
    text = f"runners: [{{name: app, {keys}}}]\n"
    if refused:
        (said,) = complaints(tmp_path, text)
        assert "requests a second beyond loopback: say --yes, or allow_load: true in the plan" in said
    loaded(tmp_path, text, Overrides(yes=True))
    loaded(tmp_path, f"{text}allow_load: true\n")


def test_the_load_of_all_runners_counts(tmp_path: Path) -> None:
    text = "runners: [{name: a, url: http://h/, rate: 60/s}, {name: b, url: http://h/, rate: 60/s}]\n"
    assert complaints(tmp_path, text)[0].startswith("plan.yml:1: runners: 120 requests a second beyond loopback")


MIXED = """
runners:
  - {name: app, url: "http://127.0.0.1/"}
  - {name: login, probe: cf-api, operation: login, api: "http://127.0.0.1:1"}
"""


def test_options_change_the_runners_that_they_are_about(tmp_path: Path) -> None:
    overrides = Overrides(
        url="http://127.0.0.1/x", api="http://127.0.0.1:2", rate="5/s", fresh=True, headers=("X-A: b",)
    )
    app, login = loaded(tmp_path, MIXED, overrides).file.runners
    assert (app.url, app.api, app.rate, app.connections, app.headers) == (
        "http://127.0.0.1/x", None, 5.0, "fresh", {"X-A": "b"}
    )  # fmt: skip
    assert (login.url, login.api, login.rate, login.headers) == (None, "http://127.0.0.1:2", 5.0, {})


@pytest.mark.parametrize(
    ("overrides", "option"),
    [
        (Overrides(url="http://127.0.0.1/"), "--url"),
        (Overrides(fresh=True), "--fresh"),
        (Overrides(headers=("X-A: b",)), "-H"),
    ],
)
def test_an_option_that_is_about_no_runner_is_a_mistake(tmp_path: Path, overrides: Overrides, option: str) -> None:
    only_api = "\n".join(line for line in MIXED.splitlines() if "name: app" not in line)
    (said,) = complaints(tmp_path, only_api, overrides)
    assert said.startswith(f"{option}: every runner of the plan is a cf-api runner")


def test_an_api_for_no_runner_is_a_mistake(tmp_path: Path) -> None:
    (said,) = complaints(tmp_path, SLIGHT, Overrides(api="http://127.0.0.1:2"))
    assert said.startswith("--api: no runner of the plan is a cf-api runner")
