import msgspec
from hypothesis import HealthCheck, given, settings

from harness.report.json import json
from harness.verdict import Verdict
from tests.report.verdicts import failed, verdicts


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(verdicts)
def test_it_reads_back_as_the_same_verdict(verdict: Verdict) -> None:
    assert msgspec.json.decode(json(verdict).encode(), type=Verdict) == verdict


def test_it_is_a_text_for_people_too() -> None:
    assert json(failed()).endswith("}\n")
    assert json(failed()).splitlines()[1].startswith('  "')
