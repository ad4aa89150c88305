"""The model of expected errors written out in rationals, entry by entry: what ``value_and_variance.py`` ought to find.

Each rounding is uniform, of variance c²/3; what is no matter of chance enters with its square.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from numeric.arithmetics import value_and_variance
from numeric.arithmetics.sensitivities import deviation
from numeric.arithmetics.value_and_variance import Given, WithVariance
from numeric.formats import format_named, round_to, torch_dtype
from numeric.machine import ErrorModel, Refinement
from numeric.machine.kernels import ALL_KERNELS, DENSE, INNER_PRODUCT, SHARED_PRODUCT, KernelAt
from numeric.machine.summation_tree import order_of
from tests.numeric.arithmetics.test_partial_sums import nodes

FP32, BF16, TF32 = (format_named(name) for name in ("fp32", "bf16", "tf32"))
P, Q = 2, 6
"""Q is what the trees of ``test_partial_sums.py`` are of."""
PLAIN = frozenset(Refinement) - {Refinement.EXACT_DIFFERENCES}
CLOSE = Fraction(1, 2**36)
THIRD = Fraction(1, 3)
LINE = (((((0, 1), 2), 3), 4), 5)
FIRST = ((((((6, 0), 1), 2), 3), 4), 5)
STRANDS = (((0, 1), 2), ((3, 4), 5))
STRANDS_AND_BIAS = ((((6, 0), 1), 2), ((3, 4), 5))


def model(storage: Any, **fields: Any) -> ErrorModel:
    return replace(ErrorModel(storage, storage, storage, frozenset(), False, False, False, "cpu", refinements=PLAIN), **fields)


def known(tree: Any, leaves: int, **fields: bool) -> dict[KernelAt, Any]:
    """That order for every kernel, at the shapes that are met here."""
    order = replace(order_of(tree), **fields)
    assert order.leaves == leaves
    return {KernelAt(name, rows, Q): order for name in (DENSE, INNER_PRODUCT, SHARED_PRODUCT) for rows in (1, P)}


MODELS = {
    "fp32": model(FP32),
    "bf16": model(BF16),
    "wide": model(BF16, accumulation=FP32, opmath=FP32),
    "cut off": model(FP32, truncates=True),
    "flushing": model(FP32, flushing=ALL_KERNELS, elementwise_flushes=True),
    "short operands": model(FP32, operands=TF32),
    "short operands and bias": model(FP32, operands=TF32, bias_is_an_operand=True),
    "strands": model(BF16, opmath=FP32, orders=known(STRANDS, Q, stored_strands=True)),
    "strands and a bias": model(BF16, opmath=FP32, orders=known(STRANDS_AND_BIAS, Q + 1, stored_strands=True)),
    "fused": model(FP32, orders=known(LINE, Q, fused=True)),
    "short and long": model(BF16, opmath=FP32, orders=known(STRANDS, Q)),
}


@dataclass
class Bench:
    """Operands of one model, of one case."""

    n: ErrorModel
    tiny: bool
    given: Given

    @property
    def scale(self) -> float:
        return self.n.storage.smallest_normal * 2 if self.tiny else 1.0

    def numbers(self, seed: int, *shape: int, scale: float = 1.0) -> Tensor:
        """Some of them negative; in the storage format."""
        x = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.4
        signs = torch.where(torch.arange(x.numel()).reshape(shape) % 3 == 1, -1.0, 1.0)
        return (x * signs * scale).to(torch_dtype(self.n.storage))

    def column(self, seed: int, size: int = Q, *, scale: float | None = None) -> tuple[WithVariance, list[Fraction], list[Fraction]]:
        """A column with errors of its own, its numbers, and their variances: none of one entry, and about that of a rounding of the others."""
        scale = self.scale if scale is None else scale
        value = self.numbers(seed, 1, size, 1, scale=scale)
        sigma = torch.arange(1, size + 1, dtype=torch.float64).reshape(1, size, 1) * (scale * self.n.storage.unit_roundoff / 4)
        made = value_and_variance.column(value, self.n, self.given, (), sigma)
        return made, held(value), [s * s for s in held(sigma)]


def bench(name: str, tiny: bool = False) -> Bench:
    return Bench(MODELS[name], tiny, Given())


def held(x: Tensor) -> list[Fraction]:
    return [Fraction(v) for v in x.double().flatten().tolist()]


def rows(x: Tensor) -> list[list[Fraction]]:
    return [[Fraction(v) for v in row] for row in x.double().tolist()]


def rounding(t: Fraction, n: ErrorModel, *, once: bool = False) -> Fraction:
    """The variance of one rounding, of the number that came out."""
    if t == 0:
        return Fraction(0)
    error = Fraction(2) ** (math.frexp(float(t))[1] - 1) * Fraction(n.storage.unit_roundoff)
    if not once and n.opmath != n.storage:
        error += abs(t) * 2 * Fraction(n.opmath.unit_roundoff)
    return error**2 * THIRD


def underflow(n: ErrorModel) -> Fraction:
    """Of a product or a quotient."""
    eta = Fraction(n.storage.half_subnormal) + (Fraction(n.opmath.half_subnormal) if n.opmath != n.storage else 0)
    return (eta + Fraction(n.storage.smallest_normal)) ** 2 if n.elementwise_flushes else eta**2 * THIRD


def share(n: ErrorModel) -> Fraction:
    """Of the square of an entry of a matrix, the variance of its rounding."""
    u = Fraction(n.storage.unit_roundoff)
    return ((u if n.opmath == n.storage else u + 2 * Fraction(n.opmath.unit_roundoff)) ** 2) * THIRD


def operand(t: Fraction, n: ErrorModel) -> tuple[Fraction, Fraction]:
    """A number as a product reads it, and the variance of what it loses."""
    if n.operands is None or Fraction(round_to(torch.tensor(float(t)), n.operands).item()) == t:
        return t, Fraction(0)
    return t, (abs(t) * Fraction(n.operands.unit_roundoff) + Fraction(n.operands.half_subnormal)) ** 2 * THIRD


def product(
    n: ErrorModel, X: Sequence[Fraction], y: Sequence[Fraction], z: Fraction, *, bias: Fraction | None = None, above: Fraction | None = None
) -> Fraction:
    """The variance of what the sum of a row's products, which came out as z, loses itself.  above: Σ|x y|, of a row that is itself a sum."""
    terms, u = [a * b for a, b in zip(X, y, strict=True)] + ([] if bias is None else [bias]), Fraction(n.sum_roundoff)
    total, leaves, found = above or sum(map(abs, terms), Fraction(0)), len(terms), Fraction(0)
    order = n.orders.get(KernelAt(DENSE, P, Q))
    if n.truncates:
        found = (leaves * u / (1 - leaves * u) * total) ** 2
    elif n.accumulation.significand_bits > n.storage.significand_bits:
        found = u**2 * 2 * leaves * total**2 * THIRD
    else:
        tree: Any = FIRST if bias is not None else LINE
        strands, fused = False, False
        if order is not None and order.leaves == leaves:
            tree, strands, fused = (STRANDS_AND_BIAS if bias is not None else LINE if order.fused else STRANDS), order.stored_strands, order.fused
        exact = strands or n.product_is_exact
        inner, outer = (Fraction(n.opmath.unit_roundoff), Fraction(n.storage.unit_roundoff)) if strands else (u, Fraction(0))
        for kept, s in nodes(tree, terms, exact_products=exact or not fused, stored=strands):
            found += ((outer if kept else inner) * s) ** 2 * THIRD
        if not exact and not fused:
            found += sum(((inner * a * b) ** 2 * THIRD for a, b in zip(X, y, strict=True)), Fraction(0))
    lost = Fraction(math.sqrt(leaves / 3)) * Fraction(n.accumulation.half_subnormal)
    if n.accumulation != n.storage:
        found += rounding(z, n, once=True)
        lost += Fraction(math.sqrt(1 / 3)) * Fraction(n.storage.half_subnormal)
    if n.flushing:
        lost += 2 * leaves * Fraction(n.accumulation.smallest_normal) + Fraction(n.storage.smallest_normal)
        small = Fraction(n.storage.smallest_normal)
        found += sum(((a * b) ** 2 for a, b in zip(X, y, strict=True) if abs(b) < small), Fraction(0))
    return found + lost**2


def agrees(found: WithVariance, exact: Sequence[Fraction]) -> None:
    got = deviation(found.terms).expand(1, len(exact), 1)
    assert bool((got >= 0).all())
    for sigma, wanted in zip(held(got), exact, strict=True):
        assert abs(sigma**2 - wanted) <= CLOSE * wanted + Fraction(1, 2**2100), (float(sigma), float(wanted))


def came_out(found: WithVariance, exact: Sequence[Fraction], n: ErrorModel) -> None:
    """The value is the exact one to within the format."""
    for got, t in zip(held(found.held), exact, strict=True):
        assert abs(got - t) <= 4 * Fraction(n.storage.unit_roundoff) * abs(t) + 2 * Fraction(n.storage.smallest_subnormal)
