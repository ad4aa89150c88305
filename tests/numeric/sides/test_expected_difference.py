"""The expected difference at the first dense layer, against its formula in rationals, source by source; and where a source is of both sides, it cancels.

The model of a single operation is that of ``variance_model.py``. What is asked here is what both sides make of the operations: with k = aᵀx/s, s = ‖a‖²,
v = Wδ and U = v aᵀ/s, an error of W itself arrives as z - kδ, that of δ as kW, that of v as k, that of s as kv/s, and that of a from three places at once.
"""

import math
from dataclasses import replace
from fractions import Fraction
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from numeric import ContextualBlock
from numeric.formats import modes_named
from numeric.machine import ErrorModel, ProbedMode
from numeric.machine.kernels import BARE, DENSE, PATCHED_WEIGHT
from numeric.sides import Variant, expected_difference, variants_named
from numeric.sides.passes import Pass
from numeric.sides.setting import Setting
from tests.numeric.arithmetics.variance_model import FP32, MODELS, THIRD, P, Q, held, operand, product, rounding, rows, share, underflow
from tests.numeric.sides.test_both_sides_exactly import Handing

FORMULA, FACTORED = variants_named(["formula", "factored"])
(MODE,) = modes_named(["fp32"])
NEARLY = Fraction(FP32.unit_roundoff)
"""Relative: k stands for the quotient that the factored update rounds; all else is of the numbers that were computed."""
LAMBDA = math.sqrt(2.0 * math.log(2.0 * P / 2.0**-10))
"""2P exp(-λ²/2) = 2^-10."""
NAMES = ("fp32", "short operands", "short operands and bias")
KINDS = ("as it was", "another a", "nearly nothing")


def numbers(seed: int, *shape: int) -> Tensor:
    """Of either sign, and not short."""
    x = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.4
    return (x * torch.where(torch.arange(x.numel()).reshape(shape) % 3 == 1, -1.0, 1.0)).float()


class Case:
    """One case at P by Q: its vectors, the layer, and what fp32 makes of them."""

    def __init__(self, n: ErrorModel, kind: str, *, bias: bool, variant: Variant) -> None:
        self.n, self.W, self.a = n, numbers(4, P, Q), numbers(2, 1, Q)
        self.z = self.a + self.a.abs() * torch.tensor([0.0, 1.0, -1.0, 1.0, -1.0, -1.0]) * 2.0**-23 if kind == "nearly nothing" else numbers(3, 1, Q)
        self.x = self.a * 1.125 if kind == "another a" else self.a.clone()
        first = nn.Linear(Q, P, bias=bias).requires_grad_(False)
        first.weight.copy_(self.W)
        self.b = first.bias.copy_(numbers(7, P)) if bias else torch.zeros(P)
        self.delta = self.z - self.a
        self.v, self.s = self.delta @ self.W.mT, (self.a @ self.a.mT).squeeze()  # as aᵀx: of x = a their quotient is 1
        self.block = ContextualBlock(Handing(), nn.Sequential(first), "0", input_width=Q)
        self.left = (self.z @ self.W.mT) + self.b
        self.update = self.v.mT @ self.a / self.s
        self.plain = (self.x @ self.W.mT) + self.b
        self.right = self.x @ (self.W + self.update).mT + self.b
        self.variant = variant

    def found(self) -> Tensor:
        probed = ProbedMode(MODE, self.n, self.n, ())
        setting = Setting(self.block, None, self.variant, probed, (), None)  # type: ignore[arg-type]
        sides = [Pass(attended, attended, {"0": layer}, layer) for attended, layer in ((self.z, self.left), (self.x, self.right))]
        return expected_difference.expected_difference(setting, *sides, self.a)


def inherited(case: Case, i: int) -> Fraction:
    """The variance of what both sides do to the roundings of W, z, a and x as operands, and of δ, v and ‖a‖²."""
    n, a, x, z, d = case.n, *(held(t) for t in (case.a, case.x, case.z, case.delta))
    v, s, W = held(case.v)[i], Fraction(case.s.item()), rows(case.W)[i]
    same, k = a == x, sum((p * q for p, q in zip(a, x, strict=True)), Fraction(0)) / s
    formed = not case.variant.factored
    quotient = k if formed else Fraction((case.x @ case.a.mT / case.s).item())
    total = product(n, W, d, v) * k**2 + operand(v, n)[1] * k**2 + (v * k / s) ** 2 * product(n, a, a, s)
    for j in range(Q):
        weight = W[j] + v * a[j] / s if formed else W[j]
        of_a = v * a[j] * 2 * k / s
        of_x = weight if formed else weight + v * a[j] / s
        total += operand(W[j], n)[1] * ((z[j] - k * d[j]) if formed else (z[j] - x[j] - k * d[j])) ** 2
        total += operand(z[j], n)[1] * W[j] ** 2
        total += (rounding(d[j], n) + operand(d[j], n)[1]) * (k * W[j]) ** 2
        total += operand(a[j], n)[1] * ((of_x if same else 0) + v * x[j] / s - of_a) ** 2
        total += 0 if same else operand(x[j], n)[1] * of_x**2
    if not formed:
        t = sum((p * q for p, q in zip(a, x, strict=True)), Fraction(0))
        total += (v / s) ** 2 * product(n, a, x, t) + (rounding(quotient, n) + underflow(n) + operand(quotient, n)[1]) * v**2
    return total


def fresh(case: Case, i: int) -> Fraction:
    """Of the sums of either side, and of the entries of U and of W + U."""
    n, a, x, z = case.n, *(held(t) for t in (case.a, case.x, case.z))
    v, s, W, b = held(case.v)[i], Fraction(case.s.item()), rows(case.W)[i], held(case.b)[i]
    bias = None if case.block.first_linears[0].bias is None else b
    total = product(n, W, z, held(case.left)[i], bias=bias)
    if case.variant.factored:
        added = Fraction((case.v[0, i] * (case.x @ case.a.mT / case.s)).item())
        plain = held(case.plain)[i]
        return total + product(n, W, x, plain, bias=bias) + rounding(added, n) + underflow(n) + rounding(plain + added, n)
    near = [w + v * t / s for w, t in zip(W, a, strict=True)]
    above = sum((abs(w * q) + abs(v * t * q / s) for w, t, q in zip(W, a, x, strict=True)), Fraction(0))
    total += product(n, near, x, held(case.right)[i], bias=bias, above=above)
    for t, q, m in zip(a, x, near, strict=True):
        total += (share(n) * (v * t) ** 2 + underflow(n)) * (q / s) ** 2 + (share(n) * (v * t / s) ** 2 + underflow(n) + share(n) * m**2) * q**2
        total += (Fraction(n.operands.unit_roundoff) * m * q) ** 2 * THIRD if n.operands is not None else 0
    return total


def absorbed(case: Case, i: int) -> Fraction:
    """κ: what is lost of entries of U that W + U does not show."""
    v, s = held(case.v)[i], Fraction(case.s.item())
    total = Fraction(0)
    for w, t, q in zip(rows(case.W)[i], held(case.a), held(case.x), strict=True):
        place = Fraction(2) ** (math.frexp(float(w))[1] - 1)
        total += v * t / s * q if abs(v * t / s) <= place * Fraction(FP32.unit_roundoff) else 0
    return Fraction(0) if case.variant.factored else total


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", [FORMULA, FACTORED], ids=lambda row: row.id)
@pytest.mark.parametrize("name", NAMES)
def test_the_expected_difference_is_that_of_its_sources(name: str, variant: Variant, kind: str, bias: bool) -> None:
    """|κ| + λσ; a bias that is an operand is rounded alike on both sides, and is in neither σ nor κ."""
    case = Case(MODELS[name], kind, bias=bias, variant=variant)
    found = held(case.found())
    assert len(found) == P
    for i, got in enumerate(found):
        sigma = math.sqrt(inherited(case, i) + fresh(case, i))
        wanted = Fraction(LAMBDA * sigma) + abs(absorbed(case, i))
        assert abs(got - wanted) <= wanted * NEARLY, (float(got), float(wanted))


def test_entries_are_absorbed_with_either_sign() -> None:
    """So that the absolute value of κ is one, and is not the whole."""
    case = Case(MODELS["fp32"], "nearly nothing", bias=True, variant=FORMULA)
    lost = [absorbed(case, i) for i in range(P)]
    assert min(lost) < 0 < max(lost)
    assert all(0 < abs(k) < Fraction(LAMBDA * math.sqrt(inherited(case, i) + fresh(case, i))) for i, k in enumerate(lost))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("variant", [FORMULA, FACTORED], ids=lambda row: row.id)
def test_each_side_is_of_its_own_kernel(variant: Variant, bias: bool) -> None:
    """The layer's own, and that of one with a weight of its own for each case; with a factored patch the layer's own twice. With a bias or without."""
    real, asked = expected_difference.dense_layer, []

    def note(weight: object, b: object, x: object, value: Tensor, kernel: str, *, apart: bool) -> object:
        asked.append((kernel, b is not None, apart))
        return real(weight, b, x, value, kernel, apart=apart)  # type: ignore[arg-type]

    n = replace(MODELS["fp32"], patched_rounds_before_bias=True)
    case = Case(n, "as it was", bias=bias, variant=variant)
    with patch.object(expected_difference, "dense_layer", note):
        case.found()
    names = [DENSE, DENSE if variant is FACTORED else PATCHED_WEIGHT]
    assert asked == [(name if bias else BARE[name], bias, name is PATCHED_WEIGHT) for name in names]


@pytest.mark.parametrize("size", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("which", ["z", "a", "x"])
def test_what_is_not_finite_is_expected_to_be_anything(which: str, size: float) -> None:
    """Also where an infinity less an infinity, as of an infinite a, leaves no number."""
    case = Case(MODELS["fp32"], "another a", bias=True, variant=FORMULA)
    getattr(case, which)[0, 0] = size
    assert case.found().flatten().tolist() == [math.inf] * P
