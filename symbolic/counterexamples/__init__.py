"""Where a false statement fails, and the check of that."""

from symbolic.counterexamples.one_instance import show
from symbolic.counterexamples.recheck import Counterexample

__all__ = ["Counterexample", "show"]
