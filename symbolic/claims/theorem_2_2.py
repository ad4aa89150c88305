"""Theorem 2.2: a context acts on a block exactly as a rank-one change of W would.

    f_θ((W + ΔW)a + b) = f_θ(Wz + b),    ΔW = (WΔA)aᵀ/‖a‖²,    ΔA = z - a,

with z = A(C,x) and a = A(C∖Y,x), for any f_θ and all sizes, if a ≠ 0. Corollary 2.3.1 is Y = C, Remark 2.4 writes C = D ∪ Y.
Source: Theorem 2.2, Eqs. (1)-(7); Corollary 2.3.1, Eq. (8); Remark 2.4, Eq. (9). The paper does not state a ≠ 0.
"""

from fractions import Fraction
from typing import Any

from symbolic.claim import Claim, Mutant, no_normalisation, zero_allowed
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Function, Hypothesis, Matrix, Values
from symbolic.terms import unfold

ORDER = 1
EPSILON = Fraction(1, 10**8)


def delta_A(v: Values) -> Any:
    """ΔA, by its name."""
    return v.define("ΔA", r"\Delta A", v.formulas.context_vector(v.z, v.a))


def delta_W(v: Values) -> Any:
    """ΔW, by its name."""
    return v.define("ΔW", r"\Delta W", v.formulas.rank_one_update(v.W, delta_A(v), v.a))


def patched(v: Values) -> Any:
    """The block without Y, with W + ΔW in place of W."""
    return v.f(v.formulas.first_layer(v.formulas.patched_weight(v.W, delta_W(v)), v.b, v.a))


def full(v: Values) -> Any:
    """The block with the whole context."""
    return v.f(v.formulas.first_layer(v.W, v.b, v.z))


def proof(v: Values, d: Derivation) -> None:
    """The paper's Eqs. (2)-(7), with the hypothesis that Eq. (5) uses."""
    W, a, b = v.W, v.a, v.b
    d.start("the block on the smaller context, patched")
    d.then(v.f(W @ a + delta_W(v) @ a + b), "distributivity")
    d.then(v.f(W @ a + unfold(delta_W(v)) @ a + b), "definition of ΔW, Eq. (1)")
    d.then(v.f(W @ a + (W @ delta_A(v)) @ (a.mT @ a / (a.mT @ a)) + b), "the row times the column is 1x1: it commutes out of the product")
    d.then(v.f(W @ a + W @ delta_A(v) + b), "a nonzero scalar over itself is 1")
    d.then(v.f(W @ (a + delta_A(v)) + b), "distributivity")
    d.finish("definition of ΔA; equal arguments give equal values of f_θ")


def _norm_not_squared(W: Any, delta: Any, a: Any) -> Any:
    """(WΔA)aᵀ/‖a‖."""
    return (W @ delta) @ a.mT / a.norm()


def _minus(W: Any, delta: Any, a: Any) -> Any:
    """-(WΔA)aᵀ/‖a‖²."""
    return -((W @ delta) @ a.mT / (a.mT @ a))


def _full_row(W: Any, delta: Any, a: Any) -> Any:
    z = a + delta
    return (W @ delta) @ z.mT / (a.mT @ a)


def _full_row_and_norm(W: Any, delta: Any, a: Any) -> Any:
    z = a + delta
    return (W @ delta) @ z.mT / (z.mT @ z)


def _epsilon(W: Any, delta: Any, a: Any) -> Any:
    return (W @ delta) @ a.mT / (a.mT @ a + EPSILON)


def mutants(a: Formula, z: Formula) -> tuple[Mutant, ...]:
    """Eq. (1) changed to be false; a and z are how the two outputs of the contextual layer are called."""

    equation = Formula(f"f_θ((W + ΔW){a.text} + b) = f_θ(W{z.text} + b)", rf"f_\theta((W + \Delta W){a.latex} + b) = f_\theta(W{z.latex} + b)")

    def statement(text: str, latex: str) -> Formula:
        return Formula(f"{equation.text}, ΔW = {text}", rf"{equation.latex},\ \Delta W = {latex}")

    top, bottom = rf"(W \Delta A){{{a.latex}}}^{{\top}}", rf"\lVert {a.latex} \rVert"
    return (
        no_normalisation(
            "the division by ‖a‖² is left out",
            statement(f"(WΔA){a.text}ᵀ", top),
            "an outer product looks like the whole update, and with a unit vector a it is",
        ),
        Mutant(
            "norm-not-squared",
            "‖a‖ in place of ‖a‖²",
            "normalising a vector divides by its norm, and the paper's zᵀ/‖z‖²·z = 1 is easily read as such",
            statement(f"(WΔA){a.text}ᵀ/‖{a.text}‖", rf"\frac{{{top}}}{{{bottom}}}"),
            formulas={"rank_one_update": _norm_not_squared},
        ),
        Mutant(
            "full-context-in-the-row",
            "z in place of a in the row factor",
            "both are outputs of the contextual layer, and code that has cached z uses it",
            statement(f"(WΔA){z.text}ᵀ/‖{a.text}‖²", rf"\frac{{(W \Delta A){{{z.latex}}}^{{\top}}}}{{{bottom}^{{2}}}}"),
            formulas={"rank_one_update": _full_row},
        ),
        Mutant(
            "full-context-throughout",
            "z in place of a in the row factor and in the norm",
            "the update then maps z to WΔA, which is the right vector at the wrong place",
            statement(f"(WΔA){z.text}ᵀ/‖{z.text}‖²", rf"\frac{{(W \Delta A){{{z.latex}}}^{{\top}}}}{{\lVert {z.latex} \rVert^{{2}}}}"),
            formulas={"rank_one_update": _full_row_and_norm},
        ),
        Mutant(
            "wrong-sign",
            "the update is subtracted",
            "gradient steps subtract, and ΔA is as often defined the other way round",
            statement(f"-(WΔA){a.text}ᵀ/‖{a.text}‖²", rf"-\frac{{{top}}}{{{bottom}^{{2}}}}"),
            formulas={"rank_one_update": _minus},
        ),
        Mutant(
            "epsilon-in-the-denominator",
            "10⁻⁸ is added to the denominator",
            "implementations do it against division by zero, and it looks too small to matter",
            statement(f"(WΔA){a.text}ᵀ/(‖{a.text}‖² + 10⁻⁸)", rf"\frac{{{top}}}{{{bottom}^{{2}} + 10^{{-8}}}}"),
            formulas={"rank_one_update": _epsilon},
        ),
        zero_allowed(
            a.text,
            "the paper does not state it",
            Formula(f"{equation.text}, also if {a.text} = 0", rf"{equation.latex},\ \text{{also if }} {a.latex} = 0"),
            where=lambda v: not (v.W @ (v.z - v.a)).is_zero(),
            note=f"{a.text} = 0, so that D{a.text} = 0 for every D, but WΔA ≠ 0: no update exists, whatever its formula",
        ),
    )


def claim(id: str, title: str, source: str, names: tuple[Formula, Formula], statement: Formula, more: tuple[Mutant, ...] = ()) -> Claim:
    """Theorem 2.2 with names for its two vectors, a and z."""
    a, z = names
    return Claim(
        id=id,
        title=title,
        source=source,
        symbols=(Matrix("W", "m", "d"), Matrix("a", "d", "1", a.text, a.latex), Matrix("z", "d", "1", z.text, z.latex), Matrix("b", "m", "1")),
        functions=(Function("f", "k", "1", "f_θ", r"f_\theta", note="f_θ is the identity"),),
        sizes={"k": "m"},
        hypotheses=(Hypothesis(f"{a.text} ≠ 0", rf"{a.latex} \neq 0", nonzero=lambda v: v.a),),
        statement=statement,
        left=patched,
        right=full,
        proof=proof,
        mutants=(*mutants(a, z), *more),
    )


def _values_not_positions(v: Values) -> Any:
    """Eq. (9) read with sets of values, for C = (c, c), Y = {c}, D = C∖Y = (), A(S,x) = A(x) + Σ_{s∈S} c.

    ΔW(Y) is made of A(C,x), which counts c twice, and z = A(D∪Y,x), which counts it once.
    """
    twice = v.z + (v.z - v.a)
    change = v.formulas.rank_one_update(v.W, v.formulas.context_vector(twice, v.a), v.a)
    return v.f(v.formulas.first_layer(v.formulas.patched_weight(v.W, change), v.b, v.a))


CLAIMS = (
    claim(
        "theorem-2.2",
        "A part Y of the context acts as a rank-one change of W",
        "Theorem 2.2, Eq. (1)",
        (Formula("a", "a"), Formula("z", "z")),
        Formula(
            "f_θ((W + ΔW)a + b) = f_θ(Wz + b), ΔW = (WΔA)aᵀ/‖a‖², ΔA = z - a, z = A(C,x), a = A(C∖Y,x)",
            r"f_\theta((W + \Delta W)a + b) = f_\theta(Wz + b),\quad \Delta W = \frac{(W \Delta A)a^{\top}}{\lVert a \rVert^{2}},"
            r"\quad \Delta A = z - a,\ z = A(C,x),\ a = A(C \setminus Y,x)",
        ),
    ),
    claim(
        "corollary-2.3.1",
        "The whole context acts as a rank-one change of W",
        "Corollary 2.3.1, Eq. (8)",
        (Formula("A(x)", "A(x)"), Formula("A(C,x)", "A(C,x)")),
        Formula(
            "T_W(C,x) = T_{W+ΔW}(x), ΔW = (WΔA)A(x)ᵀ/‖A(x)‖², ΔA = A(C,x) - A(x)",
            r"T_W(C,x) = T_{W + \Delta W}(x),\quad \Delta W = \frac{(W \Delta A)A(x)^{\top}}{\lVert A(x) \rVert^{2}},\quad \Delta A = A(C,x) - A(x)",
        ),
    ),
    claim(
        "remark-2.4",
        "A part Y added to a context D acts as a rank-one change of W",
        "Remark 2.4, Eq. (9)",
        (Formula("A(D,x)", "A(D,x)"), Formula("A(D∪Y,x)", r"A(D \cup Y,x)")),
        Formula(
            "T_W(D∪Y,x) = T_{W+ΔW(Y)}(D,x), ΔW(Y) = (WΔA)A(D,x)ᵀ/‖A(D,x)‖², ΔA = A(D∪Y,x) - A(D,x)",
            r"T_W(D \cup Y,x) = T_{W + \Delta W(Y)}(D,x),\quad \Delta W(Y) = \frac{(W \Delta A)A(D,x)^{\top}}{\lVert A(D,x) \rVert^{2}},"
            r"\quad \Delta A = A(D \cup Y,x) - A(D,x)",
        ),
        more=(
            Mutant(
                "values-not-positions",
                "C∖Y and D∪Y are sets of values, as the paper's footnote says",
                "the two readings agree as long as no token occurs twice",
                Formula(
                    "T_W(D∪Y,x) = T_{W+ΔW(Y)}(D,x) for C = (c, c), Y = {c}, D = C∖Y, as sets of values",
                    r"T_W(D \cup Y,x) = T_{W + \Delta W(Y)}(D,x) \text{ for } C = (c, c),\ Y = \{c\},\ D = C \setminus Y \text{ as sets of values}",
                ),
                left=_values_not_positions,
                note="C = (c, c) and Y = {c} as a value, so C∖Y is empty and D∪Y = (c) is not C; the layer adds c for every occurrence: A(S,x) = A(x) + Σc",
            ),
        ),
    ),
)
