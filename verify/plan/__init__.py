"""What was requested, settled before anything runs."""

from verify.plan.options import Request
from verify.plan.plan import Plan, make_plan

__all__ = ["Plan", "Request", "make_plan"]
