"""Remark 3.2: the dynamics of Appendix B is in general no gradient descent.

One of its steps is W ↦ W + hWA with A = ΔA aᵀ, so the field is F(X) = XA on m x d matrices, m ≥ 1. A linear field is a gradient if and
only if its derivative ⟨Y, XA⟩ = tr(YᵀXA) is symmetric in X and Y (Poincaré's lemma; for a linear field: a linear form's Hessian is symmetric, and
conversely ½⟨X, F(X)⟩ is a potential). That is so if and only if A = Aᵀ, and A = pqᵀ (p = ΔA, q = a) is symmetric if and only if p and q are
parallel or one of them is zero:

    tr(YᵀXA) - tr(XᵀYA) = tr(YᵀX(A - Aᵀ)),  which at X = euᵀ, Y = evᵀ is (eᵀe) uᵀ(A - Aᵀ)v;      ∇ ½tr(XAXᵀ) = XA if A = Aᵀ;
    A = Aᵀ ⇔ every uᵀ(A - Aᵀ)v = 0 ⇔ pqᵀ = qpᵀ ⇔ p(qᵀq) = q(qᵀp), if q ≠ 0.

Source: Remark 3.2 says "can in general no longer be represented by a gradient updates" without a proof.
"""

from fractions import Fraction
from typing import Any

from symbolic.claim import Claim, Mutant
from symbolic.derivation import Derivation
from symbolic.statements import Formula, Hypothesis, Matrix, Values

ORDER = 11
HALF = Fraction(1, 2)


def _asymmetry(v: Values, X: Any, Y: Any, A: Any) -> Any:
    """⟨Y, XA⟩ - ⟨X, YA⟩."""
    return v.trace(Y.mT @ X @ A) - v.trace(X.mT @ Y @ A)


def _potential(v: Values, A: Any) -> Any:
    return v.gradient(lambda X: HALF * v.trace(X @ A @ X.mT), v.X, "X", "X")


def _skew(v: Values) -> Any:
    """A - Aᵀ for A = pqᵀ."""
    return v.p @ v.q.mT - v.q @ v.p.mT


def _apart(v: Values) -> Any:
    """p(qᵀq) - q(qᵀp): ‖q‖² times the part of p that is not along q."""
    return v.p @ (v.q.mT @ v.q) - v.q @ (v.q.mT @ v.p)


def _proof(v: Values, d: Derivation) -> None:
    X, Y, A, S, e, r, s, q = v.X, v.Y, v.A, v.S, v.e, v.r, v.s, v.q
    d.part(0)
    d.start("how far the derivative of the field XA is from symmetric")
    d.then(v.trace(Y.mT @ X @ A) - v.trace(Y.mT @ X @ A.mT), "a trace may be transposed and rotated")
    d.finish("distributivity: so A = Aᵀ makes it symmetric")
    d.part(1)
    d.start("the same at two matrices of one row each, e ≠ 0 (there is one, since m ≥ 1)")
    d.then(v.trace(s @ e.mT @ e @ r.mT @ (A - A.mT)), "the part before")
    d.finish("a trace may be rotated until it is 1x1")
    d.conclusion(
        "if ⟨Y, XA⟩ is symmetric, uᵀ(A - Aᵀ)v = 0 for all u and v, so A = Aᵀ",
        r"\langle Y, XA \rangle = \langle X, YA \rangle \text{ for all } X, Y \Rightarrow A = A^{\top}",
        "eᵀe ≠ 0, and a bilinear form that is zero everywhere has the zero matrix",
    )
    d.part(2)
    d.start("if S is symmetric, XS has a potential")
    d.then(HALF * (X @ S.mT + X @ S), "∇ tr(PXQ) = (QP)ᵀ and ∇ tr(PXᵀQ) = QP")
    d.finish("S = Sᵀ")
    d.part(3)
    for vanishes in d.dichotomy("pqᵀ - qpᵀ", r"pq^{\top} - qp^{\top}", _skew(v)):
        if vanishes:
            d.zero_by_map(_skew(v), lambda x: x @ q, _apart(v), "multiply by q from the right")
        else:
            d.nonzero_by_map(_apart(v), lambda x: (x @ q.mT - q @ x.mT) / (q.mT @ q), _skew(v), "were the part of p apart from q zero, so would A - Aᵀ be")
        d.start("whether A = pqᵀ is not symmetric")
        d.then(v.number(0 if vanishes else 1), "which of the two cases this is")
        d.finish("what was just found")


CLAIM = Claim(
    id="remark-3.2",
    title="The dynamics of Appendix B is a gradient exactly if ΔA is parallel to A(·), or one is zero",
    source="Remark 3.2",
    symbols=(
        Matrix("X", "m", "d"),
        Matrix("Y", "m", "d"),
        Matrix("A", "d", "d"),
        Matrix("S", "d", "d"),
        Matrix("e", "m", "1"),
        Matrix("r", "d", "1", "u", "u"),
        Matrix("s", "d", "1", "v", "v"),
        Matrix("p", "d", "1"),
        Matrix("q", "d", "1"),
    ),
    hypotheses=(
        Hypothesis("S = Sᵀ", r"S = S^{\top}", equal=lambda v: (v.S.mT, v.S), solve=("S", lambda v: (v.S + v.S.mT) / 2)),
        Hypothesis("q ≠ 0", r"q \neq 0", nonzero=lambda v: v.q),
    ),
    statement=Formula(
        "X ↦ XA is a gradient ⇔ tr(YᵀXA) = tr(XᵀYA) for all X, Y ⇔ A = Aᵀ; XS = ∇½tr(XSXᵀ) if S = Sᵀ; "
        "and A = pqᵀ is symmetric ⇔ p(qᵀq) = q(qᵀp), i.e. p ∥ q or p = 0",
        r"X \mapsto XA \text{ is a gradient} \Leftrightarrow \operatorname{tr}(Y^{\top}XA) = \operatorname{tr}(X^{\top}YA) \text{ for all } X, Y"
        r" \Leftrightarrow A = A^{\top};\quad XS = \nabla \tfrac{1}{2}\operatorname{tr}(XSX^{\top}) \text{ if } S = S^{\top};\quad"
        r" pq^{\top} = qp^{\top} \Leftrightarrow p(q^{\top}q) = q(q^{\top}p),\ \text{i.e. } p \parallel q \text{ or } p = 0",
    ),
    left=lambda v: (_asymmetry(v, v.X, v.Y, v.A), _asymmetry(v, v.e @ v.r.mT, v.e @ v.s.mT, v.A), _potential(v, v.S), v.nonzero(_skew(v))),
    right=lambda v: (v.trace(v.Y.mT @ v.X @ (v.A - v.A.mT)), (v.e.mT @ v.e) * (v.r.mT @ (v.A - v.A.mT) @ v.s), v.X @ v.S, v.nonzero(_apart(v))),
    proof=_proof,
    mutants=(
        Mutant(
            "always-a-gradient",
            "⟨Y, XA⟩ is symmetric for every A",
            "every linear map looks like the gradient of a quadratic form",
            Formula("tr(YᵀXA) = tr(XᵀYA)", r"\operatorname{tr}(Y^{\top}XA) = \operatorname{tr}(X^{\top}YA)"),
            left=lambda v: _asymmetry(v, v.X, v.Y, v.A),
            right=lambda v: v.number(0),
        ),
        Mutant(
            "potential-of-any-matrix",
            "½tr(XAXᵀ) is a potential for every A",
            "the factor ½ and the square suggest it; the gradient is X(A + Aᵀ)/2",
            Formula("∇ ½tr(XSXᵀ) = XS for every S", r"\nabla \tfrac{1}{2}\operatorname{tr}(XSX^{\top}) = XS \text{ for every } S"),
            left=lambda v: _potential(v, v.S),
            right=lambda v: v.X @ v.S,
            without=("S = Sᵀ",),
        ),
        Mutant(
            "outer-product-symmetric",
            "an outer product is always symmetric",
            "aaᵀ is, and A = ΔA aᵀ looks like it",
            Formula("pqᵀ = qpᵀ", r"pq^{\top} = qp^{\top}"),
            left=lambda v: v.p @ v.q.mT,
            right=lambda v: v.q @ v.p.mT,
        ),
        Mutant(
            "only-if-equal",
            "A is symmetric only if p = q",
            "parallel vectors of different length are overlooked",
            Formula("pqᵀ = qpᵀ ⇔ p = q", r"pq^{\top} = qp^{\top} \Leftrightarrow p = q"),
            left=lambda v: v.nonzero(_skew(v)),
            right=lambda v: v.nonzero(v.p - v.q),
        ),
        Mutant(
            "only-if-orthogonal",
            "A is symmetric exactly if p and q are at right angles",
            "then qᵀp = 0 makes terms vanish; the wrong ones",
            Formula("pqᵀ = qpᵀ ⇔ pᵀq = 0", r"pq^{\top} = qp^{\top} \Leftrightarrow p^{\top}q = 0"),
            left=lambda v: v.nonzero(_skew(v)),
            right=lambda v: v.nonzero(v.p.mT @ v.q),
        ),
        Mutant(
            "transposed-product",
            "⟨Y, XA⟩ - ⟨X, YA⟩ = tr(XᵀY(A - Aᵀ))",
            "XᵀY and YᵀX are easily exchanged; the sign changes",
            Formula(
                "tr(YᵀXA) - tr(XᵀYA) = tr(XᵀY(A - Aᵀ))",
                r"\operatorname{tr}(Y^{\top}XA) - \operatorname{tr}(X^{\top}YA) = \operatorname{tr}(X^{\top}Y(A - "
                r"A^{\top}))",
            ),
            left=lambda v: _asymmetry(v, v.X, v.Y, v.A),
            right=lambda v: v.trace(v.X.mT @ v.Y @ (v.A - v.A.mT)),
        ),
    ),
)
