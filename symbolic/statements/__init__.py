"""What a statement is made of: symbols, functions, hypotheses, values."""

from symbolic.statements.statement import Expression, Formula, Function, Hypothesis, Matrix, listed
from symbolic.statements.values import Values

__all__ = ["Expression", "Formula", "Function", "Hypothesis", "Matrix", "Values", "listed"]
