"""Attention and network side by side: an update of the output matrix alone carries the context.

A parallel block feeds the network with the query's own stream, not with the attention's output:

    x + A(·) + W_o h,    h = g_θ(W N(x) + b).

Removing Y does not change h. So nothing is to be done to W, and with δ = A(C,x) - A(C∖Y,x)

    x + A(C∖Y,x) + (W_o + ΔW_o)h = x + A(C,x) + W_o h,    ΔW_o = δhᵀ/‖h‖²,

for any N and g_θ and all sizes, if h ≠ 0. A may be zero. (With a last bias Δb′ = δ does the same, without any hypothesis.)
Source: beyond the paper: Theorem A.2 for parallel blocks, as in Wang and Komatsuzaki, "GPT-J-6B" (2021).
"""

from typing import Any

from symbolic.claim import Claim, Mutant, no_normalisation, zero_allowed
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values

ORDER = 23


def _hidden(v: Values) -> Any:
    return v.define("h", "h", v.g(v.formulas.first_layer(v.W, v.b, v.N(v.x))))


def _change(v: Values) -> Any:
    return v.define("δ", r"\delta", v.formulas.context_vector(v.full, v.rest))


def _output_update(v: Values) -> Any:
    return v.define("ΔW_o", r"\Delta W_o", v.formulas.output_update(_change(v), _hidden(v)))


def _block(v: Values, W: Any, W_o: Any, attended: Any) -> Any:
    return v.formulas.skip_connection(v.x, attended, W_o @ v.g(v.formulas.first_layer(W, v.b, v.N(v.x))))


def _proof(v: Values, d: Derivation) -> None:
    h, delta = _hidden(v), _change(v)
    d.notation(
        "h = g_θ(W N(x) + b), δ = A(C,x) - A(C∖Y,x)", r"h = g_\theta(W N(x) + b),\quad \delta = A(C,x) - A(C \setminus Y,x)", "h does not see the context"
    )
    d.start("the block without Y, its output matrix patched")
    d.then(v.x + v.rest + (v.W_o @ h + _output_update(v) @ h), "distributivity; definition of h")
    d.then(v.x + v.rest + (v.W_o @ h + delta @ (h.mT @ h / (h.mT @ h))), "definition of ΔW_o; the row times the column is 1x1")
    d.then(v.x + v.rest + (v.W_o @ h + delta), "a nonzero scalar over itself is 1")
    d.finish("definition of δ")


def _first_matrix(v: Values) -> Any:
    """Eq. (1) at the attention's outputs, in the first matrix, and Δb′ = δ: Theorem A.2 word for word."""
    return _block(v, v.formulas.patched_weight(v.W, v.formulas.rank_one_update(v.W, _change(v), v.rest)), v.W_o, v.rest) + _change(v)


def _statement(update: str, latex_update: str) -> Formula:
    return Formula(
        f"x + A(C∖Y,x) + (W_o + ΔW_o)h = x + A(C,x) + W_o h, h = g_θ(W N(x) + b), {update}",
        r"x + A(C \setminus Y,x) + (W_o + \Delta W_o)h = x + A(C,x) + W_o h,\quad h = g_\theta(W N(x) + b),\quad" + latex_update,
    )


CLAIM = Claim(
    id="parallel",
    title="Attention and network side by side: an update of the output matrix alone carries the context",
    source="beyond the paper: Theorem A.2 for parallel blocks",
    symbols=(
        Matrix("W", "m", "d"),
        Matrix("W_o", "d", "k"),
        Matrix("x", "d", "1"),
        Matrix("full", "d", "1", "A(C,x)", "A(C,x)"),
        Matrix("rest", "d", "1", "A(C∖Y,x)", r"A(C \setminus Y,x)"),
        Matrix("b", "m", "1"),
    ),
    functions=(Function("g", "k", "1", "g_θ", r"g_\theta", note="g_θ and N are the identity"), Function("N", "d", "1", "N", "N")),
    sizes={"k": "m"},
    hypotheses=(Hypothesis("h = g_θ(W N(x) + b) ≠ 0", r"h = g_\theta(W N(x) + b) \neq 0", nonzero=_hidden),),
    statement=_statement(
        "ΔW_o = δhᵀ/‖h‖², δ = A(C,x) - A(C∖Y,x)", r"\Delta W_o = \frac{\delta h^{\top}}{\lVert h \rVert^2},\ \delta = A(C,x) - A(C \setminus Y,x)"
    ),
    left=lambda v: _block(v, v.W, v.formulas.patched_weight(v.W_o, _output_update(v)), v.rest),
    right=lambda v: _block(v, v.W, v.W_o, v.full),
    proof=_proof,
    mutants=(
        Mutant(
            "first-matrix-too",
            "Theorem A.2 word for word: ΔW of Eq. (1) at A in the first matrix, and δ added at the end",
            "the recipe is the paper's; but the network of a parallel block is not fed with A",
            Formula(
                "x + A(C∖Y,x) + W_o g_θ((W + ΔW)N(x) + b) + δ = x + A(C,x) + W_o h, ΔW = (Wδ)A(C∖Y,x)ᵀ/‖A(C∖Y,x)‖²",
                r"x + A(C \setminus Y,x) + W_o g_\theta((W + \Delta W)N(x) + b) + \delta = x + A(C,x) + W_o h,\quad "
                r"\Delta W = \frac{(W \delta)A(C \setminus Y,x)^{\top}}{\lVert A(C \setminus Y,x) \rVert^2}",
            ),
            left=_first_matrix,
        ),
        Mutant(
            "no-update",
            "nothing is patched",
            "the network does not see the context, so nothing of it seems to need a patch",
            _statement("ΔW_o = 0", r"\Delta W_o = 0"),
            formulas={"output_update": lambda delta, h: delta @ h.mT - delta @ h.mT},
        ),
        Mutant(
            "full-output-as-target",
            "A(C,x) in place of its change δ",
            "the stream lacks the context's output; but it has that of C∖Y already",
            _statement("ΔW_o = A(C,x)hᵀ/‖h‖²", r"\Delta W_o = \frac{A(C,x)h^{\top}}{\lVert h \rVert^2}"),
            left=lambda v: _block(v, v.W, v.W_o + v.formulas.output_update(v.full, _hidden(v)), v.rest),
        ),
        no_normalisation(
            "the division by ‖h‖² is left out",
            _statement("ΔW_o = δhᵀ", r"\Delta W_o = \delta h^{\top}"),
            formulas={"output_update": lambda delta, h: delta @ h.mT},
        ),
        Mutant(
            "wrong-sign",
            "δ = A(C∖Y,x) - A(C,x)",
            "a difference is as often taken the other way round",
            _statement(
                "ΔW_o = δhᵀ/‖h‖², δ = A(C∖Y,x) - A(C,x)", r"\Delta W_o = \frac{\delta h^{\top}}{\lVert h \rVert^2},\ \delta = A(C \setminus Y,x) - A(C,x)"
            ),
            formulas={"context_vector": lambda z, a: a - z},
        ),
        zero_allowed(
            "h",
            "Theorem 2.2 asks only of A that it is not zero",
            Formula("the same, also if h = 0", r"\text{the same, also if } h = 0"),
            without=("h = g_θ(W N(x) + b) ≠ 0",),
            where=lambda v: not (v.full - v.rest).is_zero(),
            note="h = 0, so that no change of W_o has an effect, but A(C,x) ≠ A(C∖Y,x)",
        ),
    ),
)
