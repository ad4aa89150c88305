"""ΔW is the smallest change of W that does it: in Frobenius norm alone, in spectral norm among others, and in rank.

Let u = WΔA and let D be any solution of Da = u, with a ≠ 0. Then

    ‖D‖_F² = ‖ΔW‖_F² + ‖D - ΔW‖_F²,           so ΔW alone is smallest in ‖·‖_F;
    ‖ΔW‖_F² = ‖u‖²/‖a‖²;
    ‖ΔWx‖² = ‖u‖²‖x‖²/‖a‖² - ‖u‖²·½‖axᵀ - xaᵀ‖_F²/‖a‖⁴ for every x, so ‖ΔW‖₂ ≤ ‖u‖/‖a‖ (Lagrange's identity), while
    ‖Da‖² = (‖u‖²/‖a‖²)‖a‖², so ‖D‖₂ ≥ ‖u‖/‖a‖: ΔW is smallest in ‖·‖₂ too, and all three norms are ‖u‖/‖a‖;
    u ≠ 0 ⇒ D ≠ 0: no solution has a smaller rank than ΔW, whose rank is [u ≠ 0].

In ‖·‖₂ it is not the only one if m > 1, d > 1 and u ≠ 0: take N = twᵀ with uᵀt = 0 and aᵀw = 0, both not zero; then (ΔW + N)a = u and
‖(ΔW + N)x‖² = ‖ΔWx‖² + (wᵀx)²‖t‖², which for small t is no larger than ‖u‖²‖x‖²/‖a‖² (Bessel's inequality).
Source: not in the paper; the first is the projection theorem, e.g. Horn and Johnson, Matrix Analysis (2nd ed. 2013), section 7.3.
"""

from fractions import Fraction
from typing import Any

from symbolic.claim import Claim, Mutant
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values

ORDER = 13


def _target(v: Values) -> Any:
    return v.define("u", "u", v.W @ v.formulas.context_vector(v.z, v.a))


def _update(v: Values) -> Any:
    return v.define("ΔW", r"\Delta W", v.formulas.rank_one_update(v.W, v.formulas.context_vector(v.z, v.a), v.a))


def _norm(x: Any) -> Any:
    """‖x‖² of a column."""
    return x.mT @ x


def _spectral(v: Values) -> Any:
    """The right side of the third line."""
    a, x, u = v.a, v.x, _target(v)
    skew = a @ x.mT - x @ a.mT
    return _norm(u) * _norm(x) / _norm(a) - _norm(u) * v.square(skew) / (_norm(a) * _norm(a)) * Fraction(1, 2)


def _other(v: Values) -> Any:
    """Another solution that is as small in ‖·‖₂."""
    return _update(v) + v.t @ v.w.mT


def _proof(v: Values, d: Derivation) -> None:
    a, D, u = v.a, v.D, _target(v)
    d.part(0)
    d.start("the square of any solution")
    d.finish("the inner product of ΔW and D - ΔW is uᵀ(Da - u)/‖a‖² = 0 (Pythagoras)")
    d.conclusion("‖D‖_F > ‖ΔW‖_F unless D = ΔW", r"\lVert D \rVert_F > \lVert \Delta W \rVert_F \text{ unless } D = \Delta W", "a square is zero only for zero")
    d.part(1)
    d.start("the square of ΔW")
    d.then(_norm(u) * (_norm(a) / (_norm(a) * _norm(a))), "a trace may be rotated until it is a product of 1x1 matrices")
    d.finish("a nonzero scalar over itself is 1")
    d.part(2)
    d.start("how much ΔW stretches a vector x")
    d.then(_norm(u) * (a.mT @ v.x) ** 2 / (_norm(a) * _norm(a)), "ΔWx = u (aᵀx)/‖a‖²")
    d.finish("‖a‖²‖x‖² - (aᵀx)² = ½‖axᵀ - xaᵀ‖_F² (Lagrange's identity)")
    d.part(3)
    d.start("how much any solution stretches a")
    d.then(_norm(u), "Da = u")
    d.finish("a nonzero scalar over itself is 1")
    d.conclusion(
        "‖D‖₂ ≥ ‖u‖/‖a‖ = ‖ΔW‖₂ = ‖ΔW‖_F",
        r"\lVert D \rVert_2 \geq \lVert u \rVert / \lVert a \rVert = \lVert \Delta W \rVert_2 = \lVert \Delta W \rVert_F",
        "the largest stretch is at least that of a, and ΔW stretches no vector more",
    )
    d.part(4)
    for vanishes in d.dichotomy("u", "u", u, zero=(v.W @ v.z, v.W @ a)):
        if not vanishes:
            d.nonzero_by_map(D, lambda x: x @ a, u, "were D zero, Da would be")
        d.start("whether u ≠ 0 and D ≠ 0, as numbers 0 and 1")
        d.finish("if u = 0 both sides are 0; if not, D ≠ 0")
    d.conclusion(
        "rank ΔW ≤ rank D",
        r"\operatorname{rank} \Delta W \leq \operatorname{rank} D",
        "rank ΔW = [u ≠ 0] by the claim `rank`, and a matrix other than 0 has rank 1 at least",
    )
    d.part(5)
    d.start("another solution")
    d.then(u + v.t @ (v.w.mT @ a), "ΔWa = u")
    d.finish("wᵀa = 0")
    d.part(6)
    d.start("how much it stretches a vector x")
    d.finish("uᵀt = 0 removes the mixed terms")
    d.conclusion(
        "ΔW + twᵀ is as small in ‖·‖₂ if ‖t‖‖w‖ ≤ ‖u‖/‖a‖: where t, w and u need not be 0, ΔW is not the only minimiser there",
        r"\lVert \Delta W + tw^{\top} \rVert_2 = \lVert \Delta W \rVert_2 \text{ if } \lVert t \rVert \lVert w \rVert \leq \lVert u \rVert / \lVert a \rVert",
        "(aᵀx)²/‖a‖² + (wᵀx)²/‖w‖² ≤ ‖x‖² for a and w at right angles (Bessel)",
    )


def _left(v: Values) -> Any:
    return (
        v.square(v.D),
        v.square(_update(v)),
        _norm(_update(v) @ v.x),
        _norm(v.D @ v.a),
        v.nonzero(_target(v)) * v.nonzero(v.D),
        _other(v) @ v.a,
        _norm(_other(v) @ v.x),
    )


def _right(v: Values) -> Any:
    u, a = _target(v), v.a
    return (
        v.square(_update(v)) + v.square(v.D - _update(v)),
        _norm(u) / _norm(a),
        _spectral(v),
        _norm(u) / _norm(a) * _norm(a),
        v.nonzero(u),
        u,
        _norm(_update(v) @ v.x) + (v.w.mT @ v.x) ** 2 * _norm(v.t),
    )


def _without_u(v: Values) -> Any:
    """t without its part along u."""
    u = v.W @ (v.z - v.a)
    return v.t if u.is_zero() else v.t - u @ (u.mT @ v.t) / (u.mT @ u)


SOLUTION = Hypothesis(
    "Da = u",
    "Da = u",
    equal=lambda v: (v.D @ v.a, v.W @ (v.z - v.a)),
    solve=("D", lambda v: v.D - (v.D @ v.a - v.W @ (v.z - v.a)) @ v.a.mT / (v.a.mT @ v.a)),
)

CLAIM = Claim(
    id="minimality",
    title="No smaller change of W does it: ΔW is the one minimiser in ‖·‖_F, a minimiser in ‖·‖₂, and of least rank",
    source="beyond the paper: the projection theorem",
    symbols=(
        Matrix("W", "m", "d"),
        Matrix("a", "d", "1"),
        Matrix("z", "d", "1"),
        Matrix("D", "m", "d"),
        Matrix("x", "d", "1"),
        Matrix("t", "m", "1"),
        Matrix("w", "d", "1"),
    ),
    hypotheses=(
        Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),
        SOLUTION,
        Hypothesis(
            "wᵀa = 0", r"w^{\top}a = 0", equal=lambda v: (v.w.mT @ v.a, v.number(0)), solve=("w", lambda v: v.w - v.a @ (v.a.mT @ v.w) / (v.a.mT @ v.a))
        ),
        Hypothesis("tᵀWz = tᵀWa, i.e. tᵀu = 0", r"t^{\top}u = 0", equal=lambda v: (v.t.mT @ v.W @ v.z, v.t.mT @ v.W @ v.a), solve=("t", _without_u)),
    ),
    statement=Formula(
        "Da = u = WΔA ⇒ ‖D‖_F² = ‖ΔW‖_F² + ‖D - ΔW‖_F², ‖D‖₂ ≥ ‖ΔW‖₂ = ‖ΔW‖_F = ‖u‖/‖a‖, rank D ≥ rank ΔW; "
        "wᵀa = 0, tᵀu = 0 ⇒ (ΔW + twᵀ)a = u, ‖(ΔW + twᵀ)x‖² = ‖ΔWx‖² + (wᵀx)²‖t‖²",
        r"Da = u = W \Delta A \Rightarrow \lVert D \rVert_F^2 = \lVert \Delta W \rVert_F^2 + \lVert D - \Delta W \rVert_F^2,\quad"
        r" \lVert D \rVert_2 \geq \lVert \Delta W \rVert_2 = \lVert \Delta W \rVert_F = \lVert u \rVert / \lVert a \rVert,\quad"
        r" \operatorname{rank} D \geq \operatorname{rank} \Delta W;\quad w^{\top}a = 0,\ t^{\top}u = 0 \Rightarrow (\Delta W + tw^{\top})a = u,\quad"
        r" \lVert (\Delta W + tw^{\top})x \rVert^2 = \lVert \Delta W x \rVert^2 + (w^{\top}x)^2 \lVert t \rVert^2",
    ),
    left=_left,
    right=_right,
    proof=_proof,
    mutants=(
        Mutant(
            "unique-in-every-norm",
            "every solution stretches every vector as ΔW does or more: ‖Dx‖ ≥ ‖ΔWx‖",
            "a smallest matrix is thought of as smallest in every direction",
            Formula("‖Dx‖² ≥ ‖ΔWx‖² for every x", r"\lVert Dx \rVert^2 \geq \lVert \Delta W x \rVert^2 \text{ for every } x"),
            left=lambda v: v.positive(_norm(_update(v) @ v.x) - _norm(v.D @ v.x)),
            right=lambda v: v.number(0),
        ),
        Mutant(
            "norms-subtract",
            "‖D - ΔW‖_F² = ‖D‖_F² + ‖ΔW‖_F²",
            "the right angle is put at the wrong corner",
            Formula("‖D - ΔW‖_F² = ‖D‖_F² + ‖ΔW‖_F²", r"\lVert D - \Delta W \rVert_F^2 = \lVert D \rVert_F^2 + \lVert \Delta W \rVert_F^2"),
            left=lambda v: v.square(v.D - _update(v)),
            right=lambda v: v.square(v.D) + v.square(_update(v)),
        ),
        Mutant(
            "norm-without-division",
            "‖ΔW‖_F = ‖u‖·‖a‖",
            "the norm of an outer product is the product of the norms; the division by ‖a‖² is forgotten",
            Formula("‖ΔW‖_F² = ‖u‖²‖a‖²", r"\lVert \Delta W \rVert_F^2 = \lVert u \rVert^2 \lVert a \rVert^2"),
            left=lambda v: v.square(_update(v)),
            right=lambda v: _norm(_target(v)) * _norm(v.a),
        ),
        Mutant(
            "norm-bounds-itself-by-w",
            "‖ΔW‖_F² = ‖W‖_F²‖ΔA‖²/‖a‖²",
            "it is an upper bound and is easily written as an equality",
            Formula("‖ΔW‖_F² = ‖W‖_F²‖ΔA‖²/‖a‖²", r"\lVert \Delta W \rVert_F^2 = \lVert W \rVert_F^2 \lVert \Delta A \rVert^2 / \lVert a \rVert^2"),
            left=lambda v: v.square(_update(v)),
            right=lambda v: v.square(v.W) * _norm(v.z - v.a) / _norm(v.a),
        ),
        Mutant(
            "smallest-without-solving",
            "the squares add up for every D",
            "the constraint Da = u is what makes the right angle",
            Formula(
                "‖D‖_F² = ‖ΔW‖_F² + ‖D - ΔW‖_F² for every D",
                r"\lVert D \rVert_F^2 = \lVert \Delta W \rVert_F^2 + \lVert D - \Delta W \rVert_F^2 \text{ for every } "
                r"D",
            ),
            left=lambda v: v.square(v.D),
            right=lambda v: v.square(_update(v)) + v.square(v.D - _update(v)),
            without=("Da = u",),
        ),
        Mutant(
            "stretches-all-alike",
            "ΔW stretches every vector by ‖u‖/‖a‖",
            "the spectral norm is attained at a, and only along a",
            Formula("‖ΔWx‖² = ‖u‖²‖x‖²/‖a‖²", r"\lVert \Delta W x \rVert^2 = \lVert u \rVert^2 \lVert x \rVert^2 / \lVert a \rVert^2"),
            left=lambda v: _norm(_update(v) @ v.x),
            right=lambda v: _norm(_target(v)) * _norm(v.x) / _norm(v.a),
        ),
        Mutant(
            "unique-in-spectral-norm",
            "ΔW is the only solution that stretches no vector by more than ‖u‖/‖a‖",
            "it is the only one in Frobenius norm, and the two norms agree on it",
            Formula("‖D‖₂ = ‖ΔW‖₂ ⇒ D = ΔW", r"\lVert D \rVert_2 = \lVert \Delta W \rVert_2 \Rightarrow D = \Delta W"),
            left=lambda v: v.nonzero(v.D.mT @ v.D - (_norm(_target(v)) / _norm(v.a)) * v.identity("d")) @ v.nonzero(v.D - _update(v)),
            right=lambda v: v.nonzero(v.D - _update(v)),
            note="DᵀD is ‖u‖²/‖a‖² times the identity, so D stretches every vector by exactly ‖u‖/‖a‖, and D is not ΔW",
        ),
    ),
)
