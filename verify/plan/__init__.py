"""What was requested, settled before anything runs."""

from verify.plan.plan import Plan, make_plan
from verify.plan.request import Request

__all__ = ["Plan", "Request", "make_plan"]
