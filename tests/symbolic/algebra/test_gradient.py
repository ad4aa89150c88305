"""Our rules for matrix derivatives against the derivative of the components, which SymPy does take rightly: they are ordinary commuting numbers."""

from fractions import Fraction
from functools import reduce

import pytest
import sympy
from hypothesis import given, settings

from symbolic.algebra import Algebra, squares
from symbolic.algebra.gradient import NoRule
from symbolic.algebra.normal_form import letter
from symbolic.exact import Exact, Irrational
from symbolic.statements import Values
from symbolic.statements.values import exact_kind
from symbolic.terms import Application, Symbol, Zero
from symbolic.terms.term import Constant, Difference, Gradient, Identity, Product, Scaled, Sum, Trace, Transposed
from symbolic.vocabulary import MissingHypothesis, ShapeMismatch
from tests.symbolic.symbolic_strategies import SHAPES, SYMBOLS, terms

A, W, V, x, y, u = (SYMBOLS[name] for name in "AWVxyu")
PLAIN = Algebra()
SIZES = {"d": 2, "m": 2}


def components(term, point):
    """The term as a matrix of SymPy scalars; only products, sums, transposes and traces of explicit matrices are asked of SymPy."""
    match term:
        case Symbol():
            return point[term.name]
        case Constant():
            return sympy.Matrix([[sympy.Rational(str(term.value))]])
        case Identity():
            return sympy.eye(SIZES.get(term.size, 1))
        case Zero():
            return sympy.zeros(*(SIZES.get(size, 1) for size in term.shape))
        case Product():
            return components(term.left, point) * components(term.right, point)
        case Sum():
            return components(term.left, point) + components(term.right, point)
        case Difference():
            return components(term.left, point) - components(term.right, point)
        case Scaled():
            return components(term.scalar, point)[0, 0] * components(term.body, point)
        case Transposed():
            return components(term.body, point).T
        case Trace():
            return sympy.Matrix([[components(term.body, point).trace()]])
    raise AssertionError(term)


@settings(max_examples=25, deadline=None)
@given(terms(("1", "1"), 2))
def test_the_rules_agree_with_the_derivative_of_every_component(loss):
    """At a point of small integers, for a random scalar polynomial, with respect to A and to W."""
    variables = {name: sympy.Matrix(*(SIZES.get(s, 1) for s in shape), lambda i, j, name=name: sympy.Symbol(f"{name}{i}{j}")) for name, shape in SHAPES.items()}
    numbers = {name: [[(3 * i + 5 * j + len(name) + ord(name)) % 7 - 3 for j in range(m.cols)] for i in range(m.rows)] for name, m in variables.items()}
    values = {m[i, j]: numbers[name][i][j] for name, m in variables.items() for i in range(m.rows) for j in range(m.cols)}
    component = components(loss, variables)[0, 0]
    for variable in (A, W):
        ours = PLAIN.normal_form(Gradient(loss, variable, variable))
        slope = sympy.Matrix(2, 2, lambda i, j, name=variable.name: sympy.diff(component, variables[name][i, j]).subs(values))
        assert at_numbers(ours, numbers) == [[str(entry) for entry in slope.row(i)] for i in range(2)]


def at_numbers(form, numbers):
    total = Exact.of([[0, 0], [0, 0]])
    point = {name: Exact.of(rows) for name, rows in numbers.items()}
    for (scalars, word), value in form.terms:
        part = path(word, point) * value
        for scalar, exponent in scalars:
            inside = path(scalar.word, point)
            part = part * power(inside.trace() if scalar.cyclic else inside, exponent)
        total = total + part
    return total.rows()


def power(value, exponent):
    result = Exact.of([[1]])
    for _ in range(exponent):
        result = result @ value
    return result


def path(word, point):
    result = None
    for factor in word:
        matrix = point[factor.name].mT if factor.transposed else point[factor.name]
        result = matrix if result is None else result @ matrix
    return Exact.of([[1, 0], [0, 1]]) if result is None else result


@pytest.mark.parametrize(
    ("loss", "variable", "expected"),
    [
        (Trace(V.mT @ W), W, V),
        (Trace(W.mT @ V), W, V),
        (Trace(W.mT @ W) * Fraction(1, 2), W, W),
        (Trace(A @ A), A, 2 * A.mT),
        (u.mT @ W @ x, W, u @ x.mT),
        ((W @ x).mT @ (W @ x), W, 2 * (W @ x @ x.mT)),
        (Trace(W @ A @ W.mT) * Fraction(1, 2), W, W @ (A + A.mT) * Fraction(1, 2)),
        (Trace(A) * Trace(A), A, 2 * Trace(A) * Identity("d")),
        (x.mT @ y, W, Zero(("m", "d"))),
    ],
)
def test_known_gradients(loss, variable, expected):
    """By hand; the first is the one that Eq. (20) uses."""
    assert PLAIN.equal(Gradient(loss, variable, variable), expected)


def test_a_transposed_gradient_is_told_apart():
    """The planted negative: for a square Δ even the shapes agree."""
    B = SYMBOLS["B"]
    assert not PLAIN.equal(Gradient(Trace(B.mT @ A), A, A), B.mT)


def test_the_gradient_is_taken_at_its_point():
    free = Symbol("X", ("d", "d"), "X", "X")
    assert PLAIN.equal(Gradient(Trace(free @ free), free, A @ A), 2 * (A @ A).mT)


def test_an_equation_that_holds_at_a_point_is_not_used_before_differentiating():
    """If A = B at the point, the gradient of tr(A) is still 1 and not 0."""
    from symbolic.algebra.rewriting import RewriteRule

    B = PLAIN.normal_form(SYMBOLS["B"])
    ((_, word), _) = PLAIN.normal_form(A).terms[0]
    equal = Algebra(rules=(RewriteRule(word, B),))
    assert equal.equal(Gradient(Trace(A @ A), A, A), 2 * SYMBOLS["B"].mT)


def test_what_has_no_rule_is_refused():
    with pytest.raises(NoRule, match="no rule"):
        PLAIN.normal_form(Gradient(Application("g", (W,), ("1", "1"), "g", "g"), W, W))
    known = Algebra(squares([letter("x", ("d", "1"))]))
    with pytest.raises(MissingHypothesis, match="division by ∂x"):  # x ≠ 0 says nothing of the variable
        known.normal_form(Gradient(1 * (y.mT @ y) / (x.mT @ x), x, x))
    assert known.equal(Gradient(1 * (y.mT @ y) / (x.mT @ x), y, y), 2 * y / (x.mT @ x))
    with pytest.raises(ShapeMismatch):
        Gradient(W, W, W)


@pytest.mark.parametrize(("degree", "known"), [(1, True), (2, True), (3, True), (4, True), (5, False), (6, False), (9, False)])
def test_a_slope_found_from_numbers_is_exact_or_there_is_none(degree, known):
    """d tr(X)^k = k tr(X)^(k-1) I: by central differences exact to degree 4, and refused beyond."""
    values = Values({"X": Exact.of([[2, 1], [0, -5]])}, {}, None, exact_kind({"d": 2}))

    def power(X):
        return reduce(lambda product, factor: product @ factor, [values.trace(X)] * degree)

    if known:
        assert values.gradient(power, values.X) == values.identity("d") * (degree * (-3) ** (degree - 1))
    else:
        with pytest.raises(Irrational, match="degree 5 or more"):
            values.gradient(power, values.X)
