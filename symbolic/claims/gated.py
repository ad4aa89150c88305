"""A gated network: both matrices that read the contextual layer's output take the update of Eq. (1).

A gated linear unit (SwiGLU, GeGLU, ...) multiplies two first layers entry by entry. With ΔW_g and ΔW_u by Eq. (1) at the same a and z,

    f((W_g + ΔW_g)a) ⊙ ((W_u + ΔW_u)a) = f(W_g z) ⊙ (W_u z),

for any f and all sizes, if a ≠ 0. What follows (the output matrix, a scale) sees the same product and needs no patch for it.
Source: beyond the paper: Eq. (1) for the networks of Shazeer, "GLU variants improve Transformer" (2020).
"""

from typing import Any

from symbolic.claim import Claim, Mutant, no_normalisation, zero_allowed
from symbolic.claims.theorem_2_2 import delta_A
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import unfold

ORDER = 20


def _gate_update(v: Values) -> Any:
    return v.define("ΔW_g", r"\Delta W_g", v.formulas.rank_one_update(v.W_g, delta_A(v), v.a))


def _up_update(v: Values) -> Any:
    return v.define("ΔW_u", r"\Delta W_u", v.formulas.rank_one_update(v.W_u, delta_A(v), v.a))


def _network(v: Values, gate: Any, up: Any, x: Any) -> Any:
    return v.f(gate @ x) * (up @ x)


def _patched(v: Values) -> Any:
    return _network(v, v.formulas.patched_weight(v.W_g, _gate_update(v)), v.formulas.patched_weight(v.W_u, _up_update(v)), v.a)


def _proof(v: Values, d: Derivation) -> None:
    a, delta = v.a, delta_A(v)
    d.start("the gated network without Y, both matrices patched")
    d.then(v.f(v.W_g @ a + unfold(_gate_update(v)) @ a) * (v.W_u @ a + unfold(_up_update(v)) @ a), "distributivity; definitions of ΔW_g and ΔW_u, Eq. (1)")
    d.then(
        v.f(v.W_g @ a + (v.W_g @ delta) @ (a.mT @ a / (a.mT @ a))) * (v.W_u @ a + (v.W_u @ delta) @ (a.mT @ a / (a.mT @ a))),
        "the row times the column is 1x1: it commutes out of the products",
    )
    d.then(v.f(v.W_g @ a + v.W_g @ delta) * (v.W_u @ a + v.W_u @ delta), "a nonzero scalar over itself is 1")
    d.finish("distributivity; definition of ΔA; equal arguments give equal values of f and of ⊙")


def _statement(gate: str, up: str, latex_gate: str, latex_up: str) -> Formula:
    return Formula(f"f({gate}a) ⊙ ({up}a) = f(W_g z) ⊙ (W_u z)", rf"f({latex_gate}a) \odot ({latex_up}a) = f(W_g z) \odot (W_u z)")


_BOTH = _statement("(W_g + ΔW_g)", "(W_u + ΔW_u)", r"(W_g + \Delta W_g)", r"(W_u + \Delta W_u)")

CLAIM = Claim(
    id="gated",
    title="A gated network: both first matrices take the update of Eq. (1)",
    source="beyond the paper: Eq. (1) for gated linear units",
    symbols=(Matrix("W_g", "m", "d"), Matrix("W_u", "m", "d"), Matrix("a", "d", "1"), Matrix("z", "d", "1")),
    functions=(Function("f", "m", "1", "f", "f", note="f is the identity"),),
    hypotheses=(Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),),
    statement=Formula(
        f"{_BOTH.text}, ΔW_g = (W_gΔA)aᵀ/‖a‖², ΔW_u = (W_uΔA)aᵀ/‖a‖², ΔA = z - a",
        rf"{_BOTH.latex},\quad \Delta W_g = \frac{{(W_g \Delta A)a^{{\top}}}}{{\lVert a \rVert^2}},\ "
        r"\Delta W_u = \frac{(W_u \Delta A)a^{\top}}{\lVert a \rVert^2},\quad \Delta A = z - a",
    ),
    left=_patched,
    right=lambda v: _network(v, v.W_g, v.W_u, v.z),
    proof=_proof,
    mutants=(
        Mutant(
            "gate-only",
            "W_u is not patched",
            "the nonlinearity is in the gate, so the gate looks like the first layer of Eq. (1)",
            _statement("(W_g + ΔW_g)", "W_u ", r"(W_g + \Delta W_g)", "W_u "),
            left=lambda v: _network(v, v.formulas.patched_weight(v.W_g, _gate_update(v)), v.W_u, v.a),
        ),
        Mutant(
            "up-only",
            "W_g is not patched",
            "the gate only chooses what passes, and what passes is made by W_u",
            _statement("W_g ", "(W_u + ΔW_u)", "W_g ", r"(W_u + \Delta W_u)"),
            left=lambda v: _network(v, v.W_g, v.formulas.patched_weight(v.W_u, _up_update(v)), v.a),
        ),
        Mutant(
            "one-update-for-both",
            "W_u takes ΔW_g, the update that was made for W_g",
            "both matrices have the same shape and read the same vector, and a fused kernel holds them as one",
            _statement("(W_g + ΔW_g)", "(W_u + ΔW_g)", r"(W_g + \Delta W_g)", r"(W_u + \Delta W_g)"),
            left=lambda v: _network(v, v.formulas.patched_weight(v.W_g, _gate_update(v)), v.formulas.patched_weight(v.W_u, _gate_update(v)), v.a),
        ),
        Mutant(
            "half-of-each",
            "each matrix takes half of its update",
            "the context seems to be counted twice if both take all of it; in a product of two factors it is not",
            _statement("(W_g + ½ΔW_g)", "(W_u + ½ΔW_u)", r"(W_g + \tfrac{1}{2} \Delta W_g)", r"(W_u + \tfrac{1}{2} \Delta W_u)"),
            formulas={"rank_one_update": lambda W, delta, a: (W @ delta) @ a.mT / (2 * (a.mT @ a))},
        ),
        no_normalisation(
            "the divisions by ‖a‖² are left out",
            Formula(f"{_BOTH.text}, ΔW_g = (W_gΔA)aᵀ, ΔW_u = (W_uΔA)aᵀ", rf"{_BOTH.latex},\ \Delta W_g = (W_g \Delta A)a^{{\top}}, \dots"),
            "an outer product looks like the whole update, and with a unit vector a it is",
        ),
        zero_allowed(
            "a",
            "the paper does not state it",
            Formula(f"{_BOTH.text}, also if a = 0", rf"{_BOTH.latex},\ \text{{also if }} a = 0"),
            where=lambda v: not ((v.W_g @ v.z) * (v.W_u @ v.z)).is_zero(),
            note="a = 0, so that no change of W_g or W_u has an effect, but f(W_g z) ⊙ (W_u z) is not 0",
        ),
    ),
)
