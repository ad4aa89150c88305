"""All the updates that do it, and what is left at a = 0.

For a ≠ 0: Da = WΔA ⇔ (D - ΔW)a = 0, so the solutions are ΔW + N with Na = 0. At a = 0: Da = WΔA ⇔ WΔA = 0, for every D alike, so a solution exists
(and then every D is one) if and only if WΔA = 0.
Source: not in the paper, which speaks of "the" update and does not mention a = 0.
"""

from typing import Any

from symbolic.claim import Claim, Mutant, zero_allowed
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values

ORDER = 14
SYMBOLS = (Matrix("W", "m", "d"), Matrix("a", "d", "1"), Matrix("z", "d", "1"), Matrix("D", "m", "d"))


def _target(v: Values) -> Any:
    return v.W @ v.define("ΔA", r"\Delta A", v.formulas.context_vector(v.z, v.a))


def _update(v: Values) -> Any:
    return v.define("ΔW", r"\Delta W", v.formulas.rank_one_update(v.W, v.formulas.context_vector(v.z, v.a), v.a))


def _residual(v: Values) -> Any:
    """Da - WΔA: what a solution makes zero."""
    return v.D @ v.a - _target(v)


def _solutions(v: Values, d: Derivation) -> None:
    d.start("by how much D misses")
    d.then(v.D @ v.a - _target(v) @ (v.a.mT @ v.a / (v.a.mT @ v.a)), "a nonzero scalar over itself is 1")
    d.then(v.D @ v.a - _update(v) @ v.a, "ΔWa = WΔA")
    d.finish("distributivity")
    d.conclusion(
        "Da = WΔA ⇔ Na = 0 for N = D - ΔW",
        r"Da = W \Delta A \Leftrightarrow Na = 0,\ N = D - \Delta W",
        "both sides are the same vector, so they are zero together",
    )


def _singular(v: Values, d: Derivation) -> None:
    d.start("whether D misses")
    d.then(v.nonzero(-_target(v)), "a = 0, so Da = 0")
    d.finish("a vector and its negative are zero together")
    d.conclusion(
        "a solution exists at a = 0 ⇔ WΔA = 0, and then every D is one",
        r"\exists D: Da = W \Delta A \Leftrightarrow W \Delta A = 0",
        "whether D misses does not depend on D",
    )


SOLUTIONS = Claim(
    id="solutions",
    title="All solutions are ΔW + N with Na = 0",
    source="beyond the paper",
    symbols=SYMBOLS,
    hypotheses=(Hypothesis("a ≠ 0", r"a \neq 0", nonzero=lambda v: v.a),),
    statement=Formula(
        "Da - WΔA = (D - ΔW)a, so Da = WΔA ⇔ D = ΔW + N with Na = 0",
        r"Da - W \Delta A = (D - \Delta W)a,\quad Da = W \Delta A \Leftrightarrow D = \Delta W + N \text{ with } Na = 0",
    ),
    left=_residual,
    right=lambda v: (v.D - _update(v)) @ v.a,
    proof=_solutions,
    mutants=(
        Mutant(
            "unique",
            "ΔW is the only solution",
            "an equation seems to have one solution, and the paper speaks of the update",
            Formula("Da = WΔA ⇔ D = ΔW", r"Da = W \Delta A \Leftrightarrow D = \Delta W"),
            left=lambda v: v.nonzero(_residual(v)),
            right=lambda v: v.nonzero(v.D - _update(v)),
        ),
        Mutant(
            "any-difference",
            "ΔW + N is a solution for every N",
            "a condition on N is easily forgotten",
            Formula("(ΔW + N)a = WΔA for every N", r"(\Delta W + N)a = W \Delta A \text{ for every } N"),
            left=lambda v: (_update(v) + v.D) @ v.a,
            right=_target,
        ),
        Mutant(
            "left-kernel",
            "the condition on N is Nᵀ(WΔA) = 0 in place of Na = 0",
            "which side a kernel is on is easily confused",
            Formula("Da = WΔA ⇔ (D - ΔW)ᵀWΔA = 0", r"Da = W \Delta A \Leftrightarrow (D - \Delta W)^{\top} W \Delta A = 0"),
            left=lambda v: v.nonzero(_residual(v)),
            right=lambda v: v.nonzero((v.D - _update(v)).mT @ _target(v)),
        ),
        Mutant(
            "sign-of-the-difference",
            "Da - WΔA = (ΔW - D)a",
            "the difference is taken the other way round",
            Formula("Da - WΔA = (ΔW - D)a", r"Da - W \Delta A = (\Delta W - D)a"),
            right=lambda v: (_update(v) - v.D) @ v.a,
        ),
        zero_allowed(
            "a",
            "the description of the solutions seems to need none",
            Formula("Da - WΔA = (D - ΔW)a, also if a = 0", r"Da - W \Delta A = (D - \Delta W)a,\ \text{also if } a = 0"),
            where=lambda v: not (v.W @ v.z).is_zero(),
            note="a = 0 and WΔA ≠ 0: there is no solution to which others could be compared",
        ),
    ),
)

SINGULAR = Claim(
    id="singular",
    title="At a = 0 an update exists exactly if WΔA = 0",
    source="beyond the paper, which does not mention a = 0",
    symbols=SYMBOLS,
    hypotheses=(Hypothesis("a = 0", "a = 0", equal=lambda v: (v.a, v.zero("d")), solve=("a", lambda v: v.a - v.a)),),
    statement=Formula(
        "if a = 0: Da = WΔA ⇔ WΔA = 0, for every D; so a solution exists ⇔ WΔA = 0",
        r"a = 0 \Rightarrow (Da = W \Delta A \Leftrightarrow W \Delta A = 0) \text{ for every } D;\quad "
        r"\exists D: Da = W \Delta A \Leftrightarrow W \Delta A = 0",
    ),
    left=lambda v: v.nonzero(_residual(v)),
    right=lambda v: v.nonzero(_target(v)),
    proof=_singular,
    mutants=(
        Mutant(
            "never",
            "at a = 0 no D is a solution",
            "Eq. (1) divides by zero there, so it seems hopeless",
            Formula("a = 0 ⇒ Da ≠ WΔA", r"a = 0 \Rightarrow Da \neq W \Delta A"),
            right=lambda v: v.number(1),
        ),
        Mutant(
            "always",
            "at a = 0 there is always a solution, by continuity",
            "for a → 0 Eq. (1) solves it all along; but it grows without limit",
            Formula("a = 0 ⇒ Da = WΔA", r"a = 0 \Rightarrow Da = W \Delta A"),
            right=lambda v: v.number(0),
        ),
        Mutant(
            "only-if-no-effect",
            "at a = 0 a solution exists only if ΔA = 0",
            "W is forgotten: it may map ΔA to zero",
            Formula("a = 0 ⇒ (Da = WΔA ⇔ ΔA = 0)", r"a = 0 \Rightarrow (Da = W \Delta A \Leftrightarrow \Delta A = 0)"),
            right=lambda v: v.nonzero(v.z - v.a),
        ),
        Mutant(
            "zero-update-only",
            "at a = 0 the only solution is D = 0",
            "nothing needs to be done, so nothing may be",
            Formula("a = 0 ⇒ (Da = WΔA ⇔ D = 0)", r"a = 0 \Rightarrow (Da = W \Delta A \Leftrightarrow D = 0)"),
            right=lambda v: v.nonzero(v.D),
        ),
        Mutant(
            "for-every-a",
            "the same for every a",
            "the hypothesis a = 0 is forgotten",
            Formula("Da = WΔA ⇔ WΔA = 0, for every a", r"Da = W \Delta A \Leftrightarrow W \Delta A = 0 \text{ for every } a"),
            without=("a = 0",),
        ),
    ),
)

CLAIMS = (SOLUTIONS, SINGULAR)
