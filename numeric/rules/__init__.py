"""The rounding rule of each module of a network, and how far the library's functions err."""

from numeric.rules.enclosures import down, exp_above, sqrt_below, stored_error, up
from numeric.rules.library_errors import elementary_error
from numeric.rules.library_probe import probe_elementary
from numeric.rules.no_rule import why_no_rule
from numeric.rules.table import assumes_a_library, rule_for

__all__ = ["assumes_a_library", "down", "elementary_error", "exp_above", "probe_elementary", "rule_for", "sqrt_below", "stored_error", "up", "why_no_rule"]
