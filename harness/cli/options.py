"""The options that several verbs share, and the words of their help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a verdict is written; the names of `harness.report.REPORTS`."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    MARKDOWN = "markdown"


class Telling(StrEnum):
    """How a verb without a verdict tells what it has to tell."""

    TEXT = "text"
    JSON = "json"


class Absent(StrEnum):
    """What to do where the app is not there yet."""

    FAIL = "fail"
    SKIP = "skip"


TRAFFIC = "Traffic"
JUDGING = "What is judged"
STOPPING = "When it begins and ends"
PIPELINE = "In a pipeline"
OUTPUT = "What is written"

FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="What goes to standard output at the end: text, json, junit or markdown. Everything else goes to "
        "standard error.",
        rich_help_panel=OUTPUT,
    ),
]
OutputOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Also write a report here, in the format of its ending: .txt, .json, .xml (JUnit) or .md. Repeatable.",
        rich_help_panel=OUTPUT,
        show_default=False,
    ),
]
RunsDirOption = Annotated[
    Path,
    typer.Option("--runs-dir", metavar="DIR", help="Where the folders of all runs lie.", rich_help_panel=OUTPUT),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", metavar="", help="No live view, no lines of progress.", rich_help_panel=OUTPUT),
]
LiveOption = Annotated[
    bool | None,
    typer.Option(
        "--live/--no-live",
        metavar="",
        help="A view that redraws itself (the default in a terminal), or lines of progress (in a pipe, and beside a "
        "command).",
        rich_help_panel=OUTPUT,
        show_default=False,
    ),
]
