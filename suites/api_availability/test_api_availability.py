"""Watches the platform's API: the run is conftest.py's, the tests are every suite's."""

from suites.judging import test_objective, test_verdict, test_was_ready

__all__ = ["test_objective", "test_verdict", "test_was_ready"]
