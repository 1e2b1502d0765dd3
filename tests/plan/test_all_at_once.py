"""Every mistake of a plan is told at once, each once, with file, line and key; consequences of one are not."""

from pathlib import Path

from harness.plan import Overrides
from tests.plan.planning import SLIGHT, complaints

WRONG = """\
runners:
  - name: App
    url: ftp://h/
    rate: 0.5/h
    timeout: {connect: 9s, total: 5}
    headers: {Authorization: x, X-A: 5, "a b": c}
    tls: {ca: nowhere.pem, client_key: k.pem}
    wrokers: 2
  - name: two
    rate: 5
objectives:
  - success > 100%
  - {objective: p95 < 300, runner: tow, gate: maybe}
  - {objective: p99 < 1s, tolerate: {causes: [rest]}}
stop: {duration: 13h, drain: 9s, settle: 4, abort_when: soon}
bounds: {max_lag: 0s, max_blind: 1%}
ready_timeout: 0s
objectivs: []
"""


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    places = [line.split(" ")[0] + " " + line.split(": ")[1] for line in complaints(tmp_path, WRONG)]
    assert places == [
        "plan.yml:2: runners[0].name",
        "plan.yml:3: runners[0].url",
        "plan.yml:4: runners[0].rate",
        "plan.yml:5: runners[0].timeout.total",
        "plan.yml:6: runners[0].headers.Authorization",
        "plan.yml:6: runners[0].headers.X-A",
        "plan.yml:6: runners[0].headers.a b",
        "plan.yml:7: runners[0].tls.client_key",
        "plan.yml:7: runners[0].tls.ca",
        "plan.yml:7: runners[0].tls.client_key",
        "plan.yml:8: runners[0].wrokers",
        "plan.yml:9: runners[1]",
        "plan.yml:10: runners[1].rate",
        "plan.yml:12: objectives[0].objective",
        "plan.yml:13: objectives[1].runner",
        "plan.yml:13: objectives[1].objective",
        "plan.yml:13: objectives[1].gate",
        "plan.yml:14: objectives[2].tolerate.causes[0]",
        "plan.yml:15: stop.duration",
        "plan.yml:15: stop.abort_when",
        "plan.yml:15: stop.settle",
        "plan.yml:15: stop.drain",
        "plan.yml:16: bounds.max_lag",
        "plan.yml:16: bounds.max_blind",
        "plan.yml:17: ready_timeout",
        "plan.yml:18: objectivs",
    ]


def test_a_misspelt_key_is_not_missing_too(tmp_path: Path) -> None:
    said = complaints(tmp_path, "runers: []\nobjective: 5\n")
    assert said == [
        "plan.yml:1: runers: unknown key 'runers': did you mean 'runners'?",
        "plan.yml:2: objective: unknown key 'objective': did you mean 'objectives'?",
    ]


def test_a_misspelt_key_stands_for_no_other_that_is_missing(tmp_path: Path) -> None:
    said = complaints(tmp_path, "runners:\n  - nam: app\n")
    assert said == [
        "plan.yml:2: runners[0]: 'url' is missing: write url: https://app.example.org/",
        "plan.yml:2: runners[0].nam: unknown key 'nam': did you mean 'name'?",
    ]


def test_a_later_probes_keys_are_not_told_one_by_one(tmp_path: Path) -> None:
    said = complaints(tmp_path, "runners: [{name: a, probe: locust, users: 5, rate: 2}]\n")
    assert said == [
        "plan.yml:1: runners[0].probe: the probe 'locust' (Locust scenarios) is not in this version: "
        "app, http or cf-api",
        "plan.yml:1: runners[0].rate: expected a rate with its unit, such as \"2/s\" or \"6/min\"",
    ]  # fmt: skip


def test_mistakes_of_the_text_and_of_the_plan_come_together(tmp_path: Path) -> None:
    said = complaints(tmp_path, f"{SLIGHT}    rate: 5\n    rate: 6/s\nfoo: 1\n")
    assert [line.split(": ")[1] for line in said] == ["runners[0].rate", "foo"]
    assert "stands twice, on lines 4 and 5: keep one" in said[0]


def test_too_much_load_is_told_with_the_rest(tmp_path: Path) -> None:
    said = complaints(tmp_path, "runners:\n  - {name: a, url: http://h.example.org/, rate: 101/s, body: 5}\n")
    assert [line.split(": ")[1] for line in said] == ["runners", "runners[0].body"]


def test_a_long_value_is_not_repeated_whole(tmp_path: Path) -> None:
    said = complaints(tmp_path, f"{SLIGHT}    rate: {'9' * 100_000}x\n    {'k' * 1000}: 1\n")
    assert all(len(line) < 1200 for line in said)
    assert said[0].endswith('write "10/s", "6/min" or "1/h"')


def test_options_are_named_in_place_of_lines(tmp_path: Path) -> None:
    overrides = Overrides(
        url="foo",
        rate="5",
        duration="x",
        timeout="20m",
        ready_timeout="0s",
        objectives=("a", "success >= 5%", "success >= 5%"),
        headers=("x", "Authorization: a", "X-A: {env: 1}", "X-B: é"),
    )
    said = complaints(tmp_path, f"{SLIGHT}    foo: 1\n", overrides)
    assert said == [
        "--url: 'foo': expected a URL that starts with http:// or https://",
        "--rate: '5' is not a rate: write \"10/s\", \"6/min\" or \"1/h\"",
        "-H: expected -H 'Name: value', or -H 'Name: {env: NAME}' for a secret",
        "-H: Authorization is a secret: write {env: NAME} and put it into the environment variable NAME",
        "-H: '1' is not the name of an environment variable",
        "-H: X-B: a header's value is one line of printable ASCII characters",
        "--duration: 'x' is not a duration: write \"500ms\", \"5s\", \"2m\", \"12h\" or \"1h30m\"",
        "--objective: 'a' is not an objective: write \"success >= 99.95%\" or \"p95 < 300ms over 60s\"",
        "--ready-timeout: no run can be ready: the baseline takes 1s, ready_timeout is 0s",
        "--timeout: 20m is out of bounds: from 1ms to 10m",
        said[-1],
    ]  # fmt: skip
    assert said[-1].startswith("plan.yml:4: runners[0].foo: unknown key 'foo'")
