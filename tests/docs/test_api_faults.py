"""docs/api-faults.md says what the matrix shows."""

import os
import subprocess
import sys
from pathlib import Path

from tests.api.faults import OPERATIONS, PLATFORMS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api-faults.md"


def test_the_page_is_what_the_table_says() -> None:
    made = subprocess.run(
        [sys.executable, "docs/generate_api_faults.py", "--print"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    assert made.stdout == PAGE.read_text(encoding="utf-8"), "docs/api-faults.md is out of date: run make docs"


def test_every_fault_has_a_row_and_every_sign_a_cell() -> None:
    rows = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ") and " --- " not in line
    ]
    faults = [fault for platform in PLATFORMS for fault in platform.faults]
    assert len(rows) == len(faults) + len(PLATFORMS)
    for fault in faults:
        (row,) = (row for row in rows if row.startswith(f"| {fault.name} |"))
        cells = row.split(" | ")[3:]
        assert len(cells) == len(OPERATIONS)
        assert sum(cell.strip(" |") != "" for cell in cells) == len(fault.signs)


def test_names_are_unique() -> None:
    names = [fault.name for platform in PLATFORMS for fault in platform.faults]
    assert len(set(names)) == len(names)
