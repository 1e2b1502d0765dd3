"""Suites: a plan, a pytest file and a README each. `pytest suites/NAME --plan P`."""
