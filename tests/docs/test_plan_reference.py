"""docs/plan.md says what the models say, and its examples are plans."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plan.planning import loaded

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "plan.md"


def test_the_reference_is_what_the_models_say() -> None:
    made = subprocess.run(
        [sys.executable, "docs/generate_plan.py", "--print"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    assert made.stdout == REFERENCE.read_text(encoding="utf-8"), "docs/plan.md is out of date: run make docs"


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL))
def test_its_examples_load(tmp_path: Path, example: str) -> None:
    assert loaded(tmp_path, example).warnings == ()


def test_all_keys_have_a_section() -> None:
    """A model that no section shows would be missing without a word."""
    text = REFERENCE.read_text(encoding="utf-8")
    for key in ("connect", "server_name", "abort_when", "max_blind", "tolerate", "handshakes", "phases"):
        assert f"| `{key}` |" in text
