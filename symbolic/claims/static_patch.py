"""One update for many queries: least squares in place of Eq. (1), and when they are Eq. (1).

Let the columns of A be the vectors A(x_k) of any number of queries, and those of V their targets WΔA_k. With ΔW = VAᵀ(AAᵀ + λI)⁻¹, λ ≥ 0,

    (ΔW A - V)Aᵀ + λΔW = 0                                                                           the normal equations, and
    ‖DA - V‖² + λ‖D‖² = ‖ΔW A - V‖² + λ‖ΔW‖² + ‖(D - ΔW)A‖² + λ‖D - ΔW‖²   for every D,              Frobenius norms throughout,

so ΔW is the minimiser on the left, and the only one. If the columns of A are independent, ΔW = V(AᵀA)⁻¹Aᵀ fits every query, ΔW A = V, is the smallest of all
that do, ‖S‖² = ‖ΔW‖² + ‖S - ΔW‖² if SA = V, and for one query is Eq. (1).
Source: beyond the paper; Penrose (1956), Hoerl and Kennard (1970). Static patches: Mazzawi et al., "Transmuting prompts into weights" (arXiv 2510.08734).
"""

from typing import Any

from symbolic.claim import Claim, Mutant
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values

ORDER = 27


def _nearest(v: Values) -> Any:
    return v.define("ΔW", r"\Delta W", v.formulas.least_squares_update(v.V, v.A, v.G))


def _cost(v: Values, D: Any) -> Any:
    return v.square(D @ v.A - v.V) + v.ridge * v.square(D)


def _beyond(v: Values) -> Any:
    """What any D costs more than ΔW."""
    off = v.D - _nearest(v)
    return v.square(off @ v.A) + v.ridge * v.square(off)


def _delta(v: Values) -> Any:
    return v.formulas.context_vector(v.z, v.a)


def _of_one(v: Values) -> Any:
    """The update that fits one query, A = a and V = WΔA; its inverse is 1/‖a‖²."""
    return v.formulas.fitting_update(v.W @ _delta(v), v.a, v.number(1) / (v.a.mT @ v.a))


def _nearest_proof(v: Values, d: Derivation) -> None:
    A, V, D, G = v.A, v.V, v.D, v.G
    update = _nearest(v)
    d.part(0)
    d.start("the gradient of half the cost at ΔW")
    d.then(V @ A.mT @ G @ A @ A.mT - V @ A.mT + v.ridge * (V @ A.mT @ G), "definition of ΔW; distributivity")
    d.finish("G is the inverse of AAᵀ + λI")
    d.chain(v.trace(((update @ A - V) @ A.mT + v.ridge * update).mT @ (D - update)), "its inner product with the way from ΔW to any D")
    d.then(v.number(0), "the gradient is zero")
    d.part(1)
    d.start("the cost of any D")
    d.finish("the mixed terms are twice that inner product")
    d.conclusion(
        "for λ ≥ 0 no D costs less than ΔW, and none but ΔW as little",
        r"\lambda \geq 0: \text{ no } D \text{ costs less than } \Delta W, \text{ and none but } \Delta W \text{ as little}",
        "sums of squares; AAᵀ + λI has an inverse, so (D - ΔW)A = 0 and λ(D - ΔW) = 0 only for D = ΔW",
    )
    d.part(2)
    d.start("the update that fits one query")
    d.finish("a scalar commutes out: this is Eq. (1)")


NEAREST = Claim(
    id="static-patch",
    title="One update for many queries: V Aᵀ(AAᵀ + λI)⁻¹ solves the normal equations and is the only minimiser",
    source="beyond the paper: least squares with a ridge",
    symbols=(
        Matrix("A", "d", "k"),
        Matrix("V", "m", "k"),
        Matrix("D", "m", "d"),
        Matrix("G", "d", "d"),
        Matrix("ridge", "1", "1", "λ", r"\lambda"),
        Matrix("W", "m", "d"),
        Matrix("a", "d", "1"),
        Matrix("z", "d", "1"),
    ),
    hypotheses=(
        Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),
        Hypothesis(
            "G(AAᵀ + λI) = I",
            r"G(AA^{\top} + \lambda I) = I",
            equal=lambda v: (v.G @ v.A @ v.A.mT, v.identity("d") - v.ridge * v.G),
            solve=("G", lambda v: (v.A @ v.A.mT + v.ridge * v.identity("d")).inverse()),
        ),
    ),
    statement=Formula(
        "ΔW = VAᵀ(AAᵀ + λI)⁻¹ ⇒ (ΔW A - V)Aᵀ + λΔW = 0, ‖DA - V‖² + λ‖D‖² = ‖ΔW A - V‖² + λ‖ΔW‖² + ‖(D - ΔW)A‖² + λ‖D - ΔW‖² for every D; "
        "of one query V(AᵀA)⁻¹Aᵀ is (WΔA)aᵀ/‖a‖²",
        r"\Delta W = VA^{\top}(AA^{\top} + \lambda I)^{-1} \Rightarrow (\Delta W A - V)A^{\top} + \lambda \Delta W = 0,\quad"
        r" \lVert DA - V \rVert^2 + \lambda \lVert D \rVert^2 = \lVert \Delta W A - V \rVert^2 + \lambda \lVert \Delta W \rVert^2"
        r" + \lVert (D - \Delta W)A \rVert^2 + \lambda \lVert D - \Delta W \rVert^2;\quad"
        r" (W \Delta A)(a^{\top}a)^{-1}a^{\top} = \frac{(W \Delta A)a^{\top}}{\lVert a \rVert^2}",
    ),
    left=lambda v: ((_nearest(v) @ v.A - v.V) @ v.A.mT + v.ridge * _nearest(v), _cost(v, v.D), _of_one(v)),
    right=lambda v: (v.zero("m", "d"), _cost(v, _nearest(v)) + _beyond(v), v.formulas.rank_one_update(v.W, _delta(v), v.a)),
    proof=_nearest_proof,
    mutants=(
        Mutant(
            "no-inverse",
            "ΔW = VAᵀ: the sum of the outer products, not decorrelated",
            "associative memories are written so, and for orthonormal A(x_k) it is right",
            Formula("ΔW = VAᵀ", r"\Delta W = VA^{\top}"),
            formulas={"least_squares_update": lambda V, A, inverse: V @ A.mT},
        ),
        Mutant(
            "fits-every-query",
            "ΔW A = V",
            "for one query, and for few, it does",
            Formula("ΔW A = V", r"\Delta W A = V"),
            left=lambda v: _nearest(v) @ v.A,
            right=lambda v: v.V,
        ),
        Mutant(
            "ridge-left-out-of-the-equations",
            "(ΔW A - V)Aᵀ = 0 also with a ridge",
            "the normal equations are best known without one",
            Formula("(ΔW A - V)Aᵀ = 0", r"(\Delta W A - V)A^{\top} = 0"),
            left=lambda v: (_nearest(v) @ v.A - v.V) @ v.A.mT,
            right=lambda v: v.zero("m", "d"),
        ),
        Mutant(
            "errors-alone-add",
            "the squared errors add up without the terms of the ridge",
            "so they do for λ = 0",
            Formula("‖DA - V‖² = ‖ΔW A - V‖² + ‖(D - ΔW)A‖²", r"\lVert DA - V \rVert^2 = \lVert \Delta W A - V \rVert^2 + \lVert (D - \Delta W)A \rVert^2"),
            left=lambda v: v.square(v.D @ v.A - v.V),
            right=lambda v: v.square(_nearest(v) @ v.A - v.V) + v.square((v.D - _nearest(v)) @ v.A),
        ),
        Mutant(
            "one-query-undivided",
            "the update of one query is (WΔA)aᵀ",
            "the inverse of a 1x1 matrix is easily overlooked",
            Formula("(WΔA)aᵀ = (WΔA)aᵀ/‖a‖²", r"(W \Delta A)a^{\top} = \frac{(W \Delta A)a^{\top}}{\lVert a \rVert^2}"),
            formulas={"fitting_update": lambda V, A, inverse: V @ A.mT},
        ),
        Mutant(
            "any-matrix-for-the-inverse",
            "no hypothesis on G",
            "the shapes fit for every G",
            Formula("the same for every G", r"\text{the same for every } G"),
            without=("G(AAᵀ + λI) = I",),
        ),
    ),
)


def _fitting(v: Values) -> Any:
    return v.define("ΔW", r"\Delta W", v.formulas.fitting_update(v.V, v.A, v.H))


def _fitting_proof(v: Values, d: Derivation) -> None:
    A, V, S, H = v.A, v.V, v.S, v.H
    update = _fitting(v)
    d.part(0)
    d.start("the update at all queries")
    d.then(V @ (H @ A.mT @ A), "definition of ΔW")
    d.finish("H is the inverse of AᵀA")
    d.part(1)
    d.chain(v.trace(update.mT @ (S - update)), "the inner product of ΔW with the way to another that fits")
    d.then(v.trace(H.mT @ V.mT @ (S @ A - V)), "definition of ΔW; a trace may be rotated; H is the inverse of AᵀA")
    d.then(v.number(0), "S fits: SA = V")
    d.start("the square of any update that fits")
    d.finish("that inner product is zero (Pythagoras)")
    d.conclusion("‖S‖ > ‖ΔW‖ unless S = ΔW", r"\lVert S \rVert > \lVert \Delta W \rVert \text{ unless } S = \Delta W", "a square is zero only for zero")


FITTING = Claim(
    id="static-patch-fits",
    title="Independent queries are all fitted by V(AᵀA)⁻¹Aᵀ, the smallest update that does it",
    source="beyond the paper: the least-norm solution",
    symbols=(Matrix("A", "d", "k"), Matrix("V", "m", "k"), Matrix("S", "m", "d"), Matrix("H", "k", "k")),
    hypotheses=(
        Hypothesis("HAᵀA = I", r"HA^{\top}A = I", equal=lambda v: (v.H @ v.A.mT @ v.A, v.identity("k")), solve=("H", lambda v: (v.A.mT @ v.A).inverse())),
        Hypothesis("SA = V", "SA = V", equal=lambda v: (v.S @ v.A, v.V), solve=("S", lambda v: v.S - (v.S @ v.A - v.V) @ v.H @ v.A.mT)),
    ),
    statement=Formula(
        "ΔW = V(AᵀA)⁻¹Aᵀ ⇒ ΔW A = V; SA = V ⇒ ‖S‖² = ‖ΔW‖² + ‖S - ΔW‖²",
        r"\Delta W = V(A^{\top}A)^{-1}A^{\top} \Rightarrow \Delta W A = V;\quad SA = V \Rightarrow \lVert S \rVert^2 = \lVert \Delta W \rVert^2"
        r" + \lVert S - \Delta W \rVert^2",
    ),
    left=lambda v: (_fitting(v) @ v.A, v.square(v.S)),
    right=lambda v: (v.V, v.square(_fitting(v)) + v.square(v.S - _fitting(v))),
    proof=_fitting_proof,
    mutants=(
        Mutant(
            "no-inverse",
            "ΔW = VAᵀ",
            "for orthonormal A(x_k) it is right",
            Formula("VAᵀA = V", r"VA^{\top}A = V"),
            formulas={"fitting_update": lambda V, A, inverse: V @ A.mT},
        ),
        Mutant(
            "unique",
            "ΔW is the only update that fits",
            "K equations seem to determine it",
            Formula("SA = V ⇒ S = ΔW", r"SA = V \Rightarrow S = \Delta W"),
            left=lambda v: v.S,
            right=_fitting,
        ),
        Mutant(
            "dependent-queries",
            "no hypothesis on H: the queries may be dependent",
            "each query alone can be fitted",
            Formula("ΔW A = V for every A", r"\Delta W A = V \text{ for every } A"),
            without=("HAᵀA = I",),
        ),
        Mutant(
            "smallest-without-fitting",
            "the squares add up for every S",
            "Pythagoras is used without its right angle",
            Formula(
                "‖S‖² = ‖ΔW‖² + ‖S - ΔW‖² for every S", r"\lVert S \rVert^2 = \lVert \Delta W \rVert^2 + \lVert S - \Delta W \rVert^2 \text{ for every } S"
            ),
            without=("SA = V",),
        ),
    ),
)

CLAIMS = (NEAREST, FITTING)
