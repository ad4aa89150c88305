"""A mixture of experts: router and chosen experts patched, the target shared out by the sum of the gates.

The router's logits r = W_r N(v) choose n experts and weigh them. With U_k(r), O_k(r) and γ_k(r) the first matrix, the output matrix and the gate of the
k-th chosen expert,

    v + Σ_k γ_k(r) O_k(r) g(U_k(r) N(v)),    k = 1..n.

Patch W_r and every chosen U_k by Eq. (1) at a = N(v′) and z = N(v): then without Y the logits, so the choice and the gates, and every h_k = g(U_k(r)z) are
what they are with the context. With δ = v - v′ and ΔO_k = (δ/Σγ)h_kᵀ/‖h_k‖² each chosen expert moves by δ/Σγ and the sum by δ:

    v′ + Σ_k γ_k(r′)(O_k(r′) + ΔO_k) g((U_k(r′) + ΔU_k)a) = v + Σ_k γ_k(r) O_k(r) g(U_k(r) z),    r′ = (W_r + ΔW_r)a,

for every n, all sizes, any streams v and v′, any N and g and any way to choose and to weigh, if a ≠ 0, every h_k ≠ 0 and Σγ ≠ 0. Gates need not sum to 1
(the chosen ones of a softmax over all experts do not). By induction on n; experts that are not chosen are not patched. In the proof U_k(r) is an unknown
function of r and of a free matrix U_k, and so are O_k(r) and γ_k(r): every family of functions of r is of this form.
Source: beyond the paper: Theorem A.2 for the layers of Shazeer et al., "Outrageously large neural networks" (2017).
"""

from typing import Any

from symbolic.claim import Claim, Mutant
from symbolic.claims.bias_free_output import FED, change
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import Family, subscript

ORDER = 24


def _z(v: Values) -> Any:
    return v.define("z", "z", v.N(v.full))


def _a(v: Values) -> Any:
    return v.define("a", "a", v.N(v.rest))


def _first_update(v: Values, W: Any) -> Any:
    """ΔW of Eq. (1) at what the network is fed."""
    return v.formulas.rank_one_update(W, v.formulas.context_vector(_z(v), _a(v)), _a(v))


def _logits(v: Values) -> Any:
    """r, with the context."""
    return v.define("r", "r", v.W_r @ _z(v))


def _patched_logits(v: Values) -> Any:
    """r′, without Y, the router patched."""
    return v.formulas.patched_weight(v.W_r, _first_update(v, v.W_r)) @ _a(v)


def _gates(v: Values, k: Any) -> Any:
    """Σγ over the first k chosen experts."""
    r = _logits(v)
    return v.recursive("Γ", r"\Gamma", k, lambda: v.number(0), lambda previous, i: previous + v.gate(v.s(i), r))


def _hidden(v: Values, i: Any) -> Any:
    """h_i."""
    return v.define(f"h{subscript(i)}", f"h_{{{i}}}", v.g(v.first(v.U(i), _logits(v)) @ _z(v)))


def _target(v: Values) -> Any:
    """What each chosen expert has to be moved by: δ/Σγ."""
    return v.formulas.expert_target(change(v), _gates(v, v.n))


def _experts(v: Values, k: Any) -> Any:
    """The first k chosen experts with the context, weighed and added up."""
    r, z = _logits(v), _z(v)

    def expert(i: Any) -> Any:
        return v.gate(v.s(i), r) * (v.out(v.O(i), r) @ v.g(v.first(v.U(i), r) @ z))

    return v.recursive("F", "F", k, lambda: v.zero("d"), lambda previous, i: previous + expert(i))


def _one_patched(v: Values, i: Any, r: Any, target: Any, first: bool = True) -> Any:
    """The i-th expert that the logits r choose, patched, without Y."""
    inner, outer = v.first(v.U(i), r), v.out(v.O(i), r)
    inner = v.formulas.patched_weight(inner, _first_update(v, v.first(v.U(i), _logits(v)))) if first else inner
    return v.gate(v.s(i), r) * (v.formulas.patched_weight(outer, v.formulas.output_update(target, _hidden(v, i))) @ v.g(inner @ _a(v)))


def _patched_experts(v: Values, k: Any, r: Any = None, target: Any = None, first: bool = True) -> Any:
    """The same without Y, patched."""
    logits, moved = _patched_logits(v) if r is None else r, _target(v) if target is None else target
    return v.recursive("G", "G", k, lambda: v.zero("d"), lambda previous, i: previous + _one_patched(v, i, logits, moved, first))


def _proof(v: Values, d: Derivation) -> None:
    a, z, r, delta, total = _a(v), _z(v), _logits(v), change(v), _gates(v, v.n)
    d.notation(
        "a = N(v′), z = N(v), r = W_r z, hᵢ = g(Uᵢ(r)z), δ = v - v′",
        r"a = N(v'),\quad z = N(v),\quad r = W_r z,\quad h_i = g(U_i(r)z),\quad \delta = v - v'",
        "gate and matrices of the i-th expert that the logits r choose are written γ(sᵢ, r), chosen_U(Uᵢ, r), chosen_O(Oᵢ, r)",
    )
    d.notation(
        "Γₖ = γ₁(r) + ... + γₖ(r), Fₖ and Gₖ: the sums over the first k experts, with the context, and without Y and patched",
        r"\Gamma_k = \gamma_1(r) + \dots + \gamma_k(r),\quad F_k = \sum_{i \leq k} \gamma_i O_i h_i,\quad G_k: \text{ the same without } Y, \text{ patched}",
        "the sums, expert by expert",
    )

    d.start("the block without Y, router and chosen experts patched")
    d.then(v.full + (_patched_experts(v, v.n) - delta), "definition of δ: it is to be shown that Gₙ = Fₙ + δ")

    def shared(k: Any) -> tuple[Any, Any]:
        return _patched_experts(v, k), _experts(v, k) + delta * (_gates(v, k) / total)

    def base() -> None:
        d.chain(v.zero("d"), "no expert")
        d.then(shared(v.start)[1], "the empty sums are zero")

    def step(i: Any) -> None:
        h, U, outer = _hidden(v, i), v.first(v.U(i), r), v.out(v.O(i), r)
        gate, before = v.gate(v.s(i), r), _patched_experts(v, i - 1)
        d.chain(_patched_experts(v, i), "one more chosen expert")
        same = v.g(U @ a + (U @ (z - a)) @ (a.mT @ a / (a.mT @ a)))
        r_again = v.W_r @ a + (v.W_r @ (z - a)) @ (a.mT @ a / (a.mT @ a))
        d.then(before + _one_patched(v, i, r_again, _target(v)), "definition of ΔW_r, Eq. (1)")
        d.then(
            before + _one_patched(v, i, r, _target(v)), "a nonzero scalar over itself is 1: the logits, the choice and the gates are those of the whole prompt"
        )
        d.then(before + gate * ((outer + (delta / total) @ h.mT / (h.mT @ h)) @ same), "definitions of ΔUᵢ, Eq. (1), and of ΔOᵢ")
        d.then(
            before + gate * ((outer + (delta / total) @ h.mT / (h.mT @ h)) @ h), "a nonzero scalar over itself is 1: what the output matrix multiplies is hᵢ"
        )
        d.then(before + gate * (outer @ h + (delta / total) * (h.mT @ h / (h.mT @ h))), "distributivity; the row times the column is 1x1")
        d.then(before + gate * (outer @ h + delta / total), "a nonzero scalar over itself is 1")
        d.then(_experts(v, i - 1) + delta * (_gates(v, i - 1) / total) + gate * (outer @ h + delta / total), "for i - 1")
        d.then(shared(i)[1], "the sums have one more term")

    d.induction("Gₙ = Fₙ + δ(Γₙ/Γₙ)", shared, base, step)
    d.start("the block without Y, router and chosen experts patched")
    d.then(v.rest + (_experts(v, v.n) + delta * (total / total)), "induction")
    d.then(v.rest + (_experts(v, v.n) + delta), "a nonzero scalar over itself is 1")
    d.finish("definition of δ")


def _statement(target: str, latex_target: str) -> Formula:
    return Formula(
        f"v′ + Σ γₖ(r′)(Oₖ(r′) + ΔOₖ)g((Uₖ(r′) + ΔUₖ)a) = v + Σ γₖ(r) Oₖ(r) g(Uₖ(r)z), r = W_r z, r′ = (W_r + ΔW_r)a, {target}; a = N(v′), z = N(v)",
        r"v' + \sum_k \gamma_k(r')(O_k(r') + \Delta O_k)\, g((U_k(r') + \Delta U_k)a) = v + \sum_k \gamma_k(r) O_k(r)\, g(U_k(r)z),\quad"
        rf"r = W_r z,\ r' = (W_r + \Delta W_r)a,\quad {latex_target},\quad a = N(v'),\ z = N(v)",
    )


def _hidden_but_fed(v: Values) -> bool:
    return not (v.N(v.rest).is_zero() or _gates(v, v.n).is_zero() or (v.full - v.rest).is_zero())


CLAIM = Claim(
    id="mixture-of-experts",
    title="A mixture of experts: router and chosen experts patched, the target divided by the sum of the gates",
    source="beyond the paper: Theorem A.2 for mixtures of experts",
    symbols=(Matrix("W_r", "e", "d"), Matrix("full", "d", "1", "v", "v"), Matrix("rest", "d", "1", "v′", "v'")),
    families=(Family("s", "e", "1", first=1), Family("U", "m", "d", first=1), Family("O", "d", "k", first=1)),
    functions=(
        Function("N", "d", "1", "N", "N"),
        Function("g", "k", "1", "g", "g", note="N and g are the identity"),
        Function("gate", "1", "1", "γ", r"\gamma", concrete=lambda s, r: s.mT @ r, note="γₖ(r) = sₖᵀr"),
        Function("first", "m", "d", "chosen_U", r"\operatorname{chosen}_U", concrete=lambda matrix, r: matrix, note="every expert is chosen"),
        Function("out", "d", "k", "chosen_O", r"\operatorname{chosen}_O", concrete=lambda matrix, r: matrix),
    ),
    sizes={"k": "m"},
    hypotheses=(
        FED,
        Hypothesis(
            "hₖ = g(Uₖ(r)z) ≠ 0 for k = 1..n", r"h_k = g(U_k(r)z) \neq 0 \text{ for } k = 1, \dots, n", nonzero=lambda v: [_hidden(v, k) for k in v.indices]
        ),
        Hypothesis("Σγ = γ₁(r) + ... + γₙ(r) ≠ 0", r"\sum_k \gamma_k(r) \neq 0", nonzero=lambda v: _gates(v, v.n)),
    ),
    statement=_statement(
        "ΔOₖ = (δ/Σγ)hₖᵀ/‖hₖ‖², δ = v - v′, ΔW_r and ΔUₖ by Eq. (1)",
        r"\Delta O_k = \frac{(\delta / \sum \gamma) h_k^{\top}}{\lVert h_k \rVert^2},\ \delta = v - v',\ \Delta W_r, \Delta U_k \text{ by Eq. (1)}",
    ),
    left=lambda v: v.rest + _patched_experts(v, v.n),
    right=lambda v: v.full + _experts(v, v.n),
    proof=_proof,
    scope="all sizes, all n",
    mutants=(
        Mutant(
            "target-not-divided",
            "every chosen expert takes the whole δ",
            "gates that are normalised over the chosen experts sum to 1, and then it makes no difference",
            _statement("ΔOₖ = δhₖᵀ/‖hₖ‖²", r"\Delta O_k = \frac{\delta h_k^{\top}}{\lVert h_k \rVert^2}"),
            left=lambda v: v.rest + _patched_experts(v, v.n, target=change(v)),
        ),
        Mutant(
            "divided-by-the-number",
            "δ/n in place of δ/Σγ",
            "n experts share the target equally; for equal gates that sum to 1, each needs all of it",
            _statement("ΔOₖ = (δ/n)hₖᵀ/‖hₖ‖²", r"\Delta O_k = \frac{(\delta / n) h_k^{\top}}{\lVert h_k \rVert^2}"),
            left=lambda v: v.rest + _patched_experts(v, v.n, target=change(v) / v.recursive("n", "n", v.n, lambda: v.number(0), lambda count, i: count + 1)),
        ),
        Mutant(
            "router-not-patched",
            "W_r is left as it is",
            "the router only chooses, and often the choice is the same; the gates are not",
            _statement("r′ = W_r a", r"r' = W_r a"),
            left=lambda v: v.rest + _patched_experts(v, v.n, r=v.W_r @ v.N(v.rest)),
        ),
        Mutant(
            "experts-not-patched",
            "the experts' first matrices are left as they are",
            "the output matrices carry δ, and the router carries the context to the choice",
            _statement("ΔUₖ = 0", r"\Delta U_k = 0"),
            left=lambda v: v.rest + _patched_experts(v, v.n, first=False),
        ),
        Mutant(
            "first-expert-only",
            "only the first chosen expert's output is patched, with δ/γ₁",
            "δ has to be added once, and one expert can do it; but its gate is γ₁, not γ₁ and γ₂",
            _statement(
                "ΔO₁ = (δ/Σγ)h₁ᵀ/‖h₁‖², ΔOₖ = 0 for k > 1",
                r"\Delta O_1 = \frac{(\delta / \sum \gamma) h_1^{\top}}{\lVert h_1 \rVert^2},\ \Delta O_k = 0 \text{ for } k > 1",
            ),
            left=lambda v: v.rest + _experts(v, v.n) + v.gate(v.s(v.start + 1), _logits(v)) * _target(v),
        ),
        Mutant(
            "zero-sum-allowed",
            "no hypothesis Σγ ≠ 0",
            "gates of a softmax are positive; those of other routers need not be",
            Formula("the same, also if Σγ = 0", r"\text{the same, also if } \sum \gamma = 0"),
            without=("Σγ = γ₁(r) + ... + γₙ(r) ≠ 0",),
            where=lambda v: not (v.full - v.rest).is_zero() and not v.N(v.rest).is_zero() and not any(_hidden(v, k).is_zero() for k in v.indices),
            note="the gates sum to 0, so that moving every expert alike moves the sum by nothing, but δ ≠ 0",
        ),
        Mutant(
            "idle-expert-allowed",
            "no hypothesis hₖ ≠ 0",
            "an expert whose hidden layer is zero contributes nothing, so it seems not to matter",
            Formula("the same, also if an hₖ = 0", r"\text{the same, also if an } h_k = 0"),
            without=("hₖ = g(Uₖ(r)z) ≠ 0 for k = 1..n",),
            where=_hidden_but_fed,
            note="an hₖ = 0: no change of Oₖ has an effect, and ΔOₖ does not exist",
        ),
    ),
)
