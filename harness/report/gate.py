"""All attempts at a run in one report: the newest one's own, with what the others came to and who accepted it."""

import msgspec
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.gate import Gate, sentences
from harness.report.json import json
from harness.report.junit import junit
from harness.report.layout import WIDTH, finished, plain, wrap
from harness.report.markdown import markdown
from harness.report.text import text
from harness.verdict import Verdict

SCHEMA = "cf-harness/gate/1"


def gate_text(gate: Gate, newest: Verdict | None) -> str:
    """For people: 80 columns. What all attempts come to stands first, the newest one's report below."""
    lines: list[str] = []
    for sentence in sentences(gate):
        first, *more = wrap(plain(sentence), WIDTH - 2) or [""]
        lines += [first if not lines else f"  {first}", *(f"  {line}" for line in more)]
    if newest is None:
        return finished(lines or _alone(gate))
    return (finished([*lines, ""]) if lines else "") + text(newest)


def gate_json(gate: Gate, newest: Verdict | None) -> str:
    """`cf-harness/gate/1`: the gate's own keys, and `verdict`, the newest attempt's verdict.json."""
    told = {"schema": SCHEMA, **msgspec.to_builtins(gate), "verdict": None}
    if newest is not None:
        told["verdict"] = msgspec.json.decode(json(newest))
    return msgspec.json.format(msgspec.json.encode(told)).decode() + "\n"


def gate_markdown(gate: Gate, newest: Verdict | None) -> str:
    """For a step's summary."""
    lines = [f"> {_markdown(sentence)}  " for sentence in sentences(gate)]
    if newest is None:
        return "\n".join(lines or [f"**{_markdown(line)}**" for line in _alone(gate)]) + "\n"
    return ("\n".join(lines) + "\n\n" if lines else "") + markdown(newest)


def gate_junit(gate: Gate, newest: Verdict | None) -> str:
    """The newest attempt's cases, and one for the run as a whole."""
    document = JUnitXml.fromstring(junit(newest).encode()) if newest is not None else JUnitXml("cf-harness")
    case = TestCase("all attempts")
    case.classname = "gate"
    said = "\n".join(sentences(gate) or _alone(gate))
    if gate.outcome == "skipped":
        case.result = [Skipped(said, "skipped")]
    elif gate.exit_code == 1:
        case.result = [Failure(said, gate.outcome)]
    elif gate.exit_code:
        case.result = [Error(said, gate.outcome)]
    case.system_out = said
    suite = TestSuite("gate")
    suite.add_testcases([case])
    suite.update_statistics()  # type: ignore[no-untyped-call]
    document.add_testsuite(suite)
    data = document.tostring()  # type: ignore[no-untyped-call]
    written = data if isinstance(data, str) else data.decode("utf-8")
    return written if written.startswith("<?xml") else f'<?xml version="1.0" encoding="utf-8"?>\n{written.strip()}\n'


def _alone(gate: Gate) -> list[str]:
    """Of a run with one attempt that left no verdict."""
    head = f"{gate.outcome.replace('_', ' ').upper()}: run {gate.run}, exit code {gate.exit_code}"
    return [head, *(f"  {line}" for reason in gate.reasons for line in wrap(plain(reason), WIDTH - 2))]


def _markdown(sentence: str) -> str:
    return plain(sentence).replace("<", "&lt;").replace("|", "\\|")


GATE_REPORTS = {"text": gate_text, "json": gate_json, "markdown": gate_markdown, "junit": gate_junit}
"""Name of a format -> what draws it."""
