"""Bounds of partial sums against the sums themselves, node by node of a tree, in rationals."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor

from numeric.arithmetics.envelope import Envelope
from numeric.arithmetics.partial_sums import Form, Terms, partial_sums, root_of_squares
from numeric.machine.summation_tree import order_of

Q, P = 6, 3
TREES: dict[str, Any] = {
    "one after the other": (((((0, 1), 2), 3), 4), 5),
    "two strands": (((0, 1), 2), ((3, 4), 5)),
    "pairs": (((0, 1), (2, 3)), (4, 5)),
    "a bias first": ((((((6, 0), 1), 2), 3), 4), 5),
    "a bias last": ((((((0, 1), 2), 3), 4), 5), 6),
    "a bias between strands": ((((6, 0), 1), 2), ((3, 4), 5)),
}
WAYS = [(name, exact, stored) for name in TREES for exact, stored in ((False, False), (True, False), (False, True))]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Terms, and the exact matrix of each case that they stand for."""

    terms: Terms
    matrix: list[list[list[Fraction]]]


def exactly(x: Tensor) -> Any:
    return [exactly(part) for part in x] if x.dim() else Fraction(x.item())


def drawn(kind: str, seed: int, *, signed: bool = True, off: int = 1, scale: float = 1.0) -> Drawn:
    """kind: of the matrix: shared by all cases, an outer product, or both, and with a slack that the exact matrix uses up with the sign ``off``."""
    g = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> Tensor:
        x = torch.rand(shape, generator=g, dtype=torch.float64) + 0.5
        return x * torch.where(torch.rand(shape, generator=g) < 0.5, -1.0, 1.0) if signed else x

    shared = numbers(P, Q) if kind != "outer" else None
    outers = tuple((numbers(2, P, 1), numbers(2, 1, Q)) for _ in range({"shared": 0, "outer": 1, "both": 2}[kind]))
    slack = torch.full((1, 1, 1), 2.0**-20, dtype=torch.float64)
    y, bias = numbers(2, Q, 1) * scale, numbers(P, 1) * scale
    matrix = []
    for case in range(2):
        rows = [[Fraction(0)] * Q for _ in range(P)] if shared is None else exactly(shared)
        for col, row in outers:
            c, r = exactly(col[case]), exactly(row[case])
            rows = [[t + c[i][0] * r[0][j] for j, t in enumerate(each)] for i, each in enumerate(rows)]
        sign = [1 if v > 0 else -1 for v in y[case, :, 0].tolist()]
        matrix.append([[t + off * s * Fraction(2) ** -20 for t, s in zip(each, sign, strict=True)] for each in rows])
    absolute = torch.zeros((2, P, 1), dtype=torch.float64)
    if shared is not None:
        absolute = absolute + shared.abs() @ y.abs()
    for col, row in outers:
        absolute = absolute + col.abs() * (row.abs() @ y.abs())
    return Drawn(Terms(Form(shared, outers, Envelope(parts=(slack,))), y, absolute + bias.abs(), bias), matrix)


def nodes(tree: Any, leaves: list[Fraction], *, exact_products: bool, stored: bool) -> Iterator[tuple[bool, Fraction]]:
    """The sums that are rounded, whether to storage, and last the whole: by recursion on the tree itself."""
    if isinstance(tree, int):
        if tree < Q and not exact_products:
            yield False, leaves[tree]
        return
    left, right = tree
    yield from nodes(left, leaves, exact_products=exact_products, stored=stored)
    total = _sum(left, leaves) + _sum(right, leaves)
    if isinstance(right, int):
        yield False, total
        return
    yield from nodes(right, leaves, exact_products=exact_products, stored=stored)
    if stored:
        yield True, _sum(left, leaves)
        yield True, _sum(right, leaves)
    yield stored, total


def _sum(tree: Any, leaves: list[Fraction]) -> Fraction:
    return leaves[tree] if isinstance(tree, int) else _sum(tree[0], leaves) + _sum(tree[1], leaves)


def sums(of: Drawn, tree: Any, case: int, row: int, *, exact_products: bool, stored: bool) -> list[list[Fraction]]:
    """The partial sums of one entry: those in the accumulator, and those that are stored."""
    y = [Fraction(v) for v in of.terms.y[case, :, 0].tolist()]
    assert of.terms.bias is not None
    leaves = [x * v for x, v in zip(of.matrix[case][row], y, strict=True)] + [Fraction(of.terms.bias[row].item())]
    found = list(nodes(tree, leaves, exact_products=exact_products, stored=stored))
    return [[s for kept, s in found if kept is which] for which in (False, True)]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("kind", ["shared", "outer", "both"])
def test_no_partial_sum_is_larger(kind: str, way: tuple[str, bool, bool]) -> None:
    """With the exact matrix at either end of the slack; and the bound is above by no more than the slack and float64 can explain."""
    name, exact_products, stored = way
    tree, order = TREES[name], replace(order_of(TREES[name]), stored_strands=stored)
    for seed, signed, off in ((0, True, 1), (1, False, -1)):
        of = drawn(kind, seed, signed=signed, off=off)
        found = partial_sums(of.terms, order, exact_products=exact_products)
        for case, row in itertools.product(range(2), range(P)):
            of_case = sums(of, tree, case, row, exact_products=exact_products, stored=stored)
            count = sum(map(len, of_case))
            spread = 2 * count * sum(abs(Fraction(v)) for v in of.terms.y[case, :, 0].tolist()) * Fraction(2) ** -20
            for bound, exact in zip((found.accumulated, found.stored), of_case, strict=True):
                total, above = sum(map(abs, exact), Fraction(0)), Fraction(bound[case, row].item())
                assert above >= total
                assert above <= total + spread + Fraction(count * 64, 2**52) * Fraction(of.terms.absolute[case, row].item())


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("kind", ["shared", "outer", "both"])
def test_the_root_of_squares_is_the_number_itself(kind: str, way: tuple[str, bool, bool]) -> None:
    """To within float64 and the slack; also where squares would underflow."""
    name, exact_products, stored = way
    order = replace(order_of(TREES[name]), stored_strands=stored)
    for scale in (2.0**-600,):
        of = drawn(kind, 3, scale=scale)
        found = root_of_squares(of.terms, order, exact_products=exact_products)
        for case, row in itertools.product(range(2), range(P)):
            of_case = sums(of, TREES[name], case, row, exact_products=exact_products, stored=stored)
            for got, exact in zip((found.accumulated, found.stored), of_case, strict=True):
                square, number = sum((s * s for s in exact), Fraction(0)), Fraction(got[case, row].item())
                apart = Fraction(len(exact) + 1, 2**19) * sum(abs(Fraction(v)) for v in of.terms.y[case, :, 0].tolist())
                assert max(number - apart, 0) ** 2 <= square <= (number + apart) ** 2


def test_the_unit_of_the_squares_is_that_of_the_largest_row() -> None:
    """1 + 1 and 2^-600 + 2^-600, without a bias: over a unit of the smaller the square of the larger is infinite."""
    rows = torch.tensor([[1.0, 1.0], [2.0**-600, 2.0**-600]], dtype=torch.float64)
    terms = Terms(Form(rows), torch.ones((1, 2, 1), dtype=torch.float64), rows.sum(-1).reshape(1, 2, 1))
    assert root_of_squares(terms, order_of((0, 1)), exact_products=True).accumulated[0, 0].item() == 2.0


def hidden(shared: list[float], y: list[float], outers: tuple[tuple[float, list[float]], ...] = ()) -> tuple[Fraction, Fraction]:
    """Σ|s_t| of the additions of one row, and its bound; without a slack."""
    pairs = tuple((torch.full((1, 1, 1), col, dtype=torch.float64), torch.tensor(row, dtype=torch.float64).reshape(1, 1, -1)) for col, row in outers)
    matrix, column = (torch.tensor(x, dtype=torch.float64) for x in (shared, y))
    terms = [Fraction(x) + sum(Fraction(c) * Fraction(r[j]) for c, r in outers) for j, x in enumerate(shared)]
    exact = [t * Fraction(v) for t, v in zip(terms, y, strict=True)]
    sizes = [abs(Fraction(x)) + sum(abs(Fraction(c) * Fraction(r[k])) for c, r in outers) for k, x in enumerate(shared)]
    absolute = sum((t * abs(Fraction(v)) for t, v in zip(sizes, y, strict=True)), Fraction(0))
    tree: Any = 0
    for leaf in range(1, len(shared)):
        tree = (tree, leaf)
    above = torch.nextafter(torch.tensor(float(absolute), dtype=torch.float64), torch.tensor(torch.inf, dtype=torch.float64)).reshape(1, 1, 1)
    found = partial_sums(Terms(Form(matrix.unsqueeze(0), pairs), column.reshape(1, -1, 1), above), order_of(tree), exact_products=True)
    partial = list(itertools.accumulate(exact))[1:]
    return sum(map(abs, partial), Fraction(0)), Fraction(found.accumulated.item())


@pytest.mark.parametrize("scale", [1.0, 2.0**40])
def test_what_cancels_in_float64_is_doubted(scale: float) -> None:
    """(1 + 2^-52 j)(1 + 2^-52 k) - fl(·) is 2^-53 and comes out as 0; with the doubt as the only thing that is left, nothing else covers it."""
    j, k = 2.0**-27, 2.0**-26
    product = (1 + j) * (1 + k)
    total, bound = hidden([scale * (1 + j), -product * scale], [1 + k, 1.0])
    assert total == Fraction(2) ** -53 * Fraction(scale)
    assert bound >= total


@pytest.mark.parametrize("terms", [16, 64])
def test_half_of_the_doubt_is_enough_where_something_is_left(terms: int) -> None:
    """Each addition after 1 loses 2^-53, and in the end 1 is taken away: all that is left is what float64 lost, half of the doubt to first order."""
    total, bound = hidden([1.0, *[2.0**-53] * terms, -1.0], [1.0] * (terms + 2))
    last, doubt = Fraction(terms, 2**53), Fraction(terms + 5, 2**53) * 2
    assert bound >= total
    assert doubt / 4 < last < doubt


@pytest.mark.parametrize("terms", [32, 128])
def test_every_addition_in_an_outer_product_loses_its_own(terms: int) -> None:
    """Σ row_j y_j = 1 + 2^-53 + 2^-53 + ... stays 1 in float64, and S takes the 1 away at once: all s̃_t = 0, and s_t = t·2^-53."""
    total, bound = hidden([-1.0, *[0.0] * terms], [1.0] * (terms + 1), ((1.0, [1.0, *[2.0**-53] * terms]),))
    assert total == Fraction(terms * (terms + 1), 2**54)
    assert total <= bound <= 8 * total + Fraction(64 * terms, 2**53)


def test_every_outer_product_that_is_added_loses_its_own() -> None:
    """1 + 2^-53 + 2^-53 + ... - 1 over the outer products of one entry."""
    outers = ((1.0, [1.0, 0.0]), *[(2.0**-53, [1.0, 0.0])] * 32, (-1.0, [1.0, 0.0]))
    total, bound = hidden([0.0, 0.0], [1.0, 0.0], outers)
    assert total == Fraction(32, 2**53)
    assert bound >= total


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_underflow_is_multiplied_by_its_column(sign: float) -> None:
    """row·y = 2^-1075 is 0 in float64, and 2^500 of it is 2^-575; eight of them are eight times that."""
    total, bound = hidden([0.0] * 8, [2.0**-537] * 8, ((sign * 2.0**500, [2.0**-538] * 8),))
    assert total == Fraction(2) ** -575 * sum(range(2, 9))
    assert bound >= total


def test_underflows_of_shared_numbers_add_up() -> None:
    """x_j y_j = 2^-1075 is 0 in float64; of so many of them ``outward`` alone would not make up for all."""
    total, bound = hidden([2.0**-537] * 256, [2.0**-538] * 256)
    assert total == Fraction(2) ** -1075 * sum(range(2, 257))
    assert bound >= total


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_forms_of_sums_and_quotients(sign: float) -> None:
    """Σ of two forms and a quotient are within their slack of the exact matrix; two shared matrices have no short form."""
    g = torch.Generator().manual_seed(1)
    S, col, row = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in ((P, Q), (1, P, 1), (1, 1, Q)))
    lost = Envelope(parts=(torch.full((1, 1, 1), 0.25, dtype=torch.float64),))
    one, other = Form(S, (), lost), Form(None, ((col, row),), lost)
    for left, right, factor in ((one, other, sign), (other, one, sign)):
        made = left.plus(right, factor, lost)
        assert made is not None
        assert made.shared is not None
        whole = made.shared + sum(c * r for c, r in made.outers)
        wanted = (S + factor * col * row) if left is one else (col * row + factor * S)
        assert torch.equal(whole, wanted)
        assert torch.equal(made.slack.dense(P, Q).max(), torch.tensor(0.75, dtype=torch.float64)) or bool((made.slack.dense(P, Q) >= 0.75).all())
    assert one.plus(one, 1.0, lost) is None
    assert one.divided(torch.ones((1, 1, 1), dtype=torch.float64), lost) is None
    assert torch.equal(one.mT.shared, S.mT) if one.mT.shared is not None else False
    assert torch.equal(other.mT.outers[0][0], row.mT)
    divisor = torch.full((1, 1, 1), sign * 3.0, dtype=torch.float64)
    made = other.divided(divisor, lost)
    assert made is not None
    ((c, r),) = made.outers
    bound = made.slack.dense(P, Q)
    for i, k in itertools.product(range(P), range(Q)):
        held = Fraction(c[0, i, 0].item()) * Fraction(r[0, 0, k].item())
        exact = Fraction(col[0, i, 0].item()) * Fraction(row[0, 0, k].item()) / (Fraction(3) * int(sign))
        assert abs(held - exact) + Fraction(1, 12) + Fraction(1, 4) <= Fraction(bound[0, i, k].item())


def test_a_quotient_is_lost_in_three_roundings() -> None:
    """Without any other slack, what the division itself loses is covered, and not by much."""
    g = torch.Generator().manual_seed(2)
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64).repeat(16).reshape(64, 1, 1)
    other = Form(None, tuple((x * signs, y * signs.roll(1, 0)) for x, y in [(torch.rand((2, 64, 1, 1), generator=g, dtype=torch.float64) + 0.5)]))
    divisor = torch.rand((64, 1, 1), generator=g, dtype=torch.float64) + 1.0
    made = other.divided(divisor, Envelope())
    assert made is not None
    ((c, r),), ((col, row),) = made.outers, other.outers
    shares = []
    for case in range(64):
        exact = Fraction(col[case].item()) * Fraction(row[case].item()) / Fraction(divisor[case].item())
        off = abs(Fraction(c[case].item()) * Fraction(r[case].item()) - exact)
        bound = Fraction(made.slack.dense(1, 1)[case].item())
        assert off <= bound
        shares.append(off / bound)
    assert max(shares) > Fraction(1, 16)
