"""The plans that documents show are plans."""

import re
from pathlib import Path

import pytest

from harness.plan import load_plan

ROOT = Path(__file__).parents[2]
PLANS = [
    pytest.param(text, id=f"{document}: {text.splitlines()[0]}")
    for document in ("README.md", "docs/api.md", "docs/plan.md")
    for text in re.findall(r"```yaml\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)
    if "runners:" in text
]


@pytest.mark.parametrize("text", PLANS)
def test_it_loads(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.yml").write_text(text, encoding="utf-8")
    assert load_plan(tmp_path / "plan.yml").file.runners
