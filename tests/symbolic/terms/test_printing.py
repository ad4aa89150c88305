"""What a reader sees, by hand."""

from collections import defaultdict
from fractions import Fraction
from random import Random

import pytest
from latex2mathml.converter import convert

from symbolic.exact import Exact, Undefined
from symbolic.terms import Application, Zero
from symbolic.terms.notation import latex, text
from symbolic.terms.term import BuiltIn, Constant, Defined, Difference, Gradient, Identity, Operation, Product, Quotient, Scaled, Sum, Trace, Transposed
from tests.symbolic.symbolic_strategies import SYMBOLS, worth

W, V, A, x, y, s = (SYMBOLS[name] for name in "WVAxys")


def f(argument):
    return Application("f", (argument,), ("k", "1"), "f_θ", r"f_\theta")


@pytest.mark.parametrize(
    ("term", "shown", "in_latex"),
    [
        (W @ x, "W x", r"W\, x"),
        ((W @ x) @ y.mT, "(W x) yᵀ", r"\left(W\, x\right)\, {y}^{\top}"),
        (W @ (A @ x), "W (A x)", r"W\, \left(A\, x\right)"),
        (W + V, "W + V", "W + V"),
        (W - V - W, "W - V - W", "W - V - W"),
        (W - (V + W), "W - (V + W)", "W - (V + W)"),
        (W - (V - W), "W - (V - W)", "W - (V - W)"),
        ((W + V) @ x, "(W + V) x", r"\left(W + V\right)\, x"),
        (x / (x.mT @ x), "x / ‖x‖²", r"\frac{x}{\lVert x \rVert^{2}}"),
        (x / (s @ s), "x / (s s)", r"\frac{x}{s\, s}"),
        ((x + y) / s, "(x + y) / s", r"\frac{x + y}{s}"),
        ((x + y).mT, "(x + y)ᵀ", r"\left(x + y\right)^{\top}"),
        (-(x @ y.mT), "-x yᵀ", r"-x\, {y}^{\top}"),
        (-(x + y), "-(x + y)", r"-\left(x + y\right)"),
        (Fraction(1, 2) * x, "1/2 x", r"\frac{1}{2}\, x"),
        ((s + 1) * x, "(s + 1) x", r"\left(s + 1\right)\, x"),
        (x.norm(), "‖x‖", r"\lVert x \rVert"),
        (s**0.5, "√(s)", r"\sqrt{s}"),
        (Trace(A), "tr(A)", r"\operatorname{tr}\left(A\right)"),
        (f(W @ x), "f_θ(W x)", r"f_\theta\left(W\, x\right)"),
        (BuiltIn(Operation.NONZERO, (x,)), "[x ≠ 0]", r"\left[x \neq 0\right]"),
        (Application("nonzero", (x,), ("1", "1"), "nonzero", "n"), "nonzero(x)", r"n\left(x\right)"),
        (Application("f", (x, y), ("d", "1"), "⊙", r"\odot"), "⊙(x, y)", r"\odot\left(x, y\right)"),
        (Application("f", (x.mT @ x,), ("1", "1"), "√", "r"), "√(xᵀ x)", r"r\left({x}^{\top}\, x\right)"),
        (x * y, "x ⊙ y", r"x \odot y"),
        (x / y + x, "x ⊘ y + x", r"x \oslash y + x"),
        ((x + y) * (A @ y), "(x + y) ⊙ (A y)", r"\left(x + y\right) \odot \left(A\, y\right)"),
        (A @ (x * y), "A (x ⊙ y)", r"A\, \left(x \odot y\right)"),
        (x * y * y, "(x ⊙ y) ⊙ y", r"\left(x \odot y\right) \odot y"),
        ((x * y).mT, "(x ⊙ y)ᵀ", r"\left(x \odot y\right)^{\top}"),
        (Identity("d") @ x, "1 x", r"1\, x"),
        (Zero(("d", "1")), "0", "0"),
        (Constant(Fraction(-3)), "-3", "-3"),
        (Defined("ΔW", r"\Delta W", W - V) @ x, "ΔW x", r"\Delta W\, x"),
        (Gradient(Trace(A), A, A).mT, "(∇_A(tr(A)))ᵀ", r"\left(\nabla_{A}\left(\operatorname{tr}\left(A\right)\right)\right)^{\top}"),
        (Gradient(Trace(A), A, A), "∇_A(tr(A))", r"\nabla_{A}\left(\operatorname{tr}\left(A\right)\right)"),
        (Gradient(Trace(A), A, A + A), "∇_A(tr(A))|_{A = A + A}", r"\nabla_{A}\left(\operatorname{tr}\left(A\right)\right)\Big|_{A = A + A}"),
    ],
)
def test_what_is_shown(term, shown, in_latex):
    assert text(term) == shown
    assert latex(term) == in_latex
    assert convert(in_latex).startswith("<math")


def grown(level):
    """Every term with one more node."""
    for p in level:
        yield from (p, Transposed(p), Scaled(Constant(Fraction(-1)), p), Scaled(Constant(Fraction(1, 2)), p))
        if p.shape[0] == p.shape[1]:
            yield Trace(p)
        for q in level:
            if p.shape == q.shape:
                yield from (Sum(p, q), Difference(p, q))
            if p.shape[1] == q.shape[0]:
                yield Product(p, q)
            if q.shape == ("1", "1"):
                yield from (Scaled(q, p), Quotient(p, q))


def sample(level, count):
    """Some of the terms, in an order of their own."""
    chosen = sorted(set(level), key=repr)
    Random(count).shuffle(chosen)
    return chosen[:count]


def test_terms_that_read_alike_are_worth_the_same():
    """What is printed is what is compared: brackets are left out only where they do not matter."""
    alike = defaultdict(list)
    for term in sample(grown(sample(grown(sample(grown([A, x, s]), 40)), 110)), 20000):
        alike[text(term)].append(term)
    point = {"A": Exact.of([[2, -1], [3, 5]]), "x": Exact.of([[1], [-4]]), "s": Exact.of([[3]])}
    compared = 0
    for group in alike.values():
        values = []
        for term in group if len(group) > 1 else ():
            try:
                values.append(worth(term, point, {"d": 2}).rows())
            except Undefined:
                continue
        assert all(value == values[0] for value in values), group
        compared += len(values) > 1
    assert compared > 100


@pytest.mark.parametrize(
    ("one", "other"),
    [((s + s) @ s, s + s @ s), (A @ (x + x), A @ x + x), (x - (x + x), x - x + x), (s / (s @ x.mT @ x), s / s @ (x.mT @ x)), ((A @ x).mT, A @ x.mT.mT)],
)
def test_terms_that_differ_by_their_brackets_read_differently(one, other):
    """The planted negative."""
    assert text(one) != text(other)
