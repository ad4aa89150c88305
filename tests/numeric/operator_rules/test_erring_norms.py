"""Softmax along another axis, and norms whose weights have radii, against kernels that err as much as their model allows."""

import math

import pytest
import torch
from flint import arb, ctx
from torch import Tensor

from numeric.machine import ErrorModel
from numeric.operator_rules.doubts import Doubt
from tests.numeric.operator_rules.erring_kernels import Erring, asked, results
from tests.numeric.operator_rules.references_functions import normalised
from tests.numeric.operator_rules.test_erring_kernels import FINE
from tests.numeric.rules.worst_kernels import coarse, model

APART = model(coarse("fp16", 6), coarse("fp32", 26))
"""Computed in a format so much wider that what counts is what is stored."""
NEARER, SHORT = model(coarse("fp16", 6), coarse("fp32", 13)), model(coarse("fp16", 6, lowest=-3), coarse("fp32", 26))
COLUMNS = ([1.0, -1.0], [3.0, 3.0, -0.5], [-2.0, 0.5, 1.5, 1.75], [0.0, -3.0])


def _softmax(k: Erring, x: list[float]) -> list[float]:
    """The powers are stored, summed as they are stored, and divided."""
    powers = [k.stored(k.library("exp of softmax", math.exp(k.off(t - max(x))))) for t in x]
    total = math.fsum(powers)
    for _ in x[1:]:
        total = k.off(total)
    return [k.stored(k.lost(power / total)) for power in powers]


@pytest.mark.parametrize("n", [APART, NEARER, SHORT], ids=["apart", "nearer", "short"])
@pytest.mark.parametrize("x", COLUMNS, ids=str)
def test_a_softmax_that_stores_its_powers_is_within_its_radius(n: ErrorModel, x: list[float]) -> None:
    """Along the first axis; a rule of the last axis, which stores none, would be too narrow: the planted one."""
    values = [*results(n, lambda k: _softmax(k, x))]
    with ctx.workprec(256):
        powers = [arb(t).exp() for t in x]
        exact = [power / sum(powers, arb(0)) for power in powers]
    operand, value = torch.tensor([x] * len(values), dtype=torch.float64).mT, torch.tensor(values, dtype=torch.float64).mT
    radius = asked("aten._softmax.default", n, {"self": operand, "dim": 0, "half_to_float": False}, [value], {})[0].radius
    narrower = asked("aten._softmax.default", n, {"self": operand.mT, "dim": 1, "half_to_float": False}, [value.mT], {})[0].radius.mT
    errors = torch.tensor([[float(abs(arb(v) - t).lower()) for v in row] for row, t in zip(value.tolist(), exact, strict=True)], dtype=torch.float64)
    assert bool((errors <= radius).all())
    assert n is SHORT or bool((radius >= narrower + 1.5 * n.storage.unit_roundoff * value).all())
    if n is APART:
        assert bool((errors > narrower).any())
        assert bool((radius <= narrower + 2.25 * n.storage.unit_roundoff * value).all()), "a rounding of a power, and as much of their sum"


def _of_row(x: Tensor, names: tuple[str, ...], affine: dict[str, Tensor], radii: dict[int, Tensor], doubts: Tensor | None = None) -> Tensor:
    """The radius of a layer norm of one row, in which only the weights are off."""
    eps = 0.125
    with ctx.workprec(256):
        z, _, _ = normalised(x.numpy().astype(object).reshape(1, -1), eps, centred=True)
    value = torch.tensor([[float(t) for t in z[0]]], dtype=torch.float64) * affine["weight"] + affine["bias"]
    row = x.unsqueeze(0)
    radii = {**radii, id(row): radii[id(x)].unsqueeze(0)} if id(x) in radii else radii
    given = {"input": row, "normalized_shape": [len(x)], **affine, "eps": eps}
    one = torch.zeros((1, 1), dtype=torch.float64)
    assert set(names) <= set(given)
    return asked("aten.native_layer_norm.default", FINE, given, [value, one, one + 1.0], radii)[0].radius[0]


def test_a_weight_and_a_bias_that_are_off_move_the_result_by_as_much() -> None:
    """r_w|z| + r_b more, of each entry, and no more than a thousandth beside it."""
    x = torch.tensor([1.5, -0.25, 3.0, 0.0, -2.0], dtype=torch.float64)
    affine = {"weight": torch.tensor([1.0, -2.0, 0.5, 1.5, 3.0], dtype=torch.float64), "bias": torch.tensor([0.0, 1.0, -1.0, 0.25, 2.0], dtype=torch.float64)}
    z = (x - x.mean()) / (x.var(correction=0) + 0.125).sqrt()
    plain = _of_row(x, (), affine, {})
    for r_w, r_b in ((0.25, 0.0), (0.0, 0.25), (0.125, 0.5)):
        radii = {id(affine["weight"]): torch.full_like(x, r_w), id(affine["bias"]): torch.full_like(x, r_b)}
        more = _of_row(x, ("weight", "bias"), affine, radii) - plain
        stated = r_w * z.abs() + r_b
        assert bool((more >= stated * (1.0 - 2.0**-40)).all())
        assert bool((more <= stated * 1.001).all())
        both = _of_row(x, ("weight", "bias"), affine, {**radii, id(x): torch.full_like(x, 0.0625)})
        alone = _of_row(x, ("input",), affine, {id(x): torch.full_like(x, 0.0625)})
        moved = (alone - plain) / affine["weight"].abs()
        assert bool((both - alone >= (stated + r_w * moved) * (1.0 - 2.0**-30)).all())


@pytest.mark.parametrize("centred", [True, False])
def test_the_mean_and_the_reciprocal_root_have_radii(centred: bool) -> None:
    """Operands off by r: the mean moves by r at most and may; the root by as much as the row says. A fused RMSNorm has no mean."""
    x, r, eps = torch.tensor([[1.5, -0.25, 3.0, 0.0, -2.0]], dtype=torch.float64), 2.0**-6, 0.125
    name = "aten.native_layer_norm.default" if centred else "aten._fused_rms_norm.default"
    ends = []
    for end in (x, x + r, x - r, x * (1.0 + r / 3.0), x * (1.0 - r / 3.0)):
        with ctx.workprec(256):
            z, means, roots = normalised(end.numpy().astype(object), eps, centred=centred)
        ends.append(([float(t) for t in z[0]], float(means[0]), float(roots[0])))
    values = [torch.tensor([ends[0][0]], dtype=torch.float64), *(torch.tensor([[t]], dtype=torch.float64) for t in (ends[0][1:] if centred else ends[0][2:]))]
    given = {"input": x, "normalized_shape": [5], "weight": None, "eps": eps} | ({"bias": None} if centred else {})
    found = asked(name, FINE, given, values, {id(x): torch.full_like(x, r)})
    assert len(found) == len(values)
    for z_end, mean, root in ends[1:]:
        assert bool(((torch.tensor([z_end], dtype=torch.float64) - values[0]).abs() <= found[0].radius).all())
        assert abs(root - ends[0][2]) <= float(found[-1].radius)
        assert not centred or abs(mean - ends[0][1]) <= float(found[1].radius)
    if centred:
        assert r <= float(found[1].radius) <= 1.001 * r
    exact = asked(name, FINE, given, values, {})
    assert all(float(each.radius.max()) < 2.0**-10 for each in exact)
    if centred:
        assert float(exact[1].radius) >= 35 * FINE.opmath.unit_roundoff * 3.0, "seven roundings of each of five numbers, of which the largest is 3"
    assert float(exact[-1].radius.max()) >= 2.0 * FINE.opmath.unit_roundoff * ends[0][2], "the library's two ulps alone"


def test_a_variance_that_cannot_be_told_from_zero_leaves_nothing_known() -> None:
    x = torch.tensor([[1.0, 1.0, 1.0]], dtype=torch.float64)
    value, one = torch.zeros_like(x), torch.ones((1, 1), dtype=torch.float64)
    given = {"input": x, "normalized_shape": [3], "weight": None, "bias": None, "eps": 0.0}
    found = asked("aten.native_layer_norm.default", FINE, given, [value, one, one], {id(x): torch.full_like(x, 0.5)})
    assert all(each.doubts is not None and bool(((each.doubts & int(Doubt.UNDERFLOW)) != 0).all()) for each in found)
    assert math.isinf(float(found[2].radius))
    affine = {"weight": torch.ones(3, dtype=torch.float64), "bias": torch.full((3,), 2.0, dtype=torch.float64)}
    radii = {id(x): torch.full_like(x, 0.5), id(affine["weight"]): torch.full((3,), 0.25), id(affine["bias"]): torch.full((3,), 0.125)}
    off = asked("aten.native_layer_norm.default", FINE, {**given, **affine}, [value, one, one], {key: each.double() for key, each in radii.items()})[0]
    assert bool((off.radius >= 1.25 * math.sqrt(2.0) + 2.125).all()), "a normalised entry is √(n - 1) at most"
