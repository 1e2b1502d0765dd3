"""The report for machines: exactly what `verdict.json` holds (schema "cf-harness/verdict/1", see `harness.verdict`)."""

import msgspec

from harness.verdict import Verdict


def json(verdict: Verdict) -> str:
    """The verdict as JSON, indented by two, with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(verdict), indent=2).decode() + "\n"
