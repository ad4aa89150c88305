"""What range limits take, against rationals and plain loops; every format, flush and order that changes a formula, at every distance of a fine grid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import pytest
import torch

from numeric.formats import Format, format_named
from numeric.formats.mode import Mode
from numeric.machine import ErrorModel, ProbedMode
from numeric.machine.kernels import ALL_KERNELS, DENSE, INNER_PRODUCT, OUTER_PRODUCT, PATCHED_WEIGHT, KernelAt
from numeric.machine.summation_tree import MERGE, PUSH, Order
from numeric.sides.range_limits import lost_in_the_norm, range_losses, share_that_fails, well_inside
from numeric.sides.variant import VARIANTS, Variant

INF = float("inf")
Loss = Fraction | float
"""A share of ‖WΔA‖, or infinite."""


@dataclass(frozen=True)
class Kind:
    """A machine, by what the limits depend on."""

    storage: str
    accumulation: str
    weights: str = ""
    held: str = ""
    operands: str = ""
    flushing: frozenset[str] = frozenset()
    of_layer: frozenset[str] = frozenset()
    elementwise: bool = False
    strands: bool = False
    """Whether each product of an inner product is stored before it is added."""
    in_order: bool = False
    """Whether the order of an inner product is known."""

    @cache  # noqa: B019 - a handful of them
    def probed(self, d: int) -> ProbedMode:
        storage, weights = format_named(self.storage), format_named(self.weights or self.storage)
        operands = format_named(self.operands) if self.operands else None
        model = ErrorModel(storage, format_named(self.accumulation), _opmath(storage), self.flushing, self.elementwise, False, False, "cpu", operands=operands)
        if self.strands or self.in_order:
            model = replace(model, orders={KernelAt(INNER_PRODUCT, 1, d): replace(_strands(d), stored_strands=self.strands)})
        held = format_named(self.held) if self.held else None
        return ProbedMode(Mode("made", "", storage, weights, storage, operands, inputs=held), model, replace(model, flushing=self.of_layer), ())


def _strands(d: int) -> Order:
    return Order(tuple((PUSH, j) for j in range(d)) + ((MERGE, -1),) * (d - 1), d, d - 1)


def _opmath(storage: Format) -> Format:
    return storage if storage.significand_bits >= 24 else format_named("fp32")


KINDS = {
    "fp16": Kind("fp16", "fp32"),
    "fp32": Kind("fp32", "fp32"),
    "bf16, strands": Kind("bf16", "fp32", strands=True),
    "bf16, in order": Kind("bf16", "fp32", in_order=True),
    "fp32, flushing": Kind("fp32", "fp32", flushing=ALL_KERNELS, of_layer=ALL_KERNELS, elementwise=True),
    "fp16, products flush": Kind("fp16", "fp32", flushing=frozenset({INNER_PRODUCT})),
    "fp16, another kernel flushes": Kind("fp16", "fp32", flushing=frozenset({DENSE})),
    "fp16, updates flush": Kind("fp16", "fp16", flushing=frozenset({OUTER_PRODUCT})),
    "fp16, elementwise": Kind("fp16", "fp16", elementwise=True),
    "fp16, layer": Kind("fp16", "fp32", of_layer=frozenset({PATCHED_WEIGHT})),
    "fp8 held": Kind("fp32", "fp32", weights="fp8-e5m2", held="fp8-e4m3", operands="fp8-e5m2"),
    "fp16 operands": Kind("fp32", "fp32", operands="fp8-e4m3"),
    "tf32": Kind("fp32", "fp32", operands="tf32"),
    "tf32, layer flushes": Kind("fp32", "fp32", operands="tf32", of_layer=ALL_KERNELS),
    "wide weights": Kind("bf16", "fp32", weights="fp32"),
}


def rounded(x: Fraction, row: Format) -> Loss:
    """To nearest, ties to even; infinite beyond Ω."""
    if not x:
        return Fraction(0)
    place = max(_exponent(abs(x)), row.min_exponent) - row.significand_bits + 1
    found = round(x / Fraction(2) ** place) * Fraction(2) ** place
    return INF if abs(found) > Fraction(row.largest) else found


def _exponent(x: Fraction) -> int:
    """Of the largest power of two that is not above x > 0."""
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if Fraction(2) ** e <= x else e - 1


def over(x: Fraction, y: Fraction) -> Loss:
    return x / y if y else INF


def all_where(lost: bool) -> Loss:
    return INF if lost else Fraction(0)


def norm_exactly(e: Sequence[Fraction], rho: Fraction, n: ErrorModel, strands: bool) -> Loss:
    """The share of ‖a‖² that underflow takes, by the first line of the docstring's table."""
    squares, k = sum(t * t for t in e), sum(t != 0 for t in e)
    first = n.opmath if strands else n.accumulation
    lost = k * Fraction(first.smallest_subnormal) / 2
    if strands:
        lost += len(e) * Fraction(n.storage.smallest_subnormal) / 2
    elif n.accumulation != n.storage:
        lost += Fraction(n.storage.smallest_subnormal) / 2
    if INNER_PRODUCT in n.flushing:
        lost += sum((t * rho) ** 2 for t in e if (t * rho) ** 2 < Fraction(n.accumulation.smallest_normal))
        lost += rho * rho * squares if rho * rho * squares < Fraction(n.storage.smallest_normal) else 0
    return over(lost, rho * rho * squares)


def exactly(v: Sequence[Fraction], e: Sequence[Fraction], rho: Fraction, variant: Variant, kind: Kind) -> dict[str, Loss]:
    """Every share that is not 0 by the variant's and the machine's nature, written out from the table in the docstring of ``range_limits.py``."""
    probed = kind.probed(len(e))
    update, held = probed.adapter if variant.factored else probed.update, probed.mode.range
    storage, squares, peak, top = update.storage, sum(t * t for t in e), max(abs(t) for t in v), max(abs(t) for t in e)

    def lost(x: Loss) -> Loss:
        return sum((min(x, abs(t)) * abs(t) for t in e), Fraction(0)) / squares  # type: ignore[arg-type]

    def of_effect(x: Fraction) -> Loss:
        return over(x, peak) if peak else Fraction(0)

    found: dict[str, Loss] = {"A(x) is held as zero": all_where(top * rho <= Fraction(held.smallest_subnormal) / 2), "WΔA is not finite": Fraction(0)}
    if variant.id != "scaled":
        found["‖a‖² overflows"] = all_where(squares * rho * rho > Fraction(storage.largest))
    if update.operands is not None:
        near = [rounded(t, update.operands) for t in v]
        apart = [abs(r - t) for r, t in zip(near, v, strict=True) if abs(t) < Fraction(update.operands.smallest_normal)]
        found["an entry of WΔA is rounded to a subnormal operand"] = of_effect(max(apart, default=Fraction(0)))  # type: ignore[arg-type]
        found["an entry of WΔA overflows as an operand"] = all_where(INF in near)
    if variant.factored:
        least = Fraction(update.accumulation.smallest_subnormal) / 2
        if INNER_PRODUCT in update.flushing:
            least = Fraction(max(update.accumulation.smallest_normal, storage.smallest_normal))
        found["‖a‖² is zero"] = all_where((top * rho) ** 2 <= least or squares * rho * rho <= Fraction(storage.smallest_subnormal) / 2)
        return found
    formula, layer = variant.id == "formula", probed.layer
    if kind.elementwise or (formula and {INNER_PRODUCT, OUTER_PRODUCT} & kind.flushing) or PATCHED_WEIGHT in kind.of_layer:
        read = sum((t * t for t in e if abs(t) * rho < Fraction(storage.smallest_normal)), Fraction(0))
        found["products read subnormal entries of a as zero"] = read / squares
    if layer.operands is not None and layer.operands.smallest_subnormal > held.smallest_subnormal:
        found["an entry of a is rounded to a subnormal operand"] = lost(Fraction(layer.operands.smallest_subnormal) / rho / 2)
    rows = [storage, probed.mode.weights, *([layer.operands] if layer.operands else [])]
    found["ΔW overflows"] = all_where(any(peak * top > Fraction(row.largest) * rho * squares for row in rows))
    zeroed = kind.elementwise or PATCHED_WEIGHT in kind.of_layer
    of_entry = [Fraction(row.smallest_normal) if zeroed else Fraction(row.smallest_subnormal) / 2 for row in rows]
    if PATCHED_WEIGHT in kind.of_layer:
        each = of_effect(Fraction(layer.accumulation.smallest_normal))
        found["products with ΔW are flushed"] = sum((min(t * t / squares, each) for t in e), Fraction(0))  # type: ignore[type-var]
    found["ΔW underflows"] = lost(of_effect(max(of_entry) * rho * squares))
    loses = Fraction(storage.smallest_normal) if kind.elementwise or OUTER_PRODUCT in kind.flushing else Fraction(storage.smallest_subnormal) / 2
    if formula:
        found["(WΔA)aᵀ overflows"] = all_where(peak * top * rho > Fraction(storage.largest))
        share = norm_exactly(e, rho, update, kind.strands)
        found["‖a‖² underflows"] = share / (1 - share) if share < 1 else INF
        found["(WΔA)aᵀ underflows"] = lost(of_effect(loses / rho))
    else:
        # c = a/max|a|: an entry of v cᵀ loses where c_j is not 1, and one of v cᵀ/‖c‖² where any other entry is not 0.
        error = of_effect(loses) * top
        inexact = [t for t in e if abs(t) < top]
        of_product = sum((min(error, abs(t)) * abs(t) for t in inexact), Fraction(0)) / squares  # type: ignore[type-var]
        found["(WΔA)aᵀ underflows"] = of_product + (lost(error) if any(inexact) else 0)
    return found


SHAPES = {
    "one": ((1, 0, 0), (3, -1)),
    "two alike": ((1, -1), (1,)),
    "mixed": ((-5, -3, 1, 0), (-7, 2, 0)),
    "tiny entries": ((4, Fraction(1, 64), Fraction(-1, 1024)), (1, Fraction(1, 2**14))),
    "no effect": ((-1, 2), (0, 0)),
    "tiny effect": ((1, 2, 3), (Fraction(5, 2**19), Fraction(-3, 2**20))),
    "tiniest effect": ((2, 1), (Fraction(3, 2**133), Fraction(1, 2**134))),
    "large effect": ((1, 2), (2**15, -3 * 2**14)),
    "largest effect": ((1, 1), (2**126, 2**125)),
}
"""e and v."""
DISTANCES = [Fraction(2) ** k for k in (*range(-149, -121, 9), *range(-75, -61, 2), *range(-27, 1, 2), *range(6, 18, 2), 63, 64, 127)]
DISTANCES += [t * Fraction(5, 4) for t in DISTANCES[4::2]]
BETWEEN = [t * Fraction(1061, 1024) for t in DISTANCES[2:35:3]]
"""Where no share is a tenth."""


@cache
def expected(kind: str, shape: str, variant: str) -> dict[str, list[float]]:
    """By limit, the share at every distance, to nearest."""
    e, v = ([Fraction(t) for t in each] for each in SHAPES[shape])
    (row,) = (each for each in VARIANTS if each.id == variant)
    rows = [exactly(v, e, rho, row, KINDS[kind]) for rho in DISTANCES]
    return {name: [float(each[name]) for each in rows] for name in rows[0]}


CASES = [(kind, variant) for kind in KINDS for variant in ("formula", "scaled", "factored")]


@pytest.mark.parametrize(("kind", "variant"), CASES)
def test_every_loss_is_that_of_the_rationals(kind: str, variant: str) -> None:
    """To within the roundings of float64: some 2d + 16 of numbers of one sign."""
    (row,) = (each for each in VARIANTS if each.id == variant)
    for shape in SHAPES:
        e, v = (torch.tensor([[float(t) for t in each]] * len(DISTANCES), dtype=torch.float64) for each in SHAPES[shape])
        found = range_losses(v, e, torch.tensor([float(rho) for rho in DISTANCES], dtype=torch.float64), row, KINDS[kind].probed(e.shape[1]))
        wanted = expected(kind, shape, variant)
        assert found.keys() == wanted.keys()
        for name, shares in wanted.items():
            exact = torch.tensor(shares, dtype=torch.float64)
            near = (found[name] - exact).abs() <= exact * ((2 * e.shape[1] + 16) * 2.0**-53)
            assert bool(torch.where(torch.isinf(exact), found[name] == exact, near).all()), (shape, name)


def test_each_limit_is_met_and_missed() -> None:
    """The planted one: a limit that is the same at every distance would need no formula."""
    seen: dict[str, set[bool]] = {}
    for kind, variant in CASES:
        for shape in SHAPES:
            for name, shares in expected(kind, shape, variant).items():
                seen.setdefault(name, set()).update(share > 0.1 for share in shares)
    assert {name for name, found in seen.items() if found != {False, True}} == {"WΔA is not finite"}


def test_an_effect_that_is_not_finite_is_lost() -> None:
    one, probed = torch.ones((1, 1), dtype=torch.float64), KINDS["fp32"].probed(1)
    for bad in (torch.inf, torch.nan):
        assert range_losses(one * bad, one, one[0], VARIANTS[0], probed)["WΔA is not finite"].item() == torch.inf
        for variant in VARIANTS:
            assert not bool(well_inside(one * bad, one, variant, probed))
            assert not bool(well_inside(one, one * bad, variant, probed))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.id)
def test_neither_zero_nor_no_effect_lies_well_inside(variant: Variant) -> None:
    """Beside a case that does."""
    a, effect = (torch.tensor(rows, dtype=torch.float64) for rows in ([[1.0], [0.0], [1.0], [-1.0]], [[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]))
    assert well_inside(effect, a, variant, KINDS["fp32"].probed(1)).tolist() == [True, False, False, True]


@cache
def inside_exactly(kind: str, shape: str, variant: Variant) -> list[bool]:
    """Whether no loss at ρ/4 or 4ρ is above a tenth, or four roundoffs of the weights; a factored update's norm has to be known as well."""
    e, v = ([Fraction(t) for t in each] for each in SHAPES[shape])
    probed, found = KINDS[kind].probed(len(e)), []
    share = max(Fraction(0.1), 4 * Fraction(probed.mode.weights.unit_roundoff))
    assert share_that_fails(probed) == float(share)
    for rho in BETWEEN:
        losses = [loss for at in (rho / 4, rho * 4) for loss in exactly(v, e, at, variant, KINDS[kind]).values()]
        if variant.factored:
            losses += [norm_exactly(e, at, probed.adapter, KINDS[kind].strands) for at in (rho / 4, rho * 4)]
        assert not any(abs(loss - share) < share * Fraction(1, 2**40) for loss in losses if loss != INF), "too near for float64 to tell"
        found.append(any(v) and max(losses) <= share)
    return found


@pytest.mark.parametrize(("kind", "variant"), CASES)
def test_well_inside_is_a_quarter_of_the_way_and_four_times_it(kind: str, variant: str) -> None:
    (row,) = (each for each in VARIANTS if each.id == variant)
    for shape, (e, v) in SHAPES.items():
        probed = KINDS[kind].probed(len(e))
        a = torch.tensor([[float(t * rho) for t in e] for rho in BETWEEN], dtype=torch.float64)
        effect = torch.tensor([[abs(float(t)) for t in v]] * len(BETWEEN), dtype=torch.float64)
        assert well_inside(effect, a, row, probed).tolist() == inside_exactly(kind, shape, row), shape


@cache
def norms_exactly(kind: str, shape: str) -> list[Fraction]:
    e = [Fraction(t) for t in SHAPES[shape][0]]
    return [Fraction(norm_exactly(e, rho, KINDS[kind].probed(len(e)).update, KINDS[kind].strands)) for rho in DISTANCES]


def test_what_a_norm_loses_is_that_of_the_rationals() -> None:
    at = torch.tensor([float(rho) for rho in DISTANCES], dtype=torch.float64)
    for kind, shape in ((kind, shape) for kind in KINDS for shape in SHAPES):
        e = SHAPES[shape][0]
        row = torch.tensor([[float(t) for t in e]] * len(DISTANCES), dtype=torch.float64)
        found = lost_in_the_norm(row, at, KINDS[kind].probed(len(e)).update)
        for share, exact in zip(found.tolist(), norms_exactly(kind, shape), strict=True):
            assert abs(Fraction(share) - exact) <= exact * (2 * len(e) + 16) / 2**53
