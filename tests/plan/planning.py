"""Plans as texts: loads one, and says what is wrong with it as a person would read it."""

from pathlib import Path
from textwrap import dedent

import pytest

from harness.plan import Overrides, Plan, PlanError, load_plan

URL = "http://127.0.0.1:8080/"
SLIGHT = f"runners:\n  - name: app\n    url: {URL}\n"
"""The least that is a plan: a runner's key may follow."""


def loaded(folder: Path, text: str | bytes, overrides: Overrides | None = None) -> Plan:
    """The plan of a text."""
    file = folder / "plan.yml"
    file.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
    return load_plan(file, overrides or Overrides())


def complaints(folder: Path, text: str | bytes, overrides: Overrides | None = None) -> list[str]:
    """Every mistake as its line of the message, without the folder."""
    with pytest.raises(PlanError) as caught:
        loaded(folder, text, overrides)
    lines = str(caught.value).replace(f"{folder}/", "").split("\n")
    assert lines == [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]
    assert "pydantic" not in str(caught.value)
    return lines
