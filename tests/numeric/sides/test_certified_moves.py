"""What an â that came out otherwise moves is taken away before a side is compared with the exact one, and which entry gets a second opinion."""

import math
from fractions import Fraction

import pytest
import torch
from flint import arb

from numeric.sides.certificate import Enclosure, ExactLayer, Operands, _share, certify
from numeric.sides.variant import VARIANTS

D, M = 3, 4
FORMULA = VARIANTS[0]


def operands(seed: int) -> tuple[ExactLayer, Operands, list[Fraction], list[Fraction]]:
    """A layer and vectors, the exact Wz + b, and the exact move (WΔA)(aᵀε)/‖a‖² + Wε."""
    g = torch.Generator().manual_seed(seed)
    W, b, z, a, again = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in ((M, D), (M,), (D,), (D,), (D,)))
    rows = [[Fraction(w) for w in row] for row in W.tolist()]
    zs, av, ag = ([Fraction(v) for v in x.tolist()] for x in (z, a, again))
    epsilon = [p - q for p, q in zip(ag, av, strict=True)]
    share = sum(p * e for p, e in zip(av, epsilon, strict=True)) / sum(p * p for p in av)
    exact = [sum(w * v for w, v in zip(row, zs, strict=True)) + Fraction(c) for row, c in zip(rows, b.tolist(), strict=True)]
    move = [sum(w * ((p - q) * share + e) for w, p, q, e in zip(row, zs, av, epsilon, strict=True)) for row in rows]
    return ExactLayer.of(W, b), Operands(z.tolist(), a.tolist(), again.tolist()), exact, move  # type: ignore[return-value]


def near(exact: list[Fraction]) -> Enclosure:
    """The floats next to some numbers, each with a radius of twice what it may be off."""
    return Enclosure([float(x) for x in exact], [abs(float(x)) * 2.0**-52 for x in exact])


@pytest.mark.parametrize("seed", range(4))
def test_a_move_is_taken_away(seed: int) -> None:
    layer, given, exact, move = operands(seed)
    moved = [float(m) for m in move]
    right = [x + Fraction(m) for x, m in zip(exact, moved, strict=True)]
    found = certify(layer, given, FORMULA, near(exact), near(right), moved)
    assert found.inside
    assert found.seconded
    assert found.right <= max(abs(float(x)) for x in right) * 2.0**-52
    assert not certify(layer, given, FORMULA, near(exact), near(exact), moved).inside, "the planted one: a side that did not move"
    assert not certify(layer, given, FORMULA, near(exact), near(right), None).inside, "and a move that nobody told of"


def test_shares_of_radii() -> None:
    """An error over a radius of zero is infinitely much of it, and nothing over nothing is nothing."""
    assert [_share(arb(3), 4.0), _share(arb(0), 0.0), _share(arb(1), 0.0), _share(arb(0), 2.0)] == [0.75, 0.0, math.inf, 0.0]
    assert _share(arb(mid=1, rad=0.5), 1.0) >= 1.5
