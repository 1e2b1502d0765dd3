"""Fault × operation: UAA, and Cloud Controller without it."""

from tests.api.faults import UAA, Fault
from tests.api.matrix import see_cell, see_rest
from tests.api.played import Played

PLATFORM = UAA


def test_who_tells_what(played: Played, fault: Fault, operation: str) -> None:
    see_cell(played, fault, operation)


def test_nothing_else_went_wrong(played: Played, operation: str) -> None:
    see_rest(played, operation)
