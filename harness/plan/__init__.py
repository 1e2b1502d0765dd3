"""The plan: the whole configuration of a run, read strictly, with every mistake at once."""

from harness.plan.load import load_plan, plan_from_url
from harness.plan.overrides import Overrides
from harness.plan.plan import Plan
from harness.plan.problems import PlanError, Problem
from harness.plan.schema import schema

__all__ = ["Overrides", "Plan", "PlanError", "Problem", "load_plan", "plan_from_url", "schema"]
