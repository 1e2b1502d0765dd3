"""The plan: the whole configuration of a run, read strictly, with every mistake at once."""

from harness.plan.load import Overrides, load_plan, plan_from_url, schema
from harness.plan.plan import Plan
from harness.plan.problems import PlanError, Problem

__all__ = ["Overrides", "Plan", "PlanError", "Problem", "load_plan", "plan_from_url", "schema"]
