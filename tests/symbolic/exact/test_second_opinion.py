"""The two exact arithmetics agree on everything, though they share no line; and each is right where the answer is known by hand."""

import ast
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbolic import formulas
from symbolic.exact import Exact, Irrational, Plain, Undefined, second_opinion
from symbolic.vocabulary import ShapeMismatch

numbers = st.fractions(-4, 4, max_denominator=3)


def matrix(rows, columns):
    return st.lists(st.lists(numbers, min_size=columns, max_size=columns), min_size=rows, max_size=rows)


def same(exact, plain):
    return exact.rows() == [[str(x) for x in row] for row in plain.rows]


@given(matrix(2, 3), matrix(2, 3), matrix(3, 2), matrix(1, 1))
def test_the_two_arithmetics_agree(p, q, r, s):
    (P, Q, R, S), (p2, q2, r2, s2) = ([make(x) for x in (p, q, r, s)] for make in (Exact.of, Plain))
    pairs = [
        (P @ R, p2 @ r2),
        (P + Q, p2 + q2),
        (P - Q, p2 - q2),
        (-P, -p2),
        (P * S, p2 * s2),
        (S * P, s2 * p2),
        (2 * P, 2 * p2),
        (P * Fraction(1, 3), p2 * Fraction(1, 3)),
        (P.mT, p2.mT),
        ((P @ R).trace(), (p2 @ r2).trace()),
        (P.rank(), p2.rank()),
        ((R @ P).rank(), (r2 @ p2).rank()),
        (S**2, s2**2),
        (S + 1, s2 + 1),
        (S - 1, s2 - 1),
        (P / 3, p2 / 3),
        (P.map(abs), p2.map(abs)),
    ]
    assert all(same(*pair) for pair in pairs)
    assert P.is_zero() == p2.is_zero()
    assert second_opinion.sides(lambda: [p2 / s2]) == [[["undefined"]] if S.rows() == [["0"]] else (P / S).rows()]


def test_a_3_4_5_triangle_has_a_rational_norm():
    assert Exact.of([[3], [4]]).norm().rows() == [["5"]]
    assert Plain([[3], [4]]).norm().rows == [[5]]
    assert Exact.of([[Fraction(9, 4)]]).norm().rows() == [["9/4"]]


def test_an_irrational_root_is_refused():
    with pytest.raises(Irrational):
        Exact.of([[1], [1]]).norm()
    with pytest.raises(Irrational):
        _ = Exact.of([[-4]]) ** 0.5
    with pytest.raises(ValueError, match="not rational"):
        Plain([[1], [1]]).norm()


def test_division_by_zero_is_undefined_and_not_a_number():
    with pytest.raises(Undefined):
        _ = Exact.of([[1]]) / Exact.of([[0]])
    assert second_opinion.sides(lambda: [Plain([[1]]) / Plain([[0]])]) == [[["undefined"]]]


def test_wrong_shapes_are_refused():
    square, column = Exact.of([[1, 2], [3, 4]]), Exact.of([[1], [2]])
    for wrong in (lambda: column @ square, lambda: square + column, lambda: square - column, lambda: square * column, lambda: square / column, column.trace):
        with pytest.raises(ShapeMismatch):
            wrong()


def test_equation_1_by_hand():
    """W = (1 2), δ = (0, 1)ᵀ, a = (3, 4)ᵀ: Wδ = 2, so ΔW = 2·(3 4)/25."""
    for kind in (Exact.of, Plain):
        update = formulas.rank_one_update(kind([[1, 2]]), kind([[0], [1]]), kind([[3], [4]]))
        rows = update.rows() if kind is not Plain else [[str(x) for x in row] for row in update.rows]
        assert rows == [["6/25", "8/25"]]


def test_the_evaluator_shares_no_code_with_the_prover():
    """It imports the standard library alone."""
    tree = ast.parse(Path(second_opinion.__file__).read_text(encoding="utf-8"))
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported == {"collections.abc", "fractions", "math", "typing"}
