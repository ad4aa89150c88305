"""The Pre-LN block, which Definition A.1 is not.

A Pre-LN block (He and Hofmann, ICLR 2024) adds the attention to the residual stream, v = x + A(·), and feeds the NORMALISED stream to the network:

    v + W′g_θ(W N(v) + b) + b′,    N any normalisation.

With z = N(v_C) and a = N(v_{C∖Y}): ΔW by Eq. (1) at these, and Δb′ = v_C - v_{C∖Y}, carry the context, for any N and g_θ, if a ≠ 0. Definition A.1 feeds
A alone to the network; if its A is read as the residual stream v, then x + A counts x twice.
Source: Definition A.1, Eq. (22), and its reference [26].
"""

from typing import Any

from symbolic.claim import Claim, Mutant, zero_allowed
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import unfold

ORDER = 19


def _with(v: Values) -> Any:
    """The residual stream v with the whole context."""
    return v.define("v", "v", v.x + v.full)


def _without(v: Values) -> Any:
    """The residual stream v′ without Y."""
    return v.define("v′", "v'", v.x + v.rest)


def _block(v: Values, W: Any, b_prime: Any, stream: Any) -> Any:
    return v.formulas.residual_connection(stream, v.W_prime @ v.g(v.formulas.first_layer(W, v.b, v.N(stream))) + b_prime)


def _delta(v: Values) -> Any:
    return v.formulas.context_vector(v.N(_with(v)), v.N(_without(v)))


def _update(v: Values) -> Any:
    return v.define("ΔW", r"\Delta W", v.formulas.rank_one_update(v.W, _delta(v), v.N(_without(v))))


def _patched(v: Values) -> Any:
    change = v.formulas.context_vector(_with(v), _without(v))
    return _block(v, v.formulas.patched_weight(v.W, _update(v)), v.formulas.bias_update(v.b_prime, change), _without(v))


def _full(v: Values) -> Any:
    return _block(v, v.W, v.b_prime, _with(v))


def _proof(v: Values, d: Derivation) -> None:
    W, b, rest, full = v.W, v.b, _without(v), _with(v)
    a, z = v.define("a", "a", v.N(rest)), v.define("z", "z", v.N(full))

    def block(inside: Any) -> Any:
        return rest + (v.W_prime @ v.g(inside) + (v.b_prime + (full - rest)))

    d.notation(
        "v = x + A(C,x), v′ = x + A(C∖Y,x), z = N(v), a = N(v′)",
        r"v = x + A(C,x),\quad v' = x + A(C \setminus Y,x),\quad z = N(v),\quad a = N(v')",
        "the residual stream, and what the network is fed",
    )
    d.start("the block without Y, patched in two places")
    d.then(block(W @ a + unfold(_update(v)) @ a + b), "distributivity; definition of ΔW, Eq. (1)")
    d.then(block(W @ a + (W @ (z - a)) @ (a.mT @ a / (a.mT @ a)) + b), "aᵀa is 1x1: it commutes out of the product")
    d.then(block(W @ a + W @ (z - a) + b), "a nonzero scalar over itself is 1")
    d.then(block(W @ z + b), "distributivity; equal arguments give equal values of g_θ")
    d.finish("Δb′ moves the residual stream from v without Y to v with it")


CLAIM = Claim(
    id="pre-ln",
    title="The Pre-LN block: ΔW at the normalised stream, Δb′ the change of the stream",
    source="corrects Definition A.1 as a description of reference [26]",
    symbols=(
        Matrix("W", "m", "d"),
        Matrix("full", "d", "1", "A(C,x)", "A(C,x)"),
        Matrix("rest", "d", "1", "A(C∖Y,x)", r"A(C \setminus Y,x)"),
        Matrix("x", "d", "1"),
        Matrix("b", "m", "1"),
        Matrix("W_prime", "d", "k", "W′", "W'"),
        Matrix("b_prime", "d", "1", "b′", "b'"),
    ),
    functions=(Function("g", "k", "1", "g_θ", r"g_\theta", note="g_θ and N are the identity"), Function("N", "d", "1", "N", "N")),
    sizes={"k": "m"},
    hypotheses=(Hypothesis("a = N(x + A(C∖Y,x)) ≠ 0", r"a = N(x + A(C \setminus Y,x)) \neq 0", nonzero=lambda v: v.N(v.x + v.rest)),),
    statement=Formula(
        "v′ + W′g_θ((W + ΔW)N(v′) + b) + b′ + (v - v′) = v + W′g_θ(W N(v) + b) + b′, v = x + A(C,x), v′ = x + A(C∖Y,x), ΔW by Eq. (1) at N(v), N(v′)",
        r"v' + W' g_\theta((W + \Delta W)N(v') + b) + b' + (v - v') = v + W' g_\theta(W N(v) + b) + b',\quad v = x + A(C,x),\ v' = x + A(C \setminus Y,x),\quad"
        r"\Delta W = \frac{W(N(v) - N(v'))\, N(v')^{\top}}{\lVert N(v') \rVert^2}",
    ),
    left=_patched,
    right=_full,
    proof=_proof,
    mutants=(
        Mutant(
            "residual-counted-twice",
            "Definition A.1 with A read as the residual stream: x + v in place of v",
            "the paper says that Definition A.1 encompasses the Pre-LN block, whose network is fed with the stream",
            Formula("x + v + W′g_θ(W N(v) + b) + b′ = v + W′g_θ(W N(v) + b) + b′", r"x + v + W' g_\theta(W N(v) + b) + b' = v + W' g_\theta(W N(v) + b) + b'"),
            left=lambda v: v.formulas.skip_connection(v.x, _with(v), v.W_prime @ v.g(v.formulas.first_layer(v.W, v.b, v.N(_with(v)))) + v.b_prime),
            note="x is added once by Definition A.1 and once inside A",
        ),
        Mutant(
            "attention-alone-is-fed",
            "Definition A.1 with A the attention: the network is fed A in place of N(x + A)",
            "the paper says that Definition A.1 encompasses the Pre-LN block",
            Formula("x + A + W′g_θ(W A + b) + b′ = v + W′g_θ(W N(v) + b) + b′", r"x + A + W' g_\theta(W A + b) + b' = v + W' g_\theta(W N(v) + b) + b'"),
            left=lambda v: v.formulas.skip_connection(v.x, v.full, v.W_prime @ v.g(v.formulas.first_layer(v.W, v.b, v.full)) + v.b_prime),
        ),
        Mutant(
            "no-bias-update",
            "Δb′ is left out",
            "Theorem 2.2 needs only ΔW",
            Formula(
                "v′ + W′g_θ((W + ΔW)N(v′) + b) + b′ = v + W′g_θ(W N(v) + b) + b′",
                r"v' + W' g_\theta((W + \Delta W)N(v') + b) + b' = v + W' g_\theta(W N(v) + b) + b'",
            ),
            formulas={"bias_update": lambda b_prime, delta: b_prime},
        ),
        Mutant(
            "wrong-sign-of-the-bias",
            "Δb′ = v′ - v",
            "what the stream gained seems to have to be taken away",
            Formula("Δb′ = v′ - v", r"\Delta b' = v' - v"),
            formulas={"bias_update": lambda b_prime, delta: b_prime - delta},
        ),
        Mutant(
            "update-at-the-attention",
            "ΔW of Eq. (1) at A(C∖Y,x) in place of N(x + A(C∖Y,x))",
            "Eq. (1) is stated with A",
            Formula("ΔW = (WΔA)A(C∖Y,x)ᵀ/‖A(C∖Y,x)‖²", r"\Delta W = \frac{(W \Delta A)A(C \setminus Y,x)^{\top}}{\lVert A(C \setminus Y,x) \rVert^2}"),
            left=lambda v: _block(
                v,
                v.W + v.formulas.rank_one_update(v.W, v.formulas.context_vector(v.full, v.rest), v.rest),
                v.b_prime + (v.full - v.rest),
                _without(v),
            ),
        ),
        zero_allowed(
            "N(x + A(C∖Y,x))",
            "a normalised vector seems never to be zero; a LayerNorm of a constant vector is",
            Formula("the same, also if N(v′) = 0", r"\text{the same, also if } N(v') = 0"),
            without=("a = N(x + A(C∖Y,x)) ≠ 0",),
            where=lambda v: not (v.W_prime @ v.W @ v.N(v.x + v.full)).is_zero(),
            note="N(v′) = 0, so that no change of W has an effect, but WN(v) ≠ 0",
        ),
    ),
)
