"""Without a last bias, the output matrix carries what the skip connection needs.

Δb′ = v - v′ of the claim `pre-ln` has no place in a block without b′. But h, what the output matrix W_o multiplies, is the same with the context and, once
the first layer is patched, without Y. So the outer product that sends h to δ = v - v′ does what Δb′ would:

    v′ + (W_o + ΔW_o) g_θ((W + ΔW)N(v′) + b) = v + W_o g_θ(W N(v) + b),    ΔW_o = δhᵀ/‖h‖²,    h = g_θ(W N(v) + b),

with ΔW by Eq. (1) at N(v) and N(v′), for any streams v and v′, any N and g_θ and all sizes, if N(v′) ≠ 0 and h ≠ 0. (A gated network is such a g_θ: W is
W_g above W_u.)
Source: beyond the paper: Eq. (1) with δ in place of WΔA.
"""

from typing import Any

from symbolic.claim import Claim, Mutant
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values

ORDER = 21

FED = Hypothesis("a = N(v′) ≠ 0", r"a = N(v') \neq 0", nonzero=lambda v: v.N(v.rest))
"""What the network is fed without Y is not zero."""


def update(v: Values) -> Any:
    """ΔW of Eq. (1) at what the network is fed."""
    return v.define("ΔW", r"\Delta W", v.formulas.rank_one_update(v.W, v.formulas.context_vector(v.N(v.full), v.N(v.rest)), v.N(v.rest)))


def hidden(v: Values, W: Any, stream: Any) -> Any:
    """g_θ(W N(v) + b): what the output matrix multiplies."""
    return v.g(v.formulas.first_layer(W, v.b, v.N(stream)))


def hidden_full(v: Values) -> Any:
    """h, by its name."""
    return v.define("h", "h", hidden(v, v.W, v.full))


def change(v: Values) -> Any:
    """δ = v - v′, by its name."""
    return v.define("δ", r"\delta", v.formulas.context_vector(v.full, v.rest))


def _output_update(v: Values, h: Any) -> Any:
    return v.define("ΔW_o", r"\Delta W_o", v.formulas.output_update(change(v), h))


def _block(v: Values, W: Any, W_o: Any, stream: Any) -> Any:
    return v.formulas.residual_connection(stream, W_o @ hidden(v, W, stream))


def _patched(v: Values) -> Any:
    return _with_output(v, _output_update(v, hidden_full(v)))


def _with_output(v: Values, output_update: Any) -> Any:
    """The block without Y with ΔW of Eq. (1) and this update of the output matrix."""
    return _block(v, v.formulas.patched_weight(v.W, update(v)), v.formulas.patched_weight(v.W_o, output_update), v.rest)


def _proof(v: Values, d: Derivation) -> None:
    h, delta, W_o = hidden_full(v), change(v), v.W_o
    a, z = v.define("a", "a", v.N(v.rest)), v.define("z", "z", v.N(v.full))
    d.notation(
        "a = N(v′), z = N(v), h = g_θ(Wz + b), δ = v - v′",
        r"a = N(v'),\quad z = N(v),\quad h = g_\theta(Wz + b),\quad \delta = v - v'",
        "what the network is fed, what its output matrix multiplies, and what the stream lacks without Y",
    )
    d.start("the block without Y, its two matrices patched")
    d.then(v.rest + (W_o + _output_update(v, h)) @ v.g(v.W @ a + (v.W @ (z - a)) @ (a.mT @ a / (a.mT @ a)) + v.b), "definition of ΔW, Eq. (1)")
    d.then(v.rest + (W_o + _output_update(v, h)) @ h, "a nonzero scalar over itself is 1: the output matrix multiplies h without Y too")
    d.then(v.rest + (W_o @ h + delta @ (h.mT @ h / (h.mT @ h))), "distributivity; definition of ΔW_o; the row times the column is 1x1")
    d.then(v.rest + (W_o @ h + delta), "a nonzero scalar over itself is 1")
    d.finish("definition of δ")


def _statement(update: str, latex_update: str) -> Formula:
    return Formula(
        f"v′ + (W_o + ΔW_o)g_θ((W + ΔW)N(v′) + b) = v + W_o h, h = g_θ(W N(v) + b), ΔW by Eq. (1) at N(v), N(v′), {update}",
        r"v' + (W_o + \Delta W_o) g_\theta((W + \Delta W)N(v') + b) = v + W_o h,\quad h = g_\theta(W N(v) + b),\quad"
        rf"\Delta W = \frac{{W(N(v) - N(v'))N(v')^{{\top}}}}{{\lVert N(v') \rVert^2}},\quad {latex_update}",
    )


CLAIM = Claim(
    id="bias-free-output",
    title="Without a last bias, ΔW_o = δhᵀ/‖h‖² of the output matrix does what Δb′ = δ would",
    source="beyond the paper: Theorem A.2 for blocks without biases",
    symbols=(Matrix("W", "m", "d"), Matrix("W_o", "d", "k"), Matrix("full", "d", "1", "v", "v"), Matrix("rest", "d", "1", "v′", "v'"), Matrix("b", "m", "1")),
    functions=(Function("g", "k", "1", "g_θ", r"g_\theta", note="g_θ and N are the identity"), Function("N", "d", "1", "N", "N")),
    sizes={"k": "m"},
    hypotheses=(FED, Hypothesis("h = g_θ(W N(v) + b) ≠ 0", r"h = g_\theta(W N(v) + b) \neq 0", nonzero=hidden_full)),
    statement=_statement("ΔW_o = (v - v′)hᵀ/‖h‖²", r"\Delta W_o = \frac{(v - v')h^{\top}}{\lVert h \rVert^2}"),
    left=_patched,
    right=lambda v: _block(v, v.W, v.W_o, v.full),
    proof=_proof,
    mutants=(
        Mutant(
            "input-before-the-patch",
            "ΔW_o is made of the output matrix's input before the first layer is patched",
            "both updates look as if they could be made from one run without Y",
            _statement("ΔW_o = δh′ᵀ/‖h′‖², h′ = g_θ(W N(v′) + b)", r"\Delta W_o = \frac{\delta h'^{\top}}{\lVert h' \rVert^2},\ h' = g_\theta(W N(v') + b)"),
            left=lambda v: _with_output(v, _output_update(v, hidden(v, v.W, v.rest))),
            where=lambda v: not hidden(v, v.W, v.rest).is_zero(),
        ),
        Mutant(
            "eq-1-as-it-stands",
            "ΔW_o = (W_oδ′)hᵀ/‖h‖² with δ′ the change of h, as Eq. (1) would have it",
            "the output matrix is a matrix like W, and Eq. (1) is about matrices; but it is the skip connection that is to be made up for",
            _statement(
                "ΔW_o = W_o(h - h′)hᵀ/‖h‖², h′ = g_θ(W N(v′) + b)", r"\Delta W_o = \frac{W_o(h - h')h^{\top}}{\lVert h \rVert^2},\ h' = g_\theta(W N(v') + b)"
            ),
            left=lambda v: _with_output(v, v.formulas.rank_one_update(v.W_o, hidden_full(v) - hidden(v, v.W, v.rest), hidden_full(v))),
        ),
        Mutant(
            "no-output-update",
            "ΔW_o is left out",
            "Theorem 2.2 needs only ΔW, and a block without biases has no Δb′",
            _statement("ΔW_o = 0", r"\Delta W_o = 0"),
            formulas={"output_update": lambda delta, h: delta @ h.mT - delta @ h.mT},
        ),
        Mutant(
            "no-first-update",
            "ΔW is left out, ΔW_o alone is added",
            "the output matrix can send anything anywhere; but its input without Y is not h",
            Formula(
                "v′ + (W_o + ΔW_o)g_θ(W N(v′) + b) = v + W_o h, ΔW_o = δhᵀ/‖h‖²",
                r"v' + (W_o + \Delta W_o) g_\theta(W N(v') + b) = v + W_o h,\quad \Delta W_o = \frac{\delta h^{\top}}{\lVert h \rVert^2}",
            ),
            formulas={"rank_one_update": lambda W, delta, a: W - W},
        ),
        Mutant(
            "norm-not-squared",
            "‖h‖ in place of ‖h‖²",
            "normalising a vector divides by its norm",
            _statement("ΔW_o = δhᵀ/‖h‖", r"\Delta W_o = \frac{\delta h^{\top}}{\lVert h \rVert}"),
            formulas={"output_update": lambda delta, h: delta @ h.mT / h.norm()},
        ),
        Mutant(
            "zero-hidden-allowed",
            "no hypothesis h ≠ 0",
            "h is zero only if every unit is off, which a wide layer never seems to be",
            Formula("the same, also if h = 0", r"\text{the same, also if } h = 0"),
            without=("h = g_θ(W N(v) + b) ≠ 0",),
            where=lambda v: not (v.full - v.rest).is_zero() and not v.N(v.rest).is_zero(),
            note="h = 0, so that no change of W_o has an effect, but v ≠ v′",
        ),
    ),
)
