"""The rank of ΔW is at most 1, and is 1 if and only if WΔA ≠ 0.

    rank ΔW = [WΔA ≠ 0]    for ΔW = (WΔA)aᵀ/‖a‖², if a ≠ 0,

where [P] is 1 if P holds and 0 if not. The right side is never more than 1. If WΔA = 0 then ΔW = 0, of rank 0. If WΔA ≠ 0 then ΔW is a column that is
not zero times a row that is not zero, of rank 1.
Source: Theorem 2.2 and Corollary 2.3.1 say "is rank 1", which fails where W maps ΔA to zero.
"""

from symbolic.claim import Claim, Mutant, zero_allowed
from symbolic.claims.theorem_2_2 import delta_A, delta_W
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values
from symbolic.terms import unfold

ORDER = 12


def _proof(v: Values, d: Derivation) -> None:
    W, a, delta = v.W, v.a, delta_A(v)
    unit = a / (a.mT @ a)
    for vanishes in d.dichotomy("WΔA", r"W \Delta A", W @ delta, zero=(W @ v.z, W @ a)):
        d.start("the rank of the update")
        d.then(v.rank(unfold(delta_W(v))), "definition of ΔW, Eq. (1)")
        d.then(v.rank((W @ delta) @ unit.mT), "a column times a row")
        if vanishes:
            d.then(v.rank(v.zero("m", "d")), "the column is zero")
            d.then(v.number(0), "the rank of the zero matrix is 0")
        else:
            d.nonzero_by_map(unit, lambda x: a.mT @ x, v.number(1), "a factor of a nonzero product is not zero")
            d.rank_of_outer_product(delta_W(v), W @ delta, unit.mT, "a nonzero column times a nonzero row has rank 1")
            d.then(v.number(1), "the rank just found")
        d.finish("which of the two cases this is")


CLAIM = Claim(
    id="rank",
    title="The update has rank at most 1, and rank 1 exactly if WΔA ≠ 0",
    source='corrects "is rank 1" of Theorem 2.2 and Corollary 2.3.1',
    symbols=(Matrix("W", "m", "d"), Matrix("a", "d", "1"), Matrix("z", "d", "1")),
    hypotheses=(Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),),
    statement=Formula(
        "rank ΔW = [WΔA ≠ 0], so rank ΔW ≤ 1, and rank ΔW = 1 ⇔ WΔA ≠ 0",
        r"\operatorname{rank} \Delta W = \left[W \Delta A \neq 0\right],\quad "
        r"\operatorname{rank} \Delta W \leq 1,\quad \operatorname{rank} \Delta W = 1 \Leftrightarrow W \Delta A \neq 0",
    ),
    left=lambda v: v.rank(delta_W(v)),
    right=lambda v: v.nonzero(v.W @ delta_A(v)),
    proof=_proof,
    mutants=(
        Mutant(
            "always-one",
            "the rank is 1, always",
            "the paper says so: a column vector times a row vector",
            Formula("rank ΔW = 1", r"\operatorname{rank} \Delta W = 1"),
            right=lambda v: v.number(1),
        ),
        Mutant(
            "context-vector-nonzero",
            "the rank is 1 whenever ΔA ≠ 0",
            "if the context changes the output of the contextual layer it ought to change the weights",
            Formula("rank ΔW = [ΔA ≠ 0]", r"\operatorname{rank} \Delta W = \left[\Delta A \neq 0\right]"),
            right=lambda v: v.nonzero(delta_A(v)),
        ),
        Mutant(
            "both-nonzero",
            "the rank is 1 whenever W ≠ 0 and ΔA ≠ 0",
            "a product of things that are not zero is taken not to be zero, which is true of numbers and not of matrices",
            Formula("rank ΔW = [W ≠ 0][ΔA ≠ 0]", r"\operatorname{rank} \Delta W = \left[W \neq 0\right]\left[\Delta A \neq 0\right]"),
            right=lambda v: v.nonzero(v.W) @ v.nonzero(delta_A(v)),
        ),
        Mutant(
            "always-zero",
            "the rank is 0, always",
            "a prover that mixes up its two cases would say so",
            Formula("rank ΔW = 0", r"\operatorname{rank} \Delta W = 0"),
            right=lambda v: v.number(0),
        ),
        Mutant(
            "rank-adds-up",
            "the patched weights have rank W + rank ΔW",
            "ranks do add up when nothing overlaps, and low-rank adapters are counted that way",
            Formula("rank(W + ΔW) = rank W + [WΔA ≠ 0]", r"\operatorname{rank}(W + \Delta W) = \operatorname{rank} W + \left[W \Delta A \neq 0\right]"),
            left=lambda v: v.rank(v.formulas.patched_weight(v.W, delta_W(v))),
            right=lambda v: v.rank(v.W) + v.nonzero(v.W @ delta_A(v)),
        ),
        zero_allowed(
            "a",
            "the paper does not state it, and a column times a row seems to need none",
            Formula("rank ΔW = [WΔA ≠ 0], also if a = 0", r"\operatorname{rank} \Delta W = \left[W \Delta A \neq 0\right],\ \text{also if } a = 0"),
            where=lambda v: not (v.W @ v.z).is_zero(),
            note="a = 0 and WΔA ≠ 0: there is no ΔW to have a rank",
        ),
    ),
)
