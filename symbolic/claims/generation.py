"""A patch for each block and token replays a whole generation.

A model of L Pre-LN blocks (claim `pre-ln`) that generates T tokens runs a block n = LT times. Let S_i be all that it has after i runs beside the prompt:
the tokens generated so far with their keys and values, and the current token's stream. Run i reads the prompt and S_{i-1}, and its output goes into S_i:

    v = A_i(C, S_{i-1}),    S_i = next_i(S_{i-1}, v + g_i(W_i N_i(v) + b_i) + b′_i),

v the stream after the attention, g_i all that follows the first layer. If i is a multiple of L, next_i also reads the logits, chooses a token and appends
it. Without Y, patch each run at the state that the patched runs before it have led to:

    v = A_i(C, S′_{i-1}),    v′ = A_i(C∖Y, S′_{i-1}),    ΔW_i by Eq. (1) at N_i(v) and N_i(v′),    Δb′_i = v - v′.

Then from S′₀ = S₀ all the states and so all the tokens are the same, S′_n = S_n, for every n and all sizes, any A_i, N_i and g_i, and any way to choose
(greedy; or sampling from given random numbers), if N_i(v′) ≠ 0 in every run; by induction on the run. With one block this is one patch a token. In the
proof A_i is an unknown function of S and of a free vector c_i for the prompt, e_i without Y; the other functions with index i likewise: every family of
functions is of this form.
Source: beyond the paper, whose theorems are about one block and one token.
"""

from fractions import Fraction
from typing import Any

from symbolic.claim import Claim, Mutant, no_normalisation, zero_allowed
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import Family

ORDER = 26


def _full(v: Values, i: Any, state: Any) -> Any:
    """The stream after the attention of run i to the whole prompt."""
    return v.A(v.c(i), state)


def _rest(v: Values, i: Any, state: Any) -> Any:
    """The same without Y."""
    return v.A(v.e(i), state)


def _output(v: Values, i: Any, W: Any, b_prime: Any, stream: Any) -> Any:
    """The block of run i after its attention."""
    return stream + (v.g(v.t(i), v.formulas.first_layer(W, v.b(i), v.N(v.t(i), stream))) + b_prime)


def _patched_output(v: Values, i: Any, state: Any, at: Any = None) -> Any:
    """The output of run i without Y; its patch is made at another state if one is given."""
    made = state if at is None else at
    full, rest = _full(v, i, made), _rest(v, i, made)
    a = v.N(v.t(i), rest)
    update = v.formulas.rank_one_update(v.W(i), v.formulas.context_vector(v.N(v.t(i), full), a), a)
    b_prime = v.formulas.bias_update(v.d_(i), v.formulas.context_vector(full, rest))
    return _output(v, i, v.formulas.patched_weight(v.W(i), update), b_prime, _rest(v, i, state))


def _run(v: Values, i: Any, state: Any) -> Any:
    """S_i from S_{i-1}."""
    return v.next(v.t(i), state, _output(v, i, v.W(i), v.d_(i), _full(v, i, state)))


def _states(v: Values, k: Any) -> Any:
    """S_k."""
    return v.recursive("S", "S", k, lambda: v.S, lambda state, i: _run(v, i, state))


def _replay(v: Values) -> tuple[Any, ...]:
    return "S′", "S'", lambda: v.S, lambda state, i: v.next(v.t(i), state, _patched_output(v, i, state))


def _replayed(v: Values, k: Any) -> Any:
    """S′_k."""
    text, latex, start, step = _replay(v)
    return v.recursive(text, latex, k, start, step)


def _otherwise(v: Values, at: Any) -> Any:
    """A replay whose patches are made at other states: at(state, i)."""
    return v.recursive("S″", "S''", v.n, lambda: v.S, lambda state, i: v.next(v.t(i), state, _patched_output(v, i, state, at(state, i))))


def _first_run_only(v: Values) -> Any:
    def unpatched(state: Any, i: Any) -> Any:
        return v.next(v.t(i + 1), state, _output(v, i + 1, v.W(i + 1), v.d_(i + 1), _rest(v, i + 1, state)))

    first = v.start + 1
    return v.recursive("S″", "S''", v.n - 1, lambda: v.next(v.t(first), v.S, _patched_output(v, first, v.S)), unpatched)


def _proof(v: Values, d: Derivation) -> None:
    d.notation(
        "Sᵢ, S′ᵢ: the state after i runs, with the whole prompt, and without Y and patched; S₀ = S′₀",
        r"S_i, S'_i: \text{ the state after } i \text{ runs},\quad S_0 = S'_0",
        "A(cᵢ, S) attends to the whole prompt in run i, A(eᵢ, S) to what is left of it; N(tᵢ, ·), g(tᵢ, ·) and next(tᵢ, ·) are run i's own",
    )

    def statement(k: Any) -> tuple[Any, Any]:
        return _replayed(v, k), _states(v, k)

    def base() -> None:
        d.chain(v.S, "no run")

    def step(i: Any) -> None:
        state = _replayed(v, i - 1)
        full, rest = v.define("v", "v", _full(v, i, state)), v.define("v′", "v'", _rest(v, i, state))
        a, z, W = v.N(v.t(i), rest), v.N(v.t(i), full), v.W(i)

        def after(inside: Any) -> Any:
            return v.next(v.t(i), state, rest + (v.g(v.t(i), inside) + (v.d_(i) + (full - rest))))

        d.notation("v = A(cᵢ, S′ᵢ₋₁), v′ = A(eᵢ, S′ᵢ₋₁)", r"v = A(c_i, S'_{i-1}),\quad v' = A(e_i, S'_{i-1})", "the streams at the state that has been reached")
        d.chain(_replayed(v, i), "one more run, with its patch")
        d.then(after(W @ a + (W @ (z - a)) @ (a.mT @ a / (a.mT @ a)) + v.b(i)), "definitions of ΔWᵢ, Eq. (1), and of Δb′ᵢ; the row times the column is 1x1")
        d.then(after(W @ z + v.b(i)), "a nonzero scalar over itself is 1")
        d.then(_run(v, i, state), "Δb′ᵢ moves the stream from v′ to v: run i with the whole prompt, so the same choice")
        d.then(_states(v, i), "for i - 1: the state that has been reached is Sᵢ₋₁")

    d.induction("S′ₙ = Sₙ", statement, base, step)
    d.start("the state after n patched runs without Y")
    d.finish("induction")
    d.conclusion("the tokens are the same", r"\text{the tokens are the same}", "they are part of the state")


def _statement(text: str, latex: str) -> Formula:
    return Formula(
        f"S′ₙ = Sₙ, S′ᵢ = nextᵢ(S′ᵢ₋₁, patched output without Y), {text}",
        rf"S'_n = S_n,\quad S'_i = \operatorname{{next}}_i(S'_{{i-1}}, \text{{patched output without }} Y),\quad {latex}",
    )


CLAIM = Claim(
    id="generation",
    title="A patch for each block and token replays a whole generation",
    source="beyond the paper: any number of Pre-LN blocks and of generated tokens",
    symbols=(Matrix("S", "d", "1", "S₀", "S_0"),),
    families=(
        Family("c", "d", "1", first=1),
        Family("e", "d", "1", first=1),
        Family("t", "d", "1", first=1),
        Family("W", "m", "d", first=1),
        Family("b", "m", "1", first=1),
        Family("d_", "d", "1", first=1, text="b′", latex="b'"),
    ),
    functions=(
        Function("A", "d", "1", "A", "A", concrete=lambda c, state: c + state, note="A(c, S) = c + S"),
        Function("N", "d", "1", "N", "N", concrete=lambda t, stream: stream, note="Nᵢ is the identity"),
        Function("g", "d", "1", "g", "g", concrete=lambda t, inside: inside.map(lambda x: max(x, Fraction(0))), note="gᵢ is a ReLU"),
        Function(
            "next",
            "d",
            "1",
            "next",
            r"\operatorname{next}",
            concrete=lambda t, state, output: 2 * state + (output - t).map(lambda x: Fraction(x > 0)),
            note="run i chooses between two tokens in each entry, 1 where the output is above tᵢ, else 0, and Sᵢ is 2Sᵢ₋₁ plus the choice",
        ),
    ),
    sizes={"m": "d"},
    hypotheses=(
        Hypothesis(
            "Nᵢ(v′) ≠ 0 in every run",
            r"N_i(v') \neq 0 \text{ in every run}",
            nonzero=lambda v: [v.N(v.t(i), _rest(v, i, state)) for i, state in v.before_each(*_replay(v))],
        ),
    ),
    statement=_statement(
        "ΔWᵢ by Eq. (1) at Nᵢ(v), Nᵢ(v′), Δb′ᵢ = v - v′, v = Aᵢ(C, S′ᵢ₋₁), v′ = Aᵢ(C∖Y, S′ᵢ₋₁)",
        r"\Delta W_i \text{ by Eq. (1) at } N_i(v), N_i(v'),\ \Delta b'_i = v - v',\quad v = A_i(C, S'_{i-1}),\ v' = A_i(C \setminus Y, S'_{i-1})",
    ),
    left=lambda v: _replayed(v, v.n),
    right=lambda v: _states(v, v.n),
    proof=_proof,
    scope="all sizes, all n",
    mutants=(
        Mutant(
            "made-at-the-beginning",
            "every patch is made at the state before the first run",
            "the patches stand for the prompt, and the prompt does not change while tokens are generated",
            _statement("v = Aᵢ(C, S₀), v′ = Aᵢ(C∖Y, S₀) in the patches", r"v = A_i(C, S_0),\ v' = A_i(C \setminus Y, S_0) \text{ in the patches}"),
            left=lambda v: _otherwise(v, lambda state, i: v.S),
            note="the Δb′ᵢ are right, because A is a sum; ΔW₂ is not",
        ),
        Mutant(
            "one-run-late",
            "each patch is made at the state that has the run's own output in it already",
            "whether a token is appended before or after the patch is made is easily confused",
            _statement("v = Aᵢ(C, Sᵢ), v′ = Aᵢ(C∖Y, Sᵢ) in the patches", r"v = A_i(C, S_i),\ v' = A_i(C \setminus Y, S_i) \text{ in the patches}"),
            left=lambda v: _otherwise(v, lambda state, i: _run(v, i, state)),
        ),
        Mutant(
            "first-run-only",
            "only the first run is patched",
            "what the prompt has to say seems to be said once the first token is right",
            _statement("patched for i = 1 alone", r"\text{patched for } i = 1 \text{ alone}"),
            left=_first_run_only,
        ),
        Mutant(
            "no-bias-update",
            "the Δb′ᵢ are left out",
            "Theorem 2.2 needs only ΔW",
            _statement("ΔWᵢ by Eq. (1), Δb′ᵢ = 0", r"\Delta W_i \text{ by Eq. (1)},\ \Delta b'_i = 0"),
            formulas={"bias_update": lambda b_prime, delta: b_prime},
        ),
        no_normalisation(
            "the division in Eq. (1) is left out",
            _statement("ΔWᵢ = (Wᵢ(z - a))aᵀ", r"\Delta W_i = (W_i(z - a))a^{\top}"),
            "an outer product looks like the whole update, and a choice between tokens forgives small errors",
        ),
        zero_allowed(
            "Nᵢ(v′)",
            "a normalised vector seems never to be zero; a LayerNorm of a constant vector is",
            Formula("the same, also if an Nᵢ(v′) = 0", r"\text{the same, also if an } N_i(v') = 0"),
            without=("Nᵢ(v′) ≠ 0 in every run",),
            where=lambda v: v.n == 1 and not (v.W(1) @ _full(v, 1, v.S)).is_zero(),
            note="N₁(v′) = 0, so that no change of W₁ has an effect, but W₁N₁(v) ≠ 0",
        ),
    ),
)
