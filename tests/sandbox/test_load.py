"""Scripts from YAML: what is right, and every mistake with its place."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sandbox import DEPLOYMENTS, Script, ScriptError, Step, deployment, load_script
from harness.sandbox.load import parse_script
from harness.sandbox.script import ACTIONS, RULES, Shape, check
from harness.units import show_duration

GOOD = """\
name: everything
steps:
  - {at: 2s, step: restart-router-1, do: restart, target: router/1, drain: true, drain_wait: 500ms, drain_timeout: 3s}
  - {do: rolling_restart, target: apps, down: 1s, every: 500ms}
  - at: 1m
    do: status
    target: routers
    for: 10s
    code: 503
    error: Connection Limit Reached
  - {at: 2m, do: slow, target: balancer, for: 1s, by: 20ms}
  - {at: 3m, do: wrong_certificate, target: routers, for: 1s, certificate: expired}
  - {at: 4m, do: kill, target: app/1}
"""


def read(text: str) -> Script:
    return parse_script("s.yml", text.encode())


def test_a_script() -> None:
    script = read(GOOD)
    assert script.name == "everything"
    assert [replace(step, line=None) for step in script.steps] == [
        Step(
            at=2, name="restart-router-1", do="restart", target="router/1", drain_wait=0.5, drain_timeout=3.0
        ),
        Step(do="rolling_restart", target="apps", down=1.0, every=0.5),
        Step(at=60, do="status", target="routers", lasts=10.0, code=503, error="Connection Limit Reached"),
        Step(at=120, do="slow", target="balancer", lasts=1.0, by=0.02),
        Step(at=180, do="wrong_certificate", target="routers", lasts=1.0, certificate="expired"),
        Step(at=240, do="kill", target="app/1"),
    ]  # fmt: skip
    assert [step.line for step in script.steps] == [3, 4, 5, 11, 12, 13]
    assert script.seconds == 240
    assert script.steps[1].label == "rolling_restart apps"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "s.yml: is not a script: expected `steps:`"),
        ("[1]", "s.yml:1: is not a script"),
        ("steps: []", "s.yml:1: steps: is missing or empty"),
        ("name: x", "s.yml:1: steps: is missing or empty"),
        ("steps: 3", "s.yml:1: steps: expected a list of steps"),
        ("stepps: []", "s.yml:1: stepps: no such key: did you mean `steps`?"),
        ("steps:\n  - 3", "s.yml:2: steps[0]: expected a step"),
        ("steps:\n  - {do: kill}", "s.yml:2: steps[0]: `target:` is missing"),
        ("steps:\n  - {target: apps}", "s.yml:2: steps[0]: `do:` is missing"),
        ("steps:\n  - {do: kil, target: apps}", "steps[0].do: 'kil' is none of them: did you mean `kill`?"),
        ("steps:\n  - {do: black-hole, target: apps}", "did you mean `black_hole`?"),
        ("steps:\n  - {do: dance, target: apps}", "'dance' is none of them; there is restart, rolling_restart, kill"),
        ("steps:\n  - {do: kill, target: apps, fro: 1s}", "steps[0].fro: no such key: did you mean `for`?"),
        ("steps:\n  - {do: kill, do: kill, target: apps}", "steps[0].do: stands twice, on lines 2 and 2: keep one"),
        ("steps:\n  - {do: stall, target: apps}", 'steps[0].for: `stall` needs how long it lasts, such as "2s"'),
        ("steps:\n  - {do: stall, target: apps, for: 2}", "steps[0].for: '2' is not a duration: write \"500ms\""),
        ("steps:\n  - {do: stall, target: apps, for: 0s}", "steps[0].for: longer than nothing"),
        ("steps:\n  - {do: stall, target: apps, for: -1s}", "steps[0].for: '-1s' is not a duration"),
        ("steps:\n  - {do: stall, target: [a], for: 1s}", "steps[0].target: expected one value"),
        ("steps:\n  - {do: stall, target: app/x, for: 1s}", "steps[0].target: 'app/x' is no target"),
        ("steps:\n  - {do: unknown_route, target: app/0, for: 1s}", "is for a router, not for an app"),
        ("steps:\n  - {do: start, target: app/0, for: 1s}", "steps[0].for: `start` takes as long as it takes"),
        ("steps:\n  - {do: kill, target: app/0, by: 1s}", "steps[0].by: means nothing to `kill`"),
        ("steps:\n  - {do: kill, target: app/0, drain: true}", "steps[0].drain: means nothing to `kill`"),
        ("steps:\n  - {do: stall, target: app/0, for: 1s, code: 500}", "steps[0].code: means nothing to `stall`"),
        ("steps:\n  - {do: restart, target: apps, drain: maybe}", 'expected "true" or "false", not \'maybe\''),
        ("steps:\n  - {do: status, target: apps, for: 1s, code: 200}", "a status from 400 to 599, not 200"),
        ("steps:\n  - {do: status, target: apps, for: 1s, code: x}", "expected a number, not 'x'"),
        ("steps:\n  - {do: status, target: apps, for: 1s, error: x}", "only a router says it"),
        (
            "steps:\n  - {do: bbs_away, target: apis, for: 1s, error: x}",
            "`bbs_away` says CF-StatsUnavailable or CF-Inst",
        ),
        ("steps:\n  - {do: bbs_away, target: apps, for: 1s}", "`bbs_away` is for an api, not for an app"),
        ("steps:\n  - {do: rotate_key, target: uaa, for: 1s}", "steps[0].for: `rotate_key` takes as long as it takes"),
        ("steps:\n  - {do: kill, target: apps, step: ''}", "steps[0].step: expected a name"),
        ("steps: [", "s.yml:1: is not valid YAML"),
        ("a: b: c", "s.yml:1: is not valid YAML"),
        ("steps: " + "[" * 500, "s.yml: is nested too deeply"),
        ("x" * 300_000, "is larger than"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(ScriptError, match=re.escape(said)):
        read(text)


def test_every_mistake_at_once_in_order() -> None:
    text = "steps:\n  - {do: kil, target: x}\n  - {do: kill, target: x}\nname: ''\n"
    with pytest.raises(ScriptError) as caught:
        read(text)
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == ["s.yml:2:", "s.yml:3:", "s.yml:4:"]


def test_files_that_are_no_scripts(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "none.yml", "can't be read: No such file"),
    ):
        with pytest.raises(ScriptError, match=said):
            load_script(path)
    binary = tmp_path / "b.yml"
    binary.write_bytes(b"ok: 1\n\xff\xfe")
    with pytest.raises(ScriptError, match=r"b\.yml:2: is not UTF-8 text"):
        load_script(binary)
    good = tmp_path / "good.yml"
    good.write_text(GOOD)
    assert load_script(good).file == str(good)


def test_what_a_sandbox_of_another_shape_can_not_do() -> None:
    with pytest.raises(ScriptError) as caught:
        check(read(GOOD), Shape(1, 1))
    assert str(caught.value).splitlines() == [
        "s.yml:3: target: there is no router/1: this sandbox has router/0",
        "s.yml:12: do: there is no certificate without TLS",
        "s.yml:13: target: there is no app/1: this sandbox has app/0",
    ]
    check(read(GOOD), Shape(2, 2, tls=True))


def test_faults_that_would_overlap_on_one_component() -> None:
    step = Step(at=1, do="stall", target="routers", lasts=2.0, name="first")
    late = Step(at=2.5, do="freeze", target="router/1", lasts=1.0)
    check(Script((step, replace(late, target="app/1"))), Shape(2, 2))
    check(Script((step, replace(late, at=3.0))), Shape(2, 2))
    with pytest.raises(ScriptError, match=r"script: at: router/1 still bears `first` then: begin at 3s or later"):
        check(Script((late, step)), Shape(2, 2))


def test_deployments_at_hand() -> None:
    for name in DEPLOYMENTS:
        check(deployment(name), Shape(2, 2))
    with pytest.raises(ScriptError, match="there is rolling_with_drain, rolling_without_drain"):
        deployment("none")


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_text_is_more_than_an_error(text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    try:
        read_some = parse_script("s.yml", data).steps
    except ScriptError:
        return
    assert read_some


@settings(max_examples=50)
@given(
    do=st.sampled_from(ACTIONS),
    at=st.integers(0, 10_000),
    lasts=st.integers(1, 10_000),
    where=st.sampled_from(["balancer", "router/0", "routers", "app/0", "apps", "api/0", "apis", "uaa"]),
)
def test_what_is_written_is_read(do: str, at: int, lasts: int, where: str) -> None:
    rule = RULES[do]  # type: ignore[index]
    lasting = f"for: {show_duration(lasts / 1000)}, " if rule.lasts == "yes" else ""
    text = f"steps:\n  - {{do: {do}, at: {show_duration(at / 1000)}, {lasting}target: {where}}}\n"
    kind = where.partition("/")[0].removesuffix("s")
    if kind not in rule.kinds or (do == "rolling_restart" and not where.endswith("s")):
        with pytest.raises(ScriptError, match=r"s\.yml:2: steps\[0\]\.target"):
            read(text)
        return
    (step,) = read(text).steps
    assert (step.do, step.target) == (do, where)
    assert step.at == pytest.approx(at / 1000)
    assert step.lasts == (pytest.approx(lasts / 1000) if lasting else None)
