"""A stack of blocks, patched in order, each at the stream that actually arrives.

Block i of L is a Pre-LN block (claim `pre-ln`): with s_{i-1} the last token's stream,

    v = s_{i-1} + A_i(s_{i-1}),    s_i = v + g_i(W_i N_i(v) + b_i) + b′_i,    g_i all that follows the first layer, W′_i included.

What the other tokens contribute to A_i (their keys and values at block i) does not depend on the last token, if attention is causal; A_i attends to the
whole prompt, Ā_i to what is left without Y. Run the stack without Y from the same s₀, patching block i at the stream s′_{i-1} that the patched block
before it put out:

    v = s′_{i-1} + A_i(s′_{i-1}),    v′ = s′_{i-1} + Ā_i(s′_{i-1}),    ΔW_i by Eq. (1) at N_i(v) and N_i(v′),    Δb′_i = v - v′.

Then s′_L = s_L, for every number L of blocks, all sizes, any A_i, Ā_i, N_i and g_i, if N_i(v′) ≠ 0 in every block; by induction on the block. In the proof
L is called n, and A_i(s) is an unknown function of s and of a free vector c_i; Ā_i, N_i and g_i likewise: every family of functions is of this form.
Source: beyond the paper, whose theorems are about one block.
"""

from fractions import Fraction
from typing import Any

from symbolic.claim import Claim, Mutant, no_normalisation, zero_allowed
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import Family

ORDER = 25


def _with(v: Values, i: Any, s: Any) -> Any:
    """Block i's stream after its attention to the whole prompt, where s arrives."""
    return s + v.A(v.c(i), s)


def _without(v: Values, i: Any, s: Any) -> Any:
    """The same without Y."""
    return s + v.A(v.e(i), s)


def _fed(v: Values, i: Any, stream: Any) -> Any:
    return v.N(v.t(i), stream)


def _network(v: Values, i: Any, W: Any, b_prime: Any, stream: Any) -> Any:
    """Block i after its attention."""
    return stream + (v.g(v.t(i), v.formulas.first_layer(W, v.b(i), _fed(v, i, stream))) + b_prime)


def _block(v: Values, i: Any, s: Any) -> Any:
    return _network(v, i, v.W(i), v.d_(i), _with(v, i, s))


def _patched_block(v: Values, i: Any, s: Any, at: Any = None) -> Any:
    """Block i without Y where s arrives; its patch is made at another stream if one is given."""
    made = s if at is None else at
    full, rest = _with(v, i, made), _without(v, i, made)
    a = _fed(v, i, rest)
    update = v.formulas.rank_one_update(v.W(i), v.formulas.context_vector(_fed(v, i, full), a), a)
    b_prime = v.formulas.bias_update(v.d_(i), v.formulas.context_vector(full, rest))
    return _network(v, i, v.formulas.patched_weight(v.W(i), update), b_prime, _without(v, i, s))


def _stack(v: Values, k: Any) -> Any:
    """s_k."""
    return v.recursive("s", "s", k, lambda: v.s, lambda s, i: _block(v, i, s))


def _patched_sequence(v: Values) -> tuple[Any, ...]:
    return "s′", "s'", lambda: v.s, lambda s, i: _patched_block(v, i, s)


def _patched(v: Values, k: Any) -> Any:
    """s′_k."""
    text, latex, start, step = _patched_sequence(v)
    return v.recursive(text, latex, k, start, step)


def _unpatched(v: Values, k: Any) -> Any:
    """The stream without Y and without patches."""
    return v.recursive("u", "u", k, lambda: v.s, lambda s, i: _network(v, i, v.W(i), v.d_(i), _without(v, i, s)))


def _every_block(v: Values) -> list[Any]:
    return [_fed(v, i, _without(v, i, s)) for i, s in v.before_each(*_patched_sequence(v))]


def _full_effect(v: Values) -> Any:
    """By how much the first block's hidden layer depends on what it is fed."""
    z = _fed(v, 1, _with(v, 1, v.s))
    return v.g(v.t(1), v.formulas.first_layer(v.W(1), v.b(1), z)) - v.g(v.t(1), v.b(1))


def _proof(v: Values, d: Derivation) -> None:
    d.notation(
        "sᵢ, s′ᵢ: the last token's stream after block i, with the whole prompt, and without Y and patched; s₀ = s′₀",
        r"s_i, s'_i: \text{ the last token's stream after block } i,\quad s_0 = s'_0",
        "A(cᵢ, s) attends to the whole prompt at block i, A(eᵢ, s) to what is left of it; N(tᵢ, ·) and g(tᵢ, ·) are block i's own",
    )

    def statement(k: Any) -> tuple[Any, Any]:
        return _patched(v, k), _stack(v, k)

    def base() -> None:
        d.chain(v.s, "no block")

    def step(i: Any) -> None:
        s = _patched(v, i - 1)
        full, rest = v.define("v", "v", _with(v, i, s)), v.define("v′", "v'", _without(v, i, s))
        a, z, W, b_prime = _fed(v, i, rest), _fed(v, i, full), v.W(i), v.d_(i)

        def block(inside: Any) -> Any:
            return rest + (v.g(v.t(i), inside) + (b_prime + (full - rest)))

        d.notation(
            "v = s′ᵢ₋₁ + A(cᵢ, s′ᵢ₋₁), v′ = s′ᵢ₋₁ + A(eᵢ, s′ᵢ₋₁)",
            r"v = s'_{i-1} + A(c_i, s'_{i-1}),\quad v' = s'_{i-1} + A(e_i, s'_{i-1})",
            "the streams of block i after its attention, at what actually arrives",
        )
        d.chain(_patched(v, i), "one more block, patched")
        d.then(block(W @ a + (W @ (z - a)) @ (a.mT @ a / (a.mT @ a)) + v.b(i)), "definitions of ΔWᵢ, Eq. (1), and of Δb′ᵢ; the row times the column is 1x1")
        d.then(block(W @ z + v.b(i)), "a nonzero scalar over itself is 1")
        d.then(_block(v, i, s), "Δb′ᵢ moves the stream from v′ to v: block i with the whole prompt, at what arrives")
        d.then(_stack(v, i), "for i - 1: what arrives is sᵢ₋₁")

    d.induction("s′ₙ = sₙ", statement, base, step)
    d.start("the patched stack without Y")
    d.finish("induction")
    d.conclusion(
        "the patched stack without Y gives the last token's logits of the whole prompt",
        r"\text{the patched stack without } Y \text{ gives the last token's logits of the whole prompt}",
        "they are a function of sₙ",
    )


def _statement(text: str, latex: str) -> Formula:
    return Formula(
        f"s′_L = s_L, s′ᵢ = block i without Y at s′ᵢ₋₁, {text}, i = 1..L",
        rf"s'_L = s_L,\quad s'_i = \text{{block }} i \text{{ without }} Y \text{{ at }} s'_{{i-1}},\ {latex},\quad i = 1, \dots, L",
    )


CLAIM = Claim(
    id="stack",
    title="Blocks patched in order, each at the stream that actually arrives, give the last token's output of the whole prompt",
    source="beyond the paper: any number of Pre-LN blocks",
    symbols=(Matrix("s", "d", "1", "s₀", "s_0"),),
    families=(
        Family("c", "d", "1", first=1),
        Family("e", "d", "1", first=1),
        Family("t", "d", "1", first=1),
        Family("W", "m", "d", first=1),
        Family("b", "m", "1", first=1),
        Family("d_", "d", "1", first=1, text="b′", latex="b'"),
    ),
    functions=(
        Function("A", "d", "1", "A", "A", concrete=lambda c, s: c + s, note="A(c, s) = c + s"),
        Function("N", "d", "1", "N", "N", concrete=lambda t, stream: stream - t, note="N(t, v) = v - t"),
        Function("g", "d", "1", "g", "g", concrete=lambda t, inside: inside.map(lambda x: max(x, Fraction(0))), note="every gᵢ is a ReLU"),
    ),
    sizes={"m": "d"},
    hypotheses=(Hypothesis("Nᵢ(v′) ≠ 0 in every block", r"N_i(v') \neq 0 \text{ in every block}", nonzero=_every_block),),
    statement=_statement(
        "ΔWᵢ by Eq. (1) at Nᵢ(v), Nᵢ(v′), Δb′ᵢ = v - v′, v = s′ᵢ₋₁ + Aᵢ(C, s′ᵢ₋₁), v′ = s′ᵢ₋₁ + Aᵢ(C∖Y, s′ᵢ₋₁)",
        r"\Delta W_i \text{ by Eq. (1) at } N_i(v), N_i(v'),\ \Delta b'_i = v - v',"
        r"\ v = s'_{i-1} + A_i(C, s'_{i-1}),\ v' = s'_{i-1} + A_i(C \setminus Y, s'_{i-1})",
    ),
    left=lambda v: _patched(v, v.n),
    right=lambda v: _stack(v, v.n),
    proof=_proof,
    scope="all sizes, all n",
    mutants=(
        Mutant(
            "made-in-one-run",
            "every patch is made at the streams of one run without Y and without patches",
            "one run with and one without Y give all the vectors that Eq. (1) asks for; but once a block is patched, the next one is fed something else",
            _statement("ΔWᵢ, Δb′ᵢ made at the stream of the unpatched run", r"\Delta W_i, \Delta b'_i \text{ made at the stream of the unpatched run}"),
            left=lambda v: v.recursive("s″", "s''", v.n, lambda: v.s, lambda s, i: _patched_block(v, i, s, _unpatched(v, i - 1))),
        ),
        Mutant(
            "last-block-only",
            "only the last block is patched, at what arrives there",
            "its output is all that the logits depend on; but what arrives there has lost Y in every block before",
            Formula("s′_L = s_L, blocks 1..L-1 not patched", r"s'_L = s_L,\ \text{blocks } 1, \dots, L-1 \text{ not patched}"),
            left=lambda v: _patched_block(v, v.n, _unpatched(v, v.n - 1)),
        ),
        Mutant(
            "first-layers-only",
            "no Δb′ᵢ: only the first matrices are patched",
            "Theorem 2.2 needs only ΔW",
            _statement("ΔWᵢ by Eq. (1), Δb′ᵢ = 0", r"\Delta W_i \text{ by Eq. (1)},\ \Delta b'_i = 0"),
            formulas={"bias_update": lambda b_prime, delta: b_prime},
        ),
        no_normalisation("the division in Eq. (1) is left out", _statement("ΔWᵢ = (Wᵢ(z - a))aᵀ", r"\Delta W_i = (W_i(z - a))a^{\top}")),
        zero_allowed(
            "Nᵢ(v′)",
            "a normalised vector seems never to be zero; a LayerNorm of a constant vector is",
            Formula("the same, also if an Nᵢ(v′) = 0", r"\text{the same, also if an } N_i(v') = 0"),
            without=("Nᵢ(v′) ≠ 0 in every block",),
            where=lambda v: v.n == 1 and not _full_effect(v).is_zero(),
            note="N₁(v′) = 0, so that no change of W₁ has an effect, but g₁(W₁N₁(v) + b₁) is not g₁(b₁)",
        ),
    ),
)
