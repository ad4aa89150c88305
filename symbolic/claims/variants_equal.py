"""The two ways to evaluate Eq. (1) give the same matrix over the reals.

    (Wδ)cᵀ/‖c‖²/s = (Wδ)aᵀ/‖a‖²,    c = a/s,    for every scale s ≠ 0, if a ≠ 0.

In floating point they fail at different ‖a‖, which is why there are two; s = max|a| keeps ‖c‖² between 1 and d.
"""

from typing import TYPE_CHECKING, Any

from symbolic.claim import Claim, Formula, Hypothesis, Matrix, Mutant
from symbolic.values import Values

if TYPE_CHECKING:
    from symbolic.derivation import Derivation

ORDER = 30


def _proof(v: Values, d: "Derivation") -> None:
    W, a, s, delta = v.W, v.a, v.s, v.delta
    d.start("the update as the scaled variant evaluates it")
    d.then((W @ delta) @ (a.mT / s) / (a.mT @ a / (s @ s)) / s, "a scalar passes through transposition and products")
    d.then((W @ delta) @ a.mT / (a.mT @ a) * (s @ s / (s @ s)), "a quotient of quotients")
    d.then((W @ delta) @ a.mT / (a.mT @ a), "a nonzero scalar over itself is 1")
    d.finish("Eq. (1)")


def _statement(text: str, latex: str) -> Formula:
    return Formula(f"{text} = (Wδ)aᵀ/‖a‖², c = a/s", rf"{latex} = \frac{{(W \delta)a^{{\top}}}}{{\lVert a \rVert^{{2}}}},\quad c = a/s")


def _variant(formula: Any) -> dict[str, Any]:
    return {"scaled_rank_one_update": formula}


CLAIM = Claim(
    id="variants-equal",
    title="Eq. (1) scaled first is Eq. (1)",
    source="an evaluation order of Eq. (1)",
    symbols=(Matrix("W", "m", "d"), Matrix("delta", "d", "1", "δ", r"\delta"), Matrix("a", "d", "1"), Matrix("s", "1", "1")),
    hypotheses=(
        Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),
        Hypothesis("s ≠ 0", r"s \neq 0", nonzero=lambda v: v.s),
    ),
    statement=_statement("(Wδ)cᵀ/‖c‖²/s", r"\frac{(W \delta)c^{\top}}{\lVert c \rVert^{2}\, s}"),
    left=lambda v: v.formulas.scaled_rank_one_update(v.W, v.delta, v.a, v.s),
    right=lambda v: v.formulas.rank_one_update(v.W, v.delta, v.a),
    proof=_proof,
    mutants=(
        Mutant(
            "scale-not-undone",
            "the last division by s is left out",
            "the row and the norm are both scaled, and the scales seem to cancel; but the norm is squared",
            _statement("(Wδ)cᵀ/‖c‖²", r"\frac{(W \delta)c^{\top}}{\lVert c \rVert^{2}}"),
            formulas=_variant(lambda W, delta, a, s: (W @ delta) @ (a / s).mT / ((a / s).mT @ (a / s))),
        ),
        Mutant(
            "scale-undone-twice",
            "divided by s² at the end",
            "the norm is squared, so its scale seems to have to be undone squared",
            _statement("(Wδ)cᵀ/‖c‖²/s²", r"\frac{(W \delta)c^{\top}}{\lVert c \rVert^{2}\, s^{2}}"),
            formulas=_variant(lambda W, delta, a, s: (W @ delta) @ (a / s).mT / ((a / s).mT @ (a / s)) / s / s),
        ),
        Mutant(
            "scale-multiplied-back",
            "multiplied by s at the end instead of divided",
            "a was divided, so the result is multiplied back; but a stands in the denominator twice",
            _statement("s(Wδ)cᵀ/‖c‖²", r"s\,\frac{(W \delta)c^{\top}}{\lVert c \rVert^{2}}"),
            formulas=_variant(lambda W, delta, a, s: (W @ delta) @ (a / s).mT / ((a / s).mT @ (a / s)) * s),
        ),
        Mutant(
            "row-not-scaled",
            "the norm is scaled and the row is not",
            "only the norm under- or overflows",
            _statement("(Wδ)aᵀ/‖c‖²/s", r"\frac{(W \delta)a^{\top}}{\lVert c \rVert^{2}\, s}"),
            formulas=_variant(lambda W, delta, a, s: (W @ delta) @ a.mT / ((a / s).mT @ (a / s)) / s),
        ),
        Mutant(
            "zero-scale-allowed",
            "no hypothesis s ≠ 0",
            "max|a| is never zero unless a is, and other scales may be chosen",
            _statement("(Wδ)cᵀ/‖c‖²/s, also if s = 0,", r"\frac{(W \delta)c^{\top}}{\lVert c \rVert^{2}\, s}\ (\text{also if } s = 0)"),
            without=("s ≠ 0",),
            note="s = 0 divides by zero where Eq. (1) does not",
        ),
    ),
)
