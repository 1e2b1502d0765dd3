"""Handing a verdict over: to standard output in the format asked for, and to the files of `--output`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.cli import INCONCLUSIVE, complain, hush
from harness.errors import HarnessError
from harness.report import REPORTS, SUFFIXES
from harness.report.layout import in_ascii
from harness.run_folder import write_whole
from harness.verdict import Verdict


class OutputError(HarnessError):
    """Standard output, or a file of `--output`, that can't take a report."""


def check_outputs(files: Sequence[Path]) -> None:
    """Before anything is started: every file's name says a format, and its folder takes it. Raises OutputError."""
    for file in files:
        if file.suffix not in SUFFIXES:
            known = ", ".join(f"{suffix} ({name})" for suffix, name in SUFFIXES.items())
            raise OutputError(f"--output {file}: its ending must say the format: {known}")
        if file.is_dir():
            raise OutputError(f"--output {file}: is a folder; give a file's name")
        if not file.parent.is_dir():
            raise OutputError(f"--output {file}: there is no folder {file.parent}")
        if not os.access(file.parent, os.W_OK):
            raise OutputError(f"--output {file}: the folder {file.parent} can't be written to")


def deliver(verdict: Verdict, form: str, files: Sequence[Path], beside: Sequence[str] = ()) -> int:
    """Write it all. `beside`: sentences for among the warnings. Returns the verdict's exit code; a PASS
    whose report could not be written is no PASS."""
    verdict = msgspec.structs.replace(verdict, warnings=[*beside, *verdict.warnings])
    code = verdict.exit_code
    for file in files:
        try:
            write_whole(file, REPORTS[SUFFIXES[file.suffix]](verdict).encode())
        except OSError as error:
            complain(f"{file} can't be written: {error.strerror or error}")
            code = code or INCONCLUSIVE
    try:
        show(REPORTS[form](verdict), form)
    except OutputError as error:
        complain(str(error))
        code = code or INCONCLUSIVE
    return code


def show(report: str, form: str = "") -> None:
    """Print a report. A reader who has gone (`| head`) is no error. Raises OutputError: a full disk, say."""
    if form == "text":
        report = _dressed(report)
    try:
        print(report, end="", flush=True)
    except BrokenPipeError:
        hush(sys.stdout.fileno())
    except OSError as error:
        hush(sys.stdout.fileno())
        raise OutputError(f"standard output can't be written: {error.strerror or error}") from error


def _dressed(report: str) -> str:
    """The text report for this terminal: in ASCII where it knows no more, in colour where it is one."""
    try:
        report.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        report = in_ascii(report)
    if not sys.stdout.isatty():
        return report
    from harness.cli.paint import painted

    return painted(report)
