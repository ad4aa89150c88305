"""Appendix B: tokens moved into the weights one by one, from the first to the last.

With a_i = A(c_{i+1}..c_n,x), so that a₀ = A(C,x) and a_n = A(x), and ΔA(c_i) = a_{i-1} - a_i, the recursion

    W_i = W_{i-1} + (W_{i-1}ΔA(c_i))a_iᵀ/‖a_i‖²                           (31)

is Theorem 2.2 for Y = {i}. It keeps the output, T_{W_i}(c_{i+1}..c_n,x) = T_{W₀}(c₁..c_n,x) (32), and is a product,
W_n = W₀(1 + h₁A₁)(1 + h₂A₂)⋯(1 + h_nA_n) with A_i = ΔA(c_i)a_iᵀ and h_i = 1/‖a_i‖², in this order (33)-(35). It agrees with Section 3 on A(x):
both W_n map A(x) to W₀A(C,x), and in general they agree nowhere else. For every n and all sizes, if every a_i, i = 1..n, is not zero; by induction on i.
Source: Corollary B.0.1, Eqs. (27)-(35). The paper does not state the hypotheses.
"""

from typing import Any

from symbolic.claim import Claim, Mutant, no_normalisation
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import Family

ORDER = 9

EVERY_SUFFIX = Hypothesis(
    "A(cᵢ₊₁..cₙ,x) ≠ 0 for i = 1..n", r"A(c_{i+1}, \dots, c_n, x) \neq 0 \text{ for } i = 1, \dots, n", nonzero=lambda v: [v.a(k) for k in v.indices]
)
SUFFIXES = (
    "aᵢ = A(cᵢ₊₁..cₙ,x), a₀ = A(C,x), aₙ = A(x)",
    r"a_i = A(c_{i+1}, \dots, c_n, x),\quad a_0 = A(C,x),\quad a_n = A(x)",
    "the outputs of the contextual layer on what is left of the prompt",
)
SYMBOLS = (Matrix("W", "m", "d", "W₀", "W_0"), Matrix("b", "m", "1"))
OPAQUE = (Function("f", "k", "1", "f_θ", r"f_\theta", note="f_θ is the identity; a_i is A(c_{i+1}..c_n,x)"),)


def effect(v: Values, i: Any) -> Any:
    """ΔA(c_i)."""
    return v.formulas.context_vector(v.a(i - 1), v.a(i))


def weights(v: Values, k: Any) -> Any:
    """W_k of Eq. (31)."""
    return v.recursive(
        "W", "W", k, lambda: v.W, lambda previous, i: v.formulas.patched_weight(previous, v.formulas.rank_one_update(previous, effect(v, i), v.a(i)))
    )


def product(v: Values, k: Any) -> Any:
    """(1 + h₁A₁)⋯(1 + h_kA_k)."""
    return v.recursive("P", "P", k, lambda: v.identity("d"), lambda previous, i: previous @ v.formulas.token_factor(v.identity("d"), effect(v, i), v.a(i)))


def carries(v: Values, k: Any) -> tuple[Any, Any]:
    """W_k a_k = W₀a₀: what Eq. (32) says before the bias and f_θ."""
    return weights(v, k) @ v.a(k), v.W @ v.a(v.start)


def carry(v: Values, d: Derivation) -> None:
    """The induction that proves it."""

    def base() -> None:
        d.chain(v.W @ v.a(v.start), "no token was read")

    def step(i: Any) -> None:
        previous, a, delta = weights(v, i - 1), v.a(i), effect(v, i)
        d.chain(weights(v, i) @ a, "one more token")
        d.then(previous @ a + ((previous @ delta) @ a.mT / (a.mT @ a)) @ a, "Eq. (31)")
        d.then(previous @ a + (previous @ delta) @ (a.mT @ a / (a.mT @ a)), "the row times the column is 1x1: it commutes out")
        d.then(previous @ a + previous @ delta, "a nonzero scalar over itself is 1")
        d.then(previous @ v.a(i - 1), "definition of ΔA(cᵢ)")
        d.then(carries(v, i)[1], "for i - 1")

    d.induction("Wₙ aₙ = W₀ a₀", lambda k: carries(v, k), base, step)


def _recursion(v: Values, d: Derivation) -> None:
    d.notation(*SUFFIXES)
    d.notation(
        "Wᵢ = Wᵢ₋₁ + ΔWᵢ₋₁(cᵢ), Eq. (31)",
        r"W_i = W_{i-1} + \Delta W_{i-1}(c_i)",
        "Theorem 2.2 for the context (cᵢ..cₙ), Y its first position, and the weights Wᵢ₋₁",
    )
    carry(v, d)
    d.start("the block on x alone, with the last weights")
    d.finish("induction; equal arguments give equal values of f_θ")
    d.conclusion(
        "T_{Wᵢ}(cᵢ₊₁..cₙ,x) = T_{W₀}(c₁..cₙ,x) for every i ≤ n",
        r"T_{W_i}(c_{i+1}, \dots, c_n, x) = T_{W_0}(c_1, \dots, c_n, x) \text{ for every } i \leq n",
        "nothing in the induction depends on n, so it may stop at any i",
    )


def _factorization(v: Values, d: Derivation) -> None:
    d.notation(*SUFFIXES)
    d.notation("Pᵢ = (1 + h₁A₁)⋯(1 + hᵢAᵢ)", r"P_i = (1 + h_1 A_1) \cdots (1 + h_i A_i)", "the product of the first i factors")

    def factored(k: Any) -> tuple[Any, Any]:
        return weights(v, k), v.W @ product(v, k)

    def base() -> None:
        d.chain(v.W, "no token was read")
        d.then(factored(v.start)[1], "the empty product is 1")

    def step(i: Any) -> None:
        previous, a, delta = weights(v, i - 1), v.a(i), effect(v, i)
        d.chain(weights(v, i), "one more token")
        d.then(previous @ (v.identity("d") + delta @ a.mT / (a.mT @ a)), "Eq. (33)")
        d.then((v.W @ product(v, i - 1)) @ (v.identity("d") + delta @ a.mT / (a.mT @ a)), "for i - 1")
        d.then(factored(i)[1], "the product has one more factor, on the right")

    d.induction("Wₙ = W₀ Pₙ", factored, base, step)
    d.start("the weights after n tokens")
    d.finish("induction")


def section_3(v: Values) -> Any:
    """W_n of Section 3: W₀ with the whole context moved into it at once."""
    last, first = v.a(v.n), v.a(v.start)
    update = v.formulas.rank_one_update(v.W, v.formulas.context_vector(first, last), last)
    return v.define("W′ₙ", "W'_n", v.formulas.patched_weight(v.W, update))


def _versus(v: Values, d: Derivation) -> None:
    a, first = v.a(v.n), v.a(v.start)
    d.notation(*SUFFIXES)
    d.notation("W′ₙ = W₀ + (W₀(a₀ - aₙ))aₙᵀ/‖aₙ‖²", r"W'_n = W_0 + \frac{(W_0(a_0 - a_n))a_n^{\top}}{\lVert a_n \rVert^2}", "Section 3's weights, Eq. (13)")
    carry(v, d)
    d.start("the difference of the two, at A(x)")
    d.then(weights(v, v.n) @ a - section_3(v) @ a, "distributivity")
    d.then(v.W @ first - section_3(v) @ a, "induction")
    d.then(v.W @ first - (v.W @ a + (v.W @ (first - a)) @ (a.mT @ a / (a.mT @ a))), "definition of W′ₙ; the row times the column is 1x1")
    d.finish("a nonzero scalar over itself is 1")
    d.conclusion(
        "Wₙ ≠ W′ₙ in general, not even at right angles to A(x)",
        r"W_n \neq W'_n \text{ in general, not even at right angles to } A(x)",
        "by the counterexamples to the mutants equal-everywhere and agree-across, with n = 2",
    )


RECURSION = Claim(
    id="corollary-b.0.1",
    title="Moving the tokens into the weights one by one keeps the output",
    source="Corollary B.0.1, Eqs. (27)-(32)",
    symbols=SYMBOLS,
    families=(Family("a", "d", "1"),),
    functions=OPAQUE,
    sizes={"k": "m"},
    hypotheses=(EVERY_SUFFIX,),
    statement=Formula(
        "T_{Wᵢ}(cᵢ₊₁..cₙ,x) = T_{W₀}(c₁..cₙ,x), Wᵢ = Wᵢ₋₁ + (Wᵢ₋₁ΔA(cᵢ))A(cᵢ₊₁..cₙ,x)ᵀ/‖A(cᵢ₊₁..cₙ,x)‖², i = 0..n",
        r"T_{W_i}(c_{i+1}, \dots, c_n, x) = T_{W_0}(c_1, \dots, c_n, x),\quad"
        r" W_i = W_{i-1} + \frac{(W_{i-1} \Delta A(c_i))A(c_{i+1}, \dots, c_n, x)^{\top}}{\lVert A(c_{i+1}, \dots, c_n, x) \rVert^2},\quad i = 0, \dots, n",
    ),
    left=lambda v: v.f(v.formulas.first_layer(weights(v, v.n), v.b, v.a(v.n))),
    right=lambda v: v.f(v.formulas.first_layer(v.W, v.b, v.a(v.start))),
    proof=_recursion,
    scope="all sizes, all n",
    mutants=(
        no_normalisation(
            "the division by ‖A(cᵢ₊₁..cₙ,x)‖² is left out",
            Formula("Wᵢ = Wᵢ₋₁ + (Wᵢ₋₁ΔA(cᵢ))aᵢᵀ", r"W_i = W_{i-1} + (W_{i-1} \Delta A(c_i))a_i^{\top}"),
        ),
        Mutant(
            "row-of-the-longer-suffix",
            "aᵢ₋₁ in place of aᵢ in the row",
            "the two suffixes differ by one token, and an index is easily shifted",
            Formula("Wᵢ = Wᵢ₋₁ + (Wᵢ₋₁ΔA(cᵢ))aᵢ₋₁ᵀ/‖aᵢ‖²", r"W_i = W_{i-1} + \frac{(W_{i-1} \Delta A(c_i))a_{i-1}^{\top}}{\lVert a_i \rVert^2}"),
            formulas={"rank_one_update": lambda W, delta, a: (W @ delta) @ (a + delta).mT / (a.mT @ a)},
        ),
        Mutant(
            "always-from-the-first-weights",
            "the updates are all made from W₀ and added",
            "in Section 3 every update is made from W₀",
            Formula("Wᵢ = Wᵢ₋₁ + (W₀ΔA(cᵢ))aᵢᵀ/‖aᵢ‖²", r"W_i = W_{i-1} + \frac{(W_0 \Delta A(c_i))a_i^{\top}}{\lVert a_i \rVert^2}"),
            left=lambda v: v.f(
                v.formulas.first_layer(
                    v.recursive("V", "V", v.n, lambda: v.W, lambda previous, i: previous + v.formulas.rank_one_update(v.W, effect(v, i), v.a(i))),
                    v.b,
                    v.a(v.n),
                )
            ),
        ),
        Mutant(
            "one-token-short",
            "the last weights are used on a prompt that still has the last token",
            "the index i of Wᵢ and the first token i + 1 that is left are easily confused",
            Formula("T_{Wₙ}(cₙ,x) = T_{W₀}(c₁..cₙ,x)", r"T_{W_n}(c_n, x) = T_{W_0}(c_1, \dots, c_n, x)"),
            left=lambda v: v.f(v.formulas.first_layer(weights(v, v.n), v.b, v.a(v.n - 1))),
        ),
        Mutant(
            "missing-suffix-hypothesis",
            "only A(x) ≠ 0 is assumed, not that every suffix's output is not zero",
            "Section 3 needs only A(x) ≠ 0, and the paper states neither",
            Formula("T_{Wₙ}(x) = T_{W₀}(c₁..cₙ,x), if A(x) ≠ 0", r"T_{W_n}(x) = T_{W_0}(c_1, \dots, c_n, x) \text{ if } A(x) \neq 0"),
            without=(EVERY_SUFFIX.text,),
            where=lambda v: not v.a(v.n).is_zero() and not (v.W @ v.a(v.start)).is_zero(),
            note="an output on the way is zero, a_i = 0 with 0 < i < n, though A(x) is not: no W_i has W_i a_i = W₀a₀",
        ),
    ),
)

FACTORIZATION = Claim(
    id="appendix-b-factorization",
    title="The weights after n tokens are W₀ times one factor a token, in the tokens' order",
    source="Appendix B, Eqs. (33)-(35)",
    symbols=SYMBOLS[:1],
    families=(Family("a", "d", "1"),),
    hypotheses=(EVERY_SUFFIX,),
    statement=Formula(
        "Wₙ = W₀(1 + h₁A₁)(1 + h₂A₂)⋯(1 + hₙAₙ), Aᵢ = ΔA(cᵢ)aᵢᵀ, hᵢ = 1/‖aᵢ‖²",
        r"W_n = W_0(1 + h_1 A_1)(1 + h_2 A_2) \cdots (1 + h_n A_n),\quad A_i = \Delta A(c_i)a_i^{\top},\quad h_i = 1/\lVert a_i \rVert^2",
    ),
    left=lambda v: weights(v, v.n),
    right=lambda v: v.W @ product(v, v.n),
    proof=_factorization,
    scope="all sizes, all n",
    mutants=(
        Mutant(
            "reversed-order",
            "the factors in the opposite order",
            "a product of maps is often written with the last one first",
            Formula("Wₙ = W₀(1 + hₙAₙ)⋯(1 + h₁A₁)", r"W_n = W_0(1 + h_n A_n) \cdots (1 + h_1 A_1)"),
            right=lambda v: (
                v.W
                @ v.recursive(
                    "Q", "Q", v.n, lambda: v.identity("d"), lambda previous, i: v.formulas.token_factor(v.identity("d"), effect(v, i), v.a(i)) @ previous
                )
            ),
        ),
        Mutant(
            "first-order-only",
            "the product is replaced by 1 + h₁A₁ + ... + hₙAₙ",
            "for small hA the products of two are neglected",
            Formula("Wₙ = W₀(1 + h₁A₁ + ... + hₙAₙ)", r"W_n = W_0(1 + h_1 A_1 + \dots + h_n A_n)"),
            right=lambda v: (
                v.W @ v.recursive("Q", "Q", v.n, lambda: v.identity("d"), lambda previous, i: v.formulas.token_factor(previous, effect(v, i), v.a(i)))
            ),
        ),
        Mutant(
            "outer-product-transposed",
            "Aᵢ = aᵢΔA(cᵢ)ᵀ",
            "which of the two is the row is easily confused; if they are parallel it makes no difference",
            Formula("Aᵢ = aᵢΔA(cᵢ)ᵀ", r"A_i = a_i \Delta A(c_i)^{\top}"),
            formulas={"token_factor": lambda one, delta, a: one + a @ delta.mT / (a.mT @ a)},
        ),
        Mutant(
            "no-learning-rate",
            "hᵢ is left out",
            "a learning rate is often dropped from formulas",
            Formula("Wₙ = W₀(1 + A₁)⋯(1 + Aₙ)", r"W_n = W_0(1 + A_1) \cdots (1 + A_n)"),
            formulas={"token_factor": lambda one, delta, a: one + delta @ a.mT},
        ),
        Mutant(
            "missing-suffix-hypothesis",
            "not every suffix's output is assumed not to be zero",
            "the paper does not state it",
            Formula(
                "W₀(1 + h₁A₁)⋯(1 + hₙAₙ)A(x) = W₀A(C,x), also if an aᵢ is 0",
                r"W_0(1 + h_1 A_1) \cdots (1 + h_n A_n)A(x) = W_0 A(C,x),\ \text{also if an } a_i \text{ is } 0",
            ),
            left=lambda v: v.W @ product(v, v.n) @ v.a(v.n),
            right=lambda v: v.W @ v.a(v.start),
            without=(EVERY_SUFFIX.text,),
            where=lambda v: not (v.W @ v.a(v.start)).is_zero(),
            note="an aᵢ is 0: its factor is not 1, it does not exist",
        ),
    ),
)

VERSUS = Claim(
    id="appendix-b-versus-section-3",
    title="The weights of Appendix B and of Section 3 agree on A(x), and in general nowhere else",
    source="Remark 3.2 and Appendix B",
    symbols=(SYMBOLS[0], Matrix("x", "d", "1", "v", "v")),
    families=(Family("a", "d", "1"),),
    hypotheses=(EVERY_SUFFIX,),
    statement=Formula(
        "(Wₙ - W′ₙ)A(x) = 0, Wₙ of Eq. (31), W′ₙ of Eq. (13); in general Wₙ ≠ W′ₙ for n ≥ 2",
        r"(W_n - W'_n)A(x) = 0,\quad W_n \text{ of Eq. (31)},\ W'_n \text{ of Eq. (13)};\quad \text{in general } W_n \neq W'_n \text{ for } n \geq 2",
    ),
    left=lambda v: (weights(v, v.n) - section_3(v)) @ v.a(v.n),
    right=lambda v: v.zero("m"),
    proof=_versus,
    scope="all sizes, all n",
    mutants=(
        Mutant(
            "equal-everywhere",
            "the two weights are the same matrix",
            "both carry the whole context, and each is the only such update that its derivation offers",
            Formula("Wₙ = W′ₙ", r"W_n = W'_n"),
            left=lambda v: weights(v, v.n),
            right=section_3,
            note="the two agree on A(x) and differ elsewhere",
        ),
        Mutant(
            "agree-on-the-full-output",
            "they agree on A(C,x)",
            "A(C,x) is the vector that both are about",
            Formula("(Wₙ - W′ₙ)A(C,x) = 0", r"(W_n - W'_n)A(C,x) = 0"),
            left=lambda v: (weights(v, v.n) - section_3(v)) @ v.a(v.start),
        ),
        Mutant(
            "difference-of-rank-one",
            "their difference always has rank 1 at least",
            "two different ways to the same end would leave a trace",
            Formula("Wₙ ≠ W′ₙ, always", r"W_n \neq W'_n \text{ always}"),
            left=lambda v: v.nonzero(weights(v, v.n) - section_3(v)),
            right=lambda v: v.number(1),
            note="with a single token they are the same",
        ),
        Mutant(
            "agree-across",
            "they agree on everything at right angles to A(x)",
            "the updates of Section 3 vanish there, so nothing seems to happen there at all",
            Formula("(Wₙ - W′ₙ)v = 0 if A(x)ᵀv = 0", r"(W_n - W'_n)v = 0 \text{ if } A(x)^{\top} v = 0"),
            left=lambda v: (v.a(v.n).mT @ v.a(v.n)) * ((weights(v, v.n) - section_3(v)) @ v.x),
            right=lambda v: (v.a(v.n).mT @ v.x) * ((weights(v, v.n) - section_3(v)) @ v.a(v.n)),
            where=lambda v: (v.a(v.n).mT @ v.x).is_zero(),
            note="v is at right angles to A(x)",
        ),
        Mutant(
            "missing-suffix-hypothesis",
            "only A(x) ≠ 0 is assumed",
            "Section 3 needs no more",
            Formula("(Wₙ - W′ₙ)A(x) = 0 if A(x) ≠ 0", r"(W_n - W'_n)A(x) = 0 \text{ if } A(x) \neq 0"),
            without=(EVERY_SUFFIX.text,),
            where=lambda v: not v.a(v.n).is_zero() and not (v.W @ v.a(v.start)).is_zero(),
            note="an output on the way is zero, though A(x) is not: Wₙ does not exist, W′ₙ does",
        ),
    ),
)

CLAIMS = (RECURSION, FACTORIZATION, VERSUS)
