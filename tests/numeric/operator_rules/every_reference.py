"""The references of all overloads of the table."""

from tests.numeric.operator_rules import references_arithmetic, references_functions, references_moves, references_sums
from tests.numeric.operator_rules.against_exact import Reference

REFERENCES: dict[str, Reference] = {
    **references_arithmetic.REFERENCES,
    **references_functions.REFERENCES,
    **references_moves.REFERENCES,
    **references_sums.REFERENCES,
}
