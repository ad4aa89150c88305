"""The rounding rule of each module of a network, and how far the library's functions err."""

from numeric.rules.library_probe import probe_elementary
from numeric.rules.table import RULES, assumes_a_library, rule_for

__all__ = ["RULES", "assumes_a_library", "probe_elementary", "rule_for"]
