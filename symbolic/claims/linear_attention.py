"""For linear attention the context vector is a matrix of the removed tokens at work on the query.

Linear attention (without normalisation) is A(C,x) = Σ_{c∈C} v_c (k_cᵀq), with keys k, values v and the query's q. Removing the positions Y leaves a, and

    ΔA = (Σ_{y∈Y} v_y k_yᵀ) q,    hence    ΔW = W(Σ_{y∈Y} v_y k_yᵀ)(q aᵀ)/‖a‖²,

by induction on the number n of removed positions, for every n and all sizes, if a ≠ 0.
Source: Eq. (1) for this layer; the sum of outer products is what von Oswald et al. (ICML 2023) read as a gradient step. Not in the paper.
"""

from typing import Any

from symbolic.claim import Claim, Mutant, zero_allowed
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values
from symbolic.terms import Family

ORDER = 17


def attended(v: Values, k: Any) -> Any:
    """A after k tokens of Y were added to what is left without Y."""
    return v.recursive("A", "A", k, lambda: v.a, lambda previous, i: previous + v.value(i) @ (v.key(i).mT @ v.q))


def memory(v: Values, k: Any) -> Any:
    """Σ v_y k_yᵀ over the first k tokens of Y."""
    return v.recursive("M", "M", k, lambda: v.zero("d", "e"), lambda previous, i: previous + v.value(i) @ v.key(i).mT)


def _update(v: Values) -> Any:
    return v.formulas.rank_one_update(v.W, v.formulas.context_vector(attended(v, v.n), v.a), v.a)


def _claimed(v: Values, total: Any) -> Any:
    return v.W @ total @ (v.q @ v.a.mT) / (v.a.mT @ v.a)


def _proof(v: Values, d: Derivation) -> None:
    d.notation(
        "A₀ = a, Aᵢ = Aᵢ₋₁ + vᵢ(kᵢᵀq), M₀ = 0, Mᵢ = Mᵢ₋₁ + vᵢkᵢᵀ",
        r"A_0 = a,\ A_i = A_{i-1} + v_i(k_i^{\top}q),\quad M_0 = 0,\ M_i = M_{i-1} + v_i k_i^{\top}",
        "the layer's output, and the matrix, after i of the n positions of Y",
    )

    def statement(k: Any) -> tuple[Any, Any]:
        return attended(v, k), v.a + memory(v, k) @ v.q

    def base() -> None:
        d.chain(v.a, "nothing of Y yet")
        d.then(statement(v.start)[1], "the empty sum is zero")

    def step(i: Any) -> None:
        d.chain(attended(v, i), "one more token of Y")
        d.then(attended(v, i - 1) + v.value(i) @ (v.key(i).mT @ v.q), "definition of linear attention")
        d.then(v.a + memory(v, i - 1) @ v.q + v.value(i) @ (v.key(i).mT @ v.q), "for i - 1")
        d.then(statement(i)[1], "the sum has one more term")

    d.part(0)
    d.induction("Aₙ = a + Mₙ q", statement, base, step)
    d.start("the context vector of Y")
    d.finish("induction")
    d.part(1)
    d.start("the update of Eq. (1)")
    d.then((v.W @ (memory(v, v.n) @ v.q)) @ v.a.mT / (v.a.mT @ v.a), "the part before")
    d.finish("associativity")


def _mutant(id: str, description: str, why: str, text: str, latex: str, right: Any) -> Mutant:
    return Mutant(id, description, why, Formula(f"ΔW = {text}", rf"\Delta W = {latex}"), left=_update, right=right)


def _sum(v: Values, term: Any, rows: str, columns: str, name: str = "T") -> Any:
    return v.recursive(name, name, v.n, lambda: v.zero(rows, columns), lambda previous, i: previous + term(i))


SUM = r"\sum_{y \in Y} v_y k_y^{\top}"

CLAIM = Claim(
    id="linear-attention",
    title="For linear attention ΔW is W times the removed tokens' outer products times the query",
    source="Eq. (1) for linear attention",
    symbols=(Matrix("W", "m", "d"), Matrix("a", "d", "1"), Matrix("q", "e", "1")),
    families=(Family("value", "d", "1", first=1, text="v", latex="v"), Family("key", "e", "1", first=1, text="k", latex="k")),
    hypotheses=(Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),),
    statement=Formula(
        "ΔA = (Σ v_y k_yᵀ)q, so ΔW = W(Σ v_y k_yᵀ)(q aᵀ)/‖a‖²; sums over y ∈ Y",
        rf"\Delta A = \left({SUM}\right) q,\quad \Delta W = \frac{{W \left({SUM}\right) (q a^{{\top}})}}{{\lVert a \rVert^2}}",
    ),
    left=lambda v: (v.formulas.context_vector(attended(v, v.n), v.a), _update(v)),
    right=lambda v: (memory(v, v.n) @ v.q, _claimed(v, memory(v, v.n))),
    proof=_proof,
    scope="all sizes, all n",
    mutants=(
        _mutant(
            "keys-and-values-exchanged",
            "Σ k_y v_yᵀ in place of Σ v_y k_yᵀ",
            "in self-attention both come from the same token, and the transposed matrix has the same entries",
            "W(Σ k_y v_yᵀ)(q aᵀ)/‖a‖²",
            r"\frac{W (\sum k_y v_y^{\top})(q a^{\top})}{\lVert a \rVert^2}",
            lambda v: v.W @ _sum(v, lambda i: v.key(i) @ v.value(i).mT, "e", "d") @ (v.q @ v.a.mT) / (v.a.mT @ v.a),
        ),
        _mutant(
            "sum-of-values-only",
            "the keys are left out",
            "with all attention weights 1 the sum of the values is right",
            "W(Σ v_y)aᵀ/‖a‖²",
            r"\frac{W (\sum v_y) a^{\top}}{\lVert a \rVert^2}",
            lambda v: v.W @ _sum(v, v.value, "d", "1") @ v.a.mT / (v.a.mT @ v.a),
        ),
        _mutant(
            "product-of-sums",
            "(Σ v_y)(Σ k_y)ᵀ in place of Σ v_y k_yᵀ",
            "a sum of products is taken for a product of sums; for one token they agree",
            "W(Σ v_y)(Σ k_y)ᵀ(q aᵀ)/‖a‖²",
            r"\frac{W (\sum v_y)(\sum k_y)^{\top}(q a^{\top})}{\lVert a \rVert^2}",
            lambda v: _claimed(v, _sum(v, v.value, "d", "1") @ _sum(v, v.key, "e", "1", "U").mT),
        ),
        _mutant(
            "last-token-only",
            "only the last removed token counts",
            "the recursion is read as if each step replaced the one before",
            "W v_n k_nᵀ(q aᵀ)/‖a‖²",
            r"\frac{W v_n k_n^{\top}(q a^{\top})}{\lVert a \rVert^2}",
            lambda v: _claimed(v, v.value(v.n) @ v.key(v.n).mT),
        ),
        _mutant(
            "left-over-in-the-column",
            "a aᵀ in place of q aᵀ: the column is what is left, not the query",
            "Eq. (1) is full of a; but what the removed tokens act on is the query",
            "W(Σ v_y k_yᵀ)(a aᵀ)/‖a‖², q replaced by a",
            r"\frac{W (\sum v_y k_y^{\top})(a a^{\top})}{\lVert a \rVert^2}",
            lambda v: v.W @ memory(v, v.n) @ (v.a @ v.a.mT) / (v.a.mT @ v.a),
        ),
        zero_allowed(
            "a",
            "linear attention of an empty context is exactly 0, so Y = C is the common case",
            Formula("(W + ΔW)a = WA(C,x), also if a = 0", r"(W + \Delta W)a = W A(C,x),\ \text{also if } a = 0"),
            left=lambda v: v.formulas.patched_weight(v.W, _update(v)) @ v.a,
            right=lambda v: v.W @ attended(v, v.n),
            where=lambda v: not (v.W @ attended(v, v.n)).is_zero(),
            note="a = 0: what W is to send to WΔA is the zero vector, so no update exists",
        ),
    ),
)
