"""A corpus of identities, true and false, to distrust the prover with.

A true one is a random term and the same term after random moves, each an instance of a law (regrouping, distributing, transposing, rotating a trace,
cancelling xᵀx under x ≠ 0, ...). A false one is a true one with an edit that, by evaluation of both sides from their trees, changes the value
at some rational point. The normal form has no part in making either.
"""

from contextlib import suppress
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from symbolic.exact import Exact
from symbolic.terms import Application, Symbol, Term
from symbolic.terms.term import Constant, Difference, Identity, Product, Quotient, Scaled, Sum, Trace, Transposed
from tests.symbolic.symbolic_strategies import SHAPES, SYMBOLS, shapes, terms, worth

Pair = tuple[Term, Term]
SIZES = {"d": 3, "m": 2}
SQUARE = SYMBOLS["x"].mT @ SYMBOLS["x"]


def children(term: Term) -> tuple[str, ...]:
    """The names of a node's fields that are terms."""
    match term:
        case Product() | Sum() | Difference():
            return ("left", "right")
        case Scaled() | Quotient():
            return ("scalar", "body")
        case Transposed() | Trace():
            return ("body",)
    return ()


def rebuilt(term: Term, field: str, part: Term) -> Term:
    """The node with one field replaced."""
    fields = {name: getattr(term, name) for name in children(term)} | {field: part}
    return type(term)(**fields)  # type: ignore[arg-type,return-value]


@st.composite
def somewhere(draw: Any, term: Term, change: Any) -> Term:
    """The term with ``change`` drawn at a random node."""
    names = children(term)
    if names and draw(st.integers(0, 3)):
        name = draw(st.sampled_from(names))
        return rebuilt(term, name, draw(somewhere(getattr(term, name), change)))
    return draw(change(term))  # type: ignore[no-any-return]


def lawful(term: Term) -> st.SearchStrategy[Term]:
    """The term after one move that a law allows."""
    moves: list[Term] = [Transposed(Transposed(term)), Identity(term.shape[0]) @ term, Quotient(Scaled(SQUARE, term), SQUARE)]
    match term:
        case Sum(p, q):
            moves += [q + p, p - (-q)]
            if isinstance(p, Sum):
                moves.append(p.left + (p.right + q))
            if isinstance(p, Product) and isinstance(q, Product) and p.left == q.left:
                moves.append(p.left @ (p.right + q.right))
        case Difference(p, q):
            moves += [p + (-q), -(q - p)]
        case Product(p, q):
            if isinstance(p, Product):
                moves.append(p.left @ (p.right @ q))
            if isinstance(q, Product):
                moves.append((p @ q.left) @ q.right)
            if isinstance(q, Sum):
                moves.append(p @ q.left + p @ q.right)
            if isinstance(p, Sum | Difference):
                moves.append(type(p)(p.left @ q, p.right @ q))
            if isinstance(p, Scaled):
                moves.append(p.body @ (p.scalar * q))
            if p.shape == ("1", "1"):
                moves.append(p * q)
            moves.append((q.mT @ p.mT).mT)
        case Transposed(Product(p, q)):
            moves.append(q.mT @ p.mT)
        case Transposed(Sum(p, q)):
            moves.append(p.mT + q.mT)
        case Scaled(s, p):
            moves.append(s.mT * p)
            if isinstance(p, Product):
                moves += [(s * p.left) @ p.right, p.left @ (s * p.right)]
        case Trace(p):
            moves.append(Trace(p.mT))
            if isinstance(p, Product):
                moves.append(Trace(p.right @ p.left))
    if term.shape == ("1", "1"):
        moves += [term.mT, Trace(term)]
    added = terms(term.shape, 1).map(lambda other: term + (other - other))
    return st.one_of(st.sampled_from(moves), added)


def unlawful(term: Term) -> st.SearchStrategy[Term]:
    """The term after one edit of the kind that people make."""
    edits: list[Term] = []
    match term:
        case Symbol():
            edits += [other for other in SYMBOLS.values() if other.shape == term.shape and other != term]
            if term.shape[0] == term.shape[1] != "1":
                edits = [term.mT]
        case Sum(p, q):
            edits += [p, q, p - q]
        case Difference(p, q):
            edits += [p, q - p, p + q]
        case Product(p, q):
            if p.shape == q.shape == p.shape[::-1]:
                edits.append(q @ p)
            if p.shape == q.shape:
                edits.append(p)
        case Scaled(s, p):
            edits += [p, s * (s * p)]
        case Quotient(p, s):
            edits += [p, p / s / s if s == SQUARE else p]
        case Transposed(p):
            if p.shape == term.shape:
                edits.append(p)
        case Constant():
            edits += [Constant(term.value + 1)]
    return st.sampled_from(edits or [2 * term, -term, term * Fraction(1, 2)])


def products(shape: tuple[str, str]) -> st.SearchStrategy[Term]:
    """Products of three factors."""
    inner = st.sampled_from(["d", "d", "m", "1"])
    return st.tuples(inner, inner).flatmap(
        lambda sizes: st.builds(lambda p, q, r: p @ q @ r, terms((shape[0], sizes[0]), 1), terms(sizes, 1), terms((sizes[1], shape[1]), 1))
    )


@st.composite
def true_pairs(draw: Any) -> Pair:
    """A term and the same term, written in another way."""
    term = draw(shapes.flatmap(lambda shape: st.builds(draw(st.sampled_from([Sum, Difference])), products(shape), terms(shape, 2))))
    other = term
    for _ in range(draw(st.integers(2, 5))):
        other = draw(somewhere(other, lawful))
    return wrapped(draw, (term, other))


@st.composite
def false_pairs(draw: Any) -> Pair:
    """A true pair after an edit that changes the value somewhere."""
    left, right = draw(true_pairs())
    inside = right.arguments[0] if isinstance(right, Application) else right
    edited = draw(somewhere(inside, unlawful))
    right = Application("f", (edited,), edited.shape, "f", "f") if isinstance(right, Application) else edited
    assume(any(worth(left, point, SIZES) != worth(right, point, SIZES) for point in POINTS))
    return left, right


def wrapped(draw: Any, pair: Pair) -> Pair:
    """Both sides as they are, or under an opaque function."""
    if draw(st.integers(0, 2)):
        return pair
    left, right = (Application("f", (side,), side.shape, "f", "f") for side in pair)
    return left, right


def _point(seed: int) -> dict[str, Exact]:
    size = lambda letter: SIZES.get(letter, 1)  # noqa: E731 - one line, used twice below
    return {
        name: Exact.of([[(seed * (2 * i + 3 * j + 1) + ord(name) * (i + 2 * j)) % 11 - 5 for j in range(size(c))] for i in range(size(r))])
        for name, (r, c) in SHAPES.items()
    }


POINTS = [_point(seed) for seed in (1, 4, 9)]


class _Enough(Exception):
    """There are as many as were asked for."""


def collected(strategy: st.SearchStrategy[Pair], count: int) -> list[Pair]:
    """The first ``count`` different examples, the same ones in every run."""
    found: dict[Pair, None] = {}

    @settings(max_examples=4 * count, derandomize=True, database=None, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def keep(pair: Pair) -> None:
        if pair[0] != pair[1]:
            found[pair] = None
        if len(found) == count:  # Hypothesis draws on until something is raised
            raise _Enough

    with suppress(_Enough):
        keep()
    return list(found)
