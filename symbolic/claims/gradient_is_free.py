"""Every sequence of weights is gradient descent: what Proposition 3.1 says beyond that is the value of Δ_i.

For ANY W₀, W₁, ... and any h ≠ 0 let Δ_i = (W_i - W_{i+1})/h and L_i(W) = tr(Δ_iᵀW). Then W_{i+1} = W_i - h∇L_i(W_i), for all i and all sizes.
Source: not in the paper; a caution about the words "gradient descent" in Proposition 3.1.
"""

from typing import Any

from symbolic.claim import Claim, Mutant
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values

ORDER = 18


def _slope(v: Values, effect: Any) -> Any:
    return v.gradient(lambda W: v.trace(effect.mT @ W), v.W, "W", "W")


def _effect(v: Values) -> Any:
    return v.define("Δᵢ", r"\Delta_i", (v.W - v.V) / v.h)


def _step(v: Values, effect: Any) -> Any:
    return v.W - v.h * _slope(v, effect)


def _proof(v: Values, d: Derivation) -> None:
    d.start("the next weights, whatever they are")
    d.then(v.W - (v.h / v.h) * (v.W - v.V), "a nonzero scalar over itself is 1")
    d.then(v.W - v.h * _effect(v), "definition of Δᵢ")
    d.finish("∇ tr(ΔᵀW) = Δ: the rule ∇ tr(PXQ) = (QP)ᵀ")


def _mutant(id: str, description: str, why: str, text: str, latex: str, effect: Any) -> Mutant:
    shown = Formula(f"Wᵢ₊₁ = Wᵢ - h∇Lᵢ(Wᵢ), Δᵢ = {text}", rf"W_{{i+1}} = W_i - h \nabla L_i(W_i),\ \Delta_i = {latex}")
    return Mutant(id, description, why, shown, right=lambda v: _step(v, effect(v)))


CLAIM = Claim(
    id="gradient-is-free",
    title="Any sequence of weights is gradient descent on losses tr(Δᵢᵀ W)",
    source="beyond the paper: on Proposition 3.1",
    symbols=(Matrix("W", "m", "d", "Wᵢ", "W_i"), Matrix("V", "m", "d", "Wᵢ₊₁", "W_{i+1}"), Matrix("h", "1", "1")),
    hypotheses=(Hypothesis("h ≠ 0", r"h \neq 0", nonzero=lambda v: v.h),),
    statement=Formula(
        "for any W₀, W₁, ...: Wᵢ₊₁ = Wᵢ - h∇Lᵢ(Wᵢ), Lᵢ(W) = tr(ΔᵢᵀW), Δᵢ = (Wᵢ - Wᵢ₊₁)/h",
        r"W_{i+1} = W_i - h \nabla L_i(W_i),\quad L_i(W) = \operatorname{tr}(\Delta_i^{\top}W),\quad \Delta_i "
        r"= (W_i - W_{i+1})/h \quad \text{for any } W_0, W_1, \dots",
    ),
    left=lambda v: v.V,
    right=lambda v: _step(v, _effect(v)),
    proof=_proof,
    scope="all sizes, all n",
    mutants=(
        _mutant(
            "sign",
            "Δᵢ = (Wᵢ₊₁ - Wᵢ)/h",
            "a step is naturally new minus old; the gradient points the other way",
            "(Wᵢ₊₁ - Wᵢ)/h",
            "(W_{i+1} - W_i)/h",
            lambda v: (v.V - v.W) / v.h,
        ),
        _mutant("no-learning-rate", "h is left out of Δᵢ", "with h = 1 it makes no difference", "Wᵢ - Wᵢ₊₁", "W_i - W_{i+1}", lambda v: v.W - v.V),
        _mutant(
            "learning-rate-multiplied",
            "Δᵢ = h(Wᵢ - Wᵢ₊₁)",
            "the step is h times the gradient, so the gradient seems to be h times something",
            "h(Wᵢ - Wᵢ₊₁)",
            "h(W_i - W_{i+1})",
            lambda v: v.h * (v.W - v.V),
        ),
        _mutant(
            "current-weights-alone",
            "Δᵢ = Wᵢ/h, without Wᵢ₊₁",
            "a gradient should not depend on where the step leads; this one has to",
            "Wᵢ/h",
            "W_i/h",
            lambda v: v.W / v.h,
        ),
        Mutant(
            "zero-rate-allowed",
            "no hypothesis h ≠ 0",
            "learning rates are not usually zero, so nobody says so",
            Formula("Wᵢ₊₁ = Wᵢ - h∇Lᵢ(Wᵢ), also if h = 0", r"W_{i+1} = W_i - h \nabla L_i(W_i),\ \text{also if } h = 0"),
            without=("h ≠ 0",),
            where=lambda v: not (v.W - v.V).is_zero(),
            note="h = 0: no gradient moves the weights, and they are to move",
        ),
    ),
)
