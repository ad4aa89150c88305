"""Eq. (1) is not guessed but derived: of all D with Da = WΔA it is the smallest.

Minimise ½‖D‖_F² = ½tr(DᵀD) subject to Da = WΔA. With multipliers λ (one for each row) the Lagrangian is

    L(D) = ½tr(DᵀD) - λᵀ(Da - WΔA),    ∇L(D) = D - λaᵀ,

so a stationary D is λaᵀ; the constraint gives λ = WΔA/‖a‖², and D is Eq. (1). It is the minimum, and the only one, because for every
solution D the squares add up: ‖D‖_F² = ‖ΔW‖_F² + ‖D - ΔW‖_F². All for a ≠ 0.
Source: this derivation is not in the paper, which states Eq. (1) and checks it. Lagrange's rule: Magnus and Neudecker (2019), chapter 7.
"""

from fractions import Fraction
from typing import Any

from symbolic.claim import Claim, Mutant, no_normalisation
from symbolic.claims.theorem_2_2 import delta_A, delta_W
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values

ORDER = 2
HALF = Fraction(1, 2)


def _lagrangian(v: Values, D: Any) -> Any:
    return HALF * v.square(D) - v.multiplier.mT @ (D @ v.a - v.W @ delta_A(v))


def _left(v: Values) -> Any:
    return v.gradient(lambda D: _lagrangian(v, D), v.D, "D", "D"), v.S, delta_W(v) @ v.a, v.square(v.D)


def _right(v: Values) -> Any:
    return v.D - v.multiplier @ v.a.mT, delta_W(v), v.W @ delta_A(v), v.square(delta_W(v)) + v.square(v.D - delta_W(v))


def _proof(v: Values, d: Derivation) -> None:
    a, D, S, multiplier, target = v.a, v.D, v.S, v.multiplier, v.W @ delta_A(v)
    d.part(0)
    d.start("the gradient of the Lagrangian: a stationary D makes it zero")
    d.finish("∇ tr(PXQ) = (QP)ᵀ and ∇ tr(PXᵀQ) = QP, for every occurrence of D")
    d.part(1)
    d.chain(multiplier, "the multipliers of a stationary solution S")
    d.then(multiplier @ (a.mT @ a) / (a.mT @ a), "a nonzero scalar over itself is 1")
    d.then(S @ a / (a.mT @ a), "S is stationary: S = λaᵀ")
    d.then(target / (a.mT @ a), "S is a solution: Sa = WΔA")
    d.remember("λ = WΔA/‖a‖²")
    d.start("the stationary solution")
    d.then(multiplier @ a.mT, "S is stationary: S = λaᵀ")
    d.then((target / (a.mT @ a)) @ a.mT, "the multipliers just found")
    d.finish("a scalar commutes out: this is Eq. (1)")
    d.part(2)
    d.start("whether ΔW is a solution")
    d.then(target @ (a.mT @ a) / (a.mT @ a), "definition of ΔW; aᵀa is 1x1")
    d.finish("a nonzero scalar over itself is 1")
    d.part(3)
    update = delta_W(v)
    d.chain(v.trace(update.mT @ (D - update)), "the inner product of ΔW with the difference of two solutions")
    d.then(target.mT @ (D @ a - target) / (a.mT @ a), "ΔWᵀ = a(WΔA)ᵀ/‖a‖²; a trace may be rotated")
    d.then(v.number(0), "D is a solution: Da = WΔA")
    d.start("the square of any solution D")
    d.finish("the inner product of ΔW and D - ΔW is zero (Pythagoras)")
    d.conclusion(
        "‖D‖ > ‖ΔW‖ unless D = ΔW", r"\lVert D \rVert_F > \lVert \Delta W \rVert_F \text{ unless } D = \Delta W", "a sum of squares is zero only if each is"
    )


CLAIM = Claim(
    id="theorem-2.2-derived",
    title="Eq. (1) is the smallest update that does it, derived by Lagrange's rule",
    source="a derivation of Theorem 2.2, Eq. (1)",
    symbols=(
        Matrix("W", "m", "d"),
        Matrix("a", "d", "1"),
        Matrix("z", "d", "1"),
        Matrix("D", "m", "d"),
        Matrix("S", "m", "d"),
        Matrix("multiplier", "m", "1", "λ", r"\lambda"),
    ),
    hypotheses=(
        Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),
        Hypothesis(
            "Da = WΔA",
            r"D a = W \Delta A",
            equal=lambda v: (v.D @ v.a, v.W @ (v.z - v.a)),
            solve=("D", lambda v: v.D - (v.D @ v.a - v.W @ (v.z - v.a)) @ v.a.mT / (v.a.mT @ v.a)),
        ),
        Hypothesis(
            "Sa = WΔA",
            r"S a = W \Delta A",
            equal=lambda v: (v.S @ v.a, v.W @ (v.z - v.a)),
            solve=("multiplier", lambda v: v.W @ (v.z - v.a) / (v.a.mT @ v.a)),
        ),
        Hypothesis("S = λaᵀ", r"S = \lambda a^{\top}", equal=lambda v: (v.S, v.multiplier @ v.a.mT), solve=("S", lambda v: v.multiplier @ v.a.mT)),
    ),
    statement=Formula(
        "∇(½‖D‖_F² - λᵀ(Da - WΔA)) = D - λaᵀ; S = λaᵀ and Sa = WΔA give S = (WΔA)aᵀ/‖a‖² = ΔW; ΔWa = WΔA; Da = WΔA gives ‖D‖_F² = ‖ΔW‖_F² + ‖D - ΔW‖_F²",
        r"\nabla\left(\tfrac{1}{2} \lVert D \rVert_F^2 - \lambda^{\top}(Da - W \Delta A)\right) = D - \lambda a^{\top};\quad"
        r" S = \lambda a^{\top},\ S a = W \Delta A \Rightarrow S = \frac{(W \Delta A)a^{\top}}{\lVert a \rVert^{2}} = \Delta W;\quad"
        r" \Delta W a = W \Delta A;\quad"
        r" D a = W \Delta A \Rightarrow \lVert D \rVert_F^2 = \lVert \Delta W \rVert_F^2 + \lVert D - \Delta W \rVert_F^2",
    ),
    left=_left,
    right=_right,
    proof=_proof,
    mutants=(
        Mutant(
            "gradient-doubled",
            "the gradient of ½‖D‖² is taken to be 2D",
            "the derivative of a square has a factor 2, and the ½ is easily overlooked",
            Formula(
                "∇(½‖D‖_F² - λᵀ(Da - WΔA)) = 2D - λaᵀ",
                r"\nabla\left(\tfrac{1}{2} \lVert D \rVert_F^2 - \lambda^{\top}(Da - W \Delta A)\right) = 2D - \lambda a^{\top}",
            ),
            right=lambda v: (2 * v.D - v.multiplier @ v.a.mT, *_right(v)[1:]),
        ),
        Mutant(
            "multiplier-sign",
            "the gradient of the constraint has the other sign",
            "Lagrangians are written with + and with -, and the two are mixed",
            Formula(
                "∇(½‖D‖_F² - λᵀ(Da - WΔA)) = D + λaᵀ",
                r"\nabla\left(\tfrac{1}{2} \lVert D \rVert_F^2 - \lambda^{\top}(Da - W \Delta A)\right) = D + \lambda a^{\top}",
            ),
            right=lambda v: (v.D + v.multiplier @ v.a.mT, *_right(v)[1:]),
        ),
        Mutant(
            "constraint-forgotten",
            "a stationary S need not solve Sa = WΔA",
            "S = λaᵀ already has the right shape",
            Formula("S = λaᵀ gives S = ΔW", r"S = \lambda a^{\top} \Rightarrow S = \Delta W"),
            without=("Sa = WΔA",),
        ),
        Mutant(
            "any-solution",
            "every S with Sa = WΔA is Eq. (1)",
            "the equation Sa = WΔA seems to determine S, as it would if a were a matrix with an inverse",
            Formula("Sa = WΔA gives S = ΔW", r"S a = W \Delta A \Rightarrow S = \Delta W"),
            without=("S = λaᵀ",),
        ),
        Mutant(
            "norms-add-for-all",
            "the squares add up for every D",
            "Pythagoras is used without its right angle",
            Formula(
                "‖D‖_F² = ‖ΔW‖_F² + ‖D - ΔW‖_F² for every D",
                r"\lVert D \rVert_F^2 = \lVert \Delta W \rVert_F^2 + \lVert D - \Delta W \rVert_F^2 \text{ for every } D",
            ),
            without=("Da = WΔA",),
        ),
        no_normalisation(
            "the division by ‖a‖² is left out of Eq. (1)",
            Formula("S = (WΔA)aᵀ", r"S = (W \Delta A)a^{\top}"),
            "S = λaᵀ with λ = WΔA looks like the end of the calculation",
        ),
    ),
)
