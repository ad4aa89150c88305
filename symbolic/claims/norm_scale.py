"""With a norm after the network, its scale carries what the skip connection needs.

A post-norm scales a normalised value entry by entry, m ⊙ ĥ, before it is added to the stream. With ĥ = N̂(W′g_θ(W N(v) + b)), which the first layer's
patch makes the same without Y, and δ = v - v′,

    v′ + (m + Δm) ⊙ N̂(W′g_θ((W + ΔW)N(v′) + b)) = v + m ⊙ ĥ,    Δm = δ ⊘ ĥ,

⊙ and ⊘ entry by entry, for any streams v and v′, any N, N̂ and g_θ and all sizes, if N(v′) ≠ 0 and no entry of ĥ is zero. In the proof x ⊙ y is diag(y)x
and x ⊘ y is diag(y)⁻¹x, for matrices of which nothing is known but that diag(ĥ)diag(ĥ)⁻¹ = 1 (``symbolic.algebra.entrywise``).
Source: beyond the paper: Theorem A.2 for blocks that normalise what the network adds.
"""

from typing import Any

from symbolic.claim import Claim, Mutant
from symbolic.claims.bias_free_output import FED, change, update
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values

ORDER = 22


def _normalised(v: Values, W: Any, stream: Any) -> Any:
    return v.P(v.W_prime @ v.g(v.formulas.first_layer(W, v.b, v.N(stream))))


def _hat(v: Values) -> Any:
    return v.define("ĥ", r"\hat{h}", _normalised(v, v.W, v.full))


def _scale_update(v: Values) -> Any:
    return v.define("Δm", r"\Delta m", v.formulas.scale_update(change(v), _hat(v)))


def _block(v: Values, W: Any, scale: Any, stream: Any) -> Any:
    return stream + scale * _normalised(v, W, stream)


def _with_scale(v: Values, scale_update: Any) -> Any:
    return _block(v, v.formulas.patched_weight(v.W, update(v)), v.m_ + scale_update, v.rest)


def _proof(v: Values, d: Derivation) -> None:
    hat, delta = _hat(v), change(v)
    a, z = v.define("a", "a", v.N(v.rest)), v.define("z", "z", v.N(v.full))
    d.notation(
        "a = N(v′), z = N(v), ĥ = N̂(W′g_θ(Wz + b)), δ = v - v′",
        r"a = N(v'),\quad z = N(v),\quad \hat{h} = \hat{N}(W' g_\theta(Wz + b)),\quad \delta = v - v'",
        "what the network is fed, what is scaled, and what the stream lacks without Y",
    )
    d.start("the block without Y, its first matrix and its scale patched")
    d.then(v.rest + (v.m_ + _scale_update(v)) * v.P(v.W_prime @ v.g(v.W @ a + (v.W @ (z - a)) @ (a.mT @ a / (a.mT @ a)) + v.b)), "definition of ΔW, Eq. (1)")
    d.then(v.rest + (v.m_ + _scale_update(v)) * hat, "a nonzero scalar over itself is 1: what is scaled is ĥ without Y too")
    d.then(v.rest + (v.m_ * hat + (delta / hat) * hat), "distributivity; definition of Δm")
    d.then(v.rest + (v.m_ * hat + delta), "entry by entry, a number other than zero over itself is 1")
    d.finish("definition of δ")


def _lost(v: Values) -> bool:
    """Whether the streams differ in an entry in which ĥ is zero."""
    return any(h == "0" and delta != "0" for (h,), (delta,) in zip(_hat(v).rows(), change(v).rows(), strict=True))


def _statement(update: str, latex_update: str) -> Formula:
    return Formula(
        f"v′ + (m + Δm) ⊙ N̂(W′g_θ((W + ΔW)N(v′) + b)) = v + m ⊙ ĥ, ĥ = N̂(W′g_θ(W N(v) + b)), ΔW by Eq. (1) at N(v), N(v′), {update}",
        r"v' + (m + \Delta m) \odot \hat{N}(W' g_\theta((W + \Delta W)N(v') + b)) = v + m \odot \hat{h},\quad \hat{h} = \hat{N}(W' g_\theta(W N(v) + b)),\quad"
        rf"\Delta W = \frac{{W(N(v) - N(v'))N(v')^{{\top}}}}{{\lVert N(v') \rVert^2}},\quad {latex_update}",
    )


CLAIM = Claim(
    id="norm-scale",
    title="With a norm after the network, Δm = δ ⊘ ĥ of its scale does what Δb′ = δ would",
    source="beyond the paper: Theorem A.2 for blocks with a post-norm",
    symbols=(
        Matrix("W", "m", "d"),
        Matrix("W_prime", "d", "k", "W′", "W'"),
        Matrix("m_", "d", "1", "m", "m"),
        Matrix("full", "d", "1", "v", "v"),
        Matrix("rest", "d", "1", "v′", "v'"),
        Matrix("b", "m", "1"),
    ),
    functions=(
        Function("g", "k", "1", "g_θ", r"g_\theta", note="g_θ, N and N̂ are the identity"),
        Function("N", "d", "1", "N", "N"),
        Function("P", "d", "1", "N̂", r"\hat{N}"),
    ),
    sizes={"k": "m"},
    hypotheses=(FED, Hypothesis("every ĥⱼ ≠ 0", r"\hat{h}_j \neq 0 \text{ for every } j", no_zero_entry=_hat)),
    statement=_statement("Δm = (v - v′) ⊘ ĥ", r"\Delta m = (v - v') \oslash \hat{h}"),
    left=lambda v: _with_scale(v, _scale_update(v)),
    right=lambda v: _block(v, v.W, v.m_, v.full),
    proof=_proof,
    mutants=(
        Mutant(
            "not-divided",
            "Δm = δ",
            "Δb′ = δ is what a bias takes; but a scale is multiplied by ĥ",
            _statement("Δm = v - v′", r"\Delta m = v - v'"),
            formulas={"scale_update": lambda delta, normalised: delta},
        ),
        Mutant(
            "one-number-for-all",
            "the squared norm of ĥ in place of its entries",
            "every other update divides by a squared norm",
            _statement("Δm = (v - v′)/‖ĥ‖²", r"\Delta m = \frac{v - v'}{\lVert \hat{h} \rVert^2}"),
            formulas={"scale_update": lambda delta, normalised: delta / (normalised.mT @ normalised)},
        ),
        Mutant(
            "multiplied",
            "Δm = δ ⊙ ĥ",
            "which of two entrywise operations undoes the other is easily confused",
            _statement("Δm = (v - v′) ⊙ ĥ", r"\Delta m = (v - v') \odot \hat{h}"),
            formulas={"scale_update": lambda delta, normalised: delta * normalised},
        ),
        Mutant(
            "already-scaled",
            "δ is divided by m ⊙ ĥ, the norm's output",
            "what a norm returns is scaled already, and a hook on it sees nothing else",
            _statement("Δm = (v - v′) ⊘ (m ⊙ ĥ)", r"\Delta m = (v - v') \oslash (m \odot \hat{h})"),
            left=lambda v: _with_scale(v, v.formulas.scale_update(change(v), v.m_ * _hat(v))),
            where=lambda v: not v.m_.has_zero_entry(),
        ),
        Mutant(
            "no-first-update",
            "ΔW is left out, Δm alone is added",
            "the scale can move the sum anywhere; but what it scales without Y is not ĥ",
            Formula(
                "v′ + (m + Δm) ⊙ N̂(W′g_θ(W N(v′) + b)) = v + m ⊙ ĥ, Δm = (v - v′) ⊘ ĥ",
                r"v' + (m + \Delta m) \odot \hat{N}(W' g_\theta(W N(v') + b)) = v + m \odot \hat{h},\quad \Delta m = (v - v') \oslash \hat{h}",
            ),
            formulas={"rank_one_update": lambda W, delta, a: W - W},
        ),
        Mutant(
            "zero-entry-allowed",
            "only ĥ ≠ 0 is assumed, not that no entry of it is zero",
            "the other updates need only a vector that is not zero",
            Formula("the same, if ĥ ≠ 0", r"\text{the same, if } \hat{h} \neq 0"),
            without=("every ĥⱼ ≠ 0",),
            where=lambda v: not _hat(v).is_zero() and not v.N(v.rest).is_zero() and _lost(v),
            note="ĥ ≠ 0 has a zero entry, where no change of m has an effect, but where v and v′ differ",
        ),
    ),
)
