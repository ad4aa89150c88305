"""False statements for the rules of ``symbolic.derivation.inference``: each rule once for each of its conditions, where that one alone does not hold.

All are hidden from instances up to size 3, as in ``tests.symbolic.false_claims``.
"""

from collections.abc import Callable
from typing import Any

from symbolic.claim import Claim
from symbolic.statements import Hypothesis, Matrix
from tests.symbolic.false_claims import X, at_large_sizes, finished, statement

Y, A, B = Matrix("y", "d", "1"), Matrix("A", "d", "k"), Matrix("B", "k", "d")
X_NOT_ZERO = Hypothesis("x ≠ 0", "", nonzero=lambda v: v.x)
Y_NOT_ZERO = Hypothesis("y ≠ 0", "", nonzero=lambda v: v.y)
X_IS_ZERO = Hypothesis("x = 0", "", equal=lambda v: (v.x, v.zero("d")), solve=("x", lambda v: v.zero("d")))
BOTH_NOT_ZERO = Hypothesis("A ≠ 0 and B ≠ 0", "", nonzero=lambda v: [v.A, v.B.mT])

Script = Callable[[Any, Any], None]


def after(infer: Script) -> Script:
    """A proof of one inference and one line."""

    def proof(v: Any, d: Any) -> None:
        infer(v, d)
        finished(v, d)

    return proof


def never_zero(infer: Script) -> Claim:
    """[y ≠ 0] = 1 for every x ≠ 0 and every y."""
    return statement(lambda v: at_large_sizes(v) * v.nonzero(v.y), at_large_sizes, after(infer), symbols=(X, Y), hypotheses=(X_NOT_ZERO,))


def always_zero(infer: Script, *hypotheses: Hypothesis) -> Claim:
    """[y ≠ 0] = 0 for every y."""
    parts = {"symbols": (X, Y), "hypotheses": hypotheses}
    return statement(lambda v: at_large_sizes(v) * (v.nonzero(v.y) + v.nonzero(v.x) - v.nonzero(v.x)), lambda v: v.number(0), after(infer), **parts)


def rank_is_one(matrix: Callable[[Any], Any], infer: Script, *hypotheses: Hypothesis, symbols: tuple[Matrix, ...] = (X, Y)) -> Claim:
    return statement(lambda v: at_large_sizes(v) * v.rank(matrix(v)), at_large_sizes, after(infer), symbols=symbols, hypotheses=hypotheses)


INFERRED: dict[str, Callable[[], Claim]] = {
    "not zero, by a map that does not lead to the target": lambda: never_zero(lambda v, d: d.nonzero_by_map(v.y, lambda t: t, v.x, "y is not x")),
    "not zero, by a target that may be zero": lambda: never_zero(lambda v, d: d.nonzero_by_map(v.y, lambda t: t, v.y, "y may be zero")),
    "not zero, by a map that does not take 0 to 0": lambda: never_zero(lambda v, d: d.nonzero_by_map(v.y, lambda t: t + v.x - v.y, v.x, "0 goes to x - y")),
    "zero, by a map that does not lead to the target": lambda: always_zero(lambda v, d: d.zero_by_map(v.x, lambda t: t, v.y, "y is not x"), X_IS_ZERO),
    "zero, of a value that may be another": lambda: always_zero(lambda v, d: d.zero_by_map(v.y, lambda t: t, v.y, "y may be anything")),
    "zero, by a map that does not take 0 to 0": lambda: always_zero(lambda v, d: d.zero_by_map(v.x, lambda t: t + v.y, v.y, "0 goes to y"), X_IS_ZERO),
    "rank 1, of more columns than one": lambda: rank_is_one(
        lambda v: v.A @ v.B, lambda v, d: d.rank_of_outer_product(v.A @ v.B, v.A, v.B, "A has k"), BOTH_NOT_ZERO, symbols=(A, B)
    ),
    "rank 1, of another matrix": lambda: rank_is_one(
        lambda v: v.A @ v.B + v.x @ v.x.mT,
        lambda v, d: d.rank_of_outer_product(v.A @ v.B + v.x @ v.x.mT, v.x, v.x.mT, "A B is more"),
        X_NOT_ZERO,
        symbols=(X, A, B),
    ),
    "rank 1, of a column that may be zero": lambda: rank_is_one(
        lambda v: v.x @ v.y.mT, lambda v, d: d.rank_of_outer_product(v.x @ v.y.mT, v.x, v.y.mT, "x may be zero"), Y_NOT_ZERO
    ),
    "rank 1, of a row that may be zero": lambda: rank_is_one(
        lambda v: v.x @ v.y.mT, lambda v, d: d.rank_of_outer_product(v.x @ v.y.mT, v.x, v.y.mT, "y may be zero"), X_NOT_ZERO
    ),
}
