from xml.etree import ElementTree

from hypothesis import HealthCheck, given, settings

from harness.report.junit import junit
from harness.verdict import Decision, State, Verdict
from tests.report.verdicts import failed, judgement, never_ready, passed, verdicts


def cases(verdict: Verdict) -> dict[tuple[str, str], ElementTree.Element]:
    document = ElementTree.fromstring(junit(verdict))
    return {(suite.attrib["name"], case.attrib["name"]): case for suite in document for case in suite.iter("testcase")}


def outcomes(case: ElementTree.Element) -> set[str]:
    return {child.tag for child in case} & {"failure", "error", "skipped"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(verdicts)
def test_it_is_xml_and_never_greener_than_the_verdict(verdict: Verdict) -> None:
    document = ElementTree.fromstring(junit(verdict))
    red = [child for child in document.iter() if child.tag in ("failure", "error")]
    if verdict.verdict is not Decision.PASS or verdict.command_exit:
        assert red
    assert len(document.findall("testsuite")) >= 1


def test_a_suite_for_each_runner_and_a_case_for_each_objective() -> None:
    found = cases(failed())
    assert outcomes(found["verdict", "verdict"]) == {"failure"}
    assert outcomes(found["app", "longest_outage < 1s"]) == {"failure"}
    assert outcomes(found["app", "silence < 2s"]) == set()
    assert len(found) == 5


def test_what_only_warns_passes_and_speaks() -> None:
    warned = judgement(gate="warn", state=State.VIOLATED, why="too slow")
    case = cases(passed(objectives=[warned]))["app", warned.text]
    assert outcomes(case) == set()
    assert "warns only: violated" in (case.findtext("system-out") or "")


def test_what_is_not_known_is_an_error() -> None:
    unknown = judgement(state=State.UNKNOWN)
    found = cases(passed(verdict=Decision.INCONCLUSIVE, exit_code=3, objectives=[unknown]))
    assert outcomes(found["app", unknown.text]) == {"error"}
    assert outcomes(found["verdict", "verdict"]) == {"error"}


def test_a_run_that_was_never_ready_is_one_error() -> None:
    found = cases(never_ready())
    assert [outcomes(case) for case in found.values()] == [{"error"}]


def test_without_objectives_there_is_still_the_verdict() -> None:
    assert outcomes(cases(passed(objectives=[]))["verdict", "verdict"]) == set()
    inconclusive = passed(objectives=[], verdict=Decision.INCONCLUSIVE, exit_code=3)
    assert outcomes(cases(inconclusive)["verdict", "verdict"]) == {"error"}


def test_a_failed_command_is_a_failure() -> None:
    assert outcomes(cases(passed(exit_code=5, command_exit=2))["verdict", "verdict"]) == {"failure"}
