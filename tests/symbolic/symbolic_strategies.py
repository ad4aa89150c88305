"""Random terms of a given shape, random points, and what a term is worth at a point."""

from fractions import Fraction
from functools import cache
from typing import Any

from hypothesis import strategies as st

from symbolic.exact import Exact
from symbolic.terms import Application, Symbol, Term, Zero
from symbolic.terms.term import Constant, Defined, Difference, Identity, Product, Quotient, Scaled, Sum, Trace, Transposed

SHAPES = {
    "W": ("m", "d"),
    "V": ("m", "d"),
    "A": ("d", "d"),
    "B": ("d", "d"),
    "x": ("d", "1"),
    "y": ("d", "1"),
    "u": ("m", "1"),
    "s": ("1", "1"),
}
SYMBOLS = {name: Symbol(name, shape, name, name) for name, shape in SHAPES.items()}
SIZES = ("d", "m", "1")


@cache
def terms(shape: tuple[str, str], depth: int = 3) -> st.SearchStrategy[Term]:
    """Terms without quotients: polynomials, not in normal form."""
    leaves: list[st.SearchStrategy[Term]] = [st.just(symbol) for symbol in SYMBOLS.values() if symbol.shape == shape]
    leaves += [st.just(symbol.mT) for symbol in SYMBOLS.values() if symbol.shape == (shape[1], shape[0])]
    if shape[0] == shape[1]:
        leaves.append(st.just(Identity(shape[0])))
    if not leaves:
        leaves.append(st.just(Zero(shape)))
    if shape == ("1", "1"):
        leaves.append(st.fractions(-2, 2, max_denominator=2).map(Constant))
    if depth == 0:
        return st.one_of(leaves)
    below = terms(shape, depth - 1)
    nodes: list[st.SearchStrategy[Term]] = [
        st.builds(Sum, below, below),
        st.builds(Difference, below, below),
        terms((shape[1], shape[0]), depth - 1).map(Transposed),
        st.builds(Scaled, terms(("1", "1"), depth - 1), below),
        *(st.builds(Product, terms((shape[0], inner), depth - 1), terms((inner, shape[1]), depth - 1)) for inner in SIZES),
    ]
    if shape == ("1", "1"):
        nodes.append(st.sampled_from(("d", "m")).flatmap(lambda size: terms((size, size), depth - 1)).map(Trace))
    return st.one_of(*leaves, *nodes)


shapes = st.sampled_from([("m", "d"), ("d", "d"), ("d", "1"), ("1", "1"), ("1", "m")])
any_term = shapes.flatmap(terms)


def points(sizes: dict[str, int]) -> st.SearchStrategy[dict[str, Exact]]:
    """Small integer matrices for every symbol."""

    def matrix(rows: int, columns: int) -> st.SearchStrategy[Exact]:
        return st.lists(st.integers(-3, 3), min_size=rows * columns, max_size=rows * columns).map(
            lambda entries: Exact.of([[Fraction(x) for x in entries[i * columns : (i + 1) * columns]] for i in range(rows)])
        )

    return st.fixed_dictionaries({name: matrix(*(sizes.get(size, 1) for size in shape)) for name, shape in SHAPES.items()})


def worth(term: Term, point: dict[str, Any], sizes: dict[str, int]) -> Any:
    """The term at a point, straight from its tree: the normal form has no part in it."""

    def go(part: Term) -> Any:
        match part:
            case Symbol():
                return point[part.name]
            case Constant():
                return Exact.of([[part.value]])
            case Identity():
                n = sizes.get(part.size, 1)
                return Exact.of([[int(i == j) for j in range(n)] for i in range(n)])
            case Zero():
                return Exact.of([[0] * sizes.get(part.shape[1], 1) for _ in range(sizes.get(part.shape[0], 1))])
            case Product():
                return go(part.left) @ go(part.right)
            case Sum():
                return go(part.left) + go(part.right)
            case Difference():
                return go(part.left) - go(part.right)
            case Scaled():
                return go(part.body) * go(part.scalar)
            case Quotient():
                return go(part.body) / go(part.scalar)
            case Transposed():
                return go(part.body).mT
            case Trace():
                return go(part.body).trace()
            case Defined():
                return go(part.body)
            case Application():
                return go(part.arguments[0])  # the identity: it tells apart whatever is different
            case _:
                raise AssertionError(part)

    return go(term)
