"""The report for CI servers: JUnit XML, a suite for each runner, a case for each objective, and one for the verdict.

FAIL is a failure, INCONCLUSIVE an error; what only warns passes, with what it has to say on its standard output.
"""

import re

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite
from junitparser.junitparser import FinalResult

from harness.report.text import headline, judged, span
from harness.verdict import Decision, Judgement, State, Verdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2
_EXIT_COMMAND_FAILED = 5


def junit(verdict: Verdict) -> str:
    """The XML, one document, with a newline at its end."""
    document = JUnitXml("cf-harness")
    document.add_testsuite(_suite("verdict", [_verdict_case(verdict)], verdict))
    if verdict.ready is not None or verdict.runners:
        names = [runner.name for runner in verdict.runners]
        names += sorted({one.runner for one in verdict.objectives} - set(names))
        for name in names:
            cases = [_case(one) for one in verdict.objectives if one.runner == name]
            document.add_testsuite(_suite(name, cases, verdict))
    data = document.tostring()  # type: ignore[no-untyped-call]
    written = data if isinstance(data, str) else data.decode("utf-8")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{written.strip()}\n'


def _suite(name: str, cases: list[TestCase], verdict: Verdict) -> TestSuite:
    suite = TestSuite(_xml(name))
    suite.timestamp = _xml(verdict.started)
    suite.add_testcases(cases)
    suite.update_statistics()  # type: ignore[no-untyped-call]
    return suite


def _verdict_case(verdict: Verdict) -> TestCase:
    case = _named("verdict", "verdict")
    case.time = verdict.seconds
    said = "\n".join([headline(verdict), *verdict.reasons, span(verdict)])
    case.result = _results(verdict, said)
    case.system_out = _xml("\n".join([said, *verdict.warnings, *verdict.harness.problems]))
    return case


def _results(verdict: Verdict, said: str) -> list[FinalResult]:
    short = f"{headline(verdict)}: {'; '.join(verdict.reasons)}" if verdict.reasons else headline(verdict)
    match verdict.verdict:
        case Decision.PASS if verdict.exit_code in (0, _EXIT_COMMAND_FAILED):
            if not verdict.command_exit:
                return []
            return [_result(Failure, f"the command ended with {verdict.command_exit}", "command", said)]
        case Decision.FAIL:
            return [_result(Failure, short, "fail", said)]
        case _:
            return [_result(Error, short, "never-ready" if verdict.exit_code == 4 else "inconclusive", said)]


def _case(one: Judgement) -> TestCase:
    case = _named(f"cf-harness.{one.runner}", one.text)
    said = f"{one.state.value}: {judged(one)}" + (f"; {one.why}" if one.why else "")
    if one.forgiven:
        said += f"; {one.forgiven} forgiven"
    if one.gate == "enforce" and one.state is State.VIOLATED:
        case.result = [_result(Failure, said, "violated", said)]
    elif one.gate == "enforce" and one.state is State.UNKNOWN:
        case.result = [_result(Error, said, "unknown", said)]
    case.system_out = _xml(said if one.gate == "enforce" else f"warns only: {said}")
    return case


def _named(place: str, name: str) -> TestCase:
    case = TestCase(_xml(name))
    case.classname = _xml(place)
    return case


def _result(kind: type[Failure] | type[Error], message: str, type_: str, said: str) -> FinalResult:
    result = kind(_xml(message), type_)
    result.text = _xml(said)
    return result


def _xml(said: str) -> str:
    return _NOT_XML.sub("?", said)
