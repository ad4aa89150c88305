"""Proposition 3.1: reading a token is a step of gradient descent.

With p_i = A(c₁..c_i,x), a = A(x) = p₀ and W_i = W₀ + ΔW₀(c₁..c_i) of Eqs. (10)-(13),

    W_{i+1} - W_i = -hΔ_i,    h = 1/‖a‖²,    Δ_i = W₀(p_i - p_{i+1})aᵀ = ∇L_i(W_i),    L_i(W) = tr(Δ_iᵀW),    i = 0..n-1,

for all i, n and all sizes, if a ≠ 0. So W_n = W₀ - hΣΔ_i, and T_{W_n}(x) = T_{W₀}(c₁..c_n,x).
Source: Section 3, Eqs. (10)-(20). Eq. (15) as printed has W_i = W_{i-1} - h∇L_i(W_{i-1}), off by one; Eq. (14) leaves x out; a ≠ 0 is not stated.
"""

from typing import Any

from symbolic.claim import Claim, Mutant, zero_allowed
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values

ORDER = 4

NOT_ZERO = Hypothesis("A(x) ≠ 0", r"A(x) \neq 0", nonzero=lambda v: v.a)

SYMBOLS = (
    Matrix("W", "m", "d", "W₀", "W_0"),
    Matrix("a", "d", "1", "A(x)", "A(x)"),
    Matrix("p", "d", "1", "A(c₁..cᵢ,x)", r"A(c_1, \dots, c_i, x)"),
    Matrix("q", "d", "1", "A(c₁..cᵢ₊₁,x)", r"A(c_1, \dots, c_{i+1}, x)"),
)


def weights(v: Values, text: str, latex: str, attended: Any) -> Any:
    """W₀ + ΔW₀ for the context after which the contextual layer's output is ``attended``: Eqs. (10)-(13)."""
    update = v.formulas.rank_one_update(v.W, v.formulas.context_vector(attended, v.a), v.a)
    return v.define(text, latex, v.formulas.patched_weight(v.W, update))


def before(v: Values) -> Any:
    """W_i."""
    return weights(v, "Wᵢ", "W_i", v.p)


def after(v: Values) -> Any:
    """W_{i+1}."""
    return weights(v, "Wᵢ₊₁", "W_{i+1}", v.q)


def effect(v: Values) -> Any:
    """Δ_i."""
    return v.define("Δᵢ", r"\Delta_i", v.formulas.token_effect(v.W, v.p, v.q, v.a))


def loss(v: Values, W: Any) -> Any:
    """L_i(W) = tr(Δ_iᵀW)."""
    return v.trace(effect(v).mT @ W)


def slope(v: Values) -> Any:
    """∇L_i(W_i)."""
    return v.gradient(lambda W: loss(v, W), before(v), "W", "W")


def _proof(v: Values, d: Derivation) -> None:
    W, a, p, q = v.W, v.a, v.p, v.q
    d.part(0)
    d.start("the gradient of the loss at Wᵢ")
    d.finish("∇ tr(ΔᵀW) = Δ: the rule ∇ tr(PXQ) = (QP)ᵀ")
    d.part(1)
    d.start("the change of the weights by one token")
    d.then((W @ (q - a)) @ a.mT / (a.mT @ a) - (W @ (p - a)) @ a.mT / (a.mT @ a), "Eqs. (10)-(13); W₀ cancels")
    d.then((W @ (q - p)) @ a.mT / (a.mT @ a), "A(x) cancels, Eq. (18)")
    d.finish("definition of Δᵢ, Eq. (19)")
    d.part(2)
    d.start("the weights after one more token")
    d.then(before(v) - effect(v) / (a.mT @ a), "the part before")
    d.finish("∇Lᵢ = Δᵢ, Eq. (20)")


def _literal_15(v: Values) -> Any:
    """Δ_i with i one higher than it should be: the effect of c_{i+2}, here of the token that leads from q to r."""
    return v.formulas.gradient_step(before(v), v.formulas.token_effect(v.W, v.q, v.r, v.a), v.a)


CLAIM = Claim(
    id="proposition-3.1",
    title="Reading a token is a step of gradient descent",
    source="Proposition 3.1, Eqs. (15)-(20)",
    symbols=(*SYMBOLS, Matrix("r", "d", "1", "A(c₁..cᵢ₊₂,x)", r"A(c_1, \dots, c_{i+2}, x)")),
    hypotheses=(NOT_ZERO,),
    statement=Formula(
        "Wᵢ₊₁ = Wᵢ - h∇Lᵢ(Wᵢ), h = 1/‖A(x)‖², Lᵢ(W) = tr(ΔᵢᵀW), ∇Lᵢ = Δᵢ = W₀(A(c₁..cᵢ,x) - A(c₁..cᵢ₊₁,x))A(x)ᵀ, i = 0..n-1",
        r"W_{i+1} = W_i - h \nabla L_i(W_i),\quad h = 1/\lVert A(x) \rVert^{2},\quad L_i(W) = \operatorname{tr}(\Delta_i^{\top} W),\quad"
        r" \nabla L_i = \Delta_i = W_0(A(c_1, \dots, c_i, x) - A(c_1, \dots, c_{i+1}, x))A(x)^{\top},\quad i = 0, \dots, n-1",
    ),
    left=lambda v: (slope(v), after(v) - before(v), after(v)),
    right=lambda v: (effect(v), -(effect(v) / (v.a.mT @ v.a)), v.formulas.gradient_step(before(v), slope(v), v.a)),
    proof=_proof,
    scope="all sizes, all n",
    mutants=(
        Mutant(
            "literal-equation-15",
            "the index of L is one higher, as Eq. (15) is printed",
            "the paper states it so; its proof has the right index",
            Formula("Wᵢ₊₁ = Wᵢ - h∇Lᵢ₊₁(Wᵢ)", r"W_{i+1} = W_i - h \nabla L_{i+1}(W_i)"),
            left=after,
            right=_literal_15,
            note="Lᵢ₊₁ measures the next token, from A(c₁..cᵢ₊₁,x) to A(c₁..cᵢ₊₂,x); for the last i there is none",
        ),
        Mutant(
            "effect-reversed",
            "Δᵢ is what the token adds, not its negative",
            "a token's effect is naturally output after minus output before",
            Formula(
                "Wᵢ₊₁ = Wᵢ - h∇Lᵢ(Wᵢ), Δᵢ = W₀(A(c₁..cᵢ₊₁,x) - A(c₁..cᵢ,x))A(x)ᵀ",
                r"W_{i+1} = W_i - h \Delta_i,\ \Delta_i = W_0(A(c_1, \dots, c_{i+1}, x) - A(c_1, \dots, c_i, x))A(x)^{\top}",
            ),
            formulas={"token_effect": lambda W, before, after, a: (W @ (after - before)) @ a.mT},
        ),
        Mutant(
            "loss-not-transposed",
            "the gradient of tr(ΔᵀW) is taken to be Δᵀ",
            "∇ tr(AW) is Aᵀ, and the transpose in the loss is easily missed; for square matrices even the shapes agree",
            Formula("∇ tr(Δᵢᵀ W) = Δᵢᵀ", r"\nabla \operatorname{tr}(\Delta_i^{\top} W) = \Delta_i^{\top}"),
            left=slope,
            right=lambda v: effect(v).mT,
        ),
        Mutant(
            "learning-rate-not-squared",
            "h = 1/‖A(x)‖",
            "a step along a normalised direction divides by the norm",
            Formula("Wᵢ₊₁ = Wᵢ - h∇Lᵢ(Wᵢ), h = 1/‖A(x)‖", r"W_{i+1} = W_i - h \nabla L_i(W_i),\ h = 1/\lVert A(x) \rVert"),
            formulas={"gradient_step": lambda W, slope, a: W - slope / a.norm()},
        ),
        Mutant(
            "current-weights-in-the-effect",
            "Δᵢ is made of Wᵢ in place of W₀",
            "gradient descent evaluates at the current weights; in Appendix B it is so",
            Formula(
                "Wᵢ₊₁ = Wᵢ - hWᵢ(A(c₁..cᵢ,x) - A(c₁..cᵢ₊₁,x))A(x)ᵀ", r"W_{i+1} = W_i - h W_i(A(c_1, \dots, c_i, x) - A(c_1, \dots, c_{i+1}, x))A(x)^{\top}"
            ),
            left=after,
            right=lambda v: v.formulas.gradient_step(before(v), v.formulas.token_effect(before(v), v.p, v.q, v.a), v.a),
        ),
        zero_allowed(
            "A(x)",
            "the paper does not state it",
            Formula("WᵢA(x) = W₀A(c₁..cᵢ,x), also if A(x) = 0", r"W_i A(x) = W_0 A(c_1, \dots, c_i, x),\ \text{also if } A(x) = 0"),
            left=lambda v: v.W @ v.p,
            right=lambda v: before(v) @ v.a,
            where=lambda v: not (v.W @ v.p).is_zero(),
            note="A(x) = 0: Wᵢ, which is to give W₀A(c₁..cᵢ,x) on A(x), does not exist",
        ),
    ),
)
