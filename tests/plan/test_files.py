"""What a plan's file may be: text, and within bounds. Anything else is one message, quickly."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.plan import PlanError, Problem, load_plan
from tests.conftest import as_nobody
from tests.plan.planning import SLIGHT, URL, complaints, loaded

PLAIN = f"runners: [{{name: app, url: {URL}}}]"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "plan.yml: is empty; a plan needs at least `runners:`"),
        (b"# later\n", "plan.yml: is empty; a plan needs at least `runners:`"),
        (b"\n\n\xff\xfe", "plan.yml:3: is not UTF-8 text; a plan is a YAML file"),
        (PLAIN.encode("utf-16"), "plan.yml:1: is not UTF-8 text; a plan is a YAML file"),
        (b"a: b\nc: \0", "plan.yml:2: is not a text: it holds the character '\\x00'"),
        (b"x" * (1 << 20) + b"x", "plan.yml: is larger than 1048576 bytes; a plan is a short text"),
        (b"[" * 500_000, "plan.yml:1: is nested deeper than 40 levels"),
        (b"{a: " * 300 + b"}" * 300, "plan.yml:1: is nested deeper than 40 levels"),
        (b"\n".join(b" " * i + b"a:" for i in range(1000)), "plan.yml:41: is nested deeper than 40 levels"),
        (b"a:\n  " + b"- " * 300_000, "plan.yml:2: is nested deeper than 40 levels"),
        (b"? " * 300_000, "plan.yml:1: is nested deeper than 40 levels"),
        (b"a:\n" + b"- b\n" * 200_000, "plan.yml:19999: has more than 20000 entries"),
        (b"runners: &a\n  - *a\n", "plan.yml:1: is nested deeper than 40 levels"),
        (b"runners: &a\n  <<: *a\n", "plan.yml:1: is nested deeper than 40 levels"),
        (b"runners:\n\t- name: a", "plan.yml:2: is not valid YAML: indent with spaces, not tabs"),
        (b"- a\n- b", "plan.yml:1: is not a plan: expected keys such as `runners:` and `objectives:`"),
        (b"\nhello", "plan.yml:2: is not a plan: expected keys such as `runners:` and `objectives:`"),
        (b"a: b\n---\nc: d\n", "plan.yml:2: is not valid YAML: a plan is one document; here a second one begins"),
        (b"a: *b", "plan.yml:1: is not valid YAML: found undefined alias 'b'"),
        (b"a: %b", "plan.yml:1: is not valid YAML: found character '%' that cannot start any token: "
                   "put the text in quotes"),
        (b"a: b: c", "plan.yml:1: is not valid YAML: a colon where no key can be: put the text in quotes, or mend the "
                     "indentation"),
        (b"a:\n  - b: c\n   d: e", "plan.yml:3: is not valid YAML: the indentation doesn't fit the lines above"),
    ],
)  # fmt: skip
def test_no_plans_text(tmp_path: Path, data: bytes, said: str) -> None:
    assert complaints(tmp_path, data) == [said]


@pytest.mark.parametrize("what", ["[*a,*a,*a,*a,*a,*a,*a,*a,*a]", "{<<: [*a,*a,*a,*a,*a,*a,*a,*a,*a]}"])
def test_aliases_that_blow_up(tmp_path: Path, what: str) -> None:
    lines = ["a: &a {x: y}"]
    lines += [f"{new}: &{new} {what.replace('*a', f'*{old}')}" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    assert complaints(tmp_path, "\n".join(lines)) == ["plan.yml:1: has more than 20000 entries"]


def test_what_is_no_file(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path, f"{tmp_path}: is a folder; a plan is a YAML file"),
        (tmp_path / "none.yml", f"{tmp_path}/none.yml: can't be read: No such file or directory"),
        (Path("a\0b"), "'a\\x00b': can't be read: embedded null byte"),
        (Path("n" * 5000), f"{'n' * 5000}: can't be read: File name too long"),
    ):
        with pytest.raises(PlanError) as caught:
            load_plan(path)
        assert str(caught.value) == said


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "plan.yml").write_text(PLAIN)
    (tmp_path / "plan.yml").chmod(0)
    with as_nobody(), pytest.raises(PlanError, match="can't be read: Permission denied"):
        load_plan(tmp_path / "plan.yml")


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode() + b"\r\n",
        f"---\n{PLAIN}\n...".encode(),
        f'{{"runners": [{{"name": "app", "url": "{URL}"}}]}}'.encode(),
    ],
)
def test_byte_order_mark_line_ends_document_marks_and_json(tmp_path: Path, data: bytes) -> None:
    assert loaded(tmp_path, data).file.runners[0].name == "app"


def test_carriage_returns_don_t_shift_lines(tmp_path: Path) -> None:
    (said,) = complaints(tmp_path, SLIGHT.replace("\n", "\r\n").encode() + b"    rate: 3\r\n")
    assert said.startswith("plan.yml:4: runners[0].rate:")


def test_anchors_and_merged_keys(tmp_path: Path) -> None:
    plan = loaded(
        tmp_path,
        f"""
        runners:
          - &a {{name: a, url: {URL}, rate: 5/s, timeout: {{total: 2s}}}}
          - &b {{<<: *a, name: b, connections: fresh, rate: 2/s}}
          - {{name: c, <<: [*b, *a]}}
        """,
    )
    assert [(r.name, r.rate, r.connections, r.timeout.total) for r in plan.file.runners] == [
        ("a", 5, "keep-alive", 2), ("b", 2, "fresh", 2), ("c", 2, "fresh", 2)]  # fmt: skip


def test_a_mistake_in_merged_keys_is_at_its_own_line(tmp_path: Path) -> None:
    said = complaints(
        tmp_path, f"{SLIGHT.replace('- name', '- &a' + chr(10) + '    name')}    rate: 5\n  - <<: *a\n    name: b\n"
    )
    assert [line.split(": ")[0:2] for line in said] == [
        ["plan.yml:5", "runners[0].rate"],
        ["plan.yml:5", "runners[1].rate"],
    ]


def test_what_can_not_be_merged(tmp_path: Path) -> None:
    said = complaints(tmp_path, "runners:\n  - <<: 5\n    name: a\n")
    assert "plan.yml:2: runners[0]: << takes the alias of other keys, such as <<: *name" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nrunners: []\nname: b\n", "plan.yml:3: name: stands twice, on lines 1 and 3: keep one"),
        ("? [a, b]\n: 1\n", "plan.yml:1: a key must be a word"),
        ("runners: !!python/object/apply:os.system [ls]\n",
         "plan.yml:1: runners: a plan has no tags: leave out !!python/object/apply:os.system"),
        ("runners: [!env NAME]\n", "plan.yml:1: runners[0]: a plan has no tags: leave out !env"),
    ],
)  # fmt: skip
def test_keys_and_tags(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaints(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "count"), [("010", 10), ("+3", 3), ("0", None), ("0x10", None), ("1_0", None), ("0o7", None)]
)
def test_numbers_are_decimal(tmp_path: Path, text: str, count: int | None) -> None:
    plan = f"{SLIGHT}    workers: {text}\n"
    if count is None:
        assert "plan.yml:4: runners[0].workers: expected" in complaints(tmp_path, plan)[0]
    else:
        assert loaded(tmp_path, plan).file.runners[0].workers == count


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["app", "10/s", "5s", URL, "success >= 99%", "p95 < 300ms", "{env: A}", "*a", "&a b", "<<", "1:30",
                     "on", "GET", "fresh", "[", "- x", "!!str 5", "0/s", "200-299"]),
)  # fmt: skip
keys = st.sampled_from(
    ["runners", "objectives", "bounds", "stop", "name", "url", "rate", "timeout", "total", "connect", "tls", "ca",
     "expect", "status", "headers", "body", "env", "pool", "max", "warm", "objective", "runner", "window", "gate",
     "tolerate", "causes", "max_lag", "max_blind", "duration", "abort_when", "baseline", "ready_timeout", "resolve",
     "<<", "rats", "probe", "proxy", "http2", "client_key", "allow_load", "body_limit", "method"]
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=5),
    max_leaves=30,
)
runners = st.lists(st.dictionaries(keys, values, max_size=6) | values, max_size=3)


def as_yaml(value: object) -> str:
    """In flow style, unquoted: what is written by hand, and goes wrong."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_yaml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_yaml, value)) + "]"
    return "null" if value is None else str(value)


def ends_well(folder: Path, data: bytes) -> None:
    begun = time.process_time()
    (folder / "plan.yml").write_bytes(data)
    try:
        plan = load_plan(folder / "plan.yml")
    except PlanError as error:
        problems: tuple[Problem, ...] | None = error.problems
    else:
        problems = None
        plan.objectives()
        plan.brief(run="r", attempt=1)
        plan.redacted()
    assert problems is None or all(problem.text and len(str(problem)) < 2000 for problem in problems)
    assert problems != ()
    assert time.process_time() - begun < 5


fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(data=st.binary() | st.text().map(str.encode) | st.text("-:{}[]&*!|>'\"%@`,?#\n\t ab1").map(str.encode))
def test_any_bytes_end_as_a_plan_or_an_error(tmp_path: Path, data: bytes) -> None:
    ends_well(tmp_path, data)


@fuzz
@given(
    value=st.fixed_dictionaries(
        {"runners": runners}, optional=dict.fromkeys(("objectives", "stop", "bounds", "baseline"), values)
    )
)
def test_any_values_end_as_a_plan_or_an_error(tmp_path: Path, value: object) -> None:
    ends_well(tmp_path, as_yaml(value).encode(errors="surrogatepass"))


@fuzz
@given(cut=st.integers(0, 400), insert=st.text(max_size=3), at=st.integers(0, 400))
def test_a_plan_with_a_slip_ends_as_a_plan_or_an_error(tmp_path: Path, cut: int, insert: str, at: int) -> None:
    text = f"""runners:
  - &a {{name: a, url: {URL}, rate: 5/s, timeout: {{total: 2s}}, expect: {{status: 200-299}}}}
  - <<: *a
    name: b
    headers: {{Authorization: {{env: TOKEN}}}}
objectives: [success >= 99.95%, {{objective: p95 < 300ms, runner: a, window: 60s}}]
bounds: {{max_blind: [1%, 5s]}}
stop: {{abort_when: success < 50% over 15s}}
"""
    slipped = text[:at] + insert + text[at:]
    ends_well(tmp_path, (slipped[:cut] + slipped[cut + 1 :]).encode(errors="surrogatepass"))
