"""Theorem A.2: with a skip connection, ΔW and a change of the last bias together carry the context.

    x + a + W′g_θ((W + ΔW)a + b) + (b′ + Δb′)  =  x + z + W′g_θ(Wz + b) + b′,    Δb′ = ΔA = z - a,

with ΔW of Eq. (1), for any g_θ (the paper's "differentiable" is not needed) and all sizes, if a ≠ 0.
Source: Theorem A.2, Eqs. (23)-(26).
"""

from typing import Any

from symbolic.claim import Claim, Mutant, no_normalisation, zero_allowed
from symbolic.claims.theorem_2_2 import delta_A, delta_W
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import unfold

ORDER = 8


def _block(v: Values, W: Any, b_prime: Any, attended: Any) -> Any:
    """T_{W, b′} of Definition A.1 where the contextual layer has this output."""
    return v.formulas.skip_connection(v.x, attended, v.W_prime @ v.g(v.formulas.first_layer(W, v.b, attended)) + b_prime)


def _patched(v: Values) -> Any:
    return _block(v, v.formulas.patched_weight(v.W, delta_W(v)), v.formulas.bias_update(v.b_prime, delta_A(v)), v.a)


def _full(v: Values) -> Any:
    return _block(v, v.W, v.b_prime, v.z)


def _proof(v: Values, d: Derivation) -> None:
    W, a, b, delta = v.W, v.a, v.b, delta_A(v)

    def block(attended: Any, inside: Any, bias: Any) -> Any:
        return v.x + attended + (v.W_prime @ v.g(inside) + bias)

    patched_bias = v.b_prime + delta
    d.start("the block without Y, patched in two places")
    d.then(block(a, W @ a + delta_W(v) @ a + b, patched_bias), "distributivity")
    d.then(block(a, W @ a + unfold(delta_W(v)) @ a + b, patched_bias), "definition of ΔW, Eq. (26)")
    d.then(block(a, W @ a + (W @ delta) @ (a.mT @ a / (a.mT @ a)) + b, patched_bias), "aᵀa is 1x1: it commutes out of the product")
    d.then(block(a, W @ a + W @ delta + b, patched_bias), "a nonzero scalar over itself is 1")
    d.then(block(a, W @ (a + delta) + b, patched_bias), "distributivity")
    d.then(block(a, W @ v.z + b, patched_bias), "definition of ΔA; equal arguments give equal values of g_θ")
    d.then(block(a + delta, W @ v.z + b, v.b_prime), "Δb′ = ΔA moves to the skip connection")
    d.finish("definition of ΔA")


def _statement(weight: str, bias: str, latex_weight: str, latex_bias: str) -> Formula:
    return Formula(
        f"x + a + W′g_θ({weight}a + b) + {bias} = x + z + W′g_θ(Wz + b) + b′",
        rf"x + a + W' g_\theta({latex_weight}a + b) + {latex_bias} = x + z + W' g_\theta(Wz + b) + b'",
    )


CLAIM = Claim(
    id="theorem-a.2",
    title="With a skip connection, ΔW and Δb′ = ΔA carry the context",
    source="Theorem A.2, Eqs. (23)-(26)",
    symbols=(
        Matrix("W", "m", "d"),
        Matrix("a", "d", "1"),
        Matrix("z", "d", "1"),
        Matrix("b", "m", "1"),
        Matrix("W_prime", "d", "k", "W′", "W'"),
        Matrix("b_prime", "d", "1", "b′", "b'"),
        Matrix("x", "d", "1"),
    ),
    functions=(Function("g", "k", "1", "g_θ", r"g_\theta", note="g_θ is the identity"),),
    sizes={"k": "m"},
    hypotheses=(Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),),
    statement=Formula(
        "x + a + W′g_θ((W + ΔW)a + b) + (b′ + Δb′) = x + z + W′g_θ(Wz + b) + b′, ΔW = (WΔA)aᵀ/‖a‖², Δb′ = ΔA = z - a",
        r"x + a + W' g_\theta((W + \Delta W)a + b) + (b' + \Delta b') = x + z + W' g_\theta(Wz + b) + b',\quad"
        r" \Delta W = \frac{(W \Delta A)a^{\top}}{\lVert a \rVert^{2}},\quad \Delta b' = \Delta A = z - a",
    ),
    left=_patched,
    right=_full,
    proof=_proof,
    mutants=(
        Mutant(
            "no-bias-update",
            "Δb′ is left out",
            "Theorem 2.2 needs only ΔW, and the skip connection is easily forgotten",
            _statement("(W + ΔW)", "b′", r"(W + \Delta W)", "b'"),
            formulas={"bias_update": lambda b_prime, delta: b_prime},
        ),
        Mutant(
            "bias-update-subtracted",
            "Δb′ = -ΔA",
            "what the skip connection gained by Y seems to have to be taken away",
            _statement("(W + ΔW)", "(b′ - ΔA)", r"(W + \Delta W)", r"(b' - \Delta A)"),
            formulas={"bias_update": lambda b_prime, delta: b_prime - delta},
        ),
        Mutant(
            "full-output-as-bias",
            "Δb′ = A(C,x) in place of ΔA",
            "the skip connection carries A, not its change",
            _statement("(W + ΔW)", "(b′ + z)", r"(W + \Delta W)", "(b' + z)"),
            left=lambda v: _block(v, v.formulas.patched_weight(v.W, delta_W(v)), v.b_prime + v.z, v.a),
        ),
        Mutant(
            "bias-only",
            "ΔW is left out",
            "the bias moves the output by ΔA, and what the network makes of A may be thought small",
            _statement("W", "(b′ + ΔA)", "W", r"(b' + \Delta A)"),
            formulas={"rank_one_update": lambda W, delta, a: W - W},
        ),
        no_normalisation(
            "the division by ‖a‖² is left out",
            _statement("(W + (WΔA)aᵀ)", "(b′ + ΔA)", r"(W + (W \Delta A)a^{\top})", r"(b' + \Delta A)"),
            "an outer product looks like the whole update, and with a unit vector a it is",
        ),
        zero_allowed(
            "a",
            "the paper does not state it",
            _statement("(W + ΔW)", "(b′ + ΔA), also if a = 0,", r"(W + \Delta W)", r"(b' + \Delta A)\ (\text{also if } a = 0)"),
            where=lambda v: not (v.W_prime @ v.W @ v.z).is_zero(),
            note="a = 0, so that no change of W has an effect, but WΔA ≠ 0: no update exists",
        ),
    ),
)
