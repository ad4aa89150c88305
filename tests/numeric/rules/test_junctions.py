"""The rules of the modules at which strands meet, against exact rationals; and each wrong rule is seen."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from numeric.architecture import LargestOnly, Product, WeightedSum
from numeric.arithmetics import WithRadius, exact, hazards
from numeric.formats import torch_dtype
from numeric.machine import ErrorModel, ProbedMode
from numeric.rules import rule_for

SIZE = 4
FORMATS = ["fp64", "fp32", "bf16", "fp16"]
values = st.lists(st.floats(-4, 4, width=16), min_size=SIZE, max_size=SIZE)
shares = st.lists(st.integers(-8, 8), min_size=SIZE, max_size=SIZE)
"""Where in its radius each exact entry lies, in eighths."""


def column(x: list[float], radius: float, n: ErrorModel, found: object = None) -> WithRadius:
    value = torch.tensor(x, dtype=torch.float64).to(torch_dtype(n.storage)).reshape(1, -1, 1)
    return exact(value, n, hazards(1) if found is None else found, radius=torch.full_like(value, radius, dtype=torch.float64))  # type: ignore[arg-type]


def inside(found: WithRadius, true: list[Fraction]) -> bool:
    """An infinite radius says nothing, and holds."""
    radii = found.entry_radius.flatten().tolist()
    rows = zip(found.value.double().flatten().tolist(), true, radii, strict=True)
    return all(radius == float("inf") or abs(Fraction(value) - t) <= Fraction(radius) for value, t, radius in rows)


def exactly(x: WithRadius, share: list[int], radius: float) -> list[Fraction]:
    return [Fraction(v) + Fraction(s, 8) * Fraction(radius) for v, s in zip(x.value.double().flatten().tolist(), share, strict=True)]


def applied(module: nn.Module, *inputs: WithRadius) -> tuple[Callable[..., WithRadius], Tensor]:
    rule = rule_for(module)
    assert rule is not None
    return rule, module(*(x.value.squeeze(-1) for x in inputs)).unsqueeze(-1)


@pytest.mark.parametrize("name", FORMATS)
def test_a_product(name: str, arithmetic: dict[str, ErrorModel]) -> None:
    n = arithmetic[name]

    @settings(max_examples=150, deadline=None)
    @given(values, values, shares, shares, st.sampled_from([0.0, 2.0**-6, 0.5]))
    def check(x: list[float], y: list[float], sx: list[int], sy: list[int], radius: float) -> None:
        a, b = column(x, radius, n), column(y, radius, n)
        rule, value = applied(Product(), a, b)
        assert inside(rule(Product(), a, b, value), [p * q for p, q in zip(exactly(a, sx, radius), exactly(b, sy, radius), strict=True)])

    check()


@pytest.mark.parametrize("name", FORMATS)
def test_a_products_radius_is_attained(name: str, arithmetic: dict[str, ErrorModel]) -> None:
    """(1 + r)² - 1 = 2r + r² exactly, so a rule without r² or with one r would be seen."""
    n = arithmetic[name]
    a = column([1.0] * SIZE, 0.5, n)
    rule, value = applied(Product(), a, a)
    radius = rule(Product(), a, a, value).radius.dense(SIZE, 1)
    assert float(radius.min()) >= 1.25
    assert float(radius.max()) <= 1.25 + 4 * n.storage.unit_roundoff + 2.0**-46  # the radius itself is rounded up some dozens of times


@pytest.mark.parametrize("name", FORMATS)
def test_a_product_rounds(name: str, arithmetic: dict[str, ErrorModel]) -> None:
    """(1 + 2u)² = 1 + 4u + 4u², and its like: none is a number of the format."""
    n = arithmetic[name]
    u = n.storage.unit_roundoff
    a = column([1 + 2 * u, 1 + 6 * u, 1.5 + 2 * u, 1 + 10 * u], 0.0, n)
    rule, value = applied(Product(), a, a)
    found = rule(Product(), a, a, value)
    true = [x * x for x in exactly(a, [0] * SIZE, 0.0)]
    assert inside(found, true)
    assert not inside(replace(found, radius=found.radius.scaled(0.0)), true)


@pytest.mark.parametrize("name", FORMATS)
def test_the_largest(name: str, arithmetic: dict[str, ErrorModel]) -> None:
    n, module = arithmetic[name], LargestOnly(2)

    @settings(max_examples=300, deadline=None)
    @given(values, shares, st.sampled_from([0.0, 2.0**-10, 2.0**-4, 1.0]))
    def check(x: list[float], share: list[int], radius: float) -> None:
        a = column(x, radius, n)
        rule, value = applied(module, a)
        found, true = rule(module, a, value), exactly(a, share, radius)
        least = sorted(true)[-2]
        assert inside(found, [t if t >= least else Fraction(0) for t in true])
        assert bool(found.hazards.undecided) == (not bool(torch.isfinite(found.radius.dense(SIZE, 1)).all()))

    check()


@pytest.mark.parametrize(
    ("x", "radius", "decided"),
    [
        ([4.0, 3.0, 2.0, 1.0], 0.25, True),
        ([4.0, 3.0, 2.0, 1.0], 0.5, False),
        ([4.0, 3.0, 3.0, 1.0], 0.0, False),
        ([4.0, 4.0, 3.0, 1.0], 0.25, True),
        ([4.0, 3.0, 3.0, 1.0], 0.25, False),
    ],
)
def test_a_choice_that_rounding_decides_is_not_known(x: list[float], radius: float, decided: bool, arithmetic: dict[str, ErrorModel]) -> None:
    """Also where three tie for two places: they are all kept, but of the exact ones two may be larger. A rule that overlooked that was seen by a cell."""
    a = column(x, radius, arithmetic["fp32"])
    rule, value = applied(LargestOnly(2), a)
    found = rule(LargestOnly(2), a, value)
    assert bool(torch.isfinite(found.radius.dense(SIZE, 1)).all()) is decided
    assert bool(found.hazards.undecided) is not decided


@pytest.mark.parametrize("name", FORMATS)
def test_a_weighted_sum(name: str, arithmetic: dict[str, ErrorModel]) -> None:
    n, module = arithmetic[name], WeightedSum()

    @settings(max_examples=100, deadline=None)
    @given(values, st.lists(values, min_size=SIZE, max_size=SIZE), shares, shares, st.sampled_from([0.0, 2.0**-6]))
    def check(gates: list[float], terms: list[list[float]], sg: list[int], st_: list[int], radius: float) -> None:
        g = column(gates, radius, n)
        ys = [column(term, radius, n, g.hazards) for term in terms]
        rule, value = applied(module, g, *ys)
        found = rule(module, g, *ys, value)
        exact_gates, exact_terms = exactly(g, sg, radius), [exactly(y, st_, radius) for y in ys]
        assert inside(found, [sum((c * y[i] for c, y in zip(exact_gates, exact_terms, strict=True)), Fraction(0)) for i in range(SIZE)])

    check()


def test_a_sum_in_another_order_is_noticed(arithmetic: dict[str, ErrorModel]) -> None:
    n, u = arithmetic["fp32"], arithmetic["fp32"].storage.unit_roundoff
    g = column([1.0] * SIZE, 0.0, n)
    ys = [column([x] * SIZE, 0.0, n, g.hazards) for x in (1.0, u, u, u)]
    rule, value = applied(WeightedSum(), g, *ys)
    with pytest.raises(AssertionError, match="another order"):
        rule(WeightedSum(), g, *ys, value + 2 * u)


def test_the_modules_are_what_they_are_called_after(machine: dict[str, ProbedMode]) -> None:
    x, y = torch.tensor([[1.0, -2.0, 3.0]]), torch.tensor([[2.0, 5.0, -1.0]])
    assert Product()(x, y).tolist() == [[2.0, -10.0, -3.0]]
    assert LargestOnly(2)(x).tolist() == [[1.0, 0.0, 3.0]]
    assert LargestOnly(1)(torch.tensor([[3.0, 3.0, 1.0]])).tolist() == [[3.0, 3.0, 0.0]]
    assert WeightedSum()(torch.tensor([[2.0, 0.5]]), x, y).tolist() == [[3.0, -1.5, 5.5]]
