"""The three ways to evaluate Eq. (1) are one over the reals.

    (Wδ)cᵀ/‖c‖²/s = (Wδ)aᵀ/‖a‖²,    c = a/s,    for every scale s ≠ 0, if a ≠ 0;
    Wx + (Wδ)(aᵀx/‖a‖²) = (W + ΔW)x,            for every x, if a ≠ 0.

In floating point they fail at different ‖a‖, which is why there are three; s = max|a| keeps ‖c‖² between 1 and d, and the
factored form never holds ΔW. At x = a its scalar is 1, so there it tests less of the claim than the others do.
"""

from typing import Any

from symbolic.claim import Claim, Mutant
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values

ORDER = 30


def _proof(v: Values, d: Derivation) -> None:
    W, a, s, delta = v.W, v.a, v.s, v.delta
    d.start("the update as the scaled variant evaluates it")
    d.then((W @ delta) @ (a.mT / s) / (a.mT @ a / (s @ s)) / s, "a scalar passes through transposition and products")
    d.then((W @ delta) @ a.mT / (a.mT @ a) * (s @ s / (s @ s)), "a quotient of quotients")
    d.then((W @ delta) @ a.mT / (a.mT @ a), "a nonzero scalar over itself is 1")
    d.finish("Eq. (1)")
    d.part(1)
    d.start("the layer as the factored variant evaluates it")
    d.then(W @ v.x + (W @ delta) @ a.mT @ v.x / (a.mT @ a), "the scalar aᵀx/‖a‖² passes through the product")
    d.then((W + (W @ delta) @ a.mT / (a.mT @ a)) @ v.x, "distributivity")
    d.finish("Eq. (1)")


def _left(v: Values) -> Any:
    return v.formulas.scaled_rank_one_update(v.W, v.delta, v.a, v.s), v.W @ v.x + v.formulas.factored_update(v.W @ v.delta, v.a, v.x)


def _right(v: Values) -> Any:
    update = v.formulas.rank_one_update(v.W, v.delta, v.a)
    return update, v.formulas.patched_weight(v.W, update) @ v.x


_FACTORED = "Wx + (Wδ)(aᵀx/‖a‖²) = (W + ΔW)x", r"Wx + (W \delta)\frac{a^{\top}x}{\lVert a \rVert^{2}} = (W + \Delta W)x"


def _statement(text: str, latex: str, factored: tuple[str, str] = _FACTORED) -> Formula:
    return Formula(
        f"{text} = ΔW, c = a/s; {factored[0]}; ΔW = (Wδ)aᵀ/‖a‖²",
        rf"{latex} = \Delta W,\ c = a/s;\quad {factored[1]};\quad \Delta W = \frac{{(W \delta)a^{{\top}}}}{{\lVert a \rVert^{{2}}}}",
    )


_SCALED = "(Wδ)cᵀ/‖c‖²/s", r"\frac{(W \delta)c^{\top}}{\lVert c \rVert^{2}\, s}"


def _variant(formula: Any) -> dict[str, Any]:
    return {"scaled_rank_one_update": formula}


CLAIM = Claim(
    id="variants-equal",
    title="Eq. (1), scaled first, and never formed, are one",
    source="evaluation orders of Eq. (1)",
    symbols=(Matrix("W", "m", "d"), Matrix("delta", "d", "1", "δ", r"\delta"), Matrix("a", "d", "1"), Matrix("s", "1", "1"), Matrix("x", "d", "1")),
    hypotheses=(Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a), Hypothesis("s ≠ 0", r"s \neq 0", nonzero=lambda v: v.s)),
    statement=_statement(*_SCALED),
    left=_left,
    right=_right,
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
            "factored-at-a",
            "the scalar of the factored form is left out",
            "it is 1 where the layer's input is a itself, which is where the claim needs it",
            _statement(*_SCALED, ("Wx + Wδ = (W + ΔW)x", r"Wx + W \delta = (W + \Delta W)x")),
            formulas={"factored_update": lambda v, a, x: v},
        ),
        Mutant(
            "factored-without-the-norm",
            "the factored form is not divided by ‖a‖²",
            "an adapter of low rank is a product of two factors, and the norm looks like a part of one of them",
            _statement(*_SCALED, ("Wx + (Wδ)(aᵀx) = (W + ΔW)x", r"Wx + (W \delta)(a^{\top}x) = (W + \Delta W)x")),
            formulas={"factored_update": lambda v, a, x: v @ (a.mT @ x)},
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
