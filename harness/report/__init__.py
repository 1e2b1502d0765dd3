"""What people and machines read of a verdict. A report is a pure function `Verdict -> str`; `REPORTS` names them."""

from collections.abc import Callable

from harness.report.json import json
from harness.report.junit import junit
from harness.report.markdown import markdown
from harness.report.text import text
from harness.verdict import Verdict

Report = Callable[[Verdict], str]

REPORTS: dict[str, Report] = {"text": text, "json": json, "junit": junit, "markdown": markdown}
"""Name of a format -> what draws it."""

FILES: dict[str, str] = {"text": "report.txt", "json": "verdict.json", "junit": "junit.xml", "markdown": "report.md"}
"""Name of a format -> its file in a run's folder."""

SUFFIXES: dict[str, str] = {".txt": "text", ".json": "json", ".xml": "junit", ".md": "markdown"}
"""How a file's name ends -> the format that belongs in it."""

__all__ = ["FILES", "REPORTS", "SUFFIXES", "Report"]
