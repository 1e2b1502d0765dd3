"""No secret in a plan, in a message, or in what is written to the run's folder; the environment has them."""

from pathlib import Path

import pytest

from harness.plan import Overrides, PlanError, plan_from_url
from tests.plan.planning import SLIGHT, complaints, loaded


@pytest.mark.parametrize(
    "name",
    ["Authorization", "proxy-authorization", "Cookie", "X-Api-Key", "X-Auth-Token", "X-Vault-Token", "Private-Token",
     "api-key", "X-ApiKey", "X-Session", "X_SECRET", "X-Password", "accessToken"],
)  # fmt: skip
def test_a_header_that_is_a_secret_by_its_name_is_refused(tmp_path: Path, name: str) -> None:
    (said,) = complaints(tmp_path, f"{SLIGHT}    headers: {{{name}: hunter2}}\n")
    assert said.endswith(f"{name} is a secret: write {{env: NAME}} and put it into the environment variable NAME")
    assert "hunter2" not in said


@pytest.mark.parametrize("value", ["Bearer hunter2", "basic hunter2", " Digest hunter2"])
def test_a_header_that_is_a_secret_by_its_value_is_refused(tmp_path: Path, value: str) -> None:
    (said,) = complaints(tmp_path, f"{SLIGHT}    headers: {{X-A: '{value}'}}\n")
    assert "X-A is a secret" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "url",
    ["http://hunter2@h/", "http://u:hunter2@h/", "http://:hunter2@h/", "http://u:hunter2@h:99999/",
     "http://u@hunter2@h/", "ftp://u:hunter2@h/", "//u:hunter2@h/", "u:hunter2@h", "https://u:hunter2@é/",
     "http://h/?token=hunter2", "http://h/?a=b&accessToken=hunter2", "http://h/?api_key=hunter2", "h?token=hunter2"],
)  # fmt: skip
def test_a_url_with_a_secret_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    for key in ("url", "probe: http\n    url: http://h/\n    proxy"):
        said = complaints(tmp_path, f'runners:\n  - name: app\n    {key}: "{url}"\n')
        assert len(said) == 1
        assert "hunter2" not in said[0]
    with pytest.raises(PlanError) as caught:
        plan_from_url(url)
    assert "hunter2" not in str(caught.value)


def test_a_parameter_without_a_value_is_no_secret(tmp_path: Path) -> None:
    loaded(tmp_path, "runners: [{name: app, url: 'http://h/?token&session='}]\n")


def test_what_stands_where_a_variable_should_is_not_repeated(tmp_path: Path) -> None:
    (said,) = complaints(tmp_path, f"{SLIGHT}    headers: {{Authorization: {{env: 'Bearer hunter2'}}}}\n")
    assert "hunter2" not in said


def test_the_environment_has_the_secret(tmp_path: Path) -> None:
    plan = loaded(tmp_path, f"{SLIGHT}    headers: {{Authorization: {{env: TOKEN}}, X-A: b}}\n")
    (spec,) = plan.specs({"TOKEN": "Bearer hunter2"})
    assert spec.headers == (("Authorization", "Bearer hunter2"), ("X-A", "b"))
    assert "hunter2" not in str(plan.redacted())
    assert plan.redacted()["runners"][0]["headers"] == {"Authorization": {"env": "TOKEN"}, "X-A": "b"}
    assert "hunter2" not in str(plan.brief(run="r", attempt=1))


def test_all_missing_variables_are_told_at_once(tmp_path: Path) -> None:
    plan = loaded(
        tmp_path,
        """
        runners:
          - {name: a, url: http://h/, headers: {Authorization: {env: ONE}, X-A: {env: TWO}}}
          - {name: b, url: http://h/, headers: {Cookie: {env: ONE}, X-B: {env: THREE}}}
        """,
    )
    with pytest.raises(PlanError) as caught:
        plan.specs({"TWO": "x", "THREE": ""})
    said = str(caught.value).replace(f"{tmp_path}/", "")
    assert said == "plan.yml: runners[0].headers.Authorization: the environment has no ONE\n" \
                   "plan.yml: runners[1].headers.Cookie: the environment has no ONE\n" \
                   "plan.yml: runners[1].headers.X-B: the environment's THREE is empty"  # fmt: skip


@pytest.mark.parametrize("value", ["a\nX-Evil: b", "a\rb", "a\0b", "ключ"])
def test_a_variable_that_no_header_can_carry_is_refused_and_not_repeated(tmp_path: Path, value: str) -> None:
    plan = loaded(tmp_path, f"{SLIGHT}    headers: {{Authorization: {{env: TOKEN}}}}\n")
    with pytest.raises(PlanError, match="one line of printable ASCII characters") as caught:
        plan.specs({"TOKEN": value})
    assert value not in str(caught.value)


def test_a_trailing_newline_of_a_variable_is_left_out(tmp_path: Path) -> None:
    """As `$(cat file)` does; a secret read from a file usually has one."""
    plan = loaded(tmp_path, f"{SLIGHT}    headers: {{Authorization: {{env: TOKEN}}}}\n")
    assert plan.specs({"TOKEN": "Bearer hunter2\n"})[0].headers == (("Authorization", "Bearer hunter2"),)


def test_a_secret_from_the_command_line_comes_from_the_environment_too(tmp_path: Path) -> None:
    plan = loaded(tmp_path, SLIGHT, Overrides(headers=("Authorization: {env: TOKEN}",)))
    assert plan.specs({"TOKEN": "x"})[0].headers == (("Authorization", "x"),)
    (said,) = complaints(tmp_path, SLIGHT, Overrides(headers=("Authorization: Bearer hunter2",)))
    assert said.startswith("-H: Authorization is a secret")
    assert "hunter2" not in said
