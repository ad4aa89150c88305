"""Random statements, true and false, as claims with a proof script each; and an exact evaluation that shares nothing with the suite.

A statement is a pair of the corpus of identities (``identity_corpus``), as it stands, or as the body of what binds a letter: a gradient, a sum or a
product by recursion, or a sum of sums. Whether it is true is for the evaluation to say, which runs on arrays of numbers p + qε with
rational p and q, and ε² = 0, so that it takes derivatives too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np

from symbolic.claim import Claim
from symbolic.statements import Formula, Function, Hypothesis, Matrix
from symbolic.terms import Application, Family, Symbol, Term, Zero
from symbolic.terms.binding import exchanged
from symbolic.terms.term import Constant, Difference, Identity, Product, Quotient, Scaled, Sum, Trace, Transposed
from tests.symbolic.symbolic_strategies import SHAPES, SYMBOLS

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Dual:
    """p + qε."""

    p: Fraction
    q: Fraction = Fraction(0)

    def __add__(self, other: Any) -> "Dual":
        return Dual(self.p + other.p, self.q + other.q)

    def __sub__(self, other: Any) -> "Dual":
        return Dual(self.p - other.p, self.q - other.q)

    def __mul__(self, other: Any) -> "Dual":
        return Dual(self.p * other.p, self.p * other.q + self.q * other.p)

    def __truediv__(self, other: Any) -> "Dual":
        return Dual(self.p / other.p, (self.q * other.p - self.p * other.q) / (other.p * other.p))


def array(rows: Any) -> Any:
    made = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            made[i, j] = entry if isinstance(entry, Dual) else Dual(Fraction(entry))
    return made


def product(p: Any, q: Any) -> Any:
    return array([[sum((p[i, k] * q[k, j] for k in range(p.shape[1])), Dual(Fraction(0))) for j in range(q.shape[1])] for i in range(p.shape[0])])


def bent(entry: Dual) -> Dual:
    return entry * entry * entry - entry - entry + Dual(Fraction(1))


def evaluated(term: Term, point: Point, sizes: Mapping[str, int]) -> Any:
    """What a term is worth at a point; f is t³ - 2t + 1 in every entry."""

    def go(part: Term) -> Any:
        match part:
            case Symbol():
                return point[str(part.name)]
            case Constant():
                return array([[part.value]])
            case Identity():
                return array(np.eye(sizes[part.size], dtype=int).tolist())
            case Zero():
                return array(np.zeros((sizes[part.shape[0]], sizes[part.shape[1]]), dtype=int).tolist())
            case Product():
                return product(go(part.left), go(part.right))
            case Sum():
                return go(part.left) + go(part.right)
            case Difference():
                return go(part.left) - go(part.right)
            case Scaled():
                return go(part.body) * go(part.scalar)[0, 0]
            case Quotient():
                return go(part.body) / go(part.scalar)[0, 0]
            case Transposed():
                return go(part.body).T
            case Trace():
                return array([[sum(np.diag(go(part.body)), Dual(Fraction(0)))]])
            case Application():
                return np.vectorize(bent, otypes=[object])(go(part.arguments[0]))
        raise AssertionError(part)

    return go(term)


def slope(loss: Term, name: str, point: Point, sizes: Mapping[str, int]) -> Any:
    """The derivative of a 1x1 term by every entry of a symbol."""
    rows, columns = point[name].shape
    found = array([[0] * columns for _ in range(rows)])
    for i in range(rows):
        for j in range(columns):
            moved = point[name].copy()
            moved[i, j] = Dual(moved[i, j].p, Fraction(1))
            found[i, j] = Dual(evaluated(loss, {**point, name: moved}, sizes)[0, 0].q)
    return found


def a_point(dice: Random, sizes: Mapping[str, int]) -> dict[str, Any]:
    def drawn(shape: tuple[str, str]) -> Any:
        return array([[dice.choice((-3, -2, -1, 1, 2, 3)) for _ in range(sizes[shape[1]])] for _ in range(sizes[shape[0]])])

    point = {name: drawn(shape) for name, shape in SHAPES.items()}
    return point | {f"q[{k}]": drawn(("d", "1")) for k in range(1, sizes["n"] + 1)}


NOT_ZERO = Hypothesis("x ≠ 0", r"x \neq 0", nonzero=lambda v: v.x)
EQUATION = Hypothesis("Ax = y", "Ax = y", equal=lambda v: (v.A @ v.x, v.y))
MATRICES = tuple(Matrix(name, *shape) for name, shape in SHAPES.items())


def claim(left: Any, right: Any, proof: Callable[[Any, Any], None], *hypotheses: Hypothesis) -> Claim:
    f = tuple(Function("f", *shape, "f", "f") for shape in (("d", "1"),))
    parts = {"symbols": MATRICES, "functions": f, "families": (Family("q", "d", "1", first=1),), "hypotheses": (NOT_ZERO, *hypotheses), "mutants": ()}
    return Claim(id="random", title="", source="", statement=Formula("", ""), left=left, right=right, proof=proof, **parts)  # type: ignore[arg-type]


def shown(name: str, primed: bool) -> str:
    """The name of a sequence: two that differ are not shown alike."""
    return name + "′" * primed


def without_function(side: Term) -> Term:
    """The argument of an opaque function, of which no derivative is known."""
    return side.arguments[0] if isinstance(side, Application) else side


def finished(v: Any, d: Any) -> None:
    d.start()
    d.finish()


@dataclass(frozen=True)
class Statement:
    """A claim, and its two sides at a point by the evaluation."""

    kind: str
    claim: Claim
    sides: Callable[[Point, Mapping[str, int]], tuple[Any, Any]]

    def is_true(self) -> bool:
        """Whether the sides agree at every point that is tried."""
        dice = Random(1)
        for sizes in ({"d": 3, "m": 2, "n": 2}, {"d": 4, "m": 5, "n": 3}, {"d": 5, "m": 4, "n": 4}):
            for _ in range(2):
                point = a_point(dice, sizes | {"1": 1})
                if EQUATION in self.claim.hypotheses:
                    point["y"] = product(point["A"], point["x"])
                left, right = self.sides(point, sizes | {"1": 1})
                if not (left == right).all():
                    return False
        return True


def as_it_is(left: Term, right: Term) -> Statement:
    """The pair alone."""
    return Statement("identity", claim(lambda v: left, lambda v: right, finished), lambda p, s: (evaluated(left, p, s), evaluated(right, p, s)))


def under_an_equation(left: Term, right: Term) -> Statement:
    """The pair if Ax = y, with Ax for y on the right."""
    other = exchanged(right, {"y": SYMBOLS["A"] @ SYMBOLS["x"]})
    return Statement("equation", claim(lambda v: left, lambda v: other, finished, EQUATION), lambda p, s: (evaluated(left, p, s), evaluated(other, p, s)))


def gradient(left: Term, right: Term) -> Statement:
    """The gradients of the pair's squared sizes, by y, of which nothing is divided; at A y."""
    losses = [Trace(side.mT @ side) for side in map(without_function, (left, right))]
    at = SYMBOLS["A"] @ SYMBOLS["y"]

    def side(loss: Term) -> Any:
        return lambda v: v.gradient(lambda Y: exchanged(loss, {"y": Y}), at, "Y", "Y")

    def sides(point: Point, sizes: Mapping[str, int]) -> tuple[Any, Any]:
        there = {**point, "y": product(point["A"], point["y"])}
        return tuple(slope(loss, "y", there, sizes) for loss in losses)  # type: ignore[return-value]

    return Statement("gradient", claim(side(losses[0]), side(losses[1]), finished), sides)


def nested_gradient(left: Term, right: Term) -> Statement:
    """∇_Y (gᵀY + YᵀY) at x with g = ∇_X tr(LᵀL) at A y, against the same of R; both variables bear one name."""
    u = SYMBOLS["x"]
    losses = [Trace(side.mT @ side) for side in map(without_function, (left, right))]

    def side(loss: Term) -> Any:
        return lambda v: v.gradient(lambda Y: v.gradient(lambda X: exchanged(loss, {"y": X}), v.A @ v.y, "X", "X").mT @ Y + Y.mT @ Y, u, "X", "X")

    def sides(point: Point, sizes: Mapping[str, int]) -> tuple[Any, Any]:
        there = {**point, "y": product(point["A"], point["y"])}
        return tuple(slope(loss, "y", there, sizes) + point["x"] + point["x"] for loss in losses)  # type: ignore[return-value]

    return Statement("nested gradient", claim(side(losses[0]), side(losses[1]), finished), sides)


def summed(left: Term, right: Term) -> Statement:
    """The sums over k of the pair with q_k for y, by induction."""

    def at(term: Term, v: Any, k: Any) -> Term:
        return exchanged(term, {"y": v.q(k)})

    def total(term: Term, v: Any, k: Any) -> Any:
        name = shown("S", term is right)
        return v.recursive(name, name, k, lambda: v.zero(*term.shape), lambda previous, i: previous + at(term, v, i))

    def proof(v: Any, d: Any) -> None:
        def step(i: Any) -> None:
            d.chain(total(left, v, i), "definition")
            d.then(total(left, v, i - 1) + at(left, v, i), "definition")
            d.then(total(right, v, i - 1) + at(right, v, i), "for i - 1")
            d.then(total(right, v, i), "definition")

        d.induction("the sums", lambda k: (total(left, v, k), total(right, v, k)), lambda: d.chain(v.zero(*left.shape), "empty"), step)
        finished(v, d)

    def sides(point: Point, sizes: Mapping[str, int]) -> tuple[Any, Any]:
        each = [[evaluated(term, {**point, "y": point[f"q[{k}]"]}, sizes) for k in range(1, sizes["n"] + 1)] for term in (left, right)]
        return tuple(sum(parts[1:], parts[0]) for parts in each)  # type: ignore[return-value]

    return Statement("sum", claim(lambda v: total(left, v, v.n), lambda v: total(right, v, v.n), proof), sides)


def multiplied(left: Term, right: Term) -> Statement:
    """P_k = P_(k-1) L(q_k), by induction; where the pair is not square, its L Lᵀ."""
    factors = [side if side.shape[0] == side.shape[1] else side @ side.mT for side in (left, right)]
    size = factors[0].shape[0]

    def member(factor: Term, v: Any, k: Any) -> Any:
        name = shown("P", factor is factors[1])
        return v.recursive(name, name, k, lambda: v.identity(size), lambda previous, i: previous @ exchanged(factor, {"y": v.q(i)}))

    def proof(v: Any, d: Any) -> None:
        def step(i: Any) -> None:
            d.chain(member(factors[0], v, i), "definition")
            d.then(member(factors[1], v, i - 1) @ exchanged(factors[0], {"y": v.q(i)}), "for i - 1")
            d.then(member(factors[1], v, i), "definition")

        d.induction("the products", lambda k: (member(factors[0], v, k), member(factors[1], v, k)), lambda: d.chain(v.identity(size), "empty"), step)
        finished(v, d)

    def sides(point: Point, sizes: Mapping[str, int]) -> tuple[Any, Any]:
        found = []
        for factor in factors:
            value = evaluated(Identity(size), point, sizes)
            for k in range(1, sizes["n"] + 1):
                value = product(value, evaluated(factor, {**point, "y": point[f"q[{k}]"]}, sizes))
            found.append(value)
        return found[0], found[1]

    return Statement("product", claim(lambda v: member(factors[0], v, v.n), lambda v: member(factors[1], v, v.n), proof), sides)


def _sum_of_sums(left: Term, right: Term, captured: bool) -> Statement:
    def at(term: Term, v: Any, k: Any) -> Term:
        return exchanged(term, {"y": v.q(k)})

    def inner(term: Term, v: Any, k: Any, last: Any) -> Any:
        by_inner = captured and term is right
        name = shown("S", term is right) + str(k)
        return v.recursive(name, name, last, lambda: v.zero(*term.shape), lambda previous, i: previous + at(term, v, i if by_inner else k))

    def outer(term: Term, v: Any, k: Any) -> Any:
        name = shown("T", term is right)
        return v.recursive(name, name, k, lambda: v.zero(*term.shape), lambda previous, i: 2 * previous + inner(term, v, i, v.n))

    def proof(v: Any, d: Any) -> None:
        def step(i: Any) -> None:
            def inner_step(j: Any) -> None:
                d.chain(inner(left, v, i, j), "definition")
                d.then(inner(right, v, i, j - 1) + at(left, v, i), "for j - 1")
                d.then(inner(right, v, i, j), "definition")

            d.induction("inside", lambda k: (inner(left, v, i, k), inner(right, v, i, k)), lambda: d.chain(v.zero(*left.shape), "empty"), inner_step)
            d.chain(outer(left, v, i), "definition")
            d.then(2 * outer(right, v, i - 1) + inner(right, v, i, v.n), "for i - 1, and the sum inside")
            d.then(outer(right, v, i), "definition")

        d.induction("outside", lambda k: (outer(left, v, k), outer(right, v, k)), lambda: d.chain(v.zero(*left.shape), "empty"), step)
        finished(v, d)

    def sides(point: Point, sizes: Mapping[str, int]) -> tuple[Any, Any]:
        found = []
        for term in (left, right):
            each = [evaluated(term, {**point, "y": point[f"q[{k}]"]}, sizes) for k in range(1, sizes["n"] + 1)]
            value = evaluated(Zero(term.shape), point, sizes)
            for of_one in each:
                value = value + value + (sum(each[1:], each[0]) if captured and term is right else of_one * Dual(Fraction(len(each))))
            found.append(value)
        return found[0], found[1]

    kind = "captured sum of sums" if captured else "sum of sums"
    return Statement(kind, claim(lambda v: outer(left, v, v.n), lambda v: outer(right, v, v.n), proof), sides)


def sum_of_sums(left: Term, right: Term) -> Statement:
    """T_k = 2 T_(k-1) + Σ_l L(q_k), by an induction inside an induction."""
    return _sum_of_sums(left, right, captured=False)


def captured_sum_of_sums(left: Term, right: Term) -> Statement:
    """The same with q_l for q_k on the right: true only where the pair does not speak of y."""
    return _sum_of_sums(left, right, captured=True)


KINDS = (as_it_is, under_an_equation, gradient, nested_gradient, summed, multiplied, sum_of_sums, captured_sum_of_sums)
