"""docs/sandbox.md tells of everything that a script may say, and its example is one."""

import json
import re
from pathlib import Path

from harness.sandbox.load import _KEYS, parse_script
from harness.sandbox.script import ACTIONS, RULES, Shape, check

DOCUMENT = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


def test_every_action_has_its_row_and_every_option_its_mention() -> None:
    rows = {
        match[1]: match[0] for match in re.finditer(r"^\| `(\w+)` \|.*\|.*\|.*\|$", DOCUMENT, re.MULTILINE) if match[1]
    }
    for action in ACTIONS:
        assert action in rows, action
        for option in RULES[action].options - (RULES["restart"].options if action == "rolling_restart" else set()):
            assert f"`{option}" in rows[action], (action, option)
    for key in _KEYS:
        assert f"`{key}" in DOCUMENT, key


def test_the_example_is_a_script() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    script = parse_script("docs/sandbox.md", example.encode())
    assert len(script.steps) == 3
    check(script, Shape(2, 2))


def test_the_object_is_json() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    assert set(json.loads(example)) == {
        "apps", "ca", "truth", "pid", "api", "username", "password", "client_id", "client_secret"
    }  # fmt: skip
