"""When a step of Proposition 3.1 vanishes, what it does to its loss, and how large it is.

    Δ_i = 0 ⇔ W₀(p_i - p_{i+1}) = 0,    L_i(W_{i+1}) - L_i(W_i) = -h‖Δ_i‖_F²,    ‖Δ_i‖_F² = ‖a‖⁴ ‖W_{i+1} - W_i‖_F²,

with p_i = A(c₁..c_i,x), a = A(x) ≠ 0 and h = 1/‖a‖². It is c_{i+1} whose effect Δ_i measures.
Source: Section 3, after Proposition 3.1, which says "when c_i has no effect"; Section 4.3, which leaves ‖a‖² out of ‖∇L_i‖ = ‖a‖²·‖ΔW_{i+1} - ΔW_i‖
and says that the steps "decrease and vanish": that is a measurement, and nothing here implies it.
"""

from typing import Any

from symbolic.claim import Claim, Mutant, zero_allowed
from symbolic.claims.proposition_3_1 import NOT_ZERO, SYMBOLS, after, before, effect, loss, slope
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Matrix, Values

ORDER = 5


def _step(v: Values) -> Any:
    return v.W @ (v.p - v.q)


def _vanishing(v: Values, d: Derivation) -> None:
    a = v.a
    d.part(0)
    for vanishes in d.dichotomy("W₀(A(c₁..cᵢ,x) - A(c₁..cᵢ₊₁,x))", r"W_0(A(c_1, \dots, c_i, x) - A(c_1, \dots, c_{i+1}, x))", _step(v)):
        if vanishes:
            d.zero_by_map(_step(v), lambda x: x @ a.mT, effect(v), "zero times a row is zero")
        else:
            d.nonzero_by_map(effect(v), lambda x: x @ a / (a.mT @ a), _step(v), "Δᵢ a/‖a‖² gives the column back; if Δᵢ were 0, so would it be")
        d.start("whether Δᵢ is not zero")
        d.then(v.number(0 if vanishes else 1), "what was just found")
        d.finish("which of the two cases this is")
    d.part(1)
    d.start("how the loss of the step changes")
    d.then(v.trace(effect(v).mT @ (after(v) - before(v))), "the loss is linear")
    d.then(-(v.square(effect(v)) / (a.mT @ a)), "Wᵢ₊₁ - Wᵢ = -hΔᵢ")
    d.finish("h = 1/‖A(x)‖²")


def _norms(v: Values, d: Derivation) -> None:
    a = v.a
    d.part(0)
    d.start("the square of the gradient's norm")
    d.finish("∇ tr(ΔᵀW) = Δ: the rule ∇ tr(PXQ) = (QP)ᵀ")
    d.part(1)
    d.start("the square of Δᵢ")
    d.then((a.mT @ a) ** 2 * v.square(effect(v) / (a.mT @ a)), "a nonzero scalar over itself is 1")
    d.finish("Wᵢ₊₁ - Wᵢ = -Δᵢ/‖A(x)‖²")


def _previous(v: Values) -> Any:
    """W₀(p_{i-1} - p_i): the effect of c_i."""
    return v.W @ (v.o - v.p)


PREVIOUS = Matrix("o", "d", "1", "A(c₁..cᵢ₋₁,x)", r"A(c_1, \dots, c_{i-1}, x)")
NEXT = r"W_0(A(c_1, \dots, c_i, x) - A(c_1, \dots, c_{i+1}, x))"

VANISHING = Claim(
    id="proposition-3.1-vanishing",
    title="A step vanishes exactly if the next token has no effect after W₀, and it lowers its own loss",
    source="Section 3, after Proposition 3.1",
    symbols=(*SYMBOLS, PREVIOUS),
    hypotheses=(NOT_ZERO,),
    statement=Formula(
        "Δᵢ = 0 ⇔ W₀(A(c₁..cᵢ,x) - A(c₁..cᵢ₊₁,x)) = 0; Lᵢ(Wᵢ₊₁) - Lᵢ(Wᵢ) = -h‖Δᵢ‖_F², h = 1/‖A(x)‖²",
        rf"\Delta_i = 0 \Leftrightarrow {NEXT} = 0;\quad L_i(W_{{i+1}}) - L_i(W_i) = -h \lVert \Delta_i \rVert_F^2,\quad h = 1/\lVert A(x) \rVert^{{2}}",
    ),
    left=lambda v: (v.nonzero(effect(v)), loss(v, after(v)) - loss(v, before(v))),
    right=lambda v: (v.nonzero(_step(v)), -(v.square(effect(v)) / (v.a.mT @ v.a))),
    proof=_vanishing,
    scope="all sizes, all n",
    mutants=(
        Mutant(
            "effect-of-the-token-before",
            "Δᵢ vanishes when cᵢ has no effect",
            "the paper says so; the token that Δᵢ measures is cᵢ₊₁",
            Formula("Δᵢ = 0 ⇔ W₀(A(c₁..cᵢ₋₁,x) - A(c₁..cᵢ,x)) = 0", r"\Delta_i = 0 \Leftrightarrow W_0(A(c_1, \dots, c_{i-1}, x) - A(c_1, \dots, c_i, x)) = 0"),
            left=lambda v: v.nonzero(effect(v)),
            right=lambda v: v.nonzero(_previous(v)),
            where=lambda v: (v.o - v.p).is_zero(),
            note="cᵢ has no effect at all, A(c₁..cᵢ₋₁,x) = A(c₁..cᵢ,x), and Δᵢ is not zero",
        ),
        Mutant(
            "effect-before-the-weights",
            "Δᵢ vanishes only if the token has no effect on the contextual layer",
            "W₀ is forgotten: what it maps to zero has no effect either",
            Formula("Δᵢ = 0 ⇔ A(c₁..cᵢ,x) = A(c₁..cᵢ₊₁,x)", r"\Delta_i = 0 \Leftrightarrow A(c_1, \dots, c_i, x) = A(c_1, \dots, c_{i+1}, x)"),
            left=lambda v: v.nonzero(effect(v)),
            right=lambda v: v.nonzero(v.p - v.q),
        ),
        Mutant(
            "loss-grows",
            "the sign of the change of the loss",
            "L falls along -∇L, and two signs meet here",
            Formula("Lᵢ(Wᵢ₊₁) - Lᵢ(Wᵢ) = h‖Δᵢ‖_F²", r"L_i(W_{i+1}) - L_i(W_i) = h \lVert \Delta_i \rVert_F^2"),
            left=lambda v: loss(v, after(v)) - loss(v, before(v)),
            right=lambda v: v.square(effect(v)) / (v.a.mT @ v.a),
        ),
        Mutant(
            "no-learning-rate",
            "h is left out of the change of the loss",
            "the gradient's square is the usual first-order answer for a step of length 1",
            Formula("Lᵢ(Wᵢ₊₁) - Lᵢ(Wᵢ) = -‖Δᵢ‖_F²", r"L_i(W_{i+1}) - L_i(W_i) = -\lVert \Delta_i \rVert_F^2"),
            left=lambda v: loss(v, after(v)) - loss(v, before(v)),
            right=lambda v: -v.square(effect(v)),
        ),
        Mutant(
            "steps-always-shrink",
            "each step is smaller than the one before",
            "the paper's Figure 2 shows it for a trained attention layer, and descent is expected to converge",
            Formula("‖Δᵢ‖_F < ‖Δᵢ₋₁‖_F whenever Δᵢ₋₁ ≠ 0", r"\lVert \Delta_i \rVert_F < \lVert \Delta_{i-1} \rVert_F \text{ whenever } \Delta_{i-1} \neq 0"),
            left=lambda v: v.positive(v.square(_previous(v)) - v.square(_step(v))),
            right=lambda v: v.number(1),
            where=lambda v: (v.o + v.p).is_zero() and (v.p + v.q).is_zero() and (v.o - v.a).is_zero() and not _previous(v).is_zero(),
            note="the contextual layer is the recurrent network whose state changes sign with every token: A(x), -A(x), A(x), ...; its steps never shrink",
        ),
        zero_allowed(
            "A(x)",
            "the paper does not state it",
            Formula("Δᵢ = 0 ⇔ W₀(A(c₁..cᵢ,x) - A(c₁..cᵢ₊₁,x)) = 0, also if A(x) = 0", rf"\Delta_i = 0 \Leftrightarrow {NEXT} = 0,\ \text{{also if }} A(x) = 0"),
            left=lambda v: v.nonzero(effect(v)),
            right=lambda v: v.nonzero(_step(v)),
            note="A(x) = 0 makes every Δᵢ zero, whatever the tokens do",
        ),
    ),
)

NORMS = Claim(
    id="section-4.3-norms",
    title="The gradient's norm is ‖A(x)‖² times the change of the weights",
    source="Section 4.3, which leaves out ‖A(x)‖²",
    symbols=SYMBOLS,
    hypotheses=(NOT_ZERO,),
    statement=Formula(
        "‖∇Lᵢ‖² = ‖Δᵢ‖² = ‖A(x)‖⁴ ‖Wᵢ₊₁ - Wᵢ‖² (Frobenius norms)",
        r"\lVert \nabla L_i \rVert_F^2 = \lVert \Delta_i \rVert_F^2 = \lVert A(x) \rVert^4\, \lVert W_{i+1} - W_i \rVert_F^2",
    ),
    left=lambda v: (v.square(slope(v)), v.square(effect(v))),
    right=lambda v: (v.square(effect(v)), (v.a.mT @ v.a) ** 2 * v.square(after(v) - before(v))),
    proof=_norms,
    scope="all sizes, all n",
    mutants=(
        Mutant(
            "literal-section-4.3",
            "‖A(x)‖² is left out",
            "the paper's Section 4.3 has this equation; with a normalised A(x) it holds",
            Formula("‖∇Lᵢ‖² = ‖Wᵢ₊₁ - Wᵢ‖²", r"\lVert \nabla L_i \rVert^2 = \lVert W_{i+1} - W_i \rVert^2"),
            left=lambda v: v.square(slope(v)),
            right=lambda v: v.square(after(v) - before(v)),
        ),
        Mutant(
            "norm-not-squared",
            "‖A(x)‖ in place of ‖A(x)‖²",
            "one factor A(x)ᵀ stands in Δᵢ, of norm ‖A(x)‖; the other comes from h",
            Formula("‖∇Lᵢ‖² = ‖A(x)‖² ‖Wᵢ₊₁ - Wᵢ‖²", r"\lVert \nabla L_i \rVert^2 = \lVert A(x) \rVert^2\, \lVert W_{i+1} - W_i \rVert^2"),
            left=lambda v: v.square(slope(v)),
            right=lambda v: (v.a.mT @ v.a) * v.square(after(v) - before(v)),
        ),
        Mutant(
            "on-the-other-side",
            "‖A(x)‖² on the side of the gradient",
            "the step is h times the gradient, and h is read as ‖A(x)‖²",
            Formula("‖A(x)‖⁴ ‖∇Lᵢ‖² = ‖Wᵢ₊₁ - Wᵢ‖²", r"\lVert A(x) \rVert^4\, \lVert \nabla L_i \rVert^2 = \lVert W_{i+1} - W_i \rVert^2"),
            left=lambda v: (v.a.mT @ v.a) ** 2 * v.square(slope(v)),
            right=lambda v: v.square(after(v) - before(v)),
        ),
        Mutant(
            "norms-not-of-the-same-token",
            "the change from W₀ to Wᵢ",
            "ΔWᵢ is read as a step, and is the whole way from W₀",
            Formula("‖∇Lᵢ‖² = ‖A(x)‖⁴ ‖Wᵢ - W₀‖²", r"\lVert \nabla L_i \rVert^2 = \lVert A(x) \rVert^4\, \lVert W_i - W_0 \rVert^2"),
            left=lambda v: v.square(slope(v)),
            right=lambda v: (v.a.mT @ v.a) ** 2 * v.square(before(v) - v.W),
        ),
    ),
)

CLAIMS = (VANISHING, NORMS)
