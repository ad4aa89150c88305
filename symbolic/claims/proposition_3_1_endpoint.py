"""Proposition 3.1 from end to end: all the steps together carry the whole context.

    W_n = W₀ - h(Δ₀ + ... + Δ_{n-1}),    T_{W_n}(x) = T_{W₀}(c₁..c_n,x),

where W_{i} = W_{i-1} - hΔ_{i-1} (the recursion alone), by induction on i: the sum of the gradients on one hand, W_iA(x) = W₀A(c₁..c_i,x) on the other.
Here p_i = A(c₁..c_i,x), so p₀ = A(x). For every n and all sizes, if A(x) ≠ 0.
Source: Section 3, Eqs. (10)-(14) and (20). Eq. (14) as printed leaves x out on the right: T_{W_n}(x) = T_{W₀}(c₁, ..., c_n).
"""

from typing import Any

from symbolic.claim import Claim, Mutant, zero_allowed
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import Family

ORDER = 6


def weights(v: Values, k: Any) -> Any:
    """W_k by the recursion of Eq. (20), from W₀."""
    return v.recursive("W", "W", k, lambda: v.W, lambda previous, i: v.formulas.gradient_step(previous, effect(v, i), v.p(v.start)))


def gradients(v: Values, k: Any) -> Any:
    """Δ₀ + ... + Δ_{k-1}."""
    return v.recursive("S", "S", k, lambda: v.zero("m", "d"), lambda previous, i: previous + effect(v, i))


def effect(v: Values, i: Any) -> Any:
    """Δ_{i-1}, the effect of the token c_i."""
    return v.formulas.token_effect(v.W, v.p(i - 1), v.p(i), v.p(v.start))


def _output(v: Values, W: Any, attended: Any) -> Any:
    return v.f(v.formulas.first_layer(W, v.b, attended))


def _proof(v: Values, d: Derivation) -> None:
    a, W = v.p(v.start), v.W

    def telescope(k: Any) -> tuple[Any, Any]:
        return weights(v, k), v.W - gradients(v, k) / (a.mT @ a)

    def base() -> None:
        d.chain(W, "no token, no step")
        d.then(telescope(v.start)[1], "the empty sum is zero")

    def step(i: Any) -> None:
        previous = weights(v, i - 1)
        d.chain(weights(v, i), "one more step")
        d.then(previous - effect(v, i) / (a.mT @ a), "Eq. (20)")
        d.then(W - gradients(v, i - 1) / (a.mT @ a) - effect(v, i) / (a.mT @ a), "for i - 1")
        d.then(telescope(i)[1], "the sum has one more term")

    d.notation(
        "pᵢ = A(c₁..cᵢ,x), p₀ = A(x), Sᵢ = Δ₀ + ... + Δᵢ₋₁",
        r"p_i = A(c_1, \dots, c_i, x),\quad p_0 = A(x),\quad S_i = \Delta_0 + \dots + \Delta_{i-1}",
        "the outputs of the contextual layer and the sum of the gradients",
    )
    d.part(0)
    d.induction("Wₙ = W₀ - hΣΔᵢ", telescope, base, step)
    d.start("the weights after n tokens")
    d.finish("induction")

    def carries(k: Any) -> tuple[Any, Any]:
        return weights(v, k) @ a, W @ v.p(k)

    def base_output() -> None:
        d.chain(W @ a, "no token: A(x) = p₀")

    def step_output(i: Any) -> None:
        d.chain(weights(v, i) @ a, "one more step")
        d.then(weights(v, i - 1) @ a - effect(v, i) @ a / (a.mT @ a), "Eq. (20)")
        d.then(W @ v.p(i - 1) - effect(v, i) @ a / (a.mT @ a), "for i - 1")
        d.then(W @ v.p(i - 1) - (W @ (v.p(i - 1) - v.p(i))) @ (a.mT @ a / (a.mT @ a)), "definition of Δᵢ₋₁; the row times the column is 1x1")
        d.then(W @ v.p(i - 1) - W @ (v.p(i - 1) - v.p(i)), "a nonzero scalar over itself is 1")
        d.then(carries(i)[1], "the sum telescopes")

    d.part(1)
    d.induction("Wₙ A(x) = W₀ A(c₁..cₙ,x)", carries, base_output, step_output)
    d.start("the block on x alone, with the last weights")
    d.finish("induction; equal arguments give equal values of f_θ")


def _last(v: Values) -> Any:
    return _output(v, weights(v, v.n), v.p(v.start))


def _effect_mutant(formula: Any) -> dict[str, Any]:
    return {"token_effect": formula}


CLAIM = Claim(
    id="proposition-3.1-endpoint",
    title="All the steps together carry the whole context",
    source="Section 3, Eqs. (13), (14) and (20)",
    symbols=(Matrix("W", "m", "d", "W₀", "W_0"), Matrix("b", "m", "1"), Matrix("y", "d", "1", "A(c₁..cₙ)", r"A(c_1, \dots, c_n)")),
    families=(Family("p", "d", "1"),),
    functions=(Function("f", "k", "1", "f_θ", r"f_\theta", note="f_θ is the identity; p_i is A(c₁..c_i,x)"),),
    sizes={"k": "m"},
    hypotheses=(Hypothesis("A(x) ≠ 0", r"A(x) \neq 0", nonzero=lambda v: v.p(v.start)),),
    statement=Formula(
        "Wₙ = W₀ - hΣΔᵢ and T_{Wₙ}(x) = T_{W₀}(c₁..cₙ,x), where Wᵢ = Wᵢ₋₁ - hΔᵢ₋₁, h = 1/‖A(x)‖²",
        r"W_n = W_0 - h \sum_{i=0}^{n-1} \Delta_i,\quad T_{W_n}(x) = T_{W_0}(c_1, \dots, c_n, x),\quad W_i = "
        r"W_{i-1} - h \Delta_{i-1},\quad h = 1/\lVert A(x) \rVert^{2}",
    ),
    left=lambda v: (weights(v, v.n), _last(v)),
    right=lambda v: (v.W - gradients(v, v.n) / (v.p(v.start).mT @ v.p(v.start)), _output(v, v.W, v.p(v.n))),
    proof=_proof,
    scope="all sizes, all n",
    mutants=(
        Mutant(
            "literal-equation-14",
            "x is left out on the right",
            "the paper's Eq. (14) has T_{W₀}(c₁, ..., cₙ); without x the last token is the query",
            Formula("T_{Wₙ}(x) = T_{W₀}(c₁..cₙ)", r"T_{W_n}(x) = T_{W_0}(c_1, \dots, c_n)"),
            left=_last,
            right=lambda v: _output(v, v.W, v.y),
            note="without x the last token is the query, and the layer then gives A(c₁..cₙ), which need not be A(c₁..cₙ,x)",
        ),
        Mutant(
            "one-step-short",
            "the last token is not read",
            "n weights W₀, ..., Wₙ₋₁ for n tokens looks right; there are n + 1",
            Formula("T_{Wₙ₋₁}(x) = T_{W₀}(c₁..cₙ,x)", r"T_{W_{n-1}}(x) = T_{W_0}(c_1, \dots, c_n, x)"),
            left=lambda v: _output(v, weights(v, v.n - 1), v.p(v.start)),
            right=lambda v: _output(v, v.W, v.p(v.n)),
        ),
        Mutant(
            "steps-added",
            "the gradients are added",
            "descent subtracts, and Δ is itself a negative effect: the two signs are lost",
            Formula("Wᵢ = Wᵢ₋₁ + hΔᵢ₋₁", r"W_i = W_{i-1} + h \Delta_{i-1}"),
            left=_last,
            right=lambda v: _output(v, v.W, v.p(v.n)),
            formulas={"gradient_step": lambda W, slope, a: W + slope / (a.mT @ a)},
        ),
        Mutant(
            "row-of-the-current-context",
            "A(c₁..cᵢ,x) in place of A(x) in the row",
            "the row belongs to the context left over, and in Appendix B it does change with i",
            Formula(
                "Δᵢ = W₀(A(c₁..cᵢ,x) - A(c₁..cᵢ₊₁,x))A(c₁..cᵢ₊₁,x)ᵀ",
                r"\Delta_i = W_0(A(c_1, \dots, c_i, x) - A(c_1, \dots, c_{i+1}, x))A(c_1, \dots, c_{i+1}, x)^{\top}",
            ),
            left=_last,
            right=lambda v: _output(v, v.W, v.p(v.n)),
            formulas=_effect_mutant(lambda W, before, after, a: (W @ (before - after)) @ after.mT),
        ),
        Mutant(
            "learning-rate-left-out",
            "h is 1",
            "the learning rate is often dropped from formulas",
            Formula("Wᵢ = Wᵢ₋₁ - Δᵢ₋₁", r"W_i = W_{i-1} - \Delta_{i-1}"),
            left=_last,
            right=lambda v: _output(v, v.W, v.p(v.n)),
            formulas={"gradient_step": lambda W, slope, a: W - slope},
        ),
        zero_allowed(
            "A(x)",
            "the paper does not state it",
            Formula("T_{Wₙ}(x) = T_{W₀}(c₁..cₙ,x), also if A(x) = 0", r"T_{W_n}(x) = T_{W_0}(c_1, \dots, c_n, x),\ \text{also if } A(x) = 0"),
            left=_last,
            right=lambda v: _output(v, v.W, v.p(v.n)),
            where=lambda v: not (v.W @ v.p(v.n)).is_zero(),
            note="A(x) = 0, so that no weights have an effect on it, but W₀A(c₁..cₙ,x) ≠ 0",
        ),
    ),
)
