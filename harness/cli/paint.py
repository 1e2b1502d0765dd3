"""Colours for the text report and the lines of progress, in a terminal alone."""

import io

from rich.console import Console
from rich.text import Text

VERDICTS = {"PASS": "bold green", "FAIL": "bold red", "INCONCLUSIVE": "bold yellow"}
_SIGNS = (
    (r"✖ violated|✖+|OUTAGE", "bold red"),
    (r"✔ met|✔", "green"),
    (r"(?m)^  \? unknown|^  ! .*$", "yellow"),
    (r"(?m)^(Objectives|Runner|Phases|Evidence)\b.*$", "bold"),
    (r"─{10,}", "dim"),
)


def painted(report: str) -> str:
    """The text report with its verdict and its signs in colour; NO_COLOR and TERM are honoured (rich)."""
    console = Console(file=io.StringIO(), force_terminal=True, width=1000, highlight=False)
    first, newline, rest = report.partition("\n")
    head = Text(first)
    word = first.split(maxsplit=1)[0].rstrip(":,") if first.split() else ""
    head.stylize(VERDICTS.get(word, "bold"), 0, len(word))
    body = Text(rest)
    for pattern, style in _SIGNS:
        body.highlight_regex(pattern, style)
    with console.capture() as capture:
        console.print(head + newline + body, end="", soft_wrap=True)
    return capture.get()
