"""That ΔW is smallest is a statement about equal pre-activations: with a ReLU less may do.

For every d and m, every a ≠ 0 and every u ≥ 0 (entrywise) take W = -uaᵀ/‖a‖², z = 2a and b = 0. Then Wa = -u and Wz = -2u are both cut off by the ReLU, so no
update at all is needed for the same output, while ΔW = -uaᵀ/‖a‖² has the norm ‖u‖/‖a‖:

    ReLU((W + 0)a) = ReLU(Wz) = 0,    ‖0‖ = 0 < ‖ΔW‖_F = ‖u‖/‖a‖ if u ≠ 0.

Source: not in the paper; a limit of the claim `minimality`.
"""

from fractions import Fraction
from typing import Any

from symbolic.claim import Claim, Mutant
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values

ORDER = 15


def _relu(x: Any) -> Any:
    return x.map(lambda entry: max(entry, Fraction(0)))


def _weight(v: Values) -> Any:
    return v.define("W", "W", -(v.u @ v.a.mT / (v.a.mT @ v.a)))


def _update(v: Values) -> Any:
    z = 2 * v.a
    return v.define("ΔW", r"\Delta W", v.formulas.rank_one_update(_weight(v), v.formulas.context_vector(z, v.a), v.a))


def _proof(v: Values, d: Derivation) -> None:
    a, u, n = v.a, v.u, v.a.mT @ v.a
    d.notation(
        "W = -uaᵀ/‖a‖², z = 2a, b = 0", r"W = -\frac{u a^{\top}}{\lVert a \rVert^2},\quad z = 2a,\quad b = 0", "the example, for any a ≠ 0 and any u ≥ 0"
    )
    d.part(0)
    d.start("the layer without the context, not patched")
    d.then(v.relu(-(u @ (a.mT @ a / n))), "definition of W; the row times the column is 1x1")
    d.then(v.relu(-u), "a nonzero scalar over itself is 1")
    d.then(v.zero("m"), "u ≥ 0")
    d.then(v.relu(-(2 * u)), "u ≥ 0")
    d.finish("Wz = 2Wa = -2u: the layer with the context")
    d.part(1)
    d.start("the square of the update of Eq. (1)")
    d.then(v.trace(a @ u.mT @ u @ a.mT) / (n @ n), "ΔA = a, so WΔA = Wa = -u and ΔW = -uaᵀ/‖a‖²")
    d.finish("a trace may be rotated; a nonzero scalar over itself is 1")
    d.conclusion("0 does what ΔW ≠ 0 does, and is smaller", r"\lVert 0 \rVert < \lVert \Delta W \rVert_F \text{ if } u \neq 0", "‖u‖²/‖a‖² > 0")


CLAIM = Claim(
    id="pre-activation-only",
    title="With a ReLU a smaller update can give the same output",
    source="beyond the paper: the limit of `minimality`",
    symbols=(Matrix("a", "d", "1"), Matrix("u", "m", "1")),
    functions=(Function("relu", "m", "1", "ReLU", r"\operatorname{ReLU}", concrete=_relu, note="ReLU(t) = max(t, 0) entrywise"),),
    hypotheses=(
        Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),
        Hypothesis("u ≥ 0: ReLU(-u) = 0", r"u \geq 0: \operatorname{ReLU}(-u) = 0", equal=lambda v: (v.relu(-v.u), v.zero("m"))),
        Hypothesis("u ≥ 0: ReLU(-2u) = 0", r"u \geq 0: \operatorname{ReLU}(-2u) = 0", equal=lambda v: (v.relu(-(2 * v.u)), v.zero("m"))),
    ),
    statement=Formula(
        "for W = -uaᵀ/‖a‖², z = 2a: ReLU(Wa) = ReLU(Wz), without any update, while ‖ΔW‖_F² = ‖u‖²/‖a‖²",
        r"W = -\frac{u a^{\top}}{\lVert a \rVert^2},\ z = 2a:\quad \operatorname{ReLU}(Wa) = "
        r"\operatorname{ReLU}(Wz),\quad \lVert \Delta W \rVert_F^2 = \lVert u \rVert^2 / \lVert a \rVert^2",
    ),
    left=lambda v: (v.relu(_weight(v) @ v.a), v.square(_update(v))),
    right=lambda v: (v.relu(_weight(v) @ (2 * v.a)), v.u.mT @ v.u / (v.a.mT @ v.a)),
    proof=_proof,
    mutants=(
        Mutant(
            "no-cut-off",
            "the same without the ReLU",
            "if the outputs agree, the pre-activations seem to",
            Formula("Wa = Wz", "Wa = Wz"),
            left=lambda v: _weight(v) @ v.a,
            right=lambda v: _weight(v) @ (2 * v.a),
        ),
        Mutant(
            "any-sign",
            "the same for every u",
            "that the ReLU cuts both off depends on the sign of u",
            Formula("ReLU(Wa) = ReLU(Wz) for every u", r"\operatorname{ReLU}(Wa) = \operatorname{ReLU}(Wz) \text{ for every } u"),
            left=lambda v: v.relu(_weight(v) @ v.a),
            right=lambda v: v.relu(_weight(v) @ (2 * v.a)),
            without=("u ≥ 0: ReLU(-u) = 0", "u ≥ 0: ReLU(-2u) = 0"),
            where=lambda v: not v.a.is_zero(),
        ),
        Mutant(
            "update-is-zero",
            "Eq. (1) gives zero here",
            "it is the smallest update, and zero would do",
            Formula("‖ΔW‖_F² = 0", r"\lVert \Delta W \rVert_F^2 = 0"),
            left=lambda v: v.square(_update(v)),
            right=lambda v: v.number(0),
        ),
        Mutant(
            "norm-not-divided",
            "‖ΔW‖_F = ‖u‖‖a‖",
            "the norm of an outer product is the product of the norms; the division is forgotten",
            Formula("‖ΔW‖_F² = ‖u‖²‖a‖²", r"\lVert \Delta W \rVert_F^2 = \lVert u \rVert^2 \lVert a \rVert^2"),
            left=lambda v: v.square(_update(v)),
            right=lambda v: v.u.mT @ v.u @ v.a.mT @ v.a,
        ),
        Mutant(
            "the-other-way",
            "the same for z = -2a",
            "both vectors lie on one line through 0; but the ReLU tells the two directions apart",
            Formula("ReLU(Wa) = ReLU(-2Wa)", r"\operatorname{ReLU}(Wa) = \operatorname{ReLU}(-2Wa)"),
            left=lambda v: v.relu(_weight(v) @ v.a),
            right=lambda v: v.relu(_weight(v) @ (-2 * v.a)),
        ),
    ),
)
