"""What happens if the patched block computes a + ε in place of a: an error that does grow near a = 0.

    (W + ΔW)(a + ε) - Wz = (WΔA)(aᵀε)/‖a‖² + Wε,

exactly, before f_θ and whatever the bias, if a ≠ 0. The first term is as large as ‖WΔA‖‖ε‖/‖a‖ and grows without limit as a → 0; it vanishes for
ε at right angles to a.
Source: not in the paper; it is what another batch size or another kernel does to a deployed patch.
"""

from typing import Any

from symbolic.claim import Claim, Mutant, zero_allowed
from symbolic.claims.theorem_2_2 import delta_A, delta_W
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values
from symbolic.terms import unfold

ORDER = 16


def _left(v: Values) -> Any:
    F = v.formulas
    return F.first_layer(F.patched_weight(v.W, delta_W(v)), v.b, v.a + v.epsilon) - F.first_layer(v.W, v.b, v.z)


def _right(v: Values) -> Any:
    return v.formulas.perturbation(v.W, delta_A(v), v.a, v.epsilon)


def _proof(v: Values, d: Derivation) -> None:
    W, a, e, delta = v.W, v.a, v.epsilon, delta_A(v)
    d.start("the patched layer at a + ε, minus the layer with the context")
    d.then(W @ a + W @ e + delta_W(v) @ a + delta_W(v) @ e - W @ v.z, "distributivity; b cancels")
    d.then(W @ a + W @ e + unfold(delta_W(v)) @ a + unfold(delta_W(v)) @ e - W @ v.z, "definition of ΔW, Eq. (1)")
    d.then(W @ a + W @ e + W @ delta + (W @ delta) * (a.mT @ e / (a.mT @ a)) - W @ v.z, "aᵀa and aᵀε are 1x1; a nonzero scalar over itself is 1")
    d.finish("definition of ΔA: Wa + WΔA = Wz")


def _mutant(id: str, description: str, why: str, text: str, latex: str, right: Any) -> Mutant:
    return Mutant(id, description, why, Formula(f"(W + ΔW)(a + ε) - Wz = {text}", rf"(W + \Delta W)(a + \varepsilon) - Wz = {latex}"), right=right)


CLAIM = Claim(
    id="perturbed-query",
    title="A query that is computed again as a + ε misses by (WΔA)(aᵀε)/‖a‖² + Wε",
    source="beyond the paper",
    symbols=(Matrix("W", "m", "d"), Matrix("a", "d", "1"), Matrix("z", "d", "1"), Matrix("b", "m", "1"), Matrix("epsilon", "d", "1", "ε", r"\varepsilon")),
    hypotheses=(Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),),
    statement=Formula(
        "((W + ΔW)(a + ε) + b) - (Wz + b) = (WΔA)(aᵀε)/‖a‖² + Wε",
        r"((W + \Delta W)(a + \varepsilon) + b) - (Wz + b) = \frac{(W \Delta A)(a^{\top}\varepsilon)}{\lVert a \rVert^2} + W\varepsilon",
    ),
    left=_left,
    right=_right,
    proof=_proof,
    mutants=(
        _mutant("only-through-w", "the update is taken not to see ε", "ΔW is made for a, and small", "Wε", r"W\varepsilon", lambda v: v.W @ v.epsilon),
        _mutant(
            "only-through-the-update",
            "W is taken not to see ε",
            "the first term is the one that grows",
            "(WΔA)(aᵀε)/‖a‖²",
            r"\frac{(W \Delta A)(a^{\top}\varepsilon)}{\lVert a \rVert^2}",
            lambda v: (v.W @ delta_A(v)) * (v.a.mT @ v.epsilon / (v.a.mT @ v.a)),
        ),
        _mutant(
            "norm-of-the-perturbed-query",
            "divided by ‖a + ε‖²",
            "the patched pass has a + ε at hand, not a",
            "(WΔA)(aᵀε)/‖a + ε‖² + Wε",
            r"\frac{(W \Delta A)(a^{\top}\varepsilon)}{\lVert a + \varepsilon \rVert^2} + W\varepsilon",
            lambda v: (v.W @ delta_A(v)) * (v.a.mT @ v.epsilon / ((v.a + v.epsilon).mT @ (v.a + v.epsilon))) + v.W @ v.epsilon,
        ),
        _mutant(
            "row-of-the-full-output",
            "zᵀε in place of aᵀε",
            "the row factor is confused with the output of the full context",
            "(WΔA)(zᵀε)/‖a‖² + Wε",
            r"\frac{(W \Delta A)(z^{\top}\varepsilon)}{\lVert a \rVert^2} + W\varepsilon",
            lambda v: (v.W @ delta_A(v)) * (v.z.mT @ v.epsilon / (v.a.mT @ v.a)) + v.W @ v.epsilon,
        ),
        _mutant("no-error", "the patch carries over to a + ε", "a good approximation is taken for an equality", "0", "0", lambda v: v.zero("m")),
        zero_allowed(
            "a",
            "the formula for the error seems to need none if ε is small",
            Formula("(W + ΔW)a - Wz = 0, i.e. ε = 0, also if a = 0", r"(W + \Delta W)a - Wz = 0,\ \text{also if } a = 0"),
            left=lambda v: v.formulas.patched_weight(v.W, delta_W(v)) @ v.a - v.W @ v.z,
            right=lambda v: v.zero("m"),
            where=lambda v: not (v.W @ v.z).is_zero(),
            note="a = 0 and WΔA ≠ 0: there is no patched layer to perturb",
        ),
    ),
)
